//! Batch normalisation.

use candle_core::{Result, Tensor};
use candle_nn::{ModuleT, VarBuilder};

use super::{to_channels_first, to_channels_last};
use crate::{BatchNormConfig, Params, Pass};

/// Batch normalisation, with the statistics of the batch in training or with frozen running statistics; optionally with a
/// residual and a rectification in the same pass. In training the running statistics are updated at once, as in `candle_nn`.
#[derive(Debug)]
pub struct BatchNorm(crate::BatchNorm);

/// Makes a normalisation with the weights of a store: `weight`, `bias`, `running_mean` and `running_var` (C).
///
/// # Errors
/// If the store does not have these weights.
pub fn batch_norm(channels: usize, config: &BatchNormConfig, store: VarBuilder<'_>) -> Result<BatchNorm> {
    // No value is random, so the seed does not matter.
    let builder = Params::new(store.device()).builder_from(store, 0);
    Ok(BatchNorm(crate::BatchNorm::new(&builder, channels, config)?))
}

impl BatchNorm {
    /// Maps (..., C) to the same shape; `residual`, also of this shape, is added before the rectification.
    ///
    /// # Errors
    /// If an input does not fit.
    pub fn channels_last(&self, x: &Tensor, residual: Option<&Tensor>, train: bool) -> Result<Tensor> {
        Ok(self.0.forward(x, residual, &Pass::in_graph(train, 0))?)
    }

    /// Maps (B, C, H, W) to the same shape; `residual`, also of this shape, is added before the rectification.
    ///
    /// # Errors
    /// If an input does not fit.
    pub fn forward_residual_t(&self, x: &Tensor, residual: &Tensor, train: bool) -> Result<Tensor> {
        let (x, residual) = (to_channels_last(x)?, to_channels_last(residual)?);
        to_channels_first(&self.channels_last(&x, Some(&residual), train)?)
    }
}

impl ModuleT for BatchNorm {
    /// Maps (B, C, H, W) to the same shape.
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        to_channels_first(&self.channels_last(&to_channels_last(x)?, None, train)?)
    }
}
