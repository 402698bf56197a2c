//! Whether two rows differ by more than the choice of test videos explains.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::Serialize;

use super::gather::Entry;
use crate::claim::{Bootstrap, Estimate, Outcomes};
use crate::scores::{SCORES, Scores};
use crate::store::unit_file;
use plan::rule::Comparison;

/// What two rows differ by on the same videos.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Difference {
    /// Points, with the 95 % interval of a paired bootstrap over videos.
    points: Estimate,
    /// Tests of one video that only the first, and only the second row has right.
    only_one: [usize; 2],
    /// McNemar's exact two-sided p.
    p: f64,
}

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { value, low, high } = self.points;
        write!(out, "{value:+.1} [{low:+.1}, {high:+.1}], p ")?;
        if self.p < 0.001 { write!(out, "< 0.001") } else { write!(out, "{:.3}", self.p) }
    }
}

/// The difference of two rows by their scores, if those are of the same videos.
pub(super) fn between(a: &[Scores], b: &[Scores]) -> Option<Difference> {
    if a.len() != b.len() {
        return None;
    }
    let (mut outcomes, mut only_one) = ([Outcomes::default(), Outcomes::default()], [0, 0]);
    for (a, b) in a.iter().zip(b) {
        let same = (&a.split, a.seed, &a.videos, &a.labels) == (&b.split, b.seed, &b.videos, &b.labels);
        if !same {
            return None;
        }
        a.add_to(&mut outcomes[0], 1.0);
        b.add_to(&mut outcomes[1], 1.0);
        for video in 0..a.videos.len() {
            let right = [a, b].map(|scores| scores.prediction(video) == scores.labels[video]);
            only_one[0] += usize::from(right == [true, false]);
            only_one[1] += usize::from(right == [false, true]);
        }
    }
    let [a, b] = outcomes;
    let rows = BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)]);
    let points = Bootstrap::new(&rows).judge(&Comparison::parse("a > b").ok()?).1?;
    Some(Difference { points, only_one, p: mcnemar(only_one[0], only_one[1]) })
}

/// The scores of all runs of a row, in the order of splits and seeds, if they are in the cache.
pub(super) fn scores(units: &Path, entry: &Entry) -> Option<Vec<Scores>> {
    let mut all = Vec::with_capacity(entry.record.runs.len());
    for run in &entry.record.runs {
        let path = unit_file(units, &run.test_unit, SCORES)?;
        all.push(Scores::read(&path).ok()?);
    }
    all.sort_by(|a, b| (&a.split, a.seed).cmp(&(&b.split, b.seed)));
    Some(all)
}

/// The two-sided p of a fair coin that fell `a` times on one side and `b` times on the other, or more unevenly.
fn mcnemar(a: usize, b: usize) -> f64 {
    let (n, fewer) = (a + b, a.min(b));
    // ln of the number of ways, by ln-factorials.
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

    /// Forty videos of two classes, of which these are right.
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
            labels,
        }]
    }

    #[test]
    fn rows_are_paired_video_by_video() {
        let (good, bad) = (scored(|video| video != 0), scored(|video| video % 4 != 0));
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
