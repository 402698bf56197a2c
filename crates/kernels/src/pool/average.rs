//! Average pooling.

use std::ops::Range;

use candle_core::Result;
use rayon::prelude::*;

use super::{Geometry, Pool2d};
use crate::array::{Array, Backward, Gradient};
use crate::check;
use crate::lanes::{ChannelBlock, by_blocks};
use crate::memory::unwritten;
use crate::op::Op;
use crate::simd::vectorised;

/// Mean over windows: input (B, H, W, C), output (B, H', W', C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvgPool2d {
    /// The windows.
    pub pool: Pool2d,
    /// Counts zeros of the padding (Caffe; PyTorch's `count_include_pad`). The part of a window that lies
    /// beyond the padding because of rounding up never counts.
    pub count_padding: bool,
}

impl AvgPool2d {
    /// Counts the rows or columns in the mean of every output.
    fn counts(&self, g: &Geometry, axis: usize) -> Vec<usize> {
        let count = |output: usize| {
            if self.count_padding {
                let (start, padded) =
                    (output * self.pool.stride[axis], g.input[axis] + 2 * self.pool.padding[axis]);
                (start + self.pool.kernel[axis]).min(padded) - start
            } else {
                self.pool.covered(axis, output, g.input[axis]).len()
            }
        };
        (0..g.output[axis]).map(count).collect()
    }
}

impl Op for AvgPool2d {
    fn name(&self) -> &'static str {
        "average-pool"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let g = Geometry::new(self.name(), self.pool, inputs)?;
        let counts = [0, 1].map(|axis| self.counts(&g, axis));
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(g.outputs()) };
        let sample = g.input[0] * g.input_row();
        out.par_chunks_mut(g.output_row().max(1)).enumerate().for_each(|(at, out)| {
            let (n, y) = (at / g.output[0], at % g.output[0]);
            let x = &inputs[0].data[n * sample..][..sample];
            let rows = g.pool.covered(0, y, g.input[0]);
            vectorised(
                #[inline(always)]
                || {
                    for (column, out) in out.chunks_exact_mut(g.channels).enumerate() {
                        let columns = g.pool.covered(1, column, g.input[1]);
                        let count = (counts[0][y] * counts[1][column]) as f32;
                        by_blocks(g.channels, Mean { g: &g, x, rows: rows.clone(), columns, count, out });
                    }
                },
            );
        });
        Ok((out, g.output_dims()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let g = Geometry::new(self.name(), self.pool, given.inputs)?;
        check::backward(self.name(), given, &g.output_dims())?;
        let counts = [0, 1].map(|axis| self.counts(&g, axis));
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(g.inputs()) };
        let sample = g.output[0] * g.output_row();
        out.par_chunks_mut(g.input_row().max(1)).enumerate().for_each(|(at, out)| {
            let (n, y) = (at / g.input[0], at % g.input[0]);
            let grad = &given.gradient.data[n * sample..][..sample];
            let rows = g.pool.covering(0, y, g.output[0]);
            vectorised(
                #[inline(always)]
                || {
                    for (column, out) in out.chunks_exact_mut(g.channels).enumerate() {
                        let columns = g.pool.covering(1, column, g.output[1]);
                        let (rows, counts) = (rows.clone(), &counts);
                        by_blocks(g.channels, Shares { g: &g, grad, rows, columns, counts, out });
                    }
                },
            );
        });
        Ok(vec![Gradient::Values(out)])
    }
}

/// The mean of one window.
struct Mean<'a> {
    g: &'a Geometry,
    x: &'a [f32],
    rows: Range<usize>,
    columns: Range<usize>,
    count: f32,
    out: &'a mut [f32],
}

impl ChannelBlock for Mean<'_> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let mut sum = [0f32; N];
        for row in self.rows.clone() {
            let start = row * self.g.input_row() + at;
            for column in self.columns.clone() {
                let x = &self.x[start + column * self.g.channels..][..N];
                for c in 0..N {
                    sum[c] += x[c];
                }
            }
        }
        for (out, sum) in self.out[at..at + N].iter_mut().zip(sum) {
            *out = sum / self.count;
        }
    }
}

/// The shares that a position has in the means over its windows.
struct Shares<'a> {
    g: &'a Geometry,
    grad: &'a [f32],
    rows: Range<usize>,
    columns: Range<usize>,
    /// Number of positions in a mean, by rows and columns of the output.
    counts: &'a [Vec<usize>; 2],
    out: &'a mut [f32],
}

impl ChannelBlock for Shares<'_> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let [high, wide] = self.counts;
        let mut sum = [0f32; N];
        for row in self.rows.clone() {
            let start = row * self.g.output_row() + at;
            for column in self.columns.clone() {
                let share = 1.0 / (high[row] * wide[column]) as f32;
                let grad = &self.grad[start + column * self.g.channels..][..N];
                for c in 0..N {
                    sum[c] += grad[c] * share;
                }
            }
        }
        self.out[at..at + N].copy_from_slice(&sum);
    }
}
