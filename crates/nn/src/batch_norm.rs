//! Batch normalisation (Ioffe & Szegedy 2015).

use std::sync::Arc;

use candle_core::Tensor;

use crate::{Activation, Buffer, Builder, Init, Param, Pass, Result};

/// Mean and variance used in training; evaluation always uses the running ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistics {
    /// Statistics of the batch, which also update the running ones.
    Batch,
    /// Running statistics, which do not change ("frozen"). Scale and shift still train.
    Running,
}

/// Settings of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchNormConfig {
    /// Added to the variance.
    pub epsilon: f64,
    /// Share of a new batch in the running statistics (PyTorch's `momentum`).
    pub momentum: f64,
    /// Statistics used in training.
    pub statistics: Statistics,
    /// Activation after the normalisation.
    pub activation: Activation,
}

/// Normalises each channel to mean 0 and variance 1, then scales and shifts it.
///
/// Parameters: `weight` and `bias` (C). Buffers: `running_mean` and `running_var` (C).
/// As in PyTorch, a batch is normalised by its biased variance, and the running variance
/// is updated with the unbiased one. If a batch is spread over ranks, its statistics are
/// those of the whole batch.
#[derive(Debug)]
pub struct BatchNorm {
    weight: Arc<Param>,
    bias: Arc<Param>,
    running_mean: Arc<Buffer>,
    running_var: Arc<Buffer>,
    config: BatchNormConfig,
}

impl BatchNorm {
    /// Makes a layer with scale 1, shift 0, running mean 0 and running variance 1.
    ///
    /// # Errors
    /// If a parameter cannot be made.
    pub fn new(builder: &Builder, channels: usize, config: &BatchNormConfig) -> Result<Self> {
        Ok(Self {
            weight: builder.param("weight", channels, Init::Constant(1.0))?,
            bias: builder.param("bias", channels, Init::Constant(0.0))?,
            running_mean: builder.buffer("running_mean", channels, Init::Constant(0.0))?,
            running_var: builder.buffer("running_var", channels, Init::Constant(1.0))?,
            config: *config,
        })
    }

    /// Maps (..., C) to the same shape; `residual`, also of this shape, is added before the
    /// activation.
    ///
    /// # Errors
    /// If an input does not fit.
    pub fn forward(&self, x: &Tensor, residual: Option<&Tensor>, pass: &Pass) -> Result<Tensor> {
        let BatchNormConfig { epsilon, momentum, statistics, activation } = self.config;
        let relu = activation == Activation::Relu;
        let (weight, bias) = (self.weight.tensor(pass), self.bias.tensor(pass));
        if !pass.is_training() || statistics == Statistics::Running {
            let (mean, variance) = (self.running_mean.tensor(), self.running_var.tensor());
            let mut inputs = vec![x, &weight, &bias, &mean, &variance];
            inputs.extend(residual);
            return pass.apply(kernels::FrozenBatchNorm { epsilon, relu }, &inputs);
        }
        let op = kernels::BatchNorm::new(epsilon, relu);
        let op = Arc::new(match pass.ranks() {
            Some(ranks) => op.over(Arc::new(ranks.clone())),
            None => op,
        });
        let mut inputs = vec![x, &weight, &bias];
        inputs.extend(residual);
        let output = pass.apply_shared(Arc::clone(&op) as _, &inputs)?;
        if let Some([mean, variance]) = op.statistics()? {
            pass.observe(&self.running_mean, mean, momentum)?;
            pass.observe(&self.running_var, variance, momentum)?;
        }
        Ok(output)
    }
}
