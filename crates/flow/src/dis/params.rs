//! The parameters of DIS and their presets.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::FlowError;
use crate::error::within;
use crate::search::PATCH;

/// The parameters of [`crate::Method::Dis`]. They have no `Default`: a spec states all of them or starts from a preset.
///
/// Patches have 8x8 pixels, as in all operating points of the paper (table 1), and each level has half the size of the
/// next finer one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DisParams {
    /// Maximum number of pyramid levels; a small picture gets fewer.
    pub levels: usize,
    /// Number of the finest level that is computed, theta_sf in the paper: 0 for the pictures as they are, 1 for half
    /// their size. The field is enlarged from there.
    pub finest: usize,
    /// Number of the finest level on which patches search; finer ones only refine the flow. The paper has one number for
    /// both.
    pub search_finest: usize,
    /// Standard deviation in pixels of the Gaussian that first smooths both pictures; 0 for none. The paper has none.
    pub smoothing: f32,
    /// Distance in pixels from a patch to the next, 1 to 8; the paper states an overlap theta_ov instead.
    pub patch_stride: usize,
    /// Most descent steps of a patch per level and pass, theta_it in the paper; it stops earlier where the cost no longer falls.
    pub descent_steps: usize,
    /// Whole pixels to every side that a patch without a good match looks at, on levels of a quarter of the pictures'
    /// size or less; 0 for none. The paper has none.
    pub reach: usize,
    /// Warps of the second picture per level in the refinement; 0 for no refinement. The paper has one.
    pub warps: usize,
    /// Weight of the smoothness in the refinement, for intensities of 0 to 255: larger is smoother.
    pub alpha: f32,
    /// Weight of the constancy of the gradient in the refinement relative to that of brightness; 0 uses only brightness.
    pub gamma: f32,
    /// The epsilon of the robust function sqrt(s^2 + epsilon^2).
    pub epsilon: f32,
    /// Updates of the robust weights per warp, theta_vo in the paper.
    pub inner_iterations: usize,
    /// Iterations of the linear solver per update.
    pub sor_iterations: usize,
    /// Over-relaxation of the linear solver, over 0 and below 2.
    pub omega: f32,
}

impl DisParams {
    /// Returns the preset for the largest number of pairs: patches alone, down to half the size.
    pub fn fast() -> Self {
        Self { finest: 1, search_finest: 1, patch_stride: 6, descent_steps: 4, warps: 0, ..Self::balanced() }
    }

    /// Returns the preset between the other two: patches down to half the size, and a short refinement of every level.
    pub fn balanced() -> Self {
        Self {
            levels: 16,
            finest: 0,
            search_finest: 1,
            smoothing: 0.6,
            patch_stride: 3,
            descent_steps: 6,
            reach: 16,
            warps: 1,
            alpha: 40.0,
            gamma: 4.0,
            epsilon: 1e-3,
            inner_iterations: 2,
            sor_iterations: 5,
            omega: 1.8,
        }
    }

    /// Returns the preset for quality: patches on every level, and three warps in the refinement.
    pub fn accurate() -> Self {
        Self {
            search_finest: 0,
            patch_stride: 4,
            warps: 3,
            alpha: 60.0,
            gamma: 5.0,
            epsilon: 5e-4,
            inner_iterations: 3,
            ..Self::balanced()
        }
    }

    /// Checks every parameter against its range.
    pub(crate) fn check(&self) -> Result<(), FlowError> {
        // NaN is outside every range.
        within("DIS", "levels", self.levels, 1..=64, "1 to 64")?;
        within("DIS", "finest", self.finest, 0..=8, "0 to 8")?;
        within("DIS", "smoothing", self.smoothing, 0.0..=10.0, "0 to 10 pixels")?;
        within("DIS", "patch-stride", self.patch_stride, 1..=PATCH, "1 to 8 pixels")?;
        within("DIS", "descent-steps", self.descent_steps, 1..=1000, "1 to 1000")?;
        within("DIS", "reach", self.reach, 0..=64, "0 to 64 pixels")?;
        within("DIS", "search-finest", self.search_finest, 0..=8, "0 to 8")?;
        within("DIS", "warps", self.warps, 0..=1000, "0 to 1000")?;
        within("DIS", "alpha", self.alpha, 1e-3..=1e4, "0.001 to 10000")?;
        within("DIS", "gamma", self.gamma, 0.0..=1e3, "0 to 1000")?;
        within("DIS", "epsilon", self.epsilon, 1e-4..=10.0, "0.0001 to 10")?;
        within("DIS", "inner-iterations", self.inner_iterations, 1..=1000, "1 to 1000")?;
        within("DIS", "sor-iterations", self.sor_iterations, 1..=10_000, "1 to 10000")?;
        let omega = (Bound::Excluded(0.0), Bound::Excluded(2.0));
        within("DIS", "omega", self.omega, omega, "over 0 and below 2")
    }
}
