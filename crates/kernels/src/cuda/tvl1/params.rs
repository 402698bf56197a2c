//! The parameters of the estimator.

/// The parameters, with the names and meanings of crate `flow`.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// Step of the dual projected gradient.
    pub tau: f32,
    /// Weight of the data term, for intensities of 0 to 255.
    pub lambda: f32,
    /// Coupling between the flow and its auxiliary variable.
    pub theta: f32,
    /// Maximum number of pyramid levels.
    pub levels: usize,
    /// Size of each level relative to the next finer one, 0.4 to 0.95.
    pub scale_factor: f32,
    /// Number of linearisations per level.
    pub warps: usize,
    /// Number of rounds per linearisation, each of which ends with the median filter.
    pub rounds: usize,
    /// Primal-dual iterations per round.
    pub iterations: usize,
    /// The filter of both components after each round.
    pub median: Median,
    /// Standard deviation in pixels of the Gaussian that first smooths the frames, 0 to 10.
    pub smoothing: f32,
    /// Share of the first frame's gradient in that of the data term.
    pub gradient_blend: f32,
    /// Maximum change of the illumination estimate per linearisation; 0 for none.
    pub illumination_limit: f32,
    /// Standard deviation in pixels of the Gaussian that smooths it, 4 to 64.
    pub illumination_scale: f32,
}

/// The window of the median filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Median {
    /// No filter.
    None,
    /// 3x3.
    Three,
    /// 5x5.
    Five,
}
