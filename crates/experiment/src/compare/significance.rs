//! Significance of the difference between two rows: paired bootstrap and McNemar's test over their test videos.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::gather::Entry;
use crate::Result;
use crate::claim::{Bootstrap, Estimate};
use crate::outcomes::Outcomes;
use crate::record::RunRecord;
use crate::scores::SCORES;
use crate::scores::predictions::Predictions;
use crate::store::recorded_unit;
use base::text::signed_within;
use plan::rule::Comparison;

/// The difference between two rows on the same videos.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Difference {
    /// First minus second in points, with the 95 % interval of a paired bootstrap over videos.
    points: Estimate,
    /// Number of tests that only the first row, and only the second row, got right.
    only_one: [usize; 2],
    /// The exact two-sided p-value of McNemar's test.
    p: f64,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { value, low, high } = self.points;
        write!(out, "{}, p ", signed_within(value, low, high))?;
        if self.p < 0.001 { write!(out, "< 0.001") } else { write!(out, "{:.3}", self.p) }
    }
}

/// Computes the difference between two rows from their predictions; `None` if they are of different videos.
///
/// # Errors
/// If the predictions cannot be combined.
pub(super) fn between(a: &Predictions, b: &Predictions) -> Result<Option<Difference>> {
    if !a.are_of_the_videos_of(b)? {
        return Ok(None);
    }
    let only_one = a.only_one_right(b)?;
    let mut rows = BTreeMap::new();
    for (row, predictions) in [("a", a), ("b", b)] {
        let mut outcomes = Outcomes::default();
        predictions.add_to(&mut outcomes, 1.0)?;
        rows.insert(row.to_owned(), outcomes);
    }
    let Ok(claim) = Comparison::parse("a > b") else { return Ok(None) };
    let points = Bootstrap::new(&rows)?.judge(&claim).1;
    Ok(points.map(|points| Difference { points, only_one, p: mcnemar(only_one[0], only_one[1]) }))
}

/// Reads the predictions of all tests of a row, in the order of splits and seeds, if their scores are in the cache.
pub(super) fn predictions(units: &Path, entry: &Entry) -> Option<Predictions> {
    let file = |run: &RunRecord| recorded_unit(units, &run.test_unit)?.verified(SCORES).ok();
    let files: Option<Vec<PathBuf>> = entry.record.runs.iter().map(file).collect();
    Predictions::read(files?).and_then(|tests| tests.sorted()).ok()
}

/// Computes the two-sided p-value of a fair coin that falls `a` times on one side and `b` times on the other.
fn mcnemar(a: usize, b: usize) -> f64 {
    let (n, fewer) = (a + b, a.min(b));
    // Logarithms of factorials, for binomial coefficients.
    let mut ln = vec![0.0_f64; n + 1];
    for i in 1..=n {
        ln[i] = ln[i - 1] + (i as f64).ln();
    }
    let ways = |k: usize| (ln[n] - ln[k] - ln[n - k] - n as f64 * std::f64::consts::LN_2).exp();
    (2.0 * (0..=fewer).map(ways).sum::<f64>()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::Scores;

    /// Scores of forty videos of two classes; `right` says which are classified correctly.
    fn scored(right: impl Fn(usize) -> bool) -> Vec<Scores> {
        let labels: Vec<u32> = (0..40).map(|video| video % 2).collect();
        let scores = (0..40).flat_map(|video: usize| {
            let first = video.is_multiple_of(2) == right(video);
            if first { [0.9, 0.1] } else { [0.1, 0.9] }
        });
        vec![Scores {
            split: "1".into(),
            seed: 0,
            classes: vec!["a".into(), "b".into()],
            videos: (0..40).map(|video| format!("v{video:02}")).collect(),
            groups: Vec::new(),
            scores: scores.collect(),
            logits: Vec::new(),
            labels,
        }]
    }

    #[test]
    fn rows_are_paired_video_by_video() {
        let (good, bad) = (scored(|video| video != 0), scored(|video| video % 4 != 0));
        let between = |a: &[Scores], b: &[Scores]| {
            between(&Predictions::of(a).unwrap(), &Predictions::of(b).unwrap()).unwrap()
        };
        let found = between(&good, &bad).unwrap();
        assert_eq!(found.only_one, [9, 0]);
        assert!((found.points.value - 22.5).abs() < 1e-9 && found.points.low > 0.0, "{found:?}");
        assert!((found.p - 2.0 / 512.0).abs() < 1e-9, "{}", found.p);
        let turned = between(&bad, &good).unwrap();
        assert_eq!((turned.only_one, turned.p), ([0, 9], found.p));
        assert!(turned.points.high < 0.0);
        let mut others = bad.clone();
        others[0].videos[3] = "another".into();
        assert_eq!(between(&good, &others), None, "other videos");
    }

    #[test]
    fn the_p_is_that_of_a_fair_coin() {
        assert_eq!(mcnemar(0, 0), 1.0);
        assert_eq!(mcnemar(5, 5), 1.0);
        assert!((mcnemar(0, 5) - 0.0625).abs() < 1e-12);
        // SciPy: binomtest(12, 40).pvalue
        assert!((mcnemar(12, 28) - 0.016_589_003).abs() < 1e-6, "{}", mcnemar(12, 28));
        assert_eq!(mcnemar(12, 28), mcnemar(28, 12));
        assert!(mcnemar(1000, 1200) < 1e-4);
    }
}
