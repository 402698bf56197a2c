//! Losses and scores.

use candle_core::Tensor;

use crate::Result;

/// Mean over the batch of the cross-entropy of (B, K) logits, a scalar with a gradient.
///
/// # Errors
/// If there is not one label for every row, or a label is K or more.
pub fn softmax_cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    Ok(kernels::softmax_cross_entropy(logits, labels)?)
}

/// Class scores of (B, K) logits, summing to one; without a gradient.
///
/// # Errors
/// If the logits are not a `f32` matrix.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    Ok(kernels::softmax(logits)?)
}
