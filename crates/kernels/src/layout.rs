//! Operations that only move values: joining along the channels, and changing between channels first and last.

use candle_core::{Result, bail};

use crate::check;
use crate::op::{Array, Gradient, Op};

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
        let mut out = Vec::with_capacity(positions * total);
        for position in 0..positions {
            for (input, &width) in inputs.iter().zip(&widths) {
                out.extend_from_slice(&input.data[position * width..][..width]);
            }
        }
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
        let (widths, _) = self.widths(inputs)?;
        let total: usize = widths.iter().sum();
        let mut start = 0;
        let parts = widths.iter().zip(wanted).map(|(&width, &wanted)| {
            let range = start..start + width;
            start += width;
            if !wanted {
                return Gradient::None;
            }
            let rows = gradient.data.chunks_exact(total.max(1));
            Gradient::Values(rows.flat_map(|row| &row[range.clone()]).copied().collect())
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

/// `batch` matrices of `rows` x `columns`, each transposed.
fn transposed(x: &[f32], batch: usize, rows: usize, columns: usize) -> Vec<f32> {
    let mut out = vec![0f32; x.len()];
    for b in 0..batch {
        for i in 0..rows {
            for j in 0..columns {
                out[(b * columns + j) * rows + i] = x[(b * rows + i) * columns + j];
            }
        }
    }
    out
}
