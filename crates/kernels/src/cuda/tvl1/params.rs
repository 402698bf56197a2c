//! The parameters of the estimator.

/// The parameters, by the names and meanings of crate `flow`.
#[derive(Debug, Clone, PartialEq)]
pub struct Params {
    /// Step of the dual projected gradient.
    pub tau: f32,
    /// Weight of the data term, for intensities of 0 to 255.
    pub lambda: f32,
    /// Coupling between the flow and its auxiliary variable.
    pub theta: f32,
    /// Levels of the pyramid at most.
    pub levels: usize,
    /// Size of each level relative to the next finer one, 0.4 to 0.95.
    pub scale_factor: f32,
    /// Linearisations a level.
    pub warps: usize,
    /// Times per linearisation that the iterations are followed by the median filter.
    pub rounds: usize,
    /// Primal-dual iterations per round.
    pub iterations: usize,
    /// The filter of both components after each round.
    pub median: Median,
    /// Standard deviation in pixels that frames are smoothed with first, 0 to 10.
    pub smoothing: f32,
    /// Share of the first frame's gradient in that of the data term.
    pub gradient_blend: f32,
    /// The most that the change of illumination follows a difference per linearisation; 0 for none.
    pub illumination_limit: f32,
    /// Standard deviation in pixels of the Gaussian that it is smooth by, 4 to 64.
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
