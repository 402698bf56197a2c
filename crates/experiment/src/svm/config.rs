//! The settings of a training, and its result.

use serde::{Deserialize, Serialize};

use super::error::SvmError;

/// The settings of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct SvmConfig {
    /// The weight C of one example's loss against 1/2 |w|^2; the sum over
    /// examples is not divided by their number.
    pub c: f64,
    /// Training ends when the largest violation of the optimality conditions is
    /// below this value, in units of the margin (LIBLINEAR's `-e`).
    pub tolerance: f64,
    /// Maximum number of passes over the examples.
    pub max_sweeps: usize,
    /// The value of a feature that is appended to every example and whose
    /// weight is regularised like all others (LIBLINEAR's `-B`, scikit-learn's
    /// `intercept_scaling`); `None` for no bias, LIBLINEAR's default.
    pub bias: Option<f64>,
}

impl Default for SvmConfig {
    /// C = 1, no bias and 100000 sweeps (most skip nearly all examples), as in
    /// LIBLINEAR; tolerance 1e-4, as in scikit-learn.
    fn default() -> Self {
        Self { c: 1.0, tolerance: 1e-4, max_sweeps: 100_000, bias: None }
    }
}

/// The result of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// True if `violation` is within the tolerance.
    pub converged: bool,
    /// Number of passes over the examples, including those that skipped shrunk ones.
    pub sweeps: usize,
    /// The largest violation of the optimality conditions over all examples
    /// at the returned weights, in units of the margin.
    pub violation: f64,
    /// The value of the minimised function.
    pub objective: f64,
    /// `objective` minus the dual's value: an upper bound of the distance of
    /// `objective` from the minimum.
    pub gap: f64,
}

impl SvmConfig {
    /// Checks the settings.
    ///
    /// # Errors
    /// If a value is unusable.
    pub(super) fn check(&self) -> Result<(), SvmError> {
        positive("C", self.c)?;
        positive("the tolerance", self.tolerance)?;
        self.bias.map_or(Ok(()), |bias| positive("the bias", bias))?;
        if self.max_sweeps == 0 { Err(SvmError::NoSweeps) } else { Ok(()) }
    }
}

/// Checks a setting that must be positive.
///
/// # Errors
/// If `value` is not positive or exceeds the largest f32.
fn positive(what: &'static str, value: f64) -> Result<(), SvmError> {
    // Products of a few such values stay far below the largest f64.
    if value > 0.0 && value <= f64::from(f32::MAX) { Ok(()) } else { Err(SvmError::Setting { what, value }) }
}
