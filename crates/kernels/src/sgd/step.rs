//! The parameters of one descent step.

/// The parameters of one descent step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate, multipliers included.
    pub rate: f32,
    /// Factor of the old velocity.
    pub momentum: f32,
    /// Added to the gradient as `weight_decay * parameter`.
    pub weight_decay: f32,
    /// Factor of the gradient: 1, or less if its norm is clipped.
    pub gradient_scale: f32,
}
