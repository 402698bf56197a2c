//! The constants of the normalisation, and its loops over a few positions at a time.
//!
//! Values to be summed over windows are stored with zeros before and after the channels of a
//! position, so that every window is complete. A whole block of positions is stored before the
//! first is summed, because reading a vector right after writing it in two halves stalls.

use serde::{Deserialize, Serialize};

use crate::lanes::{ChannelBlock, by_blocks};

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

/// Approximate number of values in a block, which has two buffers of this size in the first-level cache.
const BLOCK: usize = 1 << 10;

/// Constants and buffers of the loops.
pub(super) struct Block {
    channels: usize,
    positions: usize,
    /// Number of channels of a window before its own channel, and after it.
    before: usize,
    after: usize,
    k: f32,
    beta: f64,
    /// Factors of the sum of squares, and of the sum in the gradient.
    scale: f32,
    slope: f32,
    /// Squares: for every position `before` zeros, the channels, `after` zeros.
    squares: Vec<f32>,
    /// Terms of the gradient: for every position `after` zeros, the channels, `before` zeros, since the windows
    /// that contain a channel mirror the window of the channel.
    terms: Vec<f32>,
}

impl Block {
    pub(super) fn new(lrn: &Lrn, channels: usize) -> Self {
        // A window need not reach further than all channels.
        let (before, after) = ((lrn.size / 2).min(channels), ((lrn.size - 1) / 2).min(channels));
        let positions = (BLOCK / (before + channels + after)).max(1);
        let zeros = vec![0.0; positions * (before + channels + after)];
        Self {
            channels,
            positions,
            before,
            after,
            k: lrn.k as f32,
            beta: lrn.beta,
            scale: (lrn.alpha / lrn.size as f64) as f32,
            slope: (2.0 * lrn.alpha * lrn.beta / lrn.size as f64) as f32,
            squares: zeros.clone(),
            terms: zeros,
        }
    }

    /// Returns the number of values of a position in a buffer.
    fn pitch(&self) -> usize {
        self.before + self.channels + self.after
    }

    #[inline(always)]
    pub(super) fn forward(&mut self, x: &[f32], out: &mut [f32]) {
        if self.beta == 0.75 {
            self.forward_with(ThreeQuarters, x, out);
        } else {
            self.forward_with(Beta(self.beta as f32), x, out);
        }
    }

    #[inline(always)]
    pub(super) fn backward(&mut self, x: &[f32], grad: &[f32], out: &mut [f32]) {
        if self.beta == 0.75 {
            self.backward_with(ThreeQuarters, x, grad, out);
        } else {
            self.backward_with(Beta(self.beta as f32), x, grad, out);
        }
    }

    #[inline(always)]
    fn forward_with(&mut self, power: impl Power, x: &[f32], out: &mut [f32]) {
        let (channels, values) = (self.channels, self.positions * self.channels);
        for (x, out) in x.chunks(values).zip(out.chunks_mut(values)) {
            self.square(x);
            let positions = x.chunks_exact(channels).zip(out.chunks_exact_mut(channels));
            for ((x, out), squares) in positions.zip(self.squares.chunks_exact(self.pitch())) {
                by_blocks(channels, Normalise { block: self, power, x, squares, out });
            }
        }
    }

    /// Computes the gradient: with `d` the base and `t[j] = g[j] x[j] d[j]^(-beta-1)`,
    /// `dx[i] = g[i] d[i]^-beta - 2 alpha beta / size * x[i] * sum of t[j]` over the
    /// channels `j` whose window contains `i`, that is `i - (size-1)/2 ..= i + size/2`.
    #[inline(always)]
    fn backward_with(&mut self, power: impl Power, x: &[f32], grad: &[f32], out: &mut [f32]) {
        let (channels, values, pitch) = (self.channels, self.positions * self.channels, self.pitch());
        let mut all_terms = std::mem::take(&mut self.terms);
        for ((x, grad), out) in x.chunks(values).zip(grad.chunks(values)).zip(out.chunks_mut(values)) {
            self.square(x);
            let buffers = self.squares.chunks_exact(pitch).zip(all_terms.chunks_exact_mut(pitch));
            let positions = x.chunks_exact(channels).zip(grad.chunks_exact(channels));
            let positions = positions.zip(out.chunks_exact_mut(channels));
            for (((x, grad), out), (squares, terms)) in positions.zip(buffers) {
                let terms = &mut terms[self.after..];
                by_blocks(channels, Differentiate { block: self, power, x, grad, squares, terms, out });
            }
            let positions = x.chunks_exact(channels).zip(out.chunks_exact_mut(channels));
            for ((x, out), terms) in positions.zip(all_terms.chunks_exact(pitch)) {
                by_blocks(channels, Subtract { block: self, x, terms, out });
            }
        }
        self.terms = all_terms;
    }

    /// Stores the squares with their zeros.
    #[inline(always)]
    fn square(&mut self, x: &[f32]) {
        let (before, channels, pitch) = (self.before, self.channels, self.pitch());
        for (squares, x) in self.squares.chunks_exact_mut(pitch).zip(x.chunks_exact(channels)) {
            for (square, &x) in squares[before..].iter_mut().zip(x) {
                *square = x * x;
            }
        }
    }

    /// Computes the sums over the windows of `N` channels.
    #[inline(always)]
    fn window_sums<const N: usize>(&self, terms: &[f32], at: usize) -> [f32; N] {
        let mut sums = [0f32; N];
        for first in at..at + self.before + self.after + 1 {
            let terms = &terms[first..][..N];
            for i in 0..N {
                sums[i] += terms[i];
            }
        }
        sums
    }

    /// Computes the bases of the powers of `N` channels.
    #[inline(always)]
    fn bases<const N: usize>(&self, squares: &[f32], at: usize) -> [f32; N] {
        let mut sums = self.window_sums(squares, at);
        for sum in &mut sums {
            *sum = self.k + self.scale * *sum;
        }
        sums
    }
}

/// Computes `base^-beta` and `1 / base`.
trait Power: Copy {
    fn of(self, base: f32) -> [f32; 2];
}

/// The exponent 3/4, common enough for a special case with two square roots.
#[derive(Clone, Copy)]
struct ThreeQuarters;

impl Power for ThreeQuarters {
    #[inline(always)]
    fn of(self, base: f32) -> [f32; 2] {
        let root = 1.0 / base.sqrt();
        [root * root.sqrt(), root * root]
    }
}

/// Any exponent.
#[derive(Clone, Copy)]
struct Beta(f32);

impl Power for Beta {
    #[inline(always)]
    fn of(self, base: f32) -> [f32; 2] {
        [base.powf(-self.0), 1.0 / base]
    }
}

struct Normalise<'a, P> {
    block: &'a Block,
    power: P,
    x: &'a [f32],
    squares: &'a [f32],
    out: &'a mut [f32],
}

impl<P: Power> ChannelBlock for Normalise<'_, P> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let bases: [f32; N] = self.block.bases(self.squares, at);
        let (x, out) = (&self.x[at..][..N], &mut self.out[at..][..N]);
        for i in 0..N {
            let [factor, _] = self.power.of(bases[i]);
            out[i] = x[i] * factor;
        }
    }
}

/// Writes the direct part of the gradient, and the terms of the rest.
struct Differentiate<'a, P> {
    block: &'a Block,
    power: P,
    x: &'a [f32],
    grad: &'a [f32],
    squares: &'a [f32],
    terms: &'a mut [f32],
    out: &'a mut [f32],
}

impl<P: Power> ChannelBlock for Differentiate<'_, P> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let bases: [f32; N] = self.block.bases(self.squares, at);
        let (x, grad) = (&self.x[at..][..N], &self.grad[at..][..N]);
        let (out, terms) = (&mut self.out[at..][..N], &mut self.terms[at..][..N]);
        for i in 0..N {
            let [factor, inverse] = self.power.of(bases[i]);
            let direct = grad[i] * factor;
            out[i] = direct;
            terms[i] = direct * x[i] * inverse;
        }
    }
}

/// Subtracts the rest from the direct part.
struct Subtract<'a> {
    block: &'a Block,
    x: &'a [f32],
    terms: &'a [f32],
    out: &'a mut [f32],
}

impl ChannelBlock for Subtract<'_> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let sums: [f32; N] = self.block.window_sums(self.terms, at);
        let (x, out) = (&self.x[at..][..N], &mut self.out[at..][..N]);
        for ((out, &x), sum) in out.iter_mut().zip(x).zip(sums) {
            *out -= self.block.slope * x * sum;
        }
    }
}
