//! The parameters of Brox et al. and their presets.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::error::within;
use crate::{FlowError, MedianFilter};

/// The parameters of [`crate::Method::Brox`], with the names of the paper if it has
/// one. They have no `Default`: a spec states all of them or starts from a
/// preset.
///
/// Work per pair is roughly proportional to
/// `warps * inner-iterations * (sor-iterations + 5)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BroxParams {
    /// Weight alpha of the smoothness term, for intensities of 0 to 255:
    /// larger is smoother.
    pub alpha: f32,
    /// Weight gamma of the constancy of the gradient relative to that of
    /// brightness; 0 uses only brightness.
    pub gamma: f32,
    /// The epsilon of the robust function sqrt(s^2 + epsilon^2).
    pub epsilon: f32,
    /// Maximum number of pyramid levels; a small picture gets fewer.
    pub levels: usize,
    /// Size eta of each level relative to the next finer one, 0.4 to 0.95.
    pub scale_factor: f32,
    /// Outer fixed-point iterations per level: warps of the second picture.
    pub warps: usize,
    /// Inner fixed-point iterations per warp: updates of the robust weights.
    pub inner_iterations: usize,
    /// Iterations of the linear solver per inner iteration; a fixed count, so the
    /// work is the same for every pair.
    pub sor_iterations: usize,
    /// Over-relaxation omega of the linear solver, over 0 and below 2.
    pub omega: f32,
    /// Standard deviation in pixels of the Gaussian that first smooths both
    /// pictures; 0 for none.
    pub smoothing: f32,
    /// Filter of both flow components after each warp. The paper has none.
    pub median: MedianFilter,
}

impl BroxParams {
    /// Returns the preset for quality: small steps between levels, each solved nearly to convergence.
    pub fn accurate() -> Self {
        Self {
            alpha: 40.0,
            gamma: 4.0,
            epsilon: 1e-3,
            levels: 40,
            scale_factor: 0.8,
            warps: 4,
            inner_iterations: 5,
            sor_iterations: 8,
            omega: 1.95,
            smoothing: 0.6,
            median: MedianFilter::None,
        }
    }

    /// Returns the preset for many pairs: the same energy, larger steps between
    /// levels and about a third of the iterations.
    pub fn fast() -> Self {
        Self { scale_factor: 0.65, warps: 3, inner_iterations: 3, sor_iterations: 6, ..Self::accurate() }
    }

    /// Checks every parameter against its range.
    pub(crate) fn check(&self) -> Result<(), FlowError> {
        // NaN is outside every range.
        within("Brox", "alpha", self.alpha, 1e-3..=1e4, "0.001 to 10000")?;
        within("Brox", "gamma", self.gamma, 0.0..=1e3, "0 to 1000")?;
        within("Brox", "epsilon", self.epsilon, 1e-4..=10.0, "0.0001 to 10")?;
        within("Brox", "scale-factor", self.scale_factor, 0.4..=0.95, "0.4 to 0.95")?;
        within(
            "Brox",
            "omega",
            self.omega,
            (Bound::Excluded(0.0), Bound::Excluded(2.0)),
            "over 0 and below 2",
        )?;
        within("Brox", "smoothing", self.smoothing, 0.0..=10.0, "0 to 10 pixels")?;
        within("Brox", "levels", self.levels, 1..=128, "1 to 128")?;
        within("Brox", "warps", self.warps, 1..=1000, "1 to 1000")?;
        within("Brox", "inner-iterations", self.inner_iterations, 1..=1000, "1 to 1000")?;
        within("Brox", "sor-iterations", self.sor_iterations, 1..=10_000, "1 to 10000")
    }
}
