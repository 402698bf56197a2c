//! Stochastic gradient descent with momentum and weight decay.

use std::sync::Arc;

use candle_core::backprop::GradStore;
use candle_core::{DType, Tensor, Var};
use candle_nn::Optimizer;
use kernels::SgdStep;
use rayon::prelude::*;

use crate::tensors::{self, Tensors};
use crate::{Error, Gradients, Param, Params, Result};

/// The optimiser of the papers, in PyTorch's form:
/// `v = momentum * v + (gradient + weight_decay * w)`, `w -= rate * v`.
///
/// (Caffe, which the two-stream papers used, includes the rate in `v`. Both forms agree
/// while the rate is constant; after a step of the rate, this form applies the new rate
/// to the accumulated velocity at once.)
///
/// For programs that use Candle it is an [`Optimizer`] of any variables, with the rate of its [`SgdConfig`].
#[derive(Debug)]
pub struct Sgd {
    params: Params,
    velocities: Tensors,
    /// Learning rate of [`Optimizer::step`]; [`Sgd::descend`] receives its rate as an argument.
    rate: f64,
    momentum: f64,
    weight_decay: f64,
    clip: Option<f64>,
}

/// Settings of [`Sgd`] as an [`Optimizer`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdConfig {
    /// Learning rate.
    pub rate: f64,
    /// Share of the velocity that is kept, from 0 to below 1.
    pub momentum: f64,
    /// Share of a weight that is added to its gradient, 0 or more.
    pub weight_decay: f64,
    /// Largest L2 norm of the gradient, see [`Sgd::clip`]; `None` for no limit.
    pub clip: Option<f64>,
}

impl Default for SgdConfig {
    /// The papers' momentum and weight decay, and PyTorch's default rate.
    fn default() -> Self {
        Self { rate: 1e-3, momentum: 0.9, weight_decay: 5e-4, clip: None }
    }
}

impl Sgd {
    /// Makes an optimiser of all present parameters, with zero velocities.
    ///
    /// # Errors
    /// If momentum is outside 0..1, or weight decay is negative.
    pub fn of(params: &Params, momentum: f64, weight_decay: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&momentum) {
            return Err(Error::setting("momentum", momentum, "at least 0 and below 1"));
        }
        if !(weight_decay >= 0.0 && weight_decay.is_finite()) {
            return Err(Error::setting("weight decay", weight_decay, "0 or a positive number"));
        }
        let mut velocities = Tensors::new();
        for param in params.all() {
            velocities.insert(param.name().to_owned(), zeros_like(param.var().as_tensor())?);
        }
        let rate = SgdConfig::default().rate;
        Ok(Self { params: params.clone(), velocities, rate, momentum, weight_decay, clip: None })
    }

    /// Sets the largest L2 norm of the gradient over all parameters; a larger gradient is scaled down to it, before weight
    /// decay.
    ///
    /// # Errors
    /// If the norm is not above 0.
    pub fn clip(&mut self, norm: f64) -> Result<()> {
        if !(norm > 0.0 && norm.is_finite()) {
            return Err(Error::setting("the largest norm of the gradient", norm, "a number above 0"));
        }
        self.clip = Some(norm);
        Ok(())
    }

    /// Returns the factor on the gradients of a step.
    fn gradient_scale(&self, gradients: &Gradients) -> Result<f64> {
        let Some(most) = self.clip else { return Ok(1.0) };
        let trained = |param: &Arc<Param>| gradients.get(param).filter(|_| !param.training().frozen).cloned();
        let trained: Vec<Tensor> = self.params.all().iter().filter_map(trained).collect();
        let norm = kernels::sum_of_squares(&trained)?.iter().sum::<f64>().sqrt();
        Ok(if norm > most { most / norm } else { 1.0 })
    }

    /// Runs one step with the gradients of a loss. Parameters that are frozen, or that the
    /// loss does not depend on, do not change. Running averages are updated with the
    /// statistics of the batch.
    ///
    /// # Errors
    /// If a gradient does not fit its parameter.
    pub fn descend(&mut self, gradients: &Gradients, rate: f64) -> Result<()> {
        let gradient_scale = self.gradient_scale(gradients)? as f32;
        let one = |param: &Arc<Param>| -> Result<()> {
            let training = param.training();
            let gradient = gradients.get(param);
            let velocity = self.velocities.get(param.name());
            let (Some(gradient), Some(velocity), false) = (gradient, velocity, training.frozen) else {
                return Ok(());
            };
            let step = SgdStep {
                rate: (rate * training.rate) as f32,
                momentum: self.momentum as f32,
                weight_decay: (self.weight_decay * training.weight_decay) as f32,
                gradient_scale,
            };
            Ok(kernels::sgd_step(param.var(), velocity, gradient, step)?)
        };
        if self.params.device().is_cpu() {
            // In parallel: a network has hundreds of small parameters, and a few large ones that are split further.
            self.params.all().par_iter().try_for_each(one)?;
        } else {
            // A GPU runs one operation after the other.
            self.params.all().iter().try_for_each(one)?;
        }
        gradients.average()
    }

    /// Returns the velocities by parameter name, for a checkpoint. They share memory with
    /// the optimiser: write them to disk before the next step.
    pub fn velocities(&self) -> &Tensors {
        &self.velocities
    }

    /// Sets the velocities from a checkpoint.
    ///
    /// # Errors
    /// If one is missing, surplus, or of another shape. In that case nothing changes.
    pub fn set_velocities(&mut self, stored: &Tensors) -> Result<()> {
        tensors::check_same_layout(&self.velocities, stored)?;
        let device = self.params.device();
        let mut velocities = Tensors::new();
        for (name, stored) in stored {
            // A copy, because a step changes velocities in place and `stored` belongs to the caller.
            let velocity = stored.to_device(device)?.copy()?.detach();
            velocities.insert(name.clone(), velocity);
        }
        self.velocities = velocities;
        Ok(())
    }
}

impl Optimizer for Sgd {
    type Config = SgdConfig;

    /// Makes an optimiser of these variables, with zero velocities. Integer variables are ignored.
    fn new(vars: Vec<Var>, config: SgdConfig) -> candle_core::Result<Self> {
        let SgdConfig { rate, momentum, weight_decay, clip } = config;
        let vars: Vec<Var> = vars.into_iter().filter(|var| var.dtype().is_float()).collect();
        if let Some(other) = vars.iter().find(|var| var.dtype() != DType::F32) {
            let found = format!("a variable of type {:?}", other.dtype());
            return Err(Error::setting("the input of Sgd", found, "variables of type F32").into());
        }
        let mut sgd = Self::of(&Params::of_vars(vars), momentum, weight_decay)?;
        if let Some(norm) = clip {
            sgd.clip(norm)?;
        }
        sgd.set_learning_rate(rate);
        Ok(sgd)
    }

    fn step(&mut self, gradients: &GradStore) -> candle_core::Result<()> {
        Ok(self.descend(&Gradients::from_store(gradients, &self.params), self.rate)?)
    }

    fn learning_rate(&self) -> f64 {
        self.rate
    }

    fn set_learning_rate(&mut self, rate: f64) {
        self.rate = rate;
    }
}

fn zeros_like(tensor: &Tensor) -> Result<Tensor> {
    Ok(Tensor::zeros(tensor.shape(), tensor.dtype(), tensor.device())?)
}
