//! What a training depends on, and how it ended.

use serde::{Deserialize, Serialize};

use super::error::SvmError;

/// What a training depends on beside its examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct SvmConfig {
    /// The weight C of one example's loss against 1/2 |w|^2; the sum over
    /// examples is not divided by their number.
    pub c: f64,
    /// The largest violation of the optimality conditions at which training
    /// ends, in units of the margin (LIBLINEAR's `-e`).
    pub tolerance: f64,
    /// Training also ends after so many passes over the examples.
    pub max_sweeps: usize,
    /// The value of a feature that is appended to every example and whose
    /// weight is regularised like all others (LIBLINEAR's `-B`, scikit-learn's
    /// `intercept_scaling`); `None` for no bias, LIBLINEAR's default.
    pub bias: Option<f64>,
}

impl Default for SvmConfig {
    /// C = 1, no bias and 100000 sweeps (most leave nearly all out), as LIBLINEAR;
    /// tolerance 1e-4, as scikit-learn.
    fn default() -> Self {
        Self { c: 1.0, tolerance: 1e-4, max_sweeps: 100_000, bias: None }
    }
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// Whether `violation` is within the tolerance.
    pub converged: bool,
    /// Passes over the examples; passes that left shrunk ones out count too.
    pub sweeps: usize,
    /// The largest violation of the optimality conditions over all examples
    /// at the returned weights, in units of the margin.
    pub violation: f64,
    /// The value of the function that is minimised.
    pub objective: f64,
    /// `objective` less the dual's value: how far `objective` can be above
    /// the minimum.
    pub gap: f64,
}

impl SvmConfig {
    /// # Errors
    /// If a value is unusable.
    pub(super) fn check(&self) -> Result<(), SvmError> {
        positive("C", self.c)?;
        positive("the tolerance", self.tolerance)?;
        self.bias.map_or(Ok(()), |bias| positive("the bias", bias))?;
        if self.max_sweeps == 0 { Err(SvmError::NoSweeps) } else { Ok(()) }
    }
}

/// # Errors
/// If `value` is not a positive number of ordinary size.
fn positive(what: &'static str, value: f64) -> Result<(), SvmError> {
    // Products of a few such values stay far from the largest f64.
    if value > 0.0 && value <= f64::from(f32::MAX) { Ok(()) } else { Err(SvmError::Setting { what, value }) }
}
