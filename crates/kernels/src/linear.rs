//! Fully connected layer: `y = x W^T + b`, optionally rectified.
//!
//! The weights of these layers are larger than all images of a batch (75 million in CNN-M-2048's
//! first), so every pass is limited by reading or writing them once. They are not rearranged; the
//! inner loops in [`mod@block`] run along the rows of W in memory order.

mod block;

use std::ops::Range;

use candle_core::{Result, bail};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::activation::masked_column_sums;
use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::disjoint::Disjoint;
use crate::elementwise::rectified;
use crate::extent;
use crate::memory::unwritten;
use crate::op::Op;
use crate::simd::{Level, run};
use block::{Rows, add_products, dot_products, outer_products};

/// Number of tasks for a dimension, unless they would become narrower than [`NARROWEST`].
const TASKS: usize = 32;
const NARROWEST: usize = 16;
/// Values of a row of W that stay in the first cache while the batch passes over them.
const CHUNK: usize = 1024;

/// A fully connected layer: inputs x (B, I), weight (O, I) and bias (O), output (B, O).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Linear {
    /// Rectifies the output.
    pub relu: bool,
}

/// Sizes of one application.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(crate) batch: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Linear {
    pub(crate) fn sizes(&self, [x, weight, bias]: &[impl Shaped; 3]) -> Result<Sizes> {
        let op = self.name();
        let (&[batch, inputs], &[outputs, columns]) = (x.dims(), weight.dims()) else {
            bail!(
                "{op}: expected an input (B, I) and a weight (O, I), found {:?} and {:?}",
                x.dims(),
                weight.dims()
            );
        };
        if inputs != columns {
            bail!("{op}: the input has {inputs} features, the weight expects {columns}");
        }
        check::dims(op, "the bias", bias, &[outputs])?;
        extent::values("linear: an output", &[batch, outputs])?;
        Ok(Sizes { batch, inputs, outputs })
    }
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let arrays = check::inputs(self.name(), inputs)?;
        let sizes = self.sizes(&arrays)?;
        let [x, weight, bias] = arrays.map(|array| array.data);
        let level = Level::current()?;
        // SAFETY: the tasks below write every output of every sample.
        let mut out = unsafe { unwritten(sizes.batch * sizes.outputs) };
        let shared = Disjoint::new(&mut out);
        ranges(sizes.outputs).for_each(|outputs| {
            run(level, Forward { sizes, x, weight, bias, relu: self.relu, outputs, out: &shared });
        });
        Ok((out, vec![sizes.batch, sizes.outputs]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let arrays = check::inputs(self.name(), given.inputs)?;
        let sizes = self.sizes(&arrays)?;
        let [x, weight, _] = arrays.map(|array| array.data);
        let dims = [sizes.batch, sizes.outputs];
        check::backward(self.name(), given, &dims)?;
        let level = Level::current()?;
        let [x_wanted, weight_wanted, bias_wanted] = [0, 1, 2].map(|input| given.wants(input));
        let relu = self.relu.then_some(given.output.data);
        let (masked, sums) = masked_column_sums(given.gradient.data, relu, sizes.outputs, bias_wanted);
        let grad = masked.as_deref().unwrap_or(given.gradient.data);
        Ok(vec![
            wanted_values(x_wanted, || input_gradient(level, sizes, weight, grad)),
            wanted_values(weight_wanted, || weight_gradient(level, sizes, x, grad)),
            sums.map_or(Gradient::None, Gradient::Values),
        ])
    }
}

fn wanted_values(wanted: bool, values: impl FnOnce() -> Vec<f32>) -> Gradient {
    if wanted { Gradient::Values(values()) } else { Gradient::None }
}

/// Divides a dimension into ranges of equal width (the last one may be shorter), one for each task.
fn ranges(len: usize) -> impl IndexedParallelIterator<Item = Range<usize>> {
    let width = len.div_ceil(TASKS).next_multiple_of(16).max(NARROWEST);
    (0..len.div_ceil(width)).into_par_iter().map(move |i| i * width..((i + 1) * width).min(len))
}

/// The computation of some outputs for the whole batch.
struct Forward<'a> {
    sizes: Sizes,
    x: &'a [f32],
    weight: &'a [f32],
    bias: &'a [f32],
    relu: bool,
    outputs: Range<usize>,
    out: &'a Disjoint<'a>,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Sizes { batch, inputs, outputs } = self.sizes;
        // Products of four rows of W with every sample, one vector of partial sums each until the row ends.
        let mut sums = vec![0f32; 4 * batch * S::F32_LANES];
        for first in self.outputs.clone().step_by(4) {
            let count = (self.outputs.end - first).min(4);
            sums.fill(0.0);
            for start in (0..inputs).step_by(CHUNK) {
                let columns = start..(start + CHUNK).min(inputs);
                let rows = Rows { data: &self.weight[first * inputs..], step: inputs, count };
                let samples = Rows { data: self.x, step: inputs, count: batch };
                dot_products(simd, samples, rows, columns, &mut sums);
            }
            for sample in 0..batch {
                let at = sample * outputs + first;
                // SAFETY: tasks have their own outputs, so the ranges do not overlap.
                let out = unsafe { self.out.range(at..at + count) };
                for (row, out) in out.iter_mut().enumerate() {
                    let lanes = &sums[(sample * 4 + row) * S::F32_LANES..][..S::F32_LANES];
                    let y = lanes.iter().sum::<f32>() + self.bias[first + row];
                    *out = if self.relu { rectified(y) } else { y };
                }
            }
        }
    }
}

/// Computes `dx = dy W`, divided along the inputs.
fn input_gradient(level: Level, sizes: Sizes, weight: &[f32], grad: &[f32]) -> Vec<f32> {
    struct Task<'a> {
        sizes: Sizes,
        weight: &'a [f32],
        grad: &'a [f32],
        columns: Range<usize>,
        out: &'a Disjoint<'a>,
    }
    impl WithSimd for Task<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Sizes { batch, inputs, outputs } = self.sizes;
            let width = self.columns.len();
            let mut sums = vec![0f32; batch * width];
            for first in (0..outputs).step_by(4) {
                let rows = Rows {
                    data: &self.weight[first * inputs + self.columns.start..],
                    step: inputs,
                    count: (outputs - first).min(4),
                };
                let factors = Rows { data: &self.grad[first..], step: outputs, count: batch };
                add_products(simd, factors, rows, width, &mut sums);
            }
            for (sample, sums) in sums.chunks_exact(width).enumerate() {
                let at = sample * inputs + self.columns.start;
                // SAFETY: tasks have their own inputs, so the ranges do not overlap.
                unsafe { self.out.range(at..at + width) }.copy_from_slice(sums);
            }
        }
    }
    // SAFETY: the tasks below write every input of every sample.
    let mut out = unsafe { unwritten(sizes.batch * sizes.inputs) };
    let shared = Disjoint::new(&mut out);
    ranges(sizes.inputs).for_each(|columns| run(level, Task { sizes, weight, grad, columns, out: &shared }));
    out
}

/// Computes `dW = dy^T x`, divided along the outputs.
fn weight_gradient(level: Level, sizes: Sizes, x: &[f32], grad: &[f32]) -> Vec<f32> {
    struct Task<'a> {
        sizes: Sizes,
        x: &'a [f32],
        grad: &'a [f32],
        outputs: Range<usize>,
        out: &'a mut [f32],
    }
    impl WithSimd for Task<'_> {
        type Output = ();

        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Sizes { batch, inputs, outputs } = self.sizes;
            let factors = Rows { data: &self.grad[self.outputs.start..], step: outputs, count: batch };
            let samples = Rows { data: self.x, step: inputs, count: batch };
            outer_products(simd, factors, samples, self.outputs.len(), inputs, self.out);
        }
    }
    // SAFETY: the tasks below write every row.
    let mut out = unsafe { unwritten(sizes.outputs * sizes.inputs) };
    let shared = Disjoint::new(&mut out);
    ranges(sizes.outputs).for_each(|outputs| {
        let range = outputs.start * sizes.inputs..outputs.end * sizes.inputs;
        // SAFETY: tasks have their own rows, so the ranges do not overlap.
        let out = unsafe { shared.range(range) };
        run(level, Task { sizes, x, grad, outputs, out });
    });
    out
}
