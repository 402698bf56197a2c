//! One step of stochastic gradient descent with momentum, in place and in one pass.

mod step;

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, Storage, Tensor, Var, bail};
use rayon::prelude::*;

use crate::check;
use crate::simd::{Level, vectorised};

pub use step::SgdStep;

/// Number of values handled by one task.
const CHUNK: usize = 1 << 14;

/// Computes the sum of the squares of each tensor's values.
///
/// # Errors
/// If a tensor is not `f32`, or if the tensors are on different devices.
pub fn sum_of_squares(tensors: &[Tensor]) -> Result<Vec<f64>> {
    let tensors = tensors.iter().map(Tensor::contiguous).collect::<Result<Vec<_>>>()?;
    #[cfg(feature = "cuda")]
    if let Some(gpu) = crate::cuda::Gpu::of_tensors(&tensors)? {
        return crate::cuda::sum_of_squares(&gpu, &tensors);
    }
    tensors.par_iter().map(squares).collect()
}

/// Computes the sum of squares of one tensor on the CPU.
fn squares(x: &Tensor) -> Result<f64> {
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("sum-of-squares: the input is not on the CPU") };
    let values = check::values("sum-of-squares", "the input", storage, layout)?;
    let of = |chunk: &[f32]| chunk.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    let parts: Vec<f64> = values.par_chunks(CHUNK).map(of).collect();
    Ok(parts.into_iter().sum())
}

/// Does one step in place: `velocity = momentum * velocity + (gradient_scale * gradient + weight_decay * parameter)`, then
/// `parameter -= rate * velocity` (PyTorch's form).
///
/// # Errors
/// If the three shapes differ or one of them is not `f32`.
pub fn sgd_step(parameter: &Var, velocity: &Tensor, gradient: &Tensor, step: SgdStep) -> Result<()> {
    let op = "sgd-step";
    Level::current()?;
    for (name, tensor) in
        [("the parameter", parameter.as_tensor()), ("the velocity", velocity), ("the gradient", gradient)]
    {
        check::float(op, name, tensor)?;
        check::shape(op, name, tensor, parameter.dims())?;
    }
    let gradient = gradient.contiguous()?;
    #[cfg(feature = "cuda")]
    {
        let tensors = [parameter.as_tensor().clone(), velocity.clone(), gradient.clone()];
        if let Some(gpu) = crate::cuda::Gpu::of_tensors(&tensors)? {
            return crate::cuda::sgd_step(&gpu, tensors.each_ref(), step);
        }
    }
    velocity.inplace_op2(&gradient, &Outer { parameter: parameter.as_tensor(), step })
}

/// Updates running statistics in place: `values = (1 - share) * values + share * observed`.
///
/// # Errors
/// If the shapes differ or one of them is not `f32`.
pub fn running_average(values: &Tensor, observed: &Tensor, share: f64) -> Result<()> {
    let op = "running-average";
    for (name, tensor) in [("the average", values), ("the observed tensor", observed)] {
        check::float(op, name, tensor)?;
        check::shape(op, name, tensor, values.dims())?;
    }
    let observed = observed.contiguous()?;
    #[cfg(feature = "cuda")]
    {
        let tensors = [values.clone(), observed.clone()];
        if let Some(gpu) = crate::cuda::Gpu::of_tensors(&tensors)? {
            return crate::cuda::running_average(&gpu, values, &observed, share);
        }
    }
    values.inplace_op2(&observed, &Average { share })
}

/// The running average of one buffer.
struct Average {
    share: f64,
}

impl InplaceOp2 for Average {
    fn name(&self) -> &'static str {
        "running-average"
    }

    fn cpu_fwd(&self, s1: &mut CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<()> {
        let values = check::values_mut(self.name(), "the average", s1, l1)?;
        let observed = check::values(self.name(), "the observed tensor", s2, l2)?;
        for (value, &observed) in values.iter_mut().zip(observed) {
            *value = ((1.0 - self.share) * f64::from(*value) + self.share * f64::from(observed)) as f32;
        }
        Ok(())
    }
}

/// Holds the velocity and the gradient, and accesses the parameter. A Candle in-place
/// operation changes one tensor; nesting two of them changes both in the same pass.
struct Outer<'a> {
    parameter: &'a Tensor,
    step: SgdStep,
}

impl InplaceOp2 for Outer<'_> {
    fn name(&self) -> &'static str {
        "sgd-step"
    }

    fn cpu_fwd(&self, s1: &mut CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<()> {
        let velocity = check::values_mut(self.name(), "the velocity", s1, l1)?;
        let gradient = check::values(self.name(), "the gradient", s2, l2)?;
        self.parameter.inplace_op1(&Inner { velocity: RefCell::new(velocity), gradient, step: self.step })
    }
}

struct Inner<'a> {
    velocity: RefCell<&'a mut [f32]>,
    gradient: &'a [f32],
    step: SgdStep,
}

impl InplaceOp1 for Inner<'_> {
    fn name(&self) -> &'static str {
        "sgd-step"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, layout: &Layout) -> Result<()> {
        let parameter = check::values_mut(self.name(), "the parameter", storage, layout)?;
        let Ok(mut velocity) = self.velocity.try_borrow_mut() else {
            bail!("{}: the velocity is already in use", self.name());
        };
        let step = self.step;
        parameter
            .par_chunks_mut(CHUNK)
            .zip(velocity.par_chunks_mut(CHUNK))
            .zip(self.gradient.par_chunks(CHUNK))
            .for_each(|((parameter, velocity), gradient)| {
                vectorised(
                    #[inline(always)]
                    || {
                        for ((w, v), &g) in parameter.iter_mut().zip(velocity.iter_mut()).zip(gradient) {
                            *v = step.momentum * *v + (step.gradient_scale * g + step.weight_decay * *w);
                            *w -= step.rate * *v;
                        }
                    },
                );
            });
        Ok(())
    }
}
