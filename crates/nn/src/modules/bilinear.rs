//! Compact bilinear pooling.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::{to_channels_first, to_channels_last};
use crate::{BilinearInput, Params, Pass};

/// Compact bilinear pooling (Gao et al. 2016) of any number of inputs: the count sketch of the outer product of what they
/// have at a place.
#[derive(Debug)]
pub struct CompactBilinear {
    layer: crate::CompactBilinear,
    pooled: bool,
}

/// A pooling with sketches of `size` values, over the places of the maps if `pooled`, or one for each. The sketches are
/// those of a store, `bucket_i` and `sign_i` (C) of factor i; in a `VarMap` that lacks them the seed draws them.
///
/// # Errors
/// If the size is 0, or the store has no such sketches.
pub fn compact_bilinear(
    inputs: &[BilinearInput],
    size: usize,
    pooled: bool,
    store: VarBuilder<'_>,
    seed: u64,
) -> Result<CompactBilinear> {
    let builder = Params::new(store.device()).builder_from(store, seed);
    Ok(CompactBilinear { layer: crate::CompactBilinear::new(&builder, inputs, size, pooled)?, pooled })
}

impl CompactBilinear {
    /// Maps (B T, H, W, C) and vectors (B, C) to (B, d) if pooled, else to (B, H, W, d).
    ///
    /// # Errors
    /// If an input does not fit, or the store holds no sketch.
    pub fn channels_last(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        Ok(self.layer.forward(inputs, &Pass::in_graph(false, 0))?)
    }

    /// Maps (B T, C, H, W) and vectors (B, C) to (B, d) if pooled, else to (B, d, H, W).
    ///
    /// # Errors
    /// If an input does not fit, or the store holds no sketch.
    pub fn forward(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        let turned = |x: &&Tensor| if x.rank() == 4 { to_channels_last(x) } else { Ok((*x).clone()) };
        let inputs = inputs.iter().map(turned).collect::<Result<Vec<_>>>()?;
        let y = self.channels_last(&inputs.iter().collect::<Vec<_>>())?;
        if self.pooled { Ok(y) } else { to_channels_first(&y) }
    }
}
