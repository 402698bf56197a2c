//! Losses and scores.

use candle_core::Tensor;
use kernels::ContrastiveLoss;

use crate::{Error, Pass, Result};

/// Mean over the batch of the cross-entropy of (B, K) logits, a scalar of the pass.
///
/// # Errors
/// If there is not one label for every row, or a label is K or more.
pub fn softmax_cross_entropy(logits: &Tensor, labels: &[u32], pass: &Pass) -> Result<Tensor> {
    pass.apply(kernels::SoftmaxCrossEntropy::new(labels.to_vec()), &[logits])
}

/// The mean cross-entropy of the samples that have a label; the others get no gradient. So a softmax layer of
/// multi-task learning learns from its own data set's videos alone (Two-Stream ConvNets, Sect. 4).
///
/// # Errors
/// If there is not one entry for every row, none holds a label, or a label is K or more.
pub fn softmax_cross_entropy_of(logits: &Tensor, labels: &[Option<u32>], pass: &Pass) -> Result<Tensor> {
    pass.apply(kernels::SoftmaxCrossEntropy::of_some(labels.to_vec()), &[logits])
}

/// A contrastive loss of P pairs of features (2P, F), those of a pair one below the other; a scalar of the pass.
///
/// # Errors
/// If there are not two vectors for every pair, or the margin is not above 0.
pub fn contrastive(features: &Tensor, loss: ContrastiveLoss, pass: &Pass) -> Result<Tensor> {
    pass.apply(loss, &[features])
}

/// The sum of several losses, a scalar of the pass.
///
/// # Errors
/// If there is none.
pub fn sum(losses: &[Tensor], pass: &Pass) -> Result<Tensor> {
    let [first, rest @ ..] = losses else {
        return Err(Error::setting("a sum of losses", "none", "one at least"));
    };
    rest.iter().try_fold(first.clone(), |sum, loss| pass.apply(kernels::Add { relu: false }, &[&sum, loss]))
}

/// Class scores of (B, K) logits, summing to one; without a gradient.
///
/// # Errors
/// If the logits are not a `f32` matrix.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    Ok(kernels::softmax(logits)?)
}
