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

/// Computes sums over windows of time steps with fixed weights, `stride` time steps apart, followed by rectification if `relu`:
/// (B T, ...) to (B T', ...). A window has as many time steps as there are weights.
///
/// # Errors
/// If the clip has fewer time steps than a window, or there is no weight.
pub fn weighted_over_time(
    x: &Tensor,
    time_steps: usize,
    weights: &[f32],
    stride: usize,
    relu: bool,
    pass: &Pass,
) -> Result<Tensor> {
    let weight = Tensor::from_slice(weights, (1, 1, weights.len(), 1), x.device())?;
    let op = kernels::Conv2d { stride: [stride, 1], padding: [0, 0], groups: 1, relu };
    of_windows(x, time_steps, pass, |x| pass.apply(op, &[x, &weight]))
}

/// Computes the maximum over windows of time steps, like [`max_over_time`] but of values of any shape: (B T, ...) to (B T', ...).
///
/// # Errors
/// If the clip has fewer time steps than a window.
pub fn largest_of_windows(
    x: &Tensor,
    time_steps: usize,
    [kernel, stride]: [usize; 2],
    pass: &Pass,
) -> Result<Tensor> {
    let pool = Pool2d { kernel: [kernel, 1], stride: [stride, 1], padding: [0, 0], ceil_mode: false };
    let shape = x.dims().to_vec();
    let batch = samples(shape[0], time_steps)?;
    let x = pass.reshape(x, (batch, time_steps, 1, shape[1..].iter().product::<usize>()))?;
    let y = pass.apply(kernels::MaxPool2d::new(pool), &[&x])?;
    restored(&y, shape, pass)
}

/// Learned sums over windows of time steps, each followed by rectification, shared by all positions and channels (parametric
/// pooling): one value of `kernel` time steps, or as many hidden values first. Parameters: `weight` (1, 1, kernel, 1) and `bias`
/// (1); with hidden values also `hidden.weight` (kernel, 1, kernel, 1) and `hidden.bias` (kernel), and `weight` is (1, kernel, 1,
/// 1). Weights are 0.1 at first, biases 0.
#[derive(Debug)]
pub struct LearnedOverTime {
    hidden: Option<[Arc<Param>; 2]>,
    weight: Arc<Param>,
    bias: Arc<Param>,
    stride: usize,
}

impl LearnedOverTime {
    /// Makes a layer for windows of `kernel` time steps, `stride` apart.
    ///
    /// # Errors
    /// If a parameter cannot be made.
    pub fn new(builder: &Builder, [kernel, stride]: [usize; 2], hidden: bool) -> Result<Self> {
        let (start, zero) = (Init::Constant(0.1), Init::Constant(0.0));
        let first = builder.pp("hidden");
        let hidden = hidden
            .then(|| {
                let weight = first.param("weight", (kernel, 1, kernel, 1), start)?;
                Ok::<_, Error>([weight, first.param("bias", kernel, zero)?])
            })
            .transpose()?;
        let shape = if hidden.is_some() { (1, kernel, 1, 1) } else { (1, 1, kernel, 1) };
        Ok(Self {
            hidden,
            weight: builder.param("weight", shape, start)?,
            bias: builder.param("bias", 1, zero)?,
            stride,
        })
    }

    /// Maps (B T, ...) to (B T', ...), for T `time_steps` per sample.
    ///
    /// # Errors
    /// If the clip has fewer time steps than a window.
    pub fn forward(&self, x: &Tensor, time_steps: usize, pass: &Pass) -> Result<Tensor> {
        let op = |stride| kernels::Conv2d { stride: [stride, 1], padding: [0, 0], groups: 1, relu: true };
        let (weight, bias) = (self.weight.tensor(pass), self.bias.tensor(pass));
        of_windows(x, time_steps, pass, |x| match &self.hidden {
            None => pass.apply(op(self.stride), &[x, &weight, &bias]),
            Some([first, second]) => {
                let hidden = pass.apply(op(self.stride), &[x, &first.tensor(pass), &second.tensor(pass)])?;
                pass.apply(op(1), &[&hidden, &weight, &bias])
            }
        })
    }
}

/// Applies `pool` to (B, T, values of a time step, 1), and restores the shape of a time step.
fn of_windows(
    x: &Tensor,
    time_steps: usize,
    pass: &Pass,
    pool: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<Tensor> {
    let shape = x.dims().to_vec();
    let batch = samples(shape[0], time_steps)?;
    let x = pass.reshape(x, (batch, time_steps, shape[1..].iter().product::<usize>(), 1))?;
    restored(&pool(&x)?, shape, pass)
}

/// Reshapes pooled values (B, T', ..., ...) to (B T', ...), with the shape of a time step.
fn restored(y: &Tensor, mut shape: Vec<usize>, pass: &Pass) -> Result<Tensor> {
    shape[0] = y.dim(0)? * y.dim(1)?;
    pass.reshape(y, shape)
}
