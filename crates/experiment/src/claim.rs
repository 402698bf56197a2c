//! Judges claims by a paired bootstrap: a claim holds if the whole 95 % interval of its margin
//! ([`Comparison::margin`]) is positive, is contradicted if it is negative, and is undecided otherwise.

use std::collections::BTreeMap;

use plan::rule::Comparison;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::outcomes::Outcomes;
use crate::scores::by_video::{Observed, paired};

/// The verdict of a claim on our numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval of the margin is positive.
    Holds,
    /// The interval of the margin is negative.
    Contradicted,
    /// The interval contains zero.
    Undecided,
    /// A row of the claim has not been run.
    NotRun,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Contradicted => "contradicted",
            Self::Undecided => "undecided",
            Self::NotRun => "not run",
        })
    }
}

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

/// Number of resamplings of the bootstrap. More than 5,000 change the percentiles
/// by less than a tenth of a point.
const RESAMPLES: usize = 5_000;

/// The confidence level of printed intervals.
const LEVEL: f64 = 0.95;

/// A paired bootstrap over test videos: every row has the same resampled videos,
/// and all seeds and splits of a video stay together.
#[derive(Debug)]
pub struct Bootstrap {
    /// Accuracies in percent by row: the first on the original videos, then one for
    /// each resampling.
    accuracies: BTreeMap<String, Vec<f64>>,
}

impl Bootstrap {
    /// Draws the resamplings of rows that were tested on one data set. Rows that
    /// were tested on different videos of it (a partial run) are paired over the
    /// videos that all of them have.
    ///
    /// # Errors
    /// [`crate::Error::Usage`] for rows that cannot be paired.
    pub fn new(rows: &BTreeMap<String, Outcomes>) -> Result<Self> {
        Self::of_sets([rows])
    }

    /// As [`Bootstrap::new`], for rows of several data sets. Each set has its own
    /// draws: equal names in two sets are different videos.
    ///
    /// # Errors
    /// As [`Bootstrap::new`].
    pub fn of_sets<'a>(sets: impl IntoIterator<Item = &'a BTreeMap<String, Outcomes>>) -> Result<Self> {
        let mut accuracies = BTreeMap::new();
        for (rows, seed) in sets.into_iter().zip(0x000b_0075..) {
            accuracies.extend(rows.keys().cloned().zip(Self::draw(&paired(rows)?, seed)));
        }
        Ok(Self { accuracies })
    }

    /// Computes the draws of each row of a table of rows and videos.
    fn draw(table: &[Vec<Observed>], seed: u64) -> Vec<Vec<f64>> {
        let videos = table.first().map_or(0, Vec::len);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draws: Vec<Vec<f64>> = vec![Vec::with_capacity(RESAMPLES + 1); table.len()];
        let mut sample: Vec<usize> = (0..videos).collect();
        for resample in 0..=RESAMPLES {
            if resample > 0 {
                for index in &mut sample {
                    *index = uniform(&mut rng, videos);
                }
            }
            for (row, draws) in table.iter().zip(&mut draws) {
                let (correct, all) =
                    sample.iter().fold((0.0, 0.0), |sum, &v| (sum.0 + row[v].0, sum.1 + row[v].1));
                draws.push(100.0 * correct / all);
            }
        }
        draws
    }

    /// Returns `true` if the row has videos to resample.
    pub fn has(&self, row: &str) -> bool {
        self.accuracies.get(row).is_some_and(|draws| draws.iter().all(|x| x.is_finite()))
    }

    /// Returns the accuracy of a row, in percent.
    pub fn accuracy(&self, row: &str) -> Option<Estimate> {
        self.has(row).then(|| estimate(&self.accuracies[row], LEVEL))
    }

    /// Returns the margin of a claim in points, with its interval of confidence `level`, if all of its rows have been run.
    pub fn margin(&self, claim: &Comparison, level: f64) -> Option<Estimate> {
        claim.rows().iter().all(|row| self.has(row)).then(|| self.margin_at(claim, level))
    }

    fn margin_at(&self, claim: &Comparison, level: f64) -> Estimate {
        let margins: Vec<f64> =
            (0..=RESAMPLES).map(|draw| claim.margin(&|row| self.accuracies[row][draw])).collect();
        estimate(&margins, level)
    }

    /// Judges a claim. Returns its verdict, and the margin in points if all of its
    /// rows have been run.
    pub fn judge(&self, claim: &Comparison) -> (Verdict, Option<Estimate>) {
        if !claim.rows().iter().all(|row| self.has(row)) {
            return (Verdict::NotRun, None);
        }
        let margin = self.margin_at(claim, LEVEL);
        let verdict = if margin.low > 0.0 {
            Verdict::Holds
        } else if margin.high < 0.0 {
            Verdict::Contradicted
        } else {
            Verdict::Undecided
        };
        (verdict, Some(margin))
    }
}

/// Returns the first value, with the central interval that contains the share `level` of the others.
fn estimate(values: &[f64], level: f64) -> Estimate {
    let mut draws = values[1..].to_vec();
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| draws[((draws.len() - 1) as f64 * share).round() as usize];
    Estimate { value: values[0], low: at((1.0 - level) / 2.0), high: at((1.0 + level) / 2.0) }
}

/// Draws a number below `n` by multiplication (bias below 2^-32 for any set of
/// videos).
fn uniform(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(correct: &[(&str, &dyn Fn(usize) -> bool)], videos: usize) -> BTreeMap<String, Outcomes> {
        correct
            .iter()
            .map(|(id, right)| {
                let mut outcomes = Outcomes::default();
                for v in 0..videos {
                    outcomes.add(&format!("v{v:04}"), right(v), 1.0);
                }
                ((*id).to_owned(), outcomes)
            })
            .collect()
    }

    #[test]
    fn verdicts_follow_the_interval() {
        let rows = rows(
            &[("good", &|v| v % 10 != 0), ("bad", &|v| v % 10 < 5), ("same", &|v| (v + 1) % 10 != 0)],
            400,
        );
        let bootstrap = Bootstrap::new(&rows).unwrap();
        let judge = |rule: &str| bootstrap.judge(&Comparison::parse(rule).unwrap());
        assert_eq!(judge("good > bad").0, Verdict::Holds);
        assert_eq!(judge("bad > good").0, Verdict::Contradicted);
        assert_eq!(judge("good > same").0, Verdict::Undecided);
        assert_eq!(judge("abs(good - same) < 6").0, Verdict::Holds);
        assert_eq!(judge("good > missing").0, Verdict::NotRun);
        let margin = judge("good > bad").1.unwrap();
        assert!((margin.value - 40.0).abs() < 1e-9, "{margin:?}");
        assert!(margin.low < 40.0 && margin.high > 40.0, "{margin:?}");
    }

    /// The interval of a proportion must agree with the textbook's.
    #[test]
    fn the_interval_has_the_binomial_width() {
        let bootstrap = Bootstrap::new(&rows(&[("a", &|v| v % 4 != 0)], 400)).unwrap();
        let accuracy = bootstrap.accuracy("a").unwrap();
        let half = 1.96 * (0.75_f64 * 0.25 / 400.0).sqrt() * 100.0;
        assert!((accuracy.high - accuracy.low - 2.0 * half).abs() < 0.8, "{accuracy:?} against {half}");
    }

    /// Two data sets may have videos of the same name; a row of one is not paired with a row of the other.
    #[test]
    fn rows_of_two_data_sets_are_not_paired() {
        let first = rows(&[("a", &|v| v % 10 != 0), ("b", &|v| v % 10 < 5)], 400);
        let second = rows(&[("c", &|v| v % 4 == 0)], 60);
        let both = Bootstrap::of_sets([&first, &second]).unwrap();
        let alone = Bootstrap::new(&first).unwrap();
        for row in ["a", "b"] {
            assert_eq!(both.accuracy(row), alone.accuracy(row));
        }
        assert_eq!(both.accuracy("c").unwrap().value, 25.0);
        let judge = |rule: &str| both.judge(&Comparison::parse(rule).unwrap());
        assert_eq!(judge("a > b"), alone.judge(&Comparison::parse("a > b").unwrap()));
        // The draws are independent, so squared widths add.
        let width = |row: &str| both.accuracy(row).map(|a| a.high - a.low).unwrap();
        let margin = judge("a > c").1.unwrap();
        let expected = width("a").hypot(width("c"));
        assert!(
            (margin.high - margin.low - expected).abs() < 0.15 * expected,
            "{margin:?} against {expected}"
        );
    }

    /// Every recorded interval depends on these draws.
    #[test]
    fn the_draws_are_kept() {
        let mut rng = ChaCha8Rng::seed_from_u64(0x000b_0075);
        let drawn: Vec<usize> = (0..8).map(|_| uniform(&mut rng, 462)).collect();
        assert_eq!(drawn, [365, 47, 393, 234, 350, 376, 286, 191]);
        let bootstrap = Bootstrap::new(&rows(&[("a", &|v| v * v % 7 < 3)], 91)).unwrap();
        let estimate = bootstrap.accuracy("a").unwrap();
        let found = [estimate.value, estimate.low, estimate.high];
        assert_eq!(found, [71.428_571_428_571_43, 61.538_461_538_461_54, 80.219_780_219_780_22]);
    }

    /// Three seeds of the same video are one video, not three.
    #[test]
    fn seeds_do_not_narrow_the_interval() {
        let one = rows(&[("a", &|v| v % 3 != 0)], 300);
        let mut three = one.clone();
        for outcomes in three.values_mut() {
            for value in outcomes.videos.values_mut() {
                *value = (value.0 * 3.0, value.1 * 3.0);
            }
        }
        let accuracy = |rows| Bootstrap::new(rows).unwrap().accuracy("a");
        assert_eq!(accuracy(&one), accuracy(&three));
    }
}
