//! The difference between two rows on the same test videos, from their records alone.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::gather::Entry;
use crate::judged::outcomes;
use crate::outcomes::Outcomes;
use crate::statistics::{Covers, Estimate, LEVEL, Statistics, p_value};
use base::text::signed_within;
use plan::rule::Comparison;

/// The difference between two rows on the same videos.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// First minus second in points, with its 95 % interval.
    pub points: Estimate,
    /// The two-sided p-value of the exact sign-flip test over blocks.
    pub p: f64,
    /// True if the interval covers other trainings, since both rows have the same several seeds.
    pub covers_trainings: bool,
    /// The classes whose recall differs most, the largest difference first: name, and first minus second in points.
    pub classes: Vec<(String, f64)>,
}

/// Number of classes that are named.
const CLASSES: usize = 3;

impl fmt::Display for Difference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Estimate { value, low, high } = self.points;
        write!(out, "{}, p ", signed_within(value, low, high))?;
        if self.p < 0.001 { write!(out, "< 0.001") } else { write!(out, "{:.3}", self.p) }
    }
}

/// Computes the difference between two rows; `None` if they were tested on different videos, or if a record is of a version
/// before 0.17 and so does not say which videos belong together.
pub fn between(a: &Entry, b: &Entry) -> Option<Difference> {
    if a.test_set() != b.test_set() {
        return None;
    }
    let rows = [("a", a), ("b", b)].map(|(name, entry)| Some((name.to_owned(), outcomes(&entry.record)?)));
    let rows: BTreeMap<String, Outcomes> = rows.into_iter().collect::<Option<_>>()?;
    let claim = Comparison::parse("a > b").ok()?;
    let points = Statistics::new(&rows).margin(&claim, LEVEL, Covers::VideosAndTrainings)?;
    let p = p_value(&rows["a"], &rows["b"])?;
    let seeds = |entry: &Entry| -> Vec<(String, u64)> {
        entry.record.runs.iter().map(|run| (run.split.clone(), run.seed)).collect()
    };
    let covers_trainings = a.record.seed_spread().is_some() && seeds(a) == seeds(b);
    Some(Difference { points, p, covers_trainings, classes: classes(a, b) })
}

/// Returns the classes whose recall differs most.
fn classes(a: &Entry, b: &Entry) -> Vec<(String, f64)> {
    let (of_a, of_b) = (&a.record.recall, &b.record.recall);
    let both = of_a.iter().filter_map(|(class, recall)| Some((class.clone(), recall - of_b.get(class)?)));
    let mut differences: Vec<(String, f64)> = both.filter(|(_, difference)| *difference != 0.0).collect();
    differences.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    differences.truncate(CLASSES);
    differences
}
