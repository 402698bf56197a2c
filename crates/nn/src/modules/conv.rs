//! Convolution.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::module;
use crate::{Conv2dConfig, Params, Pass};

/// Convolution with groups, and with stride and padding per axis; optionally with a rectification in the same pass.
#[derive(Debug)]
pub struct Conv2d(crate::Conv2d);

/// Makes a convolution with the weights of a store: `weight` (O, C / groups, KH, KW) and optionally `bias` (O). In a `VarMap`
/// that lacks them, He-normal weights are drawn with the seed and the bias is zero.
///
/// # Errors
/// If the groups do not divide the channels, or the store does not have these weights.
pub fn conv2d(config: &Conv2dConfig, store: VarBuilder<'_>, seed: u64) -> Result<Conv2d> {
    let builder = Params::new(store.device()).builder_from(store, seed);
    Ok(Conv2d(crate::Conv2d::new(&builder, config)?))
}

impl Conv2d {
    /// Maps (B, H, W, C) to (B, H', W', O).
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn channels_last(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.0.forward(x, &Pass::in_graph(false, 0))?)
    }
}

module!(Conv2d);
