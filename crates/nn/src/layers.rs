//! Layers: parameters together with the kernel that uses them.

use std::sync::Arc;

use candle_core::Tensor;

use crate::{Builder, Error, Init, Lrn, Param, Pass, Pool2d, Result, random};

/// What follows a layer's linear part, in the same pass over memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    None,
    /// `max(y, 0)`.
    Relu,
}

/// Sizes of a convolution; pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Input channels.
    pub inputs: usize,
    /// Output channels.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
    /// What follows.
    pub activation: Activation,
}

/// Convolution with bias. Parameters: `weight` (O, C, KH, KW), `bias` (O).
#[derive(Debug)]
pub struct Conv2d {
    weight: Arc<Param>,
    bias: Arc<Param>,
    conv: kernels::Conv2d,
    activation: Activation,
}

impl Conv2d {
    /// A layer with He-normal weights and zero bias.
    ///
    /// # Errors
    /// If a parameter cannot be made.
    pub fn new(builder: &Builder, config: &Conv2dConfig) -> Result<Self> {
        let [kh, kw] = config.kernel;
        let init = Init::HeNormal { fan_in: config.inputs * kh * kw };
        Ok(Self {
            weight: builder.param("weight", (config.outputs, config.inputs, kh, kw), init)?,
            bias: builder.param("bias", config.outputs, Init::Constant(0.0))?,
            conv: kernels::Conv2d { stride: config.stride, padding: config.padding },
            activation: config.activation,
        })
    }

    /// (B, C, H, W) to (B, O, H', W').
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let (weight, bias) = (self.weight.tensor(pass), self.bias.tensor(pass));
        Ok(match self.activation {
            Activation::None => kernels::conv2d(x, &weight, Some(&bias), &self.conv)?,
            Activation::Relu => kernels::conv2d_relu(x, &weight, Some(&bias), &self.conv)?,
        })
    }
}

/// Fully connected layer. Parameters: `weight` (O, I), `bias` (O).
#[derive(Debug)]
pub struct Linear {
    weight: Arc<Param>,
    bias: Arc<Param>,
    activation: Activation,
}

impl Linear {
    /// A layer with He-normal weights and zero bias.
    ///
    /// # Errors
    /// If a parameter cannot be made.
    pub fn new(builder: &Builder, inputs: usize, outputs: usize, activation: Activation) -> Result<Self> {
        let init = Init::HeNormal { fan_in: inputs };
        Ok(Self {
            weight: builder.param("weight", (outputs, inputs), init)?,
            bias: builder.param("bias", outputs, Init::Constant(0.0))?,
            activation,
        })
    }

    /// (B, I) to (B, O).
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let (weight, bias) = (self.weight.tensor(pass), self.bias.tensor(pass));
        Ok(match self.activation {
            Activation::None => kernels::linear(x, &weight, &bias)?,
            Activation::Relu => kernels::linear_relu(x, &weight, &bias)?,
        })
    }
}

/// Inverted dropout: in training, values are zeroed with the given probability and the
/// others divided by the share that is kept; in evaluation nothing happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropout {
    name: String,
    probability: f64,
}

impl Dropout {
    /// A layer whose masks are drawn for (pass seed, `name`).
    ///
    /// # Errors
    /// If the probability is not at least 0 and below 1.
    pub fn new(name: &str, probability: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&probability) {
            return Err(Error::Setting {
                what: format!("dropout of `{name}`"),
                found: probability.to_string(),
                expected: "at least 0 and below 1",
            });
        }
        Ok(Self { name: name.to_owned(), probability })
    }

    /// Any shape to the same shape.
    ///
    /// # Errors
    /// If the input is not `f32`.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        if !pass.train || self.probability == 0.0 {
            return Ok(x.clone());
        }
        let keep = 1.0 - self.probability;
        let generator = random::generator("dropout", pass.seed, &self.name);
        let mask = random::mask(&generator, keep, (1.0 / keep) as f32, x.elem_count());
        let mask = Tensor::from_vec(mask, x.shape(), x.device())?;
        Ok(kernels::masked(x, &mask)?)
    }
}

/// Maximum over windows of (B, C, H, W).
///
/// # Errors
/// If the window does not fit the input.
pub fn max_pool2d(x: &Tensor, pool: &Pool2d) -> Result<Tensor> {
    Ok(kernels::max_pool2d(x, pool)?)
}

/// Normalisation of (B, C, H, W) across channels.
///
/// # Errors
/// If a constant is out of range.
pub fn local_response_norm(x: &Tensor, lrn: &Lrn) -> Result<Tensor> {
    Ok(kernels::local_response_norm(x, lrn)?)
}
