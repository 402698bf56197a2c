//! One comparison, and by how much its two sides may differ.

use nn::Precision;
use serde::Serialize;

/// Relative differences that are borne.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tolerances {
    /// Of an operation that is no product of matrices.
    pub operation: f64,
    /// Of a convolution or a fully connected layer.
    pub product: f64,
    /// Of a network's outputs.
    pub output: f64,
    /// Of the gradient of all parameters, as a vector.
    pub gradient: f64,
    /// Of the losses of ten training steps.
    pub losses: f64,
    /// Of the parameters after them, as a vector.
    pub parameters: f64,
}

impl Tolerances {
    /// Those of a precision of products.
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
            // A factor of TF32 is off by up to 5e-4 of itself.
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

/// What was compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// `operation`, `flow`, `network` or `training`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The relative difference; absent where it failed.
    pub difference: Option<f64>,
    /// What is borne.
    pub allowed: f64,
    /// Why it failed.
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

    /// Whether the difference is borne.
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
