//! Intervals of accuracies and of margins between rows, and a test of differences.
//!
//! What is independent is not a video but its block: a film, an actor, a group of UCF-101, a single generated video. A row's
//! accuracy is a mean over tests of ratios; each block's influence on it is its derivative, and the variance of a margin is the
//! sum over blocks of the squared influences on it (the linearised estimate of cluster sampling). Rows are paired, since
//! a block's influences on them are added before they are squared.
//!
//! Where each split was trained with several seeds, the seeds are a second, crossed sample. Their variance, less the part that
//! comes from the answers of single blocks, is added, and the degrees of freedom follow Satterthwaite. With one seed an interval
//! speaks of these trained nets alone.
//!
//! Intervals are those of Student's t distribution, for a single accuracy in Wilson's form, which stays between 0 and 100 %. Nothing is
//! drawn at random, so no verdict hangs on a draw. `tests.rs` simulates the coverage; docs/statistics.md has its figures.

mod flips;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use plan::rule::Comparison;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::outcomes::{Answered, Outcomes, total};

pub use flips::sign_flips;

/// The confidence level of printed intervals.
pub const LEVEL: f64 = 0.95;

/// A point estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value on the videos at hand.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// Which variation an interval covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Covers {
    /// That of test videos, for these trained nets.
    Videos,
    /// That of test videos and, where there are several training seeds, of trainings.
    VideosAndTrainings,
}

/// A row's factor in a margin, its data set, and its outcomes.
type Term<'a> = (f64, usize, &'a Outcomes);

/// Rows of one or several data sets.
#[derive(Debug, Default)]
pub struct Statistics<'a> {
    rows: BTreeMap<&'a str, (usize, &'a Outcomes)>,
}

impl<'a> Statistics<'a> {
    /// Takes rows that were tested on one data set.
    pub fn new(rows: &'a BTreeMap<String, Outcomes>) -> Self {
        Self::of_sets([rows])
    }

    /// Takes rows of several data sets. Blocks of equal number in two sets are different blocks.
    pub fn of_sets(sets: impl IntoIterator<Item = &'a BTreeMap<String, Outcomes>>) -> Self {
        let of = |(set, rows): (usize, &'a BTreeMap<String, Outcomes>)| {
            rows.iter().map(move |(row, outcomes)| (row.as_str(), (set, outcomes)))
        };
        Self { rows: sets.into_iter().enumerate().flat_map(of).collect() }
    }

    fn row(&self, row: &str) -> Option<(usize, &'a Outcomes)> {
        self.rows.get(row).copied().filter(|(_, outcomes)| outcomes.is_scored())
    }

    /// Returns the accuracy of a row in percent, with its interval; `None` without answers.
    pub fn accuracy(&self, row: &str) -> Option<Estimate> {
        let (set, outcomes) = self.row(row)?;
        Some(wilson(outcomes, &Variance::of(&[(1.0, set, outcomes)], Covers::VideosAndTrainings)))
    }

    /// Returns the margin of a claim in points, with its interval of confidence `level`; `None` if one of its rows has no
    /// answers.
    pub fn margin(&self, claim: &Comparison, level: f64, covers: Covers) -> Option<Estimate> {
        let rows: Option<BTreeMap<&str, (usize, &Outcomes)>> =
            claim.rows().into_iter().map(|row| Some((row, self.row(row)?))).collect();
        let rows = rows?;
        let accuracies: BTreeMap<&str, f64> =
            rows.iter().map(|(row, (_, outcomes))| (*row, outcomes.accuracy())).collect();
        let accuracy = |row: &str| accuracies[row];
        let terms: Vec<Term<'_>> = claim
            .slopes(&accuracy)
            .into_iter()
            .map(|(row, slope)| (slope, rows[row].0, rows[row].1))
            .collect();
        let value = claim.margin(&accuracy);
        let half = Variance::of(&terms, covers).half_width(level);
        Some(Estimate { value, low: value - half, high: value + half })
    }
}

/// Tests whether two rows differ: returns the two-sided p-value of an exact sign-flip test over blocks, which is McNemar's
/// exact test where every video is a block and was tested once. `None` for tests by pairs.
pub fn p_value(a: &Outcomes, b: &Outcomes) -> Option<f64> {
    let (a, mut differences) = (a.right_by_block()?, BTreeMap::new());
    for (block, right) in b.right_by_block()? {
        *differences.entry(block).or_default() -= right;
    }
    for (block, right) in a {
        *differences.entry(block).or_default() += right;
    }
    Some(sign_flips(&differences.into_values().collect::<Vec<i64>>()))
}

/// A variance in squared points, as a sum of parts.
#[derive(Debug, Default)]
struct Variance {
    sum: f64,
    /// The variance of each part's estimate, as far as it is known: the part squared over its degrees of freedom.
    uncertainty: f64,
    /// True if a part cannot be estimated, since it rests on one block.
    is_unknown: bool,
}

impl Variance {
    fn of(terms: &[Term<'_>], covers: Covers) -> Self {
        let mut variance = Self::default();
        let sets: BTreeSet<usize> = terms.iter().map(|(_, set, _)| *set).collect();
        for set in sets {
            let of_set: Vec<(f64, &Outcomes)> =
                terms.iter().filter(|term| term.1 == set).map(|term| (term.0, term.2)).collect();
            variance.add_blocks(&of_set);
            if covers == Covers::VideosAndTrainings {
                variance.add_trainings(&of_set);
            }
        }
        variance
    }

    /// Adds the variation between blocks.
    fn add_blocks(&mut self, terms: &[(f64, &Outcomes)]) {
        let mut influences: BTreeMap<u32, f64> = BTreeMap::new();
        for (factor, outcomes) in terms {
            let tests = outcomes.tests();
            for test in tests.values() {
                for (block, influence) in influence(test) {
                    *influences.entry(block).or_default() += factor * influence / tests.len() as f64;
                }
            }
        }
        let blocks = influences.len() as f64;
        if blocks < 2.0 {
            self.is_unknown = true;
            return;
        }
        let squares: f64 = influences.values().map(|influence| influence * influence).sum();
        // Rows that answer alike still differ by a video at some other draw.
        let one_video = terms.iter().map(|(_, outcomes)| 100.0 / videos(outcomes)).fold(0.0, f64::max);
        let part = (blocks / (blocks - 1.0) * squares).max(one_video * one_video);
        self.sum += part;
        self.uncertainty += part * part / (blocks - 1.0);
    }

    /// Adds the variation between trainings, if all rows have the same splits and seeds, and several seeds.
    fn add_trainings(&mut self, terms: &[(f64, &Outcomes)]) {
        let Some((_, first)) = terms.first() else { return };
        if terms.iter().any(|(_, outcomes)| !outcomes.names().eq(first.names())) {
            return;
        }
        let mut splits: BTreeMap<&str, Vec<u64>> = BTreeMap::new();
        for (split, seed) in first.names() {
            splits.entry(split).or_default().push(*seed);
        }
        let (tests, mut between, mut within, mut freedom) = (first.tests().len() as f64, 0.0, 0.0, 0.0);
        for (split, seeds) in splits.iter().filter(|(_, seeds)| seeds.len() > 1) {
            let n = seeds.len() as f64;
            let mut margins = Vec::with_capacity(seeds.len());
            let mut influences: Vec<BTreeMap<u32, f64>> = vec![BTreeMap::new(); seeds.len()];
            for (seed, influences) in seeds.iter().zip(&mut influences) {
                let mut margin = 0.0;
                for (factor, outcomes) in terms {
                    let test = &outcomes.tests()[&((*split).to_owned(), *seed)];
                    margin += factor * accuracy(test);
                    for (block, influence) in influence(test) {
                        *influences.entry(block).or_default() += factor * influence;
                    }
                }
                margins.push(margin);
            }
            let share = (n / tests).powi(2) / (n * (n - 1.0));
            between += share * squares_about_mean(margins.iter().copied());
            let blocks: BTreeSet<u32> = influences.iter().flat_map(BTreeMap::keys).copied().collect();
            for block in blocks {
                let of_seeds = influences.iter().map(|of| of.get(&block).copied().unwrap_or(0.0));
                within += share * squares_about_mean(of_seeds);
            }
            freedom += n - 1.0;
        }
        // What the answers of single blocks vary by from seed to seed is in the variation between blocks already.
        let part = between - within;
        if part > 0.0 {
            self.sum += part;
            self.uncertainty += between * between / freedom;
        }
    }

    /// Returns the degrees of freedom (Satterthwaite).
    fn freedom(&self) -> f64 {
        self.sum * self.sum / self.uncertainty
    }

    /// Returns half of the interval of confidence `level`.
    fn half_width(&self, level: f64) -> f64 {
        if self.is_unknown { 100.0 } else { quantile(level, self.freedom()) * self.sum.sqrt() }
    }
}

/// Returns the value that a t-distributed number exceeds in size with probability 1 - `level`.
fn quantile(level: f64, freedom: f64) -> f64 {
    match StudentsT::new(0.0, 1.0, freedom) {
        Ok(t) => t.inverse_cdf(0.5 + level / 2.0),
        Err(_) => f64::INFINITY,
    }
}

/// Returns the accuracy of a test in percent.
fn accuracy(test: &BTreeMap<u32, Answered>) -> f64 {
    let Answered { right, all } = total(test);
    100.0 * right / all
}

/// Returns the influence of each block on the accuracy of a test, in points.
fn influence(test: &BTreeMap<u32, Answered>) -> impl Iterator<Item = (u32, f64)> {
    let Answered { right, all } = total(test);
    let mean = right / all;
    test.iter().map(move |(&block, of)| (block, 100.0 * (of.right - mean * of.all) / all))
}

/// Returns the number of test videos over all splits, each once, not once a seed.
fn videos(outcomes: &Outcomes) -> f64 {
    let mut largest: BTreeMap<&str, f64> = BTreeMap::new();
    for ((split, _), test) in outcomes.tests() {
        let known = largest.entry(split).or_default();
        *known = known.max(total(test).all);
    }
    largest.values().sum()
}

fn squares_about_mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let count = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / count;
    values.map(|value| (value - mean).powi(2)).sum()
}

/// Returns Wilson's interval of an accuracy, with the number of independent videos that has the given variance.
fn wilson(outcomes: &Outcomes, variance: &Variance) -> Estimate {
    let value = outcomes.accuracy();
    let p = value / 100.0;
    if variance.is_unknown {
        return Estimate { value, low: 0.0, high: 100.0 };
    }
    let spread = p * (1.0 - p);
    let all: f64 = outcomes.tests().values().map(|test| total(test).all).sum();
    // Without a right or without a wrong answer, nothing tells how blocks differ.
    let n = if spread > 0.0 { (spread / (variance.sum * 1e-4)).min(all) } else { videos(outcomes) };
    let t = quantile(LEVEL, variance.freedom());
    let square = t * t / n;
    let centre = (p + square / 2.0) / (1.0 + square);
    let half = t / (1.0 + square) * (spread / n + square / (4.0 * n)).sqrt();
    let (low, high) = (100.0 * (centre - half), 100.0 * (centre + half));
    Estimate { value, low: low.clamp(0.0, value), high: high.clamp(value, 100.0) }
}
