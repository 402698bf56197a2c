//! Layers that look along time.
//!
//! A clip is a batch of its moments, (B T, H, W, C) with the T moments of a sample side by side, so that all layers
//! that look at one moment take clips as they are. Along time such a batch is a picture, (B, T, H W, C), of T rows.

use std::sync::Arc;

use candle_core::Tensor;
use kernels::Pool2d;

use crate::{Builder, Error, Init, Param, Pass, Result};

/// Convolution over time, `1x1xT'` in the papers' notation, without bias and padded with zeros so that every moment
/// has an output. Parameter: `weight` (O, I, T', 1, 1), PyTorch's order of a 3-D convolution.
#[derive(Debug)]
pub struct TemporalConv {
    weight: Arc<Param>,
    kernel: usize,
}

impl TemporalConv {
    /// A layer with He-normal weights.
    ///
    /// # Errors
    /// If the kernel is even, since the output would lie between two moments, or the parameter cannot be made.
    pub fn new(builder: &Builder, inputs: usize, outputs: usize, kernel: usize) -> Result<Self> {
        if kernel.is_multiple_of(2) {
            return Err(Error::setting(
                format!("temporal kernel of `{}`", builder.prefix()),
                kernel,
                "an odd number",
            ));
        }
        let init = Init::HeNormal { fan_in: inputs * kernel };
        Ok(Self { weight: builder.param("weight", (outputs, inputs, kernel, 1, 1), init)?, kernel })
    }

    /// (B T, H, W, I) to (B T, H, W, O), for T `moments` a sample.
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn forward(&self, x: &Tensor, moments: usize, pass: &Pass) -> Result<Tensor> {
        let (_, height, width, _) = x.dims4()?;
        let weight = self.weight.tensor(pass);
        let (outputs, inputs, kernel, _, _) = weight.dims5()?;
        let weight = pass.reshape(&weight, (outputs, inputs, kernel, 1))?;
        let op = kernels::Conv2d { stride: [1, 1], padding: [self.kernel / 2, 0], groups: 1, relu: false };
        let y = pass.apply(op, &[&along_time(x, moments, pass)?, &weight])?;
        let frames = x.dim(0)?;
        pass.reshape(&y, (frames, height, width, outputs))
    }
}

/// The maximum over windows of `kernel` moments, `stride` apart: (B T, H, W, C) to (B T', H, W, C).
///
/// # Errors
/// If the clip has fewer moments than a window.
pub fn max_over_time(
    x: &Tensor,
    moments: usize,
    [kernel, stride]: [usize; 2],
    pass: &Pass,
) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let pool = Pool2d { kernel: [kernel, 1], stride: [stride, 1], padding: [0, 0], ceil_mode: false };
    let y = pass.apply(kernels::MaxPool2d::new(pool), &[&along_time(x, moments, pass)?])?;
    let (batch, moments, _, _) = y.dims4()?;
    pass.reshape(&y, (batch * moments, height, width, channels))
}

/// The mean over a clip's moments: (B T, F) to (B, F).
///
/// # Errors
/// If the input does not fit.
pub fn mean_over_time(x: &Tensor, moments: usize, pass: &Pass) -> Result<Tensor> {
    let (frames, features) = x.dims2()?;
    let batch = samples(frames, moments)?;
    let x = pass.reshape(x, (batch, moments, 1, features))?;
    pass.apply(kernels::GlobalAvgPool, &[&x])
}

/// (B T, H, W, C) as (B, T, H W, C); nothing moves.
fn along_time(x: &Tensor, moments: usize, pass: &Pass) -> Result<Tensor> {
    let (frames, height, width, channels) = x.dims4()?;
    let batch = samples(frames, moments)?;
    pass.reshape(x, (batch, moments, height * width, channels))
}

fn samples(frames: usize, moments: usize) -> Result<usize> {
    if moments == 0 || !frames.is_multiple_of(moments) {
        return Err(Error::setting(
            "the number of frames of a batch of clips",
            format!("{frames} frames of clips of {moments}"),
            "a multiple of a clip's",
        ));
    }
    Ok(frames / moments)
}
