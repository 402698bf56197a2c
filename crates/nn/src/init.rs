//! Initial values of parameters.
//!
//! The papers train with rectifiers and mostly do not say how weights start. Our
//! choice: He et al. 2015, normal with variance 2 / fan-in, and biases at zero.

use candle_core::{Device, Shape, Tensor};

use crate::{Result, random};

/// How a parameter starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// One value everywhere.
    Constant(f32),
    /// Normal with mean 0 and variance `2 / fan_in` (He et al. 2015, for rectifiers).
    HeNormal {
        /// Values that one output sums over.
        fan_in: usize,
    },
    /// Whole numbers from 0 to below `count`, all alike: the buckets of a count sketch.
    Bucket {
        /// Buckets.
        count: usize,
    },
    /// 1 and -1, both alike: the signs of a count sketch.
    Sign,
}

impl Init {
    /// Draws the values of the parameter `name`; they depend on nothing but the arguments.
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
