//! One comparison and its tolerance.

use nn::Precision;
use serde::Serialize;

/// Maximum relative differences.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tolerances {
    /// For an operation that is not a matrix product.
    pub operation: f64,
    /// For a convolution or a fully connected layer.
    pub product: f64,
    /// For a network's outputs.
    pub output: f64,
    /// For the gradient of all parameters, as a vector.
    pub gradient: f64,
    /// For the losses of ten training steps.
    pub losses: f64,
    /// For the parameters after these steps, as a vector.
    pub parameters: f64,
}

impl Tolerances {
    /// Returns the tolerances for a precision of matrix products.
    #[must_use]
    pub fn of(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 => Self {
                operation: 1e-5,
                product: 1e-4,
                output: 1e-4,
                gradient: 5e-3,
                losses: 2e-3,
                parameters: 1e-3,
            },
            // TF32 rounds a factor by up to 5e-4 of its value.
            Precision::Tf32 => Self {
                operation: 1e-5,
                product: 5e-3,
                output: 2e-2,
                gradient: 1e-1,
                losses: 2e-2,
                parameters: 2e-2,
            },
        }
    }
}

/// One comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// `operation`, `flow`, `network` or `training`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The relative difference; `None` if the comparison failed.
    pub difference: Option<f64>,
    /// The tolerance.
    pub allowed: f64,
    /// The error, if it failed.
    pub problem: Option<String>,
}

impl Line {
    pub(super) fn new(
        kind: &'static str,
        name: impl Into<String>,
        found: std::result::Result<f64, String>,
        allowed: f64,
    ) -> Self {
        let (difference, problem) = match found {
            Ok(difference) => (Some(difference), None),
            Err(problem) => (None, Some(problem)),
        };
        Self { kind, name: name.into(), difference, allowed, problem }
    }

    /// Returns `true` if the difference is within the tolerance.
    pub fn passed(&self) -> bool {
        self.difference.is_some_and(|difference| difference <= self.allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_passes_within_its_tolerance_and_never_where_it_failed() {
        assert!(Line::new("operation", "relu", Ok(1e-6), 1e-5).passed());
        assert!(!Line::new("operation", "relu", Ok(1e-4), 1e-5).passed());
        assert!(!Line::new("operation", "relu", Ok(f64::NAN), 1e-5).passed());
        assert!(!Line::new("operation", "relu", Err("out of memory".into()), 1e-5).passed());
    }
}
