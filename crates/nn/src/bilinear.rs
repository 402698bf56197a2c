//! Spatiotemporal compact bilinear fusion: sketches of the outer product of several feature maps at each spatial position.

use std::sync::Arc;

use candle_core::Tensor;
use kernels::{Fourier, Sketch};

use crate::{Buffer, Builder, Init, Pass, Result};

/// Sizes of an input of [`CompactBilinear`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BilinearInput {
    /// Number of channels, C.
    pub channels: usize,
    /// Number of time steps, T; each is a separate factor. 1 for a vector and for a map without time steps.
    pub time_steps: usize,
}

/// The count sketch of the outer product of all inputs at a spatial position, without parameters.
///
/// Buffers: `bucket_i` and `sign_i` (C) for factor i, counted over all time steps of all inputs. They are drawn once, with
/// the builder's seed, and stored with the weights, because the following layers work only with this sketch.
#[derive(Debug)]
pub struct CompactBilinear {
    fourier: Fourier,
    /// Sketch of each time step of each input.
    factors: Vec<Vec<[Arc<Buffer>; 2]>>,
    pooled: bool,
}

impl CompactBilinear {
    /// Makes a layer with sketches of `size` values: one for all spatial positions if `pooled`, otherwise one for each.
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

    /// Fuses maps (B T, H, W, C) and vectors (B, C) to (B, d) if pooled, otherwise to (B, H, W, d).
    ///
    /// # Errors
    /// If an input does not fit, or the loaded buffers are not a valid sketch.
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
