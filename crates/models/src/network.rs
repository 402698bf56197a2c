//! What goes into a network and what comes out.

use candle_core::Tensor;
use nn::Pass;

use crate::Result;

/// A batch. Each part is (B, S, C, H, W); a network reads the parts that it needs.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Frames.
    pub rgb: Option<Tensor>,
    /// Stacks of optical flow.
    pub flow: Option<Tensor>,
}

/// One classifier's answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// Name of the head; a network with one calls it `main`.
    pub name: String,
    /// (B, K), before the softmax.
    pub logits: Tensor,
}

/// What a network says about a batch.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// One or more classifiers.
    pub heads: Vec<Head>,
    /// What the first classifier reads, (B, F), before dropout.
    pub features: Option<Tensor>,
}

/// A network that classifies batches.
pub trait Network: Send + Sync {
    /// Runs the batch through.
    ///
    /// # Errors
    /// If an input is missing or of the wrong shape.
    fn forward(&self, inputs: &Inputs, pass: &Pass) -> Result<Outputs>;
}
