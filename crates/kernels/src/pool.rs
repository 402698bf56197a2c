//! Maximum pooling with any kernel, stride and padding, rounding up or down.
//!
//! The gradient of an output goes to the first maximum of its window, in row
//! order, as in PyTorch. The forward pass keeps that position (one byte per
//! output), so that the backward pass only scatters.

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
                pulp::Arch::new().dispatch(
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

/// Output positions whose window holds input column `kx - padding + ox * stride`.
#[inline(always)]
fn inside(k: usize, stride: usize, padding: usize, size: usize, count: usize) -> (usize, usize) {
    let first = padding.saturating_sub(k).div_ceil(stride);
    let last = if size + padding > k { ((size + padding - k - 1) / stride + 1).min(count) } else { 0 };
    (first.min(last), last)
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
        let best = &mut out[oy * ow..][..ow];
        let winner = &mut winners[oy * ow..][..ow];
        best.fill(f32::NEG_INFINITY);
        let first_row = (oy * sh).saturating_sub(ph);
        let last_row = (oy * sh + kh - ph.min(oy * sh + kh)).min(h);
        // A window of minus infinities belongs to its first position inside the input.
        let skipped_rows = first_row + ph - oy * sh;
        for (ox, winner) in winner.iter_mut().enumerate() {
            *winner = (skipped_rows * kw + pw.saturating_sub(ox * sw)) as u8;
        }
        for row in first_row..last_row {
            let ky = row + ph - oy * sh;
            let x = &x[row * w..][..w];
            for kx in 0..kw {
                let (first, last) = inside(kx, sw, pw, w, ow);
                let code = (ky * kw + kx) as u8;
                if first == last {
                    continue;
                }
                let x = &x[first * sw + kx - pw..];
                let (best, winner) = (&mut best[first..last], &mut winner[first..last]);
                if sw == 2 {
                    select::<2>(x, best, winner, code);
                } else if sw == 1 {
                    select::<1>(x, best, winner, code);
                } else {
                    for (i, (best, winner)) in best.iter_mut().zip(winner).enumerate() {
                        take_larger(x[i * sw], best, winner, code);
                    }
                }
            }
        }
    }
}

/// One window position for a run of outputs, with a constant stride.
#[inline(always)]
fn select<const STRIDE: usize>(x: &[f32], best: &mut [f32], winner: &mut [u8], code: u8) {
    let x = &x[..(best.len() - 1) * STRIDE + 1];
    for (i, (best, winner)) in best.iter_mut().zip(winner).enumerate() {
        take_larger(x[i * STRIDE], best, winner, code);
    }
}

#[inline(always)]
fn take_larger(x: f32, best: &mut f32, winner: &mut u8, code: u8) {
    let larger = x > *best || x.is_nan();
    *best = if larger { x } else { *best };
    *winner = if larger { code } else { *winner };
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
