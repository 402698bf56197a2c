//! Fully connected layer: `y = x W^T + b`, optionally rectified.
//!
//! Each of the three products is cut along the dimension that it does not sum
//! over, into blocks whose number depends on the shape alone.

use candle_core::{Result, bail};
use rayon::prelude::*;

use crate::check;
use crate::disjoint::Disjoint;
use crate::elementwise::{rectified, through_relu};
use crate::matmul::{Matrix, product};
use crate::op::{Array, Gradient, Op};

/// Blocks that a dimension is cut into, unless they would become narrower than [`NARROWEST`].
const BLOCKS: usize = 16;
const NARROWEST: usize = 32;

/// A fully connected layer: inputs x (B, I), weight (O, I) and bias (O), output (B, O).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Whether the output is rectified.
    pub relu: bool,
}

impl Linear {
    /// Batch, inputs and outputs.
    fn sizes(&self, [x, weight, bias]: &[Array<'_>; 3]) -> Result<[usize; 3]> {
        let op = self.name();
        let (&[batch, inputs], &[outputs, columns]) = (x.dims, weight.dims) else {
            bail!(
                "{op}: expected an input (B, I) and a weight (O, I), found {:?} and {:?}",
                x.dims,
                weight.dims
            );
        };
        if inputs != columns {
            bail!("{op}: the input has {inputs} features, the weight expects {columns}");
        }
        check::dims(op, "the bias", bias, &[outputs])?;
        Ok([batch, inputs, outputs])
    }
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let arrays = check::inputs(self.name(), inputs)?;
        let [batch, inputs, outputs] = self.sizes(&arrays)?;
        let [x, weight, bias] = arrays.map(|array| array.data);
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
        Ok((out, vec![batch, outputs]))
    }

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let arrays = check::inputs(self.name(), inputs)?;
        let sizes = self.sizes(&arrays)?;
        let [x, weight, _] = arrays.map(|array| array.data);
        let grad = if self.relu { &through_relu(gradient.data, output.data) } else { gradient.data };
        let found = wanted.iter().enumerate().map(|(input, &wanted)| match (wanted, input) {
            (false, _) => Gradient::None,
            (true, 0) => Gradient::Values(input_gradient(sizes, weight, grad)),
            (true, 1) => Gradient::Values(weight_gradient(sizes, x, grad)),
            (true, _) => Gradient::Values(bias_gradient(sizes, grad)),
        });
        Ok(found.collect())
    }
}

/// Ranges of equal width (the last one may be shorter).
fn blocks(len: usize) -> impl IndexedParallelIterator<Item = std::ops::Range<usize>> {
    let width = len.div_ceil(BLOCKS).next_multiple_of(16).max(NARROWEST);
    (0..len.div_ceil(width)).into_par_iter().map(move |i| i * width..((i + 1) * width).min(len))
}

/// `dx = dy W`, cut along the inputs.
fn input_gradient([batch, inputs, outputs]: [usize; 3], weight: &[f32], grad: &[f32]) -> Vec<f32> {
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
    out
}

/// `dW = dy^T x`, cut along the outputs.
fn weight_gradient([batch, inputs, outputs]: [usize; 3], x: &[f32], grad: &[f32]) -> Vec<f32> {
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
    out
}

/// The sum of `dy` over the batch.
fn bias_gradient([_, _, outputs]: [usize; 3], grad: &[f32]) -> Vec<f32> {
    let mut out = vec![0f32; outputs];
    for row in grad.chunks_exact(outputs.max(1)) {
        for (out, &grad) in out.iter_mut().zip(row) {
            *out += grad;
        }
    }
    out
}
