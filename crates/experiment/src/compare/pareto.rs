//! The Pareto fronts of accuracy against cost.

use std::fmt;

use serde::Serialize;

use super::gather::Entry;
use base::text::NONE;

/// The fronts that a row is on. A row is on a front if no other row is at least as accurate for fewer multiply-adds, or more
/// accurate for as many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Front {
    /// Accuracy against the multiply-adds of testing one video.
    test: bool,
    /// Accuracy against the multiply-adds of the training.
    training: bool,
}

impl fmt::Display for Front {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.pad(match (self.test, self.training) {
            (true, true) => "t T",
            (true, false) => "t",
            (false, true) => "T",
            (false, false) => NONE,
        })
    }
}

/// Finds the fronts of rows that were tested on the same videos.
pub(super) fn fronts(entries: &[Entry]) -> Vec<Front> {
    let accuracies: Vec<f64> = entries.iter().map(|entry| entry.record.top1.value).collect();
    let tests: Vec<Option<f64>> = entries.iter().map(Entry::multiply_adds).collect();
    let trainings: Vec<Option<f64>> =
        entries.iter().map(|entry| Some(entry.training()?.multiply_adds)).collect();
    let (tests, trainings) = (on_front(&accuracies, &tests), on_front(&accuracies, &trainings));
    tests.into_iter().zip(trainings).map(|(test, training)| Front { test, training }).collect()
}

/// Says of each row whether it is on the front; rows of unknown cost are not.
fn on_front(accuracies: &[f64], costs: &[Option<f64>]) -> Vec<bool> {
    let rows: Vec<(f64, Option<f64>)> = accuracies.iter().copied().zip(costs.iter().copied()).collect();
    let is_beaten = |accuracy: f64, cost: f64| {
        rows.iter().any(|(other, other_cost)| {
            other_cost.is_some_and(|other_cost| {
                (*other >= accuracy && other_cost < cost) || (*other > accuracy && other_cost <= cost)
            })
        })
    };
    rows.iter().map(|(accuracy, cost)| cost.is_some_and(|cost| !is_beaten(*accuracy, cost))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_nothing_beats_are_on_the_front() {
        let accuracies = [70.0, 80.0, 80.0, 75.0, 90.0, 60.0, 70.0];
        let costs = [1.0, 2.0, 3.0, 2.0, 9.0, 1.0, 1.0].map(Some);
        assert_eq!(on_front(&accuracies, &costs), [true, true, false, false, true, false, true]);
        let mut unknown = costs;
        unknown[1] = None;
        assert_eq!(on_front(&accuracies, &unknown), [true, false, true, true, true, false, true]);
    }
}
