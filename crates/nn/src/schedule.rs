//! Learning rates as in the papers: an initial rate, and steps.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// A rate that changes at given iterations.
///
/// "1e-2, 1e-3 after 50K iterations, 1e-4 after 70K" is
/// `{ base-lr = 1e-2, steps = [[50000, 0.1], [70000, 0.01]] }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StepSchedule {
    /// Learning rate before the first step.
    pub base_lr: f64,
    /// Steps: the first iteration of each (counted from 0), and the factor on `base_lr` from there on.
    pub steps: Vec<(usize, f64)>,
}

impl StepSchedule {
    /// Returns the rate of an iteration, counted from 0.
    pub fn rate(&self, iteration: usize) -> f64 {
        let reached = self.steps.iter().rev().find(|(from, _)| iteration >= *from);
        self.base_lr * reached.map_or(1.0, |(_, multiplier)| *multiplier)
    }

    /// Checks that rates are positive and steps are in order.
    ///
    /// # Errors
    /// [`Error::Setting`] with the wrong value.
    pub fn validate(&self) -> Result<()> {
        let rates = self.steps.iter().map(|(_, multiplier)| *multiplier);
        for value in std::iter::once(self.base_lr).chain(rates) {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::setting("a rate of the schedule", value, "a positive number"));
            }
        }
        if let Some(pair) = self.steps.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return Err(Error::setting(
                "a step of the schedule",
                format!("{} after {}", pair[1].0, pair[0].0),
                "increasing iterations",
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_stream() -> StepSchedule {
        StepSchedule { base_lr: 1e-2, steps: vec![(50_000, 0.1), (70_000, 0.01)] }
    }

    #[test]
    fn the_rate_changes_at_the_step() {
        let schedule = two_stream();
        assert_eq!(schedule.rate(0), 1e-2);
        assert_eq!(schedule.rate(49_999), 1e-2);
        assert_eq!(schedule.rate(50_000), 1e-3);
        assert!((schedule.rate(79_999) - 1e-4).abs() < 1e-12);
    }

    #[test]
    fn disorder_and_bad_rates_are_refused() {
        assert!(two_stream().validate().is_ok());
        let mut disorder = two_stream();
        disorder.steps.reverse();
        assert!(disorder.validate().is_err());
        let mut negative = two_stream();
        negative.base_lr = f64::NAN;
        assert!(negative.validate().is_err());
    }
}
