//! Compact bilinear pooling.

use candle_core::{Result, Tensor};
use candle_nn::VarBuilder;

use super::{to_channels_first, to_channels_last};
use crate::{BilinearInput, Params, Pass};

/// Compact bilinear pooling (Gao et al. 2016) of any number of inputs: the count sketch of their outer product at each
/// spatial position.
#[derive(Debug)]
pub struct CompactBilinear {
    layer: crate::CompactBilinear,
    pooled: bool,
}

/// Makes a pooling with sketches of `size` values: one for all spatial positions if `pooled`, otherwise one for each. The
/// sketches come from a store: `bucket_i` and `sign_i` (C) for factor i. In a `VarMap` that lacks them they are drawn with
/// the seed.
///
/// # Errors
/// If the size is 0, or the store does not have these sketches.
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
    /// Fuses maps (B T, H, W, C) and vectors (B, C) to (B, d) if pooled, otherwise to (B, H, W, d).
    ///
    /// # Errors
    /// If an input does not fit, or the store has no valid sketch.
    pub fn channels_last(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        Ok(self.layer.forward(inputs, &Pass::in_graph(false, 0))?)
    }

    /// Fuses maps (B T, C, H, W) and vectors (B, C) to (B, d) if pooled, otherwise to (B, d, H, W).
    ///
    /// # Errors
    /// If an input does not fit, or the store has no valid sketch.
    pub fn forward(&self, inputs: &[&Tensor]) -> Result<Tensor> {
        let turned = |x: &&Tensor| if x.rank() == 4 { to_channels_last(x) } else { Ok((*x).clone()) };
        let inputs = inputs.iter().map(turned).collect::<Result<Vec<_>>>()?;
        let y = self.channels_last(&inputs.iter().collect::<Vec<_>>())?;
        if self.pooled { Ok(y) } else { to_channels_first(&y) }
    }
}
