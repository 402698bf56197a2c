//! Spatiotemporal compact bilinear fusion: what several feature maps have at a place, multiplied out and sketched.

use std::sync::Arc;

use candle_core::Tensor;
use kernels::{Fourier, Sketch};

use crate::{Buffer, Builder, Init, Pass, Result};

/// What one input of a [`CompactBilinear`] has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BilinearInput {
    /// C.
    pub channels: usize,
    /// T, each a factor of its own; 1 of a vector and of a map of one time step.
    pub time_steps: usize,
}

/// The count sketch of the outer product of all inputs at a place, without a parameter.
///
/// Buffers: of factor i, counted over all time steps of all inputs, `bucket_i` and `sign_i` (C). They are drawn once, by
/// the builder's seed, and are stored with the weights, since a layer that reads a sketch is of use with no other.
#[derive(Debug)]
pub struct CompactBilinear {
    fourier: Fourier,
    /// Of every input, for every time step.
    factors: Vec<Vec<[Arc<Buffer>; 2]>>,
    pooled: bool,
}

impl CompactBilinear {
    /// A layer with sketches of `size` values; `pooled` over the places of the maps, or one for each.
    ///
    /// # Errors
    /// If the size is 0, or a buffer cannot be made.
    pub fn new(builder: &Builder, inputs: &[BilinearInput], size: usize, pooled: bool) -> Result<Self> {
        let mut made = 0;
        let mut factors = Vec::with_capacity(inputs.len());
        for input in inputs {
            let mut time_steps = Vec::with_capacity(input.time_steps);
            for _ in 0..input.time_steps {
                let bucket = Init::Bucket { count: size };
                time_steps.push([
                    builder.buffer(&format!("bucket_{made}"), input.channels, bucket)?,
                    builder.buffer(&format!("sign_{made}"), input.channels, Init::Sign)?,
                ]);
                made += 1;
            }
            factors.push(time_steps);
        }
        Ok(Self { fourier: Fourier::new(size)?, factors, pooled })
    }

    /// Maps (B T, H, W, C) and vectors (B, C) to (B, d) if pooled, else to (B, H, W, d).
    ///
    /// # Errors
    /// If an input does not fit, or the buffers that were loaded hold no sketch.
    pub fn forward(&self, inputs: &[&Tensor], pass: &Pass) -> Result<Tensor> {
        let size = self.fourier.len();
        let sketch = |[bucket, sign]: &[Arc<Buffer>; 2]| -> Result<Sketch> {
            let values = |buffer: &Buffer| buffer.tensor().to_vec1::<f32>();
            Ok(Sketch::new(&values(bucket)?, &values(sign)?, size)?)
        };
        let sketches = |time_steps: &Vec<_>| time_steps.iter().map(sketch).collect::<Result<Vec<_>>>();
        let sketches = self.factors.iter().map(sketches).collect::<Result<Vec<_>>>()?;
        pass.apply(kernels::CompactBilinear::new(self.fourier.clone(), sketches, self.pooled)?, inputs)
    }
}
