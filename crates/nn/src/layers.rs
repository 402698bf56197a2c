//! Layers with weights: parameters together with the operation that uses them.

use std::sync::Arc;

use candle_core::Tensor;

use crate::{Builder, Error, Init, Param, Pass, Result};

/// Activation after a layer's linear part, computed in the same pass over memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// No activation.
    None,
    /// `max(y, 0)`.
    Relu,
}

/// Sizes of a convolution; pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2dConfig {
    /// Number of input channels.
    pub inputs: usize,
    /// Number of output channels.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Distance between windows.
    pub stride: [usize; 2],
    /// Number of zeros added on each side.
    pub padding: [usize; 2],
    /// Number of groups of channels; each group reads only its own input channels.
    pub groups: usize,
    /// Adds a bias to each output channel; not needed before batch normalisation.
    pub bias: bool,
    /// Activation after the convolution.
    pub activation: Activation,
}

/// Convolution. Parameters: `weight` (O, C / groups, KH, KW) and optionally `bias` (O).
#[derive(Debug)]
pub struct Conv2d {
    weight: Arc<Param>,
    bias: Option<Arc<Param>>,
    op: kernels::Conv2d,
}

impl Conv2d {
    /// Makes a layer with He-normal weights and zero bias.
    ///
    /// # Errors
    /// If the groups do not divide the channels, or a parameter cannot be made.
    pub fn new(builder: &Builder, config: &Conv2dConfig) -> Result<Self> {
        let Conv2dConfig { inputs, outputs, kernel: [kh, kw], groups, .. } = *config;
        if groups == 0 || !inputs.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            return Err(Error::setting(
                format!("groups of `{}`", builder.prefix()),
                groups,
                "a divisor of the input and output channels",
            ));
        }
        let inputs = inputs / groups;
        let init = Init::HeNormal { fan_in: inputs * kh * kw };
        let bias = config.bias.then(|| builder.param("bias", outputs, Init::Constant(0.0)));
        Ok(Self {
            weight: builder.param("weight", (outputs, inputs, kh, kw), init)?,
            bias: bias.transpose()?,
            op: kernels::Conv2d {
                stride: config.stride,
                padding: config.padding,
                groups,
                relu: config.activation == Activation::Relu,
            },
        })
    }

    /// Maps (B, H, W, C) to (B, H', W', O).
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let weight = self.weight.tensor(pass);
        match &self.bias {
            Some(bias) => pass.apply(self.op, &[x, &weight, &bias.tensor(pass)]),
            None => pass.apply(self.op, &[x, &weight]),
        }
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
    /// Makes a layer with He-normal weights and zero bias.
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

    /// Maps (B, I) to (B, O).
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        let (weight, bias) = (self.weight.tensor(pass), self.bias.tensor(pass));
        let op = kernels::Linear { relu: self.activation == Activation::Relu };
        pass.apply(op, &[x, &weight, &bias])
    }
}
