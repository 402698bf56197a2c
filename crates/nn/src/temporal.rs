//! Layers over time.
//!
//! A clip is a batch of its time steps, (B T, H, W, C), in which the T time steps of a sample are neighbours. So layers that
//! read one time step accept clips unchanged. Layers over time treat such a batch as images (B, T, H W, C) with T rows.

use std::sync::Arc;

use candle_core::Tensor;
use kernels::Pool2d;

use crate::{Builder, Error, Init, Param, Pass, Result};

/// Convolution over time, `1x1xT'` in the papers' notation, without bias, and padded with zeros so that every time step
/// has an output. Parameter: `weight` (O, I, T', 1, 1), in PyTorch's order of a 3-D convolution.
#[derive(Debug)]
pub struct TemporalConv {
    weight: Arc<Param>,
    kernel: usize,
}

impl TemporalConv {
    /// Makes a layer with He-normal weights.
    ///
    /// # Errors
    /// If the kernel is even, because outputs would lie between time steps, or if the parameter cannot be made.
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

    /// Maps (B T, H, W, I) to (B T, H, W, O), for T `time_steps` per sample.
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn forward(&self, x: &Tensor, time_steps: usize, pass: &Pass) -> Result<Tensor> {
        let (_, height, width, _) = x.dims4()?;
        let weight = self.weight.tensor(pass);
        let (outputs, inputs, kernel, _, _) = weight.dims5()?;
        let weight = pass.reshape(&weight, (outputs, inputs, kernel, 1))?;
        let op = kernels::Conv2d { stride: [1, 1], padding: [self.kernel / 2, 0], groups: 1, relu: false };
        let y = pass.apply(op, &[&along_time(x, time_steps, pass)?, &weight])?;
        let frames = x.dim(0)?;
        pass.reshape(&y, (frames, height, width, outputs))
    }
}

/// Computes the maximum over windows of `kernel` time steps, `stride` apart: (B T, H, W, C) to (B T', H, W, C).
///
/// # Errors
/// If the clip has fewer time steps than a window.
pub fn max_over_time(
    x: &Tensor,
    time_steps: usize,
    [kernel, stride]: [usize; 2],
    pass: &Pass,
) -> Result<Tensor> {
    let (_, height, width, channels) = x.dims4()?;
    let pool = Pool2d { kernel: [kernel, 1], stride: [stride, 1], padding: [0, 0], ceil_mode: false };
    let y = pass.apply(kernels::MaxPool2d::new(pool), &[&along_time(x, time_steps, pass)?])?;
    let (batch, time_steps, _, _) = y.dims4()?;
    pass.reshape(&y, (batch * time_steps, height, width, channels))
}

/// Computes the mean over a clip's time steps: (B T, F) to (B, F).
///
/// # Errors
/// If the input does not fit.
pub fn mean_over_time(x: &Tensor, time_steps: usize, pass: &Pass) -> Result<Tensor> {
    let (frames, features) = x.dims2()?;
    let batch = samples(frames, time_steps)?;
    let x = pass.reshape(x, (batch, time_steps, 1, features))?;
    pass.apply(kernels::GlobalAvgPool, &[&x])
}

/// Reshapes (B T, H, W, C) to (B, T, H W, C), without copying.
fn along_time(x: &Tensor, time_steps: usize, pass: &Pass) -> Result<Tensor> {
    let (frames, height, width, channels) = x.dims4()?;
    let batch = samples(frames, time_steps)?;
    pass.reshape(x, (batch, time_steps, height * width, channels))
}

/// Returns the number of samples in a batch of clips.
///
/// # Errors
/// If the clips do not fill the batch.
pub(crate) fn samples(frames: usize, time_steps: usize) -> Result<usize> {
    if time_steps == 0 || !frames.is_multiple_of(time_steps) {
        return Err(Error::setting(
            "the size of a batch of clips",
            format!("{frames} frames of clips of {time_steps}"),
            "a multiple of the clip length",
        ));
    }
    Ok(frames / time_steps)
}
