//! Stochastic gradient descent with momentum and weight decay.

use std::sync::Arc;

use candle_core::Tensor;
use kernels::SgdStep;
use rayon::prelude::*;

use crate::tensors::{self, Tensors};
use crate::{Error, Gradients, Param, Params, Result};

/// The optimiser of the papers, in PyTorch's form:
/// `v = momentum * v + (gradient + weight_decay * w)`, `w -= rate * v`.
///
/// (Caffe, which the two-stream papers used, folds the rate into `v`. The two agree
/// while the rate is constant; after a step, this form applies the new rate to the
/// accumulated velocity at once.)
#[derive(Debug)]
pub struct Sgd {
    params: Params,
    velocities: Tensors,
    momentum: f64,
    weight_decay: f64,
    clip: Option<f64>,
}

impl Sgd {
    /// An optimiser of all parameters made so far, at rest.
    ///
    /// # Errors
    /// If momentum is outside 0..1, or weight decay is negative.
    pub fn new(params: &Params, momentum: f64, weight_decay: f64) -> Result<Self> {
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
        Ok(Self { params: params.clone(), velocities, momentum, weight_decay, clip: None })
    }

    /// Scales the gradient of all parameters together down to this L2 norm where it is larger, before weight decay.
    ///
    /// # Errors
    /// If the norm is not above 0.
    pub fn clip(&mut self, norm: f64) -> Result<()> {
        if !(norm > 0.0 && norm.is_finite()) {
            return Err(Error::setting("the norm that gradients are clipped at", norm, "a number above 0"));
        }
        self.clip = Some(norm);
        Ok(())
    }

    /// What the gradients of a step are multiplied by.
    fn gradient_scale(&self, gradients: &Gradients) -> Result<f64> {
        let Some(most) = self.clip else { return Ok(1.0) };
        let trained = |param: &Arc<Param>| gradients.get(param).filter(|_| !param.training().frozen).cloned();
        let trained: Vec<Tensor> = self.params.all().iter().filter_map(trained).collect();
        let norm = kernels::sum_of_squares(&trained)?.iter().sum::<f64>().sqrt();
        Ok(if norm > most { most / norm } else { 1.0 })
    }

    /// One step with the gradients of a loss. Parameters that are frozen, or that the
    /// loss does not depend on, stay as they are. Running averages take in what the pass
    /// saw of its batch.
    ///
    /// # Errors
    /// If a gradient does not fit its parameter.
    pub fn step(&mut self, gradients: &Gradients, rate: f64) -> Result<()> {
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
            // Side by side: a network has hundreds of small parameters, and a few that are cut up again.
            self.params.all().par_iter().try_for_each(one)?;
        } else {
            // A GPU takes one thing after the other.
            self.params.all().iter().try_for_each(one)?;
        }
        for observation in gradients.observations() {
            observation.apply()?;
        }
        Ok(())
    }

    /// The velocities by parameter name, for a checkpoint. They share memory with the
    /// optimiser: write them out before the next step.
    pub fn velocities(&self) -> &Tensors {
        &self.velocities
    }

    /// Takes up velocities from a checkpoint.
    ///
    /// # Errors
    /// If one is missing, surplus, or of another shape; then nothing changes.
    pub fn set_velocities(&mut self, stored: &Tensors) -> Result<()> {
        tensors::check_same_layout(&self.velocities, stored)?;
        let device = self.params.device();
        let mut velocities = Tensors::new();
        for (name, stored) in stored {
            // A copy: the step changes velocities in place, and `stored` is the caller's.
            let velocity = stored.to_device(device)?.copy()?.detach();
            velocities.insert(name.clone(), velocity);
        }
        self.velocities = velocities;
        Ok(())
    }
}

fn zeros_like(tensor: &Tensor) -> Result<Tensor> {
    Ok(Tensor::zeros(tensor.shape(), tensor.dtype(), tensor.device())?)
}
