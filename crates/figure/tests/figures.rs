//! How pictures are written, from numbers made up here.

use figure::{CurveOptions, LossScale, confusion, loss_curves, recall_chart};

#[test]
fn a_chart_of_recall() {
    let classes = [("spin", 87.88), ("wag", 33.33), ("<rise>", f64::NAN)];
    insta::assert_snapshot!(recall_chart(&classes, "Two-stream net").unwrap());
}

#[test]
fn a_confusion_matrix() {
    let (labels, predictions) = ([0, 0, 0, 1], [0, 0, 1, 1]);
    insta::assert_snapshot!(confusion(&labels, &predictions, &["spin", "wag"], "Split 1").unwrap());
}

#[test]
fn loss_curves_on_a_logarithmic_axis() {
    let curves = [("spatial", vec![(10, 2.0), (20, 0.5)]), ("temporal", vec![(10, 2.5), (20, f64::NAN)])];
    let options = CurveOptions { title: "Table 1b", scale: LossScale::Logarithmic, rate_steps: &[15] };
    insta::assert_snapshot!(loss_curves(&curves, &options).unwrap());
}
