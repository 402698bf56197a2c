//! Checks how pictures are written, with made-up numbers.

use std::collections::BTreeMap;

use figure::{Counts, Curve, CurveOptions, LossScale, confusion, loss_curves, recall_chart};

#[test]
fn a_chart_of_recall() {
    let classes = [("spin", 87.88), ("wag", 33.33), ("<rise>", f64::NAN)];
    insta::assert_snapshot!(recall_chart(&classes, "Two-stream net").unwrap().file());
}

#[test]
fn a_confusion_matrix() {
    let taken =
        |counts: &[(&str, usize)]| counts.iter().map(|(class, videos)| ((*class).into(), *videos)).collect();
    let counts: Counts = BTreeMap::from([
        ("spin".into(), taken(&[("spin", 2), ("wag", 1)])),
        ("wag".into(), taken(&[("wag", 1)])),
    ]);
    insta::assert_snapshot!(confusion(&counts, "Split 1").unwrap().file());
}

#[test]
fn loss_curves_on_a_logarithmic_axis() {
    let curves = [
        Curve { name: "spatial", points: &[(10, 2.0), (20, 0.5)], place: None },
        Curve { name: "temporal", points: &[(10, 2.5), (20, f64::NAN)], place: None },
    ];
    let options = CurveOptions { title: "Table 1b", scale: LossScale::Logarithmic, rate_steps: &[15] };
    insta::assert_snapshot!(loss_curves(&curves, &options).unwrap().file());
}
