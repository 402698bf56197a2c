//! Operations that only move values: joining along the channels, and converting between channels first and last.

use candle_core::{Result, bail};

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::memory::unwritten;
use crate::op::Op;
use crate::simd::{Level, vectorised};
use crate::{check, extent};
use rayon::prelude::*;

/// Number of positions handled by one task of a join.
const BLOCK: usize = 256;
/// Number of rows, and minimum number of columns, of a strip that a transposition reads at a time.
const STRIP: usize = 64;

/// Joins inputs along the last axis; their other axes must be equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concat;

impl Concat {
    /// Returns the width of every input, and the number of positions.
    pub(crate) fn widths(&self, inputs: &[impl Shaped]) -> Result<(Vec<usize>, usize)> {
        let Some(first) = inputs.first() else { bail!("concat: expected at least one input, found none") };
        Level::current()?;
        let [positions, width] = check::channels_last("concat", first)?;
        let leading = &first.dims()[..first.dims().len() - 1];
        let mut widths = vec![width];
        for other in &inputs[1..] {
            match other.dims().split_last() {
                Some((&width, dims)) if dims == leading => widths.push(width),
                _ => bail!(
                    "concat: inputs of shapes {:?} and {:?} differ before the last axis",
                    first.dims(),
                    other.dims()
                ),
            }
        }
        let total =
            widths.iter().try_fold(0usize, |sum, width| sum.checked_add(*width)).unwrap_or(usize::MAX);
        extent::values("concat: an output", &[positions, total])?;
        Ok((widths, positions))
    }
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let (widths, positions) = self.widths(inputs)?;
        let total: usize = widths.iter().sum();
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(positions * total) };
        out.par_chunks_mut((BLOCK * total).max(1)).enumerate().for_each(|(block, out)| {
            for (i, mut out) in out.chunks_exact_mut(total).enumerate() {
                let position = block * BLOCK + i;
                for (input, &width) in inputs.iter().zip(&widths) {
                    let (part, rest) = out.split_at_mut(width);
                    part.copy_from_slice(&input.data[position * width..][..width]);
                    out = rest;
                }
            }
        });
        Ok((out, joined(inputs[0].dims, total)))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { inputs, gradient, wanted, .. } = *given;
        let (widths, positions) = self.widths(inputs)?;
        let total: usize = widths.iter().sum();
        check::backward(self.name(), given, &joined(inputs[0].dims, total))?;
        let mut end = 0;
        let parts = widths.iter().zip(wanted).map(|(&width, &wanted)| {
            end += width;
            if !wanted {
                return Gradient::None;
            }
            let start = end - width;
            // SAFETY: the tasks write every value.
            let mut out = unsafe { unwritten(positions * width) };
            out.par_chunks_mut((BLOCK * width).max(1)).enumerate().for_each(|(block, out)| {
                for (i, out) in out.chunks_exact_mut(width).enumerate() {
                    out.copy_from_slice(&gradient.data[(block * BLOCK + i) * total + start..][..width]);
                }
            });
            Gradient::Values(out)
        });
        Ok(parts.collect())
    }
}

/// Replaces the last dimension.
pub(crate) fn joined(dims: &[usize], last: usize) -> Vec<usize> {
    let mut dims = dims.to_vec();
    dims.pop();
    dims.push(last);
    dims
}

/// Converts (B, C, H, W) to (B, H, W, C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToChannelsLast;

/// Converts (B, H, W, C) to (B, C, H, W).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToChannelsFirst;

impl Op for ToChannelsLast {
    fn name(&self) -> &'static str {
        "to-channels-last"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let &[b, c, h, w] = x.dims else {
            bail!("{}: the input has shape {:?}, expected (B, C, H, W)", self.name(), x.dims);
        };
        Ok((transposed(x.data, b, c, h * w), vec![b, h, w, c]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [b, h, w, c] = check::feature_map(self.name(), &given.output)?;
        check::backward(self.name(), given, given.output.dims)?;
        Ok(vec![Gradient::Values(transposed(given.gradient.data, b, h * w, c))])
    }
}

impl Op for ToChannelsFirst {
    fn name(&self) -> &'static str {
        "to-channels-first"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        Ok((transposed(x.data, b, h * w, c), vec![b, c, h, w]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        check::backward(self.name(), given, &[b, c, h, w])?;
        Ok(vec![Gradient::Values(transposed(given.gradient.data, b, c, h * w))])
    }
}

/// Transposes each of `batch` matrices of `rows` x `columns`. A task takes some columns of one.
fn transposed(x: &[f32], batch: usize, rows: usize, columns: usize) -> Vec<f32> {
    // SAFETY: the strips are all columns of all matrices, and every value of a strip is written.
    let mut out = unsafe { unwritten(batch * rows * columns) };
    if out.is_empty() {
        return out;
    }
    let (matrix, strip) = (rows * columns, STRIP.max(4096 / rows).next_multiple_of(4));
    out.par_chunks_mut(matrix).zip(x.par_chunks(matrix)).for_each(|(out, x)| {
        out.par_chunks_mut(strip * rows).enumerate().for_each(|(i, out)| {
            vectorised(
                #[inline(always)]
                || transpose_strip(&x[i * strip..], columns, rows, out),
            );
        });
    });
    out
}

/// Writes columns of `x`, whose rows are `columns` apart, to rows of `out`.
#[inline(always)]
fn transpose_strip(x: &[f32], columns: usize, rows: usize, out: &mut [f32]) {
    let width = out.len() / rows;
    let whole = width / 4 * 4;
    // Blocks of rows, so that cache lines stay in the cache until all their columns are read.
    for block in (0..rows).step_by(STRIP) {
        let end = (block + STRIP).min(rows);
        let whole_rows = block + (end - block) / 4 * 4;
        for column in (0..whole).step_by(4) {
            for row in (block..whole_rows).step_by(4) {
                transpose_four(&x[row * columns + column..], columns, &mut out[column * rows + row..], rows);
            }
        }
        for (columns_left, rows_left) in [(0..whole, whole_rows..end), (whole..width, block..end)] {
            for column in columns_left {
                for row in rows_left.clone() {
                    out[column * rows + row] = x[row * columns + column];
                }
            }
        }
    }
}

/// Transposes four rows of four values, unrolled so that the compiler sees a shuffle of vectors.
#[inline(always)]
fn transpose_four(x: &[f32], columns: usize, out: &mut [f32], rows: usize) {
    let (a, b, c, d) = (&x[..4], &x[columns..][..4], &x[2 * columns..][..4], &x[3 * columns..][..4]);
    let turned = [
        [a[0], b[0], c[0], d[0]],
        [a[1], b[1], c[1], d[1]],
        [a[2], b[2], c[2], d[2]],
        [a[3], b[3], c[3], d[3]],
    ];
    for (i, row) in turned.iter().enumerate() {
        out[i * rows..][..4].copy_from_slice(row);
    }
}
