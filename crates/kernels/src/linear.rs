//! Fully connected layer: `y = x W^T + b`, optionally rectified.
//!
//! Each of the three products is cut along the dimension that it does not sum
//! over, into blocks whose number depends on the shape alone.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::check;
use crate::disjoint::Disjoint;
use crate::elementwise::{copy_where_positive, rectified};
use crate::matmul::{Matrix, product};

/// Blocks that a dimension is cut into, unless they would become narrower than [`NARROWEST`].
const BLOCKS: usize = 16;
const NARROWEST: usize = 32;

/// `x` (B, I) times `weight` (O, I) transposed, plus `bias` (O): (B, O).
///
/// # Errors
/// If the shapes do not fit or an argument is not `f32`.
pub fn linear(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(x, weight, bias, false)
}

/// [`linear`] followed by `max(y, 0)`, in one pass each way.
///
/// # Errors
/// As [`linear`].
pub fn linear_relu(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    apply(x, weight, bias, true)
}

fn apply(x: &Tensor, weight: &Tensor, bias: &Tensor, relu: bool) -> Result<Tensor> {
    let op = "linear";
    check::float(op, "the input", x)?;
    check::float(op, "the weight", weight)?;
    check::float(op, "the bias", bias)?;
    let (&[_, inputs], &[outputs, columns]) = (x.dims(), weight.dims()) else {
        bail!(
            "{op}: expected an input (B, I) and a weight (O, I), found {:?} and {:?}",
            x.dims(),
            weight.dims()
        );
    };
    if inputs != columns {
        bail!("{op}: the input has {inputs} features, the weight expects {columns}");
    }
    check::shape(op, "the bias", bias, &[outputs])?;
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, Forward { relu })
}

/// Ranges of equal width (the last one may be shorter).
fn blocks(len: usize) -> impl IndexedParallelIterator<Item = std::ops::Range<usize>> {
    let width = len.div_ceil(BLOCKS).next_multiple_of(16).max(NARROWEST);
    (0..len.div_ceil(width)).into_par_iter().map(move |i| i * width..((i + 1) * width).min(len))
}

struct Forward {
    relu: bool,
}

impl CustomOp3 for Forward {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = check::values(self.name(), "the input", s1, l1)?;
        let weight = check::values(self.name(), "the weight", s2, l2)?;
        let bias = check::values(self.name(), "the bias", s3, l3)?;
        let (batch, inputs) = l1.shape().dims2()?;
        let outputs = bias.len();
        let mut out = vec![0f32; batch * outputs];
        let shared = Disjoint::new(&mut out);
        blocks(outputs).for_each(|block| {
            let width = block.len();
            let mut part = vec![0f32; batch * width];
            product(
                &mut part,
                width,
                Matrix::new(x, batch, inputs, inputs),
                Matrix::new(&weight[block.start * inputs..], width, inputs, inputs).transposed(),
                false,
            );
            for b in 0..batch {
                let start = b * outputs + block.start;
                // SAFETY: every block has its own columns, so the ranges do not overlap.
                let out = unsafe { shared.range(start..start + width) };
                let part = &part[b * width..][..width];
                for ((out, &part), &bias) in out.iter_mut().zip(part).zip(&bias[block.clone()]) {
                    let y = part + bias;
                    *out = if self.relu { rectified(y) } else { y };
                }
            }
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, outputs))))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut grad = grad_res.contiguous()?;
        if self.relu {
            grad = grad.apply_op2_no_bwd(res, &ThroughRelu)?;
        }
        let dx = if x.track_op() { Some(weight.apply_op2_no_bwd(&grad, &InputGradient)?) } else { None };
        let dw = if weight.track_op() { Some(x.apply_op2_no_bwd(&grad, &WeightGradient)?) } else { None };
        let db = if bias.track_op() { Some(grad.sum(0)?) } else { None };
        Ok((dx, dw, db))
    }
}

/// The gradient before the rectification.
struct ThroughRelu;

impl CustomOp2 for ThroughRelu {
    fn name(&self) -> &'static str {
        "linear-relu-gradient"
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
        copy_where_positive(&mut out, grad, output);
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}

/// `dx = dy W`, cut along the inputs.
struct InputGradient;

impl CustomOp2 for InputGradient {
    fn name(&self) -> &'static str {
        "linear-input-gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let weight = check::values(self.name(), "the weight", s1, l1)?;
        let grad = check::values(self.name(), "the gradient", s2, l2)?;
        let (outputs, inputs) = l1.shape().dims2()?;
        let (batch, _) = l2.shape().dims2()?;
        let mut out = vec![0f32; batch * inputs];
        let shared = Disjoint::new(&mut out);
        blocks(inputs).for_each(|block| {
            let width = block.len();
            let mut part = vec![0f32; batch * width];
            let columns = weight.get(block.start..).unwrap_or(&[]);
            product(
                &mut part,
                width,
                Matrix::new(grad, batch, outputs, outputs),
                Matrix::new(columns, outputs, width, inputs),
                false,
            );
            for b in 0..batch {
                let start = b * inputs + block.start;
                // SAFETY: every block has its own columns, so the ranges do not overlap.
                let out = unsafe { shared.range(start..start + width) };
                out.copy_from_slice(&part[b * width..][..width]);
            }
        });
        Ok((CpuStorage::F32(out), Shape::from((batch, inputs))))
    }
}

/// `dW = dy^T x`, cut along the outputs.
struct WeightGradient;

impl CustomOp2 for WeightGradient {
    fn name(&self) -> &'static str {
        "linear-weight-gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let x = check::values(self.name(), "the input", s1, l1)?;
        let grad = check::values(self.name(), "the gradient", s2, l2)?;
        let (batch, inputs) = l1.shape().dims2()?;
        let (_, outputs) = l2.shape().dims2()?;
        let mut out = vec![0f32; outputs * inputs];
        let shared = Disjoint::new(&mut out);
        blocks(outputs).for_each(|block| {
            // SAFETY: every block has its own rows, so the ranges do not overlap.
            let out = unsafe { shared.range(block.start * inputs..block.end * inputs) };
            let columns = grad.get(block.start..).unwrap_or(&[]);
            product(
                out,
                inputs,
                Matrix::new(columns, batch, block.len(), outputs).transposed(),
                Matrix::new(x, batch, inputs, inputs),
                false,
            );
        });
        Ok((CpuStorage::F32(out), Shape::from((outputs, inputs))))
    }
}
