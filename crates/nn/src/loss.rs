//! Losses and scores.

use candle_core::Tensor;

use crate::{Pass, Result};

/// Mean over the batch of the cross-entropy of (B, K) logits, a scalar of the pass.
///
/// # Errors
/// If there is not one label for every row, or a label is K or more.
pub fn softmax_cross_entropy(logits: &Tensor, labels: &[u32], pass: &Pass) -> Result<Tensor> {
    pass.apply(kernels::SoftmaxCrossEntropy::new(labels.to_vec()), &[logits])
}

/// Class scores of (B, K) logits, summing to one; without a gradient.
///
/// # Errors
/// If the logits are not a `f32` matrix.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    Ok(kernels::softmax(logits)?)
}
