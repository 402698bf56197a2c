//! Modules without weights.

use candle_core::{Result, Tensor};
use kernels::{Lrn, Pool2d};

use super::{module, to_channels_last};

/// Maximum over windows, which may overlap and extend beyond all sides; their number may be rounded up, as in Caffe.
#[derive(Debug, Clone, Copy)]
pub struct MaxPool2d(pub Pool2d);

/// Mean over such windows.
#[derive(Debug, Clone, Copy)]
pub struct AvgPool2d {
    /// The windows.
    pub pool: Pool2d,
    /// Includes the zeros of the padding in the mean.
    pub count_padding: bool,
}

/// Mean of each channel, (B, C).
#[derive(Debug, Clone, Copy)]
pub struct GlobalAvgPool;

/// Local response normalisation across channels (Krizhevsky et al. 2012).
#[derive(Debug, Clone, Copy)]
pub struct LocalResponseNorm(pub Lrn);

impl MaxPool2d {
    /// Maps (B, H, W, C) to (B, H', W', C).
    ///
    /// # Errors
    /// If the windows do not fit.
    pub fn channels_last(&self, x: &Tensor) -> Result<Tensor> {
        kernels::apply(kernels::MaxPool2d::new(self.0), &[x])
    }
}

impl AvgPool2d {
    /// Maps (B, H, W, C) to (B, H', W', C).
    ///
    /// # Errors
    /// If the windows do not fit.
    pub fn channels_last(&self, x: &Tensor) -> Result<Tensor> {
        let Self { pool, count_padding } = *self;
        kernels::apply(kernels::AvgPool2d { pool, count_padding }, &[x])
    }
}

impl GlobalAvgPool {
    /// Maps (B, H, W, C) to (B, C).
    ///
    /// # Errors
    /// If `x` is not a feature map.
    pub fn channels_last(&self, x: &Tensor) -> Result<Tensor> {
        kernels::apply(kernels::GlobalAvgPool, &[x])
    }
}

impl LocalResponseNorm {
    /// Maps (B, H, W, C) to the same shape.
    ///
    /// # Errors
    /// If the constants are out of range.
    pub fn channels_last(&self, x: &Tensor) -> Result<Tensor> {
        kernels::apply(kernels::LocalResponseNorm(self.0), &[x])
    }
}

module!(MaxPool2d);
module!(AvgPool2d);
module!(LocalResponseNorm);

impl candle_nn::Module for GlobalAvgPool {
    /// Maps (B, C, H, W) to (B, C).
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.channels_last(&to_channels_last(x)?)
    }
}
