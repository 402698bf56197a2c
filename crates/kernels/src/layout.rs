//! Operations that only move values: joining along the channels, and changing between channels first and last.

use candle_core::{Result, bail};

use crate::check;
use crate::op::{Array, Gradient, Op};
use crate::simd::vectorised;
use rayon::prelude::*;

/// Positions handled by one task of a join.
const BLOCK: usize = 256;
/// Rows and columns of a tile that is transposed at once.
const TILE: usize = 8;
/// Fewest columns of a task of a transposition.
const STRIP: usize = 64;

/// Joins inputs that are equal but for the last axis along that axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concat;

impl Concat {
    /// The width of every input, and their number of positions.
    fn widths(&self, inputs: &[Array<'_>]) -> Result<(Vec<usize>, usize)> {
        let Some(first) = inputs.first() else { bail!("concat: no input, expected at least one") };
        let [positions, width] = check::channels_last("concat", first)?;
        let leading = &first.dims[..first.dims.len() - 1];
        let mut widths = vec![width];
        for other in &inputs[1..] {
            match other.dims.split_last() {
                Some((&width, dims)) if dims == leading => widths.push(width),
                _ => bail!(
                    "concat: inputs of shapes {:?} and {:?} differ before the last axis",
                    first.dims,
                    other.dims
                ),
            }
        }
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
        let mut out = vec![0f32; positions * total];
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
        let mut dims = inputs[0].dims.to_vec();
        dims.pop();
        dims.push(total);
        Ok((out, dims))
    }

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        _output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let (widths, positions) = self.widths(inputs)?;
        let total: usize = widths.iter().sum();
        let mut end = 0;
        let parts = widths.iter().zip(wanted).map(|(&width, &wanted)| {
            end += width;
            if !wanted {
                return Gradient::None;
            }
            let start = end - width;
            let mut out = vec![0f32; positions * width];
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

/// (B, C, H, W) to (B, H, W, C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToChannelsLast;

/// (B, H, W, C) to (B, C, H, W).
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

    fn backward_cpu(
        &self,
        _inputs: &[Array<'_>],
        output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let [true] = *wanted else { return Ok(vec![Gradient::None]) };
        let [b, h, w, c] = check::feature_map(self.name(), &output)?;
        Ok(vec![Gradient::Values(transposed(gradient.data, b, h * w, c))])
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

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        _output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let [true] = *wanted else { return Ok(vec![Gradient::None]) };
        let [x] = check::inputs(self.name(), inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        Ok(vec![Gradient::Values(transposed(gradient.data, b, c, h * w))])
    }
}

/// `batch` matrices of `rows` x `columns`, each transposed. A task writes some rows of a result.
fn transposed(x: &[f32], batch: usize, rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0f32; batch * rows * columns];
    if out.is_empty() {
        return out;
    }
    let (matrix, strip) = (rows * columns, STRIP.max(BLOCK / rows).next_multiple_of(TILE));
    out.par_chunks_mut(matrix).zip(x.par_chunks(matrix)).for_each(|(out, x)| {
        out.par_chunks_mut(strip * rows).enumerate().for_each(|(i, out)| {
            vectorised(
                #[inline(always)]
                || transpose_strip(&x[i * strip..], rows, columns, out),
            );
        });
    });
    out
}

/// The first columns of `x`, as many as there are rows of `out`.
#[inline(always)]
fn transpose_strip(x: &[f32], rows: usize, columns: usize, out: &mut [f32]) {
    let count = out.len() / rows;
    for from in (0..count).step_by(TILE) {
        let wide = TILE.min(count - from);
        let out = &mut out[from * rows..][..wide * rows];
        for row in (0..rows).step_by(TILE) {
            let high = TILE.min(rows - row);
            let x = &x[row * columns + from..];
            if (high, wide) == (TILE, TILE) {
                transpose_tile(x, columns, TILE, TILE, &mut out[row..], rows);
            } else {
                transpose_tile(x, columns, high, wide, &mut out[row..], rows);
            }
        }
    }
}

/// Inlined with constant sizes where the tile is whole.
#[inline(always)]
fn transpose_tile(x: &[f32], columns: usize, high: usize, wide: usize, out: &mut [f32], rows: usize) {
    for i in 0..wide {
        for j in 0..high {
            out[i * rows + j] = x[j * columns + i];
        }
    }
}
