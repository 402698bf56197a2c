//! The constants of the normalisation, and its loops over a few positions at a time.
//!
//! Values to be summed over windows are stored with zeros before and after the channels of a position, so that every window is
//! complete. The sums and powers of a block of positions are computed in one loop over its buffer, zeros included: with few
//! channels, a loop over the channels of each position would be mostly remainders.

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

/// Approximate number of values in a block, which has four buffers of this size in the first-level cache.
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
    /// Squares: for every position `before` zeros, the channels, `after` zeros; then the zeros of one more window.
    squares: Vec<f32>,
    /// Terms of the gradient: for every position `after` zeros, the channels, `before` zeros, since the windows
    /// that contain a channel mirror the window of the channel; then the zeros of one more window.
    terms: Vec<f32>,
    /// Powers of the bases, or sums of terms: the window that begins at value i of a buffer has value i.
    factors: Vec<f32>,
    inverses: Vec<f32>,
}

impl Block {
    pub(super) fn new(lrn: &Lrn, channels: usize) -> Self {
        // A window need not reach further than all channels.
        let (before, after) = ((lrn.size / 2).min(channels), ((lrn.size - 1) / 2).min(channels));
        let pitch = before + channels + after;
        let positions = (BLOCK / pitch).max(1);
        let padded = vec![0.0; positions * pitch + before + after];
        let windows = vec![0.0; positions * pitch];
        Self {
            channels,
            positions,
            before,
            after,
            k: lrn.k as f32,
            beta: lrn.beta,
            scale: (lrn.alpha / lrn.size as f64) as f32,
            slope: (2.0 * lrn.alpha * lrn.beta / lrn.size as f64) as f32,
            squares: padded.clone(),
            terms: padded,
            factors: windows.clone(),
            inverses: windows,
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
        let (channels, values, pitch) = (self.channels, self.positions * self.channels, self.pitch());
        for (x, out) in x.chunks(values).zip(out.chunks_mut(values)) {
            self.powers(power, x);
            let positions = x.chunks_exact(channels).zip(out.chunks_exact_mut(channels));
            for ((x, out), factors) in positions.zip(self.factors.chunks_exact(pitch)) {
                for ((out, x), factor) in out.iter_mut().zip(x).zip(factors) {
                    *out = x * factor;
                }
            }
        }
    }

    /// Computes the gradient: with `d` the base and `t[j] = g[j] x[j] d[j]^(-beta-1)`,
    /// `dx[i] = g[i] d[i]^-beta - 2 alpha beta / size * x[i] * sum of t[j]` over the
    /// channels `j` whose window contains `i`, that is `i - (size-1)/2 ..= i + size/2`.
    #[inline(always)]
    fn backward_with(&mut self, power: impl Power, x: &[f32], grad: &[f32], out: &mut [f32]) {
        let (channels, values, pitch) = (self.channels, self.positions * self.channels, self.pitch());
        for ((x, grad), out) in x.chunks(values).zip(grad.chunks(values)).zip(out.chunks_mut(values)) {
            self.powers(power, x);
            let powers = self.factors.chunks_exact(pitch).zip(self.inverses.chunks_exact(pitch));
            let buffers = powers.zip(self.terms.chunks_exact_mut(pitch));
            let positions = x.chunks_exact(channels).zip(grad.chunks_exact(channels));
            let positions = positions.zip(out.chunks_exact_mut(channels));
            for (((x, grad), out), ((factors, inverses), terms)) in positions.zip(buffers) {
                let given = x.iter().zip(grad).zip(factors.iter().zip(inverses));
                let found = out.iter_mut().zip(&mut terms[self.after..]);
                for (((x, grad), (factor, inverse)), (out, term)) in given.zip(found) {
                    let direct = grad * factor;
                    *out = direct;
                    *term = direct * x * inverse;
                }
            }
            let length = x.len() / channels * pitch;
            by_blocks(
                length,
                Sum { window: (self.before, self.after), terms: &self.terms, out: &mut self.factors },
            );
            let positions = x.chunks_exact(channels).zip(out.chunks_exact_mut(channels));
            for ((x, out), sums) in positions.zip(self.factors.chunks_exact(pitch)) {
                for ((out, x), sum) in out.iter_mut().zip(x).zip(sums) {
                    *out -= self.slope * x * sum;
                }
            }
        }
    }

    /// Computes the powers for some positions.
    #[inline(always)]
    fn powers(&mut self, power: impl Power, x: &[f32]) {
        let (before, channels, pitch) = (self.before, self.channels, self.pitch());
        for (squares, x) in self.squares.chunks_exact_mut(pitch).zip(x.chunks_exact(channels)) {
            for (square, &x) in squares[before..].iter_mut().zip(x) {
                *square = x * x;
            }
        }
        let powers = Powers {
            window: (self.before, self.after),
            power,
            line: [self.k, self.scale],
            squares: &self.squares,
            factors: &mut self.factors,
            inverses: &mut self.inverses,
        };
        by_blocks(x.len() / channels * pitch, powers);
    }
}

/// Computes the sums of `N` neighbouring windows.
#[inline(always)]
fn window_sums<const N: usize>(terms: &[f32], at: usize, (before, after): (usize, usize)) -> [f32; N] {
    let mut sums = [0f32; N];
    for first in at..at + before + after + 1 {
        let terms = &terms[first..][..N];
        for i in 0..N {
            sums[i] += terms[i];
        }
    }
    sums
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

/// Computes the powers of the bases of neighbouring windows.
struct Powers<'a, P> {
    /// Number of values of a window before its own and after it.
    window: (usize, usize),
    power: P,
    /// The base is the first plus the second times the sum of squares.
    line: [f32; 2],
    squares: &'a [f32],
    factors: &'a mut [f32],
    inverses: &'a mut [f32],
}

impl<P: Power> ChannelBlock for Powers<'_, P> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let sums: [f32; N] = window_sums(self.squares, at, self.window);
        let [k, scale] = self.line;
        let (factors, inverses) = (&mut self.factors[at..][..N], &mut self.inverses[at..][..N]);
        for i in 0..N {
            [factors[i], inverses[i]] = self.power.of(k + scale * sums[i]);
        }
    }
}

/// Computes the sums of neighbouring windows.
struct Sum<'a> {
    /// Number of values of a window before its own and after it.
    window: (usize, usize),
    terms: &'a [f32],
    out: &'a mut [f32],
}

impl ChannelBlock for Sum<'_> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let sums: [f32; N] = window_sums(self.terms, at, self.window);
        self.out[at..][..N].copy_from_slice(&sums);
    }
}
