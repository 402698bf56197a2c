//! Initial values of parameters.
//!
//! The papers train with rectifiers and mostly do not specify the initial weights. This
//! crate uses He et al. 2015: normal with variance 2 / fan-in, and zero biases.

use candle_core::{Device, Shape, Tensor};

use crate::{Result, random};

/// Initial values of a parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// The same value everywhere.
    Constant(f32),
    /// Normal with mean 0 and variance `2 / fan_in` (He et al. 2015, for rectifiers).
    HeNormal {
        /// Number of values that one output sums over.
        fan_in: usize,
    },
    /// Integers from 0 to below `count`, uniformly distributed: the buckets of a count sketch.
    Bucket {
        /// Number of buckets.
        count: usize,
    },
    /// 1 and -1 with equal probability: the signs of a count sketch.
    Sign,
}

impl Init {
    /// Draws the values of the parameter `name`; they depend only on the arguments.
    ///
    /// # Errors
    /// If the tensor cannot be made on the device.
    pub fn draw(&self, seed: u64, name: &str, shape: &Shape, device: &Device) -> Result<Tensor> {
        let values = match *self {
            Self::Constant(value) => vec![value; shape.elem_count()],
            Self::HeNormal { fan_in } => {
                let deviation = (2.0 / fan_in.max(1) as f64).sqrt();
                let generator = random::generator("init", seed, name);
                random::normal(&generator, deviation, shape.elem_count())
            }
            Self::Bucket { count } => {
                random::below(&mut random::generator("init", seed, name), count, shape.elem_count())
            }
            Self::Sign => {
                let bits = random::below(&mut random::generator("init", seed, name), 2, shape.elem_count());
                bits.into_iter().map(|bit| 1.0 - 2.0 * bit).collect()
            }
        };
        Ok(Tensor::from_vec(values, shape, device)?)
    }
}
