//! Convolution.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::module;
use crate::{Conv2dConfig, Params, Pass};

/// Convolution with groups, and a stride and a padding per axis; with a rectification in the same pass if wanted.
#[derive(Debug)]
pub struct Conv2d(crate::Conv2d);

/// A convolution with the weights of a store: `weight` (O, C / groups, KH, KW) and, if wanted, `bias` (O). In a `VarMap` that
/// lacks them the seed draws He-normal weights and the bias is zero.
///
/// # Errors
/// If the groups do not divide the channels, or the store has no such weights.
pub fn conv2d(config: &Conv2dConfig, store: VarBuilder<'_>, seed: u64) -> Result<Conv2d> {
    let builder = Params::new(store.device()).builder_from(store, seed);
    Ok(Conv2d(crate::Conv2d::new(&builder, config)?))
}

impl Conv2d {
    /// (B, H, W, C) to (B, H', W', O).
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn channels_last(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.0.forward(x, &Pass::in_graph(false, 0))?)
    }
}

module!(Conv2d);
