//! Losses and scores.

use candle_core::Tensor;
use kernels::ContrastiveLoss;

use crate::{Error, Pass, Result};

/// Computes the mean cross-entropy of (B, K) logits over the batch, a scalar of the pass.
///
/// # Errors
/// If the number of labels differs from the number of rows, or a label is K or more.
pub fn softmax_cross_entropy(logits: &Tensor, labels: &[u32], pass: &Pass) -> Result<Tensor> {
    pass.apply(kernels::SoftmaxCrossEntropy::new(labels.to_vec()), &[logits])
}

/// Computes the mean cross-entropy of the samples that have a label; the others get no gradient. So in multi-task learning,
/// each softmax layer learns only from its own data set's videos (Two-Stream ConvNets, Sect. 4).
///
/// # Errors
/// If the number of entries differs from the number of rows, no entry has a label, or a label is K or more.
pub fn softmax_cross_entropy_of(logits: &Tensor, labels: &[Option<u32>], pass: &Pass) -> Result<Tensor> {
    pass.apply(kernels::SoftmaxCrossEntropy::of_some(labels.to_vec()), &[logits])
}

/// Computes the contrastive loss of P pairs of features (2P, F), a scalar of the pass. The features of a pair are in
/// neighbouring rows.
///
/// # Errors
/// If the number of rows is not 2P, or the margin is not above 0.
pub fn contrastive(features: &Tensor, loss: ContrastiveLoss, pass: &Pass) -> Result<Tensor> {
    pass.apply(loss, &[features])
}

/// Computes the sum of losses, a scalar of the pass.
///
/// # Errors
/// If there are no losses.
pub fn sum(losses: &[Tensor], pass: &Pass) -> Result<Tensor> {
    let [first, rest @ ..] = losses else {
        return Err(Error::setting("the number of losses", "0", "at least 1"));
    };
    rest.iter().try_fold(first.clone(), |sum, loss| pass.apply(kernels::Add { relu: false }, &[&sum, loss]))
}

/// Computes class scores of (B, K) logits, which sum to one; without a gradient.
///
/// # Errors
/// If the logits are not a `f32` matrix.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    Ok(kernels::softmax(logits)?)
}
