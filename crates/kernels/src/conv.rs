//! 2-D convolution with a stride and a padding per axis, and its exact gradients.
//!
//! The positions of a batch (samples x output rows) are cut into tiles. For each
//! tile the windows are laid out as the columns of a matrix (im2col) that one
//! matrix product combines with the weights:
//!
//! - forward: `W (O x K) * columns (K x n)`, one task per tile;
//! - weight gradient: `dY (O x n) * columns^T`, summed over the tiles of a task into
//!   one of at most [`PARTIALS`] partial sums, which are then added in order;
//! - input gradient: `W^T * dY` gives the gradient of the columns, which is added
//!   back to the image (col2im), one task per group of samples and block of channels.
//!
//! Here K = C x KH x KW. Tiles are sized to stay in the cache, so the scratch
//! memory of a thread is a few megabytes whatever the image. All cuts depend on
//! the shapes alone.

mod tile;

use crate::simd::vectorised;
use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;

use crate::check;
use crate::disjoint::Disjoint;
use crate::elementwise::{copy_where_positive, rectified};
use crate::matmul::{Matrix, product};
use tile::{Columns, Segment};

/// Partial sums of a weight gradient.
const PARTIALS: usize = 8;
/// Fewest tasks that the input gradient is cut into, where the shape allows.
const INPUT_TASKS: usize = 8;

/// Strides and paddings of a convolution; pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2d {
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
}

impl Conv2d {
    /// Output height and width for an input and a kernel of the given sizes.
    ///
    /// # Errors
    /// If a stride or the kernel is zero, or the padded input is smaller than the kernel.
    pub fn output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2]> {
        let mut out = [0; 2];
        for axis in 0..2 {
            if self.stride[axis] == 0 || kernel[axis] == 0 {
                bail!("conv2d: kernel {kernel:?} and stride {:?} must be at least 1", self.stride);
            }
            let padded = input[axis] + 2 * self.padding[axis];
            if padded < kernel[axis] {
                bail!(
                    "conv2d: an input of {input:?} with padding {:?} is smaller than the kernel {kernel:?}",
                    self.padding
                );
            }
            out[axis] = (padded - kernel[axis]) / self.stride[axis] + 1;
        }
        Ok(out)
    }
}

/// Convolves `x` (B, C, H, W) with `weight` (O, C, KH, KW) and adds `bias` (O).
///
/// # Errors
/// If the shapes do not fit together or an argument is not `f32`.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, conv: &Conv2d) -> Result<Tensor> {
    apply(x, weight, bias, conv, false)
}

/// [`conv2d`] followed by `max(y, 0)`, in one pass each way.
///
/// # Errors
/// As [`conv2d`].
pub fn conv2d_relu(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, conv: &Conv2d) -> Result<Tensor> {
    apply(x, weight, bias, conv, true)
}

fn apply(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, conv: &Conv2d, relu: bool) -> Result<Tensor> {
    let op = "conv2d";
    let [batch, channels, height, width] = check::feature_map(op, x)?;
    check::float(op, "the weight", weight)?;
    let &[outputs, weight_channels, kh, kw] = weight.dims() else {
        bail!("{op}: the weight has shape {:?}, expected (O, C, KH, KW)", weight.dims());
    };
    if channels != weight_channels {
        bail!("{op}: the input has {channels} channels, the weight expects {weight_channels}");
    }
    let bias = match bias {
        Some(bias) => {
            check::float(op, "the bias", bias)?;
            check::shape(op, "the bias", bias, &[outputs])?;
            bias.contiguous()?
        }
        None => Tensor::zeros(outputs, candle_core::DType::F32, x.device())?,
    };
    let geometry = Geometry {
        batch,
        channels,
        input: [height, width],
        outputs,
        kernel: [kh, kw],
        stride: conv.stride,
        padding: conv.padding,
        output: conv.output_size([height, width], [kh, kw])?,
    };
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias, Forward { geometry, relu })
}

/// All sizes of one convolution.
#[derive(Debug, Clone, Copy)]
struct Geometry {
    batch: usize,
    channels: usize,
    input: [usize; 2],
    outputs: usize,
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    output: [usize; 2],
}

impl Geometry {
    /// Output positions of one sample and channel.
    fn plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Values of one window.
    fn window(&self) -> usize {
        self.channels * self.kernel[0] * self.kernel[1]
    }
}

struct Forward {
    geometry: Geometry,
    relu: bool,
}

impl CustomOp3 for Forward {
    fn name(&self) -> &'static str {
        "conv2d"
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
        let g = &self.geometry;
        let mut out = vec![0f32; g.batch * g.outputs * g.plane()];
        forward(g, x, weight, bias, self.relu, &mut out);
        let shape = Shape::from((g.batch, g.outputs, g.output[0], g.output[1]));
        Ok((CpuStorage::F32(out), shape))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        res: &Tensor,
        grad_res: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad_res.contiguous()?;
        let (geometry, relu) = (self.geometry, self.relu);
        let dx = if x.track_op() {
            Some(weight.apply_op3_no_bwd(&grad, res, &InputGradient { geometry, relu })?)
        } else {
            None
        };
        let (mut dw, mut db) = (None, None);
        if weight.track_op() || bias.track_op() {
            let both = x.apply_op3_no_bwd(&grad, res, &WeightGradient { geometry, relu })?;
            let weights = weight.elem_count();
            dw = Some(both.narrow(0, 0, weights)?.reshape(weight.shape())?);
            db = Some(both.narrow(0, weights, geometry.outputs)?);
        }
        Ok((dx, dw, db))
    }
}

fn forward(g: &Geometry, x: &[f32], weight: &[f32], bias: &[f32], relu: bool, out: &mut [f32]) {
    let (window, plane) = (g.window(), g.plane());
    let shared = Disjoint::new(out);
    tile::tiles(g).into_par_iter().for_each(|segments| {
        tile::with_columns(|columns| {
            columns.fill(g, x, &segments);
            let n = columns.positions();
            let Columns { matrix, result, .. } = columns;
            result.resize((g.outputs * n).max(result.len()), 0.0);
            product(
                result,
                n,
                Matrix::new(weight, g.outputs, window, window),
                Matrix::new(matrix, window, n, n),
                false,
            );
            for (o, &bias) in bias.iter().enumerate() {
                let mut row = &result[o * n..][..n];
                for segment in &segments {
                    let (part, rest) = row.split_at(segment.positions(g));
                    row = rest;
                    let start = (segment.sample * g.outputs + o) * plane + segment.start(g);
                    // SAFETY: segments of all tiles are disjoint runs of positions, and
                    // every channel o of a segment is written once.
                    let out = unsafe { shared.range(start..start + part.len()) };
                    finish(part, bias, relu, out);
                }
            }
        });
    });
}

/// Adds the bias and rectifies.
#[inline]
fn finish(part: &[f32], bias: f32, relu: bool, out: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            if relu {
                for (out, &part) in out.iter_mut().zip(part) {
                    *out = rectified(part + bias);
                }
            } else {
                for (out, &part) in out.iter_mut().zip(part) {
                    *out = part + bias;
                }
            }
        },
    );
}

/// Gathers the output gradient at the positions of the segments as (O x n), set to zero
/// where the rectified output was zero.
fn gather_gradient(
    g: &Geometry,
    grad: &[f32],
    output: Option<&[f32]>,
    segments: &[Segment],
    n: usize,
    into: &mut Vec<f32>,
) {
    into.resize((g.outputs * n).max(into.len()), 0.0);
    for o in 0..g.outputs {
        let mut row = &mut into[o * n..][..n];
        for segment in segments {
            let (part, rest) = row.split_at_mut(segment.positions(g));
            row = rest;
            let start = (segment.sample * g.outputs + o) * g.plane() + segment.start(g);
            let grad = &grad[start..start + part.len()];
            match output {
                Some(output) => copy_where_positive(part, grad, &output[start..]),
                None => part.copy_from_slice(grad),
            }
        }
    }
}

/// Gradients of the weight and, after it in the same buffer, of the bias.
struct WeightGradient {
    geometry: Geometry,
    relu: bool,
}

impl CustomOp3 for WeightGradient {
    fn name(&self) -> &'static str {
        "conv2d-weight-gradient"
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
        let grad = check::values(self.name(), "the gradient", s2, l2)?;
        let output = check::values(self.name(), "the output", s3, l3)?;
        let out = weight_gradient(&self.geometry, x, grad, self.relu.then_some(output));
        let shape = Shape::from(out.len());
        Ok((CpuStorage::F32(out), shape))
    }
}

fn weight_gradient(g: &Geometry, x: &[f32], grad: &[f32], output: Option<&[f32]>) -> Vec<f32> {
    let window = g.window();
    let weights = g.outputs * window;
    let tiles = tile::tiles(g);
    let tiles_each = tiles.len().div_ceil(PARTIALS).max(1);
    let partials: Vec<Vec<f32>> = tiles
        .par_chunks(tiles_each)
        .map(|tiles| {
            let mut partial = vec![0f32; weights + g.outputs];
            let (dw, db) = partial.split_at_mut(weights);
            for (index, segments) in tiles.iter().enumerate() {
                tile::with_columns(|columns| {
                    columns.fill(g, x, segments);
                    let n = columns.positions();
                    let Columns { matrix, result, .. } = columns;
                    gather_gradient(g, grad, output, segments, n, result);
                    product(
                        dw,
                        window,
                        Matrix::new(result, g.outputs, n, n),
                        Matrix::new(matrix, window, n, n).transposed(),
                        index > 0,
                    );
                    for (db, row) in db.iter_mut().zip(result.chunks(n)) {
                        *db += sum(row);
                    }
                });
            }
            partial
        })
        .collect();
    let mut partials = partials.into_iter();
    let Some(mut total) = partials.next() else {
        return vec![0f32; weights + g.outputs];
    };
    let rest: Vec<_> = partials.collect();
    let chunk = 1 << 14;
    total.par_chunks_mut(chunk).enumerate().for_each(|(i, total)| {
        for partial in &rest {
            for (total, &part) in total.iter_mut().zip(&partial[i * chunk..]) {
                *total += part;
            }
        }
    });
    total
}

/// A sum in sixteen interleaved lanes: fast, and always in the same order.
fn sum(values: &[f32]) -> f32 {
    vectorised(
        #[inline(always)]
        || {
            let mut lanes = [0f32; 16];
            let chunks = values.chunks_exact(16);
            let rest: f32 = chunks.remainder().iter().sum();
            for chunk in chunks {
                for (lane, &value) in lanes.iter_mut().zip(chunk) {
                    *lane += value;
                }
            }
            lanes.iter().sum::<f32>() + rest
        },
    )
}

/// Gradient of the input.
struct InputGradient {
    geometry: Geometry,
    relu: bool,
}

impl CustomOp3 for InputGradient {
    fn name(&self) -> &'static str {
        "conv2d-input-gradient"
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
        let weight = check::values(self.name(), "the weight", s1, l1)?;
        let grad = check::values(self.name(), "the gradient", s2, l2)?;
        let output = check::values(self.name(), "the output", s3, l3)?;
        let g = &self.geometry;
        let mut out = vec![0f32; g.batch * g.channels * g.input[0] * g.input[1]];
        input_gradient(g, weight, grad, self.relu.then_some(output), &mut out);
        let shape = Shape::from((g.batch, g.channels, g.input[0], g.input[1]));
        Ok((CpuStorage::F32(out), shape))
    }
}

fn input_gradient(g: &Geometry, weight: &[f32], grad: &[f32], output: Option<&[f32]>, out: &mut [f32]) {
    let taps = g.kernel[0] * g.kernel[1];
    let image = g.input[0] * g.input[1];
    let groups = tile::sample_groups(g);
    let blocks = INPUT_TASKS.div_ceil(groups.len().max(1)).min(g.channels).max(1);
    let width = g.channels.div_ceil(blocks).max(1);
    let shared = Disjoint::new(out);
    (0..groups.len() * blocks).into_par_iter().for_each(|task| {
        let samples = groups[task / blocks].clone();
        let first = (task % blocks * width).min(g.channels);
        let channels = first..(first + width).min(g.channels);
        if channels.is_empty() {
            return;
        }
        let window = channels.len() * taps;
        tile::with_columns(|columns| {
            columns.clear_images(g, samples.len(), channels.len());
            for segments in tile::tiles_of(g, samples.clone()) {
                let n: usize = segments.iter().map(|segment| segment.positions(g)).sum();
                let Columns { matrix, result, .. } = columns;
                gather_gradient(g, grad, output, &segments, n, result);
                matrix.resize((window * n).max(matrix.len()), 0.0);
                product(
                    matrix,
                    n,
                    Matrix {
                        data: &weight[channels.start * taps..],
                        rows: window,
                        columns: g.outputs,
                        row_stride: 1,
                        column_stride: g.window(),
                    },
                    Matrix::new(result, g.outputs, n, n),
                    false,
                );
                columns.add_back(g, channels.len(), &segments, samples.start, n);
            }
            for sample in samples.clone() {
                for channel in channels.clone() {
                    let start = (sample * g.channels + channel) * image;
                    // SAFETY: tasks differ in samples or channels, so the images differ.
                    let out = unsafe { shared.range(start..start + image) };
                    let at = (sample - samples.start) * channels.len() + channel - channels.start;
                    columns.image(g, at, out);
                }
            }
        });
    });
}
