//! The numbers of a step.

/// The numbers of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate, multipliers included.
    pub rate: f32,
    /// Share of the old velocity that is kept.
    pub momentum: f32,
    /// Added to the gradient as `weight_decay * parameter`.
    pub weight_decay: f32,
    /// Factor of the gradient: 1, or less where its norm is clipped.
    pub gradient_scale: f32,
}
