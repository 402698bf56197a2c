//! Maximum pooling with any kernel, stride and padding, rounding up or down.
//!
//! The gradient of an output goes to the first maximum of its window, in row
//! order, as in PyTorch. The forward pass keeps that position (one byte per
//! output), so that the backward pass only scatters.

use crate::simd::vectorised;
use std::sync::Mutex;

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::check;

/// The window of a pooling layer; pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pool2d {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Rows and columns added on each side; they never win.
    pub padding: [usize; 2],
    /// Rounds the output size up (Caffe) instead of down. A last window that would start
    /// beyond the input and the padding before it is dropped, as PyTorch and Caffe do.
    pub ceil_mode: bool,
}

impl Pool2d {
    /// Output height and width for an input of the given size.
    ///
    /// # Errors
    /// If the window or the stride is empty, the padding exceeds half the window, the
    /// window has more than 256 positions, or the padded input is smaller than the window.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2]> {
        let mut out = [0; 2];
        for axis in 0..2 {
            let (size, kernel) = (input[axis], self.kernel[axis]);
            let (stride, padding) = (self.stride[axis], self.padding[axis]);
            if kernel == 0 || stride == 0 {
                bail!("max-pool: kernel and stride must be at least 1, found {self:?}");
            }
            if padding > kernel / 2 {
                bail!("max-pool: padding may be at most half the kernel, found {self:?}");
            }
            if size == 0 || size + 2 * padding < kernel {
                bail!(
                    "max-pool: an input of {size} with padding {padding} is smaller than the window of {kernel}"
                );
            }
            let span = size + 2 * padding - kernel;
            let mut count = if self.ceil_mode { span.div_ceil(stride) + 1 } else { span / stride + 1 };
            if self.ceil_mode && (count - 1) * stride >= size + padding {
                count -= 1;
            }
            out[axis] = count;
        }
        if self.kernel[0] * self.kernel[1] > 256 {
            bail!("max-pool: windows of more than 256 positions are not supported, found {self:?}");
        }
        Ok(out)
    }
}

/// Maximum over windows of (B, C, H, W). A NaN in a window wins it.
///
/// # Errors
/// If the input is not a `f32` feature map, or as [`Pool2d::output_size`].
pub fn max_pool2d(x: &Tensor, pool: &Pool2d) -> Result<Tensor> {
    let [_, _, h, w] = check::feature_map("max-pool", x)?;
    let output = pool.output_size([h, w])?;
    x.contiguous()?.apply_op1(MaxPool {
        pool: *pool,
        output,
        keep: x.track_op(),
        winners: Mutex::new(Vec::new()),
    })
}

struct MaxPool {
    pool: Pool2d,
    output: [usize; 2],
    /// Whether a backward pass may follow.
    keep: bool,
    /// For every output the winner's position in its window, row by row.
    winners: Mutex<Vec<u8>>,
}

impl CustomOp1 for MaxPool {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = check::values(self.name(), "the input", storage, layout)?;
        let (b, c, h, w) = layout.shape().dims4()?;
        let [oh, ow] = self.output;
        let mut out = vec![0f32; b * c * oh * ow];
        let mut winners = vec![0u8; out.len()];
        out.par_chunks_mut(oh * ow)
            .zip(winners.par_chunks_mut(oh * ow))
            .zip(x.par_chunks(h * w))
            .with_min_len(16)
            .for_each(|((out, winners), x)| {
                vectorised(
                    #[inline(always)]
                    || pool_plane(&self.pool, x, [h, w], self.output, out, winners),
                );
            });
        if self.keep {
            match self.winners.lock() {
                Ok(mut kept) => *kept = winners,
                Err(_) => bail!("max-pool: a thread panicked while pooling"),
            }
        }
        Ok((CpuStorage::F32(out), Shape::from((b, c, oh, ow))))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        let (_, _, h, w) = arg.dims4()?;
        let gradient = Gradient { forward: self, input: [h, w] };
        Ok(Some(grad_res.contiguous()?.apply_op1_no_bwd(&gradient)?))
    }
}

#[inline(always)]
fn pool_plane(
    pool: &Pool2d,
    x: &[f32],
    [h, w]: [usize; 2],
    [oh, ow]: [usize; 2],
    out: &mut [f32],
    winners: &mut [u8],
) {
    let ([kh, kw], [sh, sw], [ph, pw]) = (pool.kernel, pool.stride, pool.padding);
    for oy in 0..oh {
        // The window covers padded rows `oy * sh..oy * sh + kh`; likewise columns.
        let rows = (oy * sh).max(ph) - ph..(oy * sh + kh - ph.min(oy * sh + kh)).min(h);
        let out = &mut out[oy * ow..][..ow];
        let winners = &mut winners[oy * ow..][..ow];
        for (ox, (out, winner)) in out.iter_mut().zip(winners).enumerate() {
            let columns = (ox * sw).max(pw) - pw..(ox * sw + kw - pw.min(ox * sw + kw)).min(w);
            let corner = (rows.start + ph - oy * sh) * kw + columns.start + pw - ox * sw;
            let width = columns.len();
            let window = &x[rows.start * w + columns.start..];
            let (best, position) = match width {
                3 => first_maximum(window, w, rows.len(), 3, kw),
                2 => first_maximum(window, w, rows.len(), 2, kw),
                _ => first_maximum(window, w, rows.len(), width, kw),
            };
            *out = best;
            *winner = (corner + position) as u8;
        }
    }
}

/// The first maximum of a window and its position, `row * kernel_width + column`. Inlined
/// with constant widths, so that the usual windows are unrolled. A window of minus
/// infinities belongs to its first position; a NaN wins, and a later NaN wins over it.
#[inline(always)]
fn first_maximum(x: &[f32], stride: usize, rows: usize, width: usize, kernel_width: usize) -> (f32, usize) {
    let (mut best, mut position) = (f32::NEG_INFINITY, 0);
    for row in 0..rows {
        for (column, &x) in x[row * stride..][..width].iter().enumerate() {
            let larger = x > best || x.is_nan();
            best = if larger { x } else { best };
            position = if larger { row * kernel_width + column } else { position };
        }
    }
    (best, position)
}

struct Gradient<'a> {
    forward: &'a MaxPool,
    input: [usize; 2],
}

impl CustomOp1 for Gradient<'_> {
    fn name(&self) -> &'static str {
        "max-pool-gradient"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let grad = check::values(self.name(), "the gradient", storage, layout)?;
        let Ok(winners) = self.forward.winners.lock() else {
            bail!("max-pool: a thread panicked while pooling");
        };
        if winners.len() != grad.len() {
            bail!("max-pool: the winners of the forward pass were not kept");
        }
        let (b, c, oh, ow) = layout.shape().dims4()?;
        let [h, w] = self.input;
        let Pool2d { kernel: [_, kw], stride: [sh, sw], padding: [ph, pw], .. } = self.forward.pool;
        let mut out = vec![0f32; b * c * h * w];
        out.par_chunks_mut(h * w)
            .zip(winners.par_chunks(oh * ow))
            .zip(grad.par_chunks(oh * ow))
            .with_min_len(16)
            .for_each(|((out, winners), grad)| {
                // Divisions by a variable are slow, so the window's positions become offsets once.
                let mut offsets = [0usize; 256];
                for (code, offset) in offsets.iter_mut().enumerate() {
                    *offset = (code / kw) * w + code % kw;
                }
                for oy in 0..oh {
                    for ox in 0..ow {
                        let at = oy * ow + ox;
                        let corner = oy * sh * w + ox * sw;
                        let target = corner + offsets[usize::from(winners[at])] - ph * w - pw;
                        out[target] += grad[at];
                    }
                }
            });
        Ok((CpuStorage::F32(out), Shape::from((b, c, h, w))))
    }
}
