//! Local response normalisation across channels (AlexNet, Sect. 3.3).
//!
//! `y[c] = x[c] * (k + alpha / size * sum of x[j]^2 over the window of c)^-beta`, with
//! the window `c - size/2 ..= c + (size-1)/2` cut at the first and last channel. This is
//! `torch.nn.LocalResponseNorm` and Caffe's layer: alpha is divided by the size.
//!
//! Both directions are one pass over blocks of positions that stay in the cache
//! for all channels.

use crate::simd::vectorised;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::check;

/// Positions handled together.
const BLOCK: usize = 256;

/// The constants of the normalisation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lrn {
    /// Channels in the window.
    pub size: usize,
    /// Scale of the sum of squares, divided by `size`.
    pub alpha: f64,
    /// Exponent.
    pub beta: f64,
    /// Added to the scaled sum.
    pub k: f64,
}

/// Normalises (B, C, H, W) across C.
///
/// # Errors
/// If the input is not a `f32` feature map, the window is empty, or a constant could
/// make the base of the power zero or negative.
pub fn local_response_norm(x: &Tensor, lrn: &Lrn) -> Result<Tensor> {
    check::feature_map("local-response-norm", x)?;
    if lrn.size == 0 {
        bail!("local-response-norm: size is 0, expected at least 1 channel");
    }
    // NaN is in no range.
    let positive = f64::MIN_POSITIVE..f64::INFINITY;
    let usable = positive.contains(&lrn.k) && (0.0..f64::INFINITY).contains(&lrn.alpha);
    if !usable || !lrn.beta.is_finite() {
        bail!("local-response-norm: expected k > 0, alpha >= 0 and a finite beta, found {lrn:?}");
    }
    x.contiguous()?.apply_op1(Forward(*lrn))
}

/// Raising to `-beta`; 0.75 is common enough to deserve two square roots.
#[derive(Clone, Copy)]
enum Power {
    ThreeQuarters,
    Other(f32),
}

impl Power {
    fn new(beta: f64) -> Self {
        if beta == 0.75 { Self::ThreeQuarters } else { Self::Other(-beta as f32) }
    }

    #[inline(always)]
    fn of(self, base: &[f32], out: &mut [f32]) {
        match self {
            Self::ThreeQuarters => {
                for (out, &base) in out.iter_mut().zip(base) {
                    let root = base.sqrt();
                    *out = 1.0 / (root * root.sqrt());
                }
            }
            Self::Other(exponent) => {
                for (out, &base) in out.iter_mut().zip(base) {
                    *out = base.powf(exponent);
                }
            }
        }
    }
}

/// `base[p] = k + alpha / size * sum of squares` at every position of a block.
#[inline(always)]
fn bases(lrn: &Lrn, x: &[f32], plane: usize, at: usize, channel: usize, base: &mut [f32]) {
    let channels = x.len() / plane;
    let first = channel.saturating_sub(lrn.size / 2);
    let last = (channel + (lrn.size - 1) / 2).min(channels - 1);
    base.fill(0.0);
    for c in first..=last {
        let x = &x[c * plane + at..][..base.len()];
        for (base, &x) in base.iter_mut().zip(x) {
            *base += x * x;
        }
    }
    let (k, scale) = (lrn.k as f32, (lrn.alpha / lrn.size as f64) as f32);
    for base in base.iter_mut() {
        *base = k + scale * *base;
    }
}

struct Forward(Lrn);

impl CustomOp1 for Forward {
    fn name(&self) -> &'static str {
        "local-response-norm"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = check::values(self.name(), "the input", storage, layout)?;
        let (_, channels, h, w) = layout.shape().dims4()?;
        let plane = h * w;
        let mut out = vec![0f32; x.len()];
        let sample = (channels * plane).max(1);
        out.par_chunks_mut(sample)
            .zip(x.par_chunks(sample))
            .for_each(|(out, x)| normalise(&self.0, x, plane, out));
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        let grad = grad_res.contiguous()?;
        Ok(Some(arg.apply_op2_no_bwd(&grad, &Backward(self.0))?))
    }
}

/// One sample, forward.
fn normalise(lrn: &Lrn, x: &[f32], plane: usize, out: &mut [f32]) {
    let power = Power::new(lrn.beta);
    let channels = x.len() / plane;
    vectorised(
        #[inline(always)]
        || {
            let (mut base, mut factor) = ([0f32; BLOCK], [0f32; BLOCK]);
            for at in (0..plane).step_by(BLOCK) {
                let len = BLOCK.min(plane - at);
                let (base, factor) = (&mut base[..len], &mut factor[..len]);
                for channel in 0..channels {
                    bases(lrn, x, plane, at, channel, base);
                    power.of(base, factor);
                    let range = channel * plane + at..channel * plane + at + len;
                    let out = &mut out[range.clone()];
                    for ((out, &x), &factor) in out.iter_mut().zip(&x[range]).zip(factor.iter()) {
                        *out = x * factor;
                    }
                }
            }
        },
    );
}

/// Gradient of the input from the input and the output's gradient.
struct Backward(Lrn);

impl CustomOp2 for Backward {
    fn name(&self) -> &'static str {
        "local-response-norm-gradient"
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
        let (_, channels, h, w) = l1.shape().dims4()?;
        let plane = h * w;
        let mut out = vec![0f32; x.len()];
        let sample = (channels * plane).max(1);
        out.par_chunks_mut(sample)
            .zip(x.par_chunks(sample).zip(grad.par_chunks(sample)))
            .for_each(|(out, (x, grad))| differentiate(&self.0, x, grad, plane, out));
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}

/// One sample, backward. With `d` the base and `t[j] = g[j] x[j] d[j]^(-beta-1)`:
/// `dx[i] = g[i] d[i]^-beta - 2 alpha beta / size * x[i] * sum of t[j]` over the
/// channels `j` whose window holds `i`, that is `i - (size-1)/2 ..= i + size/2`.
fn differentiate(lrn: &Lrn, x: &[f32], grad: &[f32], plane: usize, out: &mut [f32]) {
    let power = Power::new(lrn.beta);
    let channels = x.len() / plane;
    let scale = (2.0 * lrn.alpha * lrn.beta / lrn.size as f64) as f32;
    let mut terms = vec![0f32; channels * BLOCK];
    vectorised(
        #[inline(always)]
        || {
            let (mut base, mut factor) = ([0f32; BLOCK], [0f32; BLOCK]);
            for at in (0..plane).step_by(BLOCK) {
                let len = BLOCK.min(plane - at);
                let (base, factor) = (&mut base[..len], &mut factor[..len]);
                for channel in 0..channels {
                    bases(lrn, x, plane, at, channel, base);
                    power.of(base, factor);
                    let range = channel * plane + at..channel * plane + at + len;
                    let (x, grad, out) = (&x[range.clone()], &grad[range.clone()], &mut out[range]);
                    let terms = &mut terms[channel * BLOCK..][..len];
                    for i in 0..len {
                        let direct = grad[i] * factor[i];
                        out[i] = direct;
                        terms[i] = direct * x[i] / base[i];
                    }
                }
                for channel in 0..channels {
                    let first = channel.saturating_sub((lrn.size - 1) / 2);
                    let last = (channel + lrn.size / 2).min(channels - 1);
                    base.fill(0.0);
                    for c in first..=last {
                        for (sum, &term) in base.iter_mut().zip(&terms[c * BLOCK..][..len]) {
                            *sum += term;
                        }
                    }
                    let range = channel * plane + at..channel * plane + at + len;
                    let (x, out) = (&x[range.clone()], &mut out[range]);
                    for i in 0..len {
                        out[i] -= scale * x[i] * base[i];
                    }
                }
            }
        },
    );
}
