//! Rectification and multiplication by a constant mask, each one pass.

use crate::simd::vectorised;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use crate::check;

/// Values handled by one task; a constant, so that the cut depends on nothing else.
const CHUNK: usize = 1 << 15;

/// `max(x, 0)`; a NaN stays a NaN. Any shape.
///
/// # Errors
/// If `x` is not `f32`, or not on the CPU.
pub fn relu(x: &Tensor) -> Result<Tensor> {
    check::float("relu", "the input", x)?;
    x.contiguous()?.apply_op1(Relu)
}

/// `x * mask`, where the mask is a constant that receives no gradient (dropout).
///
/// # Errors
/// If the shapes differ or one of the two is not `f32`.
pub fn masked(x: &Tensor, mask: &Tensor) -> Result<Tensor> {
    check::float("masked", "the input", x)?;
    check::float("masked", "the mask", mask)?;
    check::shape("masked", "the mask", mask, x.dims())?;
    x.contiguous()?.apply_op2(&mask.contiguous()?.detach(), Masked)
}

struct Relu;

impl CustomOp1 for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = check::values("relu", "the input", storage, layout)?;
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(out, x)| {
            vectorised(
                #[inline(always)]
                || {
                    for (out, &x) in out.iter_mut().zip(x) {
                        *out = rectified(x);
                    }
                },
            );
        });
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, _arg: &Tensor, res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad_res.contiguous()?;
        Ok(Some(grad.apply_op2_no_bwd(res, &ReluGradient)?))
    }
}

/// Gradient of [`relu`] from the output's gradient and the output.
struct ReluGradient;

impl CustomOp2 for ReluGradient {
    fn name(&self) -> &'static str {
        "relu-gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let grad = check::values(self.name(), "the gradient", s1, l1)?;
        let output = check::values(self.name(), "the output", s2, l2)?;
        let mut out = vec![0f32; grad.len()];
        out.par_chunks_mut(CHUNK)
            .zip(grad.par_chunks(CHUNK))
            .zip(output.par_chunks(CHUNK))
            .for_each(|((out, grad), output)| copy_where_positive(out, grad, output));
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}

struct Masked;

impl CustomOp2 for Masked {
    fn name(&self) -> &'static str {
        "masked"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = check::values("masked", "the input", s1, l1)?;
        let mask = check::values("masked", "the mask", s2, l2)?;
        let mut out = vec![0f32; x.len()];
        out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).zip(mask.par_chunks(CHUNK)).for_each(
            |((out, x), mask)| {
                vectorised(
                    #[inline(always)]
                    || {
                        for ((out, &x), &mask) in out.iter_mut().zip(x).zip(mask) {
                            *out = x * mask;
                        }
                    },
                );
            },
        );
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }

    fn bwd(
        &self,
        _arg1: &Tensor,
        arg2: &Tensor,
        _res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad_res.contiguous()?.apply_op2_no_bwd(arg2, &Masked)?;
        Ok((Some(grad), None))
    }
}

/// `max(x, 0)` that keeps NaN.
#[inline(always)]
pub(crate) fn rectified(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// Copies `grad` where `output` is positive (or NaN) and writes zero elsewhere:
/// the gradient through a rectification, judged by its output.
pub(crate) fn copy_where_positive(out: &mut [f32], grad: &[f32], output: &[f32]) {
    vectorised(
        #[inline(always)]
        || {
            for ((out, &grad), &output) in out.iter_mut().zip(grad).zip(output) {
                *out = if output <= 0.0 { 0.0 } else { grad };
            }
        },
    );
}
