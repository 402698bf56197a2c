//! One step of stochastic gradient descent with momentum, in place and in one pass.

use std::cell::RefCell;

use candle_core::{CpuStorage, InplaceOp1, InplaceOp2, Layout, Result, Storage, Tensor, Var, bail};
use rayon::prelude::*;

use crate::check;
use crate::simd::{Level, vectorised};

/// Values handled by one task.
const CHUNK: usize = 1 << 14;

/// The numbers of one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SgdStep {
    /// Learning rate, multipliers included.
    pub rate: f32,
    /// Share of the old velocity that is kept.
    pub momentum: f32,
    /// Added to the gradient as `weight_decay * parameter`.
    pub weight_decay: f32,
    /// Factor of the gradient: 1, or less where its norm is clipped.
    pub gradient_scale: f32,
}

/// The sum of the squares of all values.
///
/// # Errors
/// If the tensor is not `f32` on the CPU.
pub fn sum_of_squares(x: &Tensor) -> Result<f64> {
    let x = x.contiguous()?;
    let (storage, layout) = x.storage_and_layout();
    let Storage::Cpu(storage) = &*storage else { bail!("sum-of-squares: the input is not on the CPU") };
    let values = check::values("sum-of-squares", "the input", storage, layout)?;
    let of = |chunk: &[f32]| chunk.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    let parts: Vec<f64> = values.par_chunks(CHUNK).map(of).collect();
    Ok(parts.into_iter().sum())
}

/// `velocity = momentum * velocity + (gradient_scale * gradient + weight_decay * parameter)`, then
/// `parameter -= rate * velocity` (PyTorch's form). Both are changed in place.
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
    velocity.inplace_op2(&gradient.contiguous()?, &Outer { parameter: parameter.as_tensor(), step })
}

/// Holds the velocity and the gradient, and asks for the parameter. A Candle in-place
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
