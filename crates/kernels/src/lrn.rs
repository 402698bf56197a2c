//! Local response normalisation across channels (AlexNet, Sect. 3.3).
//!
//! `y[c] = x[c] * (k + alpha / size * sum of x[j]^2 over the window of c)^-beta`, with
//! the window `c - size/2 ..= c + (size-1)/2` cut at the first and last channel. This is
//! `torch.nn.LocalResponseNorm` and Caffe's layer: alpha is divided by the size.
//!
//! Both directions are one pass. A block of positions is laid out with zeros between them, so
//! that every window is whole and all loops but the first and the last run over the block at once.

use candle_core::{Result, bail};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::check;
use crate::op::{Array, Gradient, Op};
use crate::simd::vectorised;

/// About the values of one task; a constant, so that the cut depends on shapes only.
const TASK: usize = 1 << 15;
/// About the values of a block, which has several buffers of this size in the first-level cache.
const BLOCK: usize = 1 << 10;

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

/// The normalisation: input (..., C), output like it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalResponseNorm(pub Lrn);

impl LocalResponseNorm {
    /// Checks the constants and returns the number of channels.
    fn channels(&self, x: &Array<'_>) -> Result<usize> {
        let op = self.name();
        let Self(lrn) = self;
        if lrn.size == 0 {
            bail!("{op}: size is 0, expected at least 1 channel");
        }
        // NaN is in no range.
        let positive = f64::MIN_POSITIVE..f64::INFINITY;
        let usable = positive.contains(&lrn.k) && (0.0..f64::INFINITY).contains(&lrn.alpha);
        if !usable || !lrn.beta.is_finite() {
            bail!("{op}: expected k > 0, alpha >= 0 and a finite beta, found {lrn:?}");
        }
        let [_, channels] = check::channels_last(op, x)?;
        Ok(channels)
    }
}

impl Op for LocalResponseNorm {
    fn name(&self) -> &'static str {
        "local-response-norm"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let channels = self.channels(&x)?;
        let mut out = vec![0f32; x.data.len()];
        let task = Block::task(channels);
        out.par_chunks_mut(task).zip(x.data.par_chunks(task)).for_each(|(out, x)| {
            let mut block = Block::new(&self.0, channels);
            vectorised(
                #[inline(always)]
                || block.forward(x, out),
            );
        });
        Ok((out, x.dims.to_vec()))
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
        let channels = self.channels(&x)?;
        let mut out = vec![0f32; x.data.len()];
        let task = Block::task(channels);
        let parts = x.data.par_chunks(task).zip(gradient.data.par_chunks(task));
        out.par_chunks_mut(task).zip(parts).for_each(|(out, (x, grad))| {
            let mut block = Block::new(&self.0, channels);
            vectorised(
                #[inline(always)]
                || block.backward(x, grad, out),
            );
        });
        Ok(vec![Gradient::Values(out)])
    }
}

/// Raising to `-beta`; 0.75 is common enough to deserve two square roots.
#[derive(Clone, Copy)]
enum Power {
    ThreeQuarters,
    Other(f32),
}

/// Buffers for some positions, `pitch` values each: the channels, and zeros for what the windows of the
/// first and last ones hold beyond them.
struct Block {
    channels: usize,
    pitch: usize,
    positions: usize,
    /// Channels of a window before its own, and in all.
    before: usize,
    size: usize,
    k: f32,
    /// Of the sum of squares, and of the sum in the gradient.
    scale: f32,
    slope: f32,
    power: Power,
    /// What is summed over windows: `before` zeros, then the positions.
    terms: Vec<f32>,
    sums: Vec<f32>,
    /// `base^-beta` and `1 / base`.
    factor: Vec<f32>,
    inverse: Vec<f32>,
}

impl Block {
    /// Values of a task: whole positions.
    fn task(channels: usize) -> usize {
        (TASK / channels.max(1)).max(1) * channels.max(1)
    }

    fn new(lrn: &Lrn, channels: usize) -> Self {
        let pitch = channels + lrn.size - 1;
        let positions = (BLOCK / pitch).max(1);
        let len = positions * pitch;
        Self {
            channels,
            pitch,
            positions,
            before: lrn.size / 2,
            size: lrn.size,
            k: lrn.k as f32,
            scale: (lrn.alpha / lrn.size as f64) as f32,
            slope: (2.0 * lrn.alpha * lrn.beta / lrn.size as f64) as f32,
            power: if lrn.beta == 0.75 { Power::ThreeQuarters } else { Power::Other(-lrn.beta as f32) },
            terms: vec![0.0; len + lrn.size],
            sums: vec![0.0; len],
            factor: vec![0.0; len],
            inverse: vec![0.0; len],
        }
    }

    #[inline(always)]
    fn forward(&mut self, x: &[f32], out: &mut [f32]) {
        let (channels, pitch, values) = (self.channels, self.pitch, self.positions * self.channels);
        for (x, out) in x.chunks(values).zip(out.chunks_mut(values)) {
            self.factors(x);
            let positions = out.chunks_exact_mut(channels).zip(x.chunks_exact(channels));
            for ((out, x), factor) in positions.zip(self.factor.chunks_exact(pitch)) {
                for ((out, &x), &factor) in out.iter_mut().zip(x).zip(factor) {
                    *out = x * factor;
                }
            }
        }
    }

    /// With `d` the base and `t[j] = g[j] x[j] d[j]^(-beta-1)`:
    /// `dx[i] = g[i] d[i]^-beta - 2 alpha beta / size * x[i] * sum of t[j]` over the
    /// channels `j` whose window holds `i`, that is `i - (size-1)/2 ..= i + size/2`.
    #[inline(always)]
    fn backward(&mut self, x: &[f32], grad: &[f32], out: &mut [f32]) {
        let (channels, pitch, values) = (self.channels, self.pitch, self.positions * self.channels);
        for ((x, grad), out) in x.chunks(values).zip(grad.chunks(values)).zip(out.chunks_mut(values)) {
            self.factors(x);
            let before = (self.size - 1) / 2;
            self.terms[..before].fill(0.0);
            let positions = x.chunks_exact(channels).zip(grad.chunks_exact(channels));
            for (position, (x, grad)) in positions.clone().enumerate() {
                let at = position * pitch;
                let (factor, inverse) = (&self.factor[at..][..channels], &self.inverse[at..][..channels]);
                let (terms, zeros) = self.terms[before + at..][..pitch].split_at_mut(channels);
                for i in 0..channels {
                    terms[i] = grad[i] * factor[i] * x[i] * inverse[i];
                }
                zeros.fill(0.0);
            }
            self.window_sums();
            for ((position, (x, grad)), out) in positions.enumerate().zip(out.chunks_exact_mut(channels)) {
                let at = position * pitch;
                let (factor, sums) = (&self.factor[at..][..channels], &self.sums[at..][..channels]);
                for i in 0..channels {
                    out[i] = grad[i] * factor[i] - self.slope * x[i] * sums[i];
                }
            }
        }
    }

    /// The powers of the bases of all positions.
    #[inline(always)]
    fn factors(&mut self, x: &[f32]) {
        self.terms[..self.before].fill(0.0);
        for (position, x) in x.chunks_exact(self.channels).enumerate() {
            let terms = &mut self.terms[self.before + position * self.pitch..][..self.pitch];
            let (squares, zeros) = terms.split_at_mut(self.channels);
            for (square, &x) in squares.iter_mut().zip(x) {
                *square = x * x;
            }
            zeros.fill(0.0);
        }
        self.window_sums();
        let factors = self.factor.iter_mut().zip(self.inverse.iter_mut()).zip(&self.sums);
        match self.power {
            Power::ThreeQuarters => {
                for ((factor, inverse), &sum) in factors {
                    let root = 1.0 / (self.k + self.scale * sum).sqrt();
                    (*factor, *inverse) = (root * root.sqrt(), root * root);
                }
            }
            Power::Other(exponent) => {
                for ((factor, inverse), &sum) in factors {
                    let base = self.k + self.scale * sum;
                    (*factor, *inverse) = (base.powf(exponent), 1.0 / base);
                }
            }
        }
    }

    /// The sums of `size` neighbouring terms.
    #[inline(always)]
    fn window_sums(&mut self) {
        match self.size {
            3 => sums_of::<3>(&self.terms, &mut self.sums),
            5 => sums_of::<5>(&self.terms, &mut self.sums),
            size => {
                self.sums.fill(0.0);
                for offset in 0..size {
                    for (sum, &term) in self.sums.iter_mut().zip(&self.terms[offset..]) {
                        *sum += term;
                    }
                }
            }
        }
    }
}

#[inline(always)]
fn sums_of<const N: usize>(terms: &[f32], sums: &mut [f32]) {
    let count = sums.len();
    let shifted: [&[f32]; N] = std::array::from_fn(
        #[inline(always)]
        |offset| &terms[offset..][..count],
    );
    for (i, sum) in sums.iter_mut().enumerate() {
        let mut all = 0.0;
        for terms in shifted {
            all += terms[i];
        }
        *sum = all;
    }
}
