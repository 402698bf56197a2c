//! The parameters of TV-L1 and its two presets.

use std::ops::Bound;

use serde::{Deserialize, Serialize};

use crate::FlowError;
use crate::error::within;

/// The parameters of [`crate::Method::TvL1`], with the names of Zach, Pock and Bischof
/// 2007 if they have one. They have no `Default`: a spec states all of them or
/// starts from a preset.
///
/// Work per pair is proportional to `warps * rounds * iterations`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TvL1Params {
    /// Step tau of the dual projected gradient, over 0; convergence is guaranteed up
    /// to 0.25.
    pub tau: f32,
    /// Weight lambda of the data term relative to the total variation, for
    /// intensities of 0 to 255: larger is less smooth.
    pub lambda: f32,
    /// Coupling theta between the flow and its auxiliary variable: a smaller value
    /// couples them more tightly and needs more iterations.
    pub theta: f32,
    /// Maximum number of pyramid levels; a small picture gets fewer.
    pub levels: usize,
    /// Size of each level relative to the next finer one, 0.4 to 0.95.
    pub scale_factor: f32,
    /// Number of warps per level, each of which warps the second picture and
    /// linearises the data term anew.
    pub warps: usize,
    /// Number of rounds per warp, each of which ends with the median filter.
    pub rounds: usize,
    /// Primal-dual iterations per round; a fixed count, so the work is the same for
    /// every pair.
    pub iterations: usize,
    /// Filter of both flow components after each round, against outliers.
    pub median: MedianFilter,
    /// Standard deviation in pixels of the Gaussian that first smooths both
    /// pictures, 0 for none. It reduces noise and aliasing.
    pub smoothing: f32,
    /// Share of the first picture's gradient in that of the data term, 0 to 1; the
    /// rest comes from the warped second picture. 0.5 is the mean of the two.
    pub gradient_blend: f32,
    /// Maximum change per warp, in intensities, of the illumination estimate; 0
    /// assumes that brightness is constant.
    pub illumination_limit: f32,
    /// Standard deviation of the Gaussian that smooths the change of illumination,
    /// 4 to 64, in pixels of each level.
    pub illumination_scale: f32,
}

/// The window of the median filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MedianFilter {
    /// No filter.
    #[serde(rename = "none")]
    None,
    /// The median of 3x3 vectors, each component by itself.
    #[serde(rename = "3x3")]
    Three,
    /// The median of 5x5 vectors, each component by itself.
    #[serde(rename = "5x5")]
    Five,
}

impl TvL1Params {
    /// Returns the preset for many small pairs and for video in real time. Smooths enough for noisy video.
    pub fn fast() -> Self {
        Self {
            tau: 0.25,
            lambda: 0.19,
            theta: 0.22,
            levels: 16,
            scale_factor: 0.6,
            warps: 3,
            rounds: 1,
            iterations: 10,
            median: MedianFilter::Five,
            smoothing: 0.7,
            gradient_blend: 0.5,
            illumination_limit: 3.0,
            illumination_scale: 12.0,
        }
    }

    /// Returns the preset for quality: finer steps between levels, a tighter
    /// coupling, more warps and iterations. Takes three to four times as long as
    /// [`TvL1Params::fast`].
    pub fn accurate() -> Self {
        Self {
            tau: 0.25,
            lambda: 0.18,
            theta: 0.15,
            levels: 12,
            scale_factor: 0.65,
            warps: 5,
            rounds: 1,
            iterations: 30,
            median: MedianFilter::Five,
            smoothing: 0.65,
            gradient_blend: 0.5,
            illumination_limit: 2.0,
            illumination_scale: 12.0,
        }
    }

    /// Checks every parameter against its range.
    pub(crate) fn check(&self) -> Result<(), FlowError> {
        let over_zero_to = |most| (Bound::Excluded(0.0), Bound::Included(most));
        // NaN is outside every range.
        within("TV-L1", "tau", self.tau, over_zero_to(1.0), "over 0 and at most 1")?;
        within("TV-L1", "lambda", self.lambda, over_zero_to(1e3), "over 0 and at most 1000")?;
        within("TV-L1", "theta", self.theta, 1e-3..=1e3, "0.001 to 1000")?;
        within("TV-L1", "scale-factor", self.scale_factor, 0.4..=0.95, "0.4 to 0.95")?;
        within("TV-L1", "smoothing", self.smoothing, 0.0..=10.0, "0 to 10 pixels")?;
        within("TV-L1", "gradient-blend", self.gradient_blend, 0.0..=1.0, "0 to 1")?;
        within("TV-L1", "illumination-limit", self.illumination_limit, 0.0..=255.0, "0 to 255 intensities")?;
        within("TV-L1", "illumination-scale", self.illumination_scale, 4.0..=64.0, "4 to 64 pixels")?;
        within("TV-L1", "levels", self.levels, 1..=64, "1 to 64")?;
        within("TV-L1", "warps", self.warps, 1..=1000, "1 to 1000")?;
        within("TV-L1", "rounds", self.rounds, 1..=1000, "1 to 1000")?;
        within("TV-L1", "iterations", self.iterations, 1..=10_000, "1 to 10000")
    }
}
