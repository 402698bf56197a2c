//! What distinguishes one run through a network from another.

/// Training or evaluation, and the seed of what is random in training.
///
/// It reaches every layer, so no layer holds a mode of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Whether dropout drops and gradients are recorded.
    pub train: bool,
    /// Seed of the dropout masks; a new one for every iteration.
    pub seed: u64,
}

impl Pass {
    /// A pass without dropout that records no gradients.
    pub fn eval() -> Self {
        Self { train: false, seed: 0 }
    }

    /// A training pass.
    pub fn train(seed: u64) -> Self {
        Self { train: true, seed }
    }
}
