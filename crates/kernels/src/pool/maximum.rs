//! Maximum pooling.

use std::ops::Range;
use std::sync::Mutex;

use candle_core::{Result, bail};
use rayon::prelude::*;

use super::{Geometry, Pool2d};
use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::lanes::{ChannelBlock, by_blocks};
use crate::memory::unwritten;
use crate::op::Op;
use crate::simd::vectorised;

/// Maximum over windows: input (B, H, W, C), output (B, H', W', C), windows of at most 256 positions.
///
/// The gradient of an output goes to the first maximum of its window, in row order; NaN wins over
/// everything, and a later NaN over an earlier one (PyTorch). The forward pass keeps the winner's position in
/// the window, one byte per output, so that the backward pass need not read the input again.
#[derive(Debug)]
pub struct MaxPool2d {
    pool: Pool2d,
    winners: Mutex<Vec<u8>>,
    /// The winners of a forward pass on a GPU.
    #[cfg(feature = "cuda")]
    pub(crate) on_device: Mutex<Option<crate::cuda::Buffer<u8>>>,
}

impl MaxPool2d {
    /// Creates the operation with the given windows.
    pub fn new(pool: Pool2d) -> Self {
        Self {
            pool,
            winners: Mutex::default(),
            #[cfg(feature = "cuda")]
            on_device: Mutex::default(),
        }
    }

    pub(crate) fn geometry(&self, inputs: &[impl Shaped + Copy]) -> Result<Geometry> {
        if self.pool.kernel[0].saturating_mul(self.pool.kernel[1]) > 256 {
            bail!("max-pool: windows of more than 256 positions are not supported, found {:?}", self.pool);
        }
        Geometry::new("max-pool", self.pool, inputs)
    }
}

impl Op for MaxPool2d {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let g = self.geometry(inputs)?;
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(g.outputs()) };
        let mut winners = vec![0u8; g.outputs()];
        let sample = g.input[0] * g.input_row();
        let row = g.output_row().max(1);
        out.par_chunks_mut(row).zip(winners.par_chunks_mut(row)).enumerate().for_each(
            |(at, (out, winners))| {
                let (n, y) = (at / g.output[0], at % g.output[0]);
                vectorised(
                    #[inline(always)]
                    || maxima(&g, &inputs[0].data[n * sample..][..sample], y, out, winners),
                );
            },
        );
        match self.winners.lock() {
            Ok(mut kept) => *kept = winners,
            Err(_) => bail!("max-pool: a thread panicked in an earlier pass"),
        }
        Ok((out, g.output_dims()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let g = self.geometry(given.inputs)?;
        check::backward(self.name(), given, &g.output_dims())?;
        let Ok(winners) = self.winners.lock() else {
            bail!("max-pool: a thread panicked in an earlier pass")
        };
        if winners.len() != given.gradient.data.len() {
            bail!("max-pool: the forward pass has not run");
        }
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(g.inputs()) };
        let sample = g.output[0] * g.output_row();
        out.par_chunks_mut(g.input_row().max(1)).enumerate().for_each(|(at, out)| {
            let (n, y) = (at / g.input[0], at % g.input[0]);
            let (grad, winners) =
                (&given.gradient.data[n * sample..][..sample], &winners[n * sample..][..sample]);
            vectorised(
                #[inline(always)]
                || gather(&g, grad, winners, y, out),
            );
        });
        Ok(vec![Gradient::Values(out)])
    }
}

/// Computes one row of the output.
#[inline(always)]
fn maxima(g: &Geometry, x: &[f32], y: usize, out: &mut [f32], winners: &mut [u8]) {
    let rows = g.pool.covered(0, y, g.input[0]);
    let pairs = out.chunks_exact_mut(g.channels).zip(winners.chunks_exact_mut(g.channels));
    for (column, (out, winners)) in pairs.enumerate() {
        let columns = g.pool.covered(1, column, g.input[1]);
        let pitch = g.pool.kernel[1];
        let first = g.pool.place(0, y, rows.start) * pitch + g.pool.place(1, column, columns.start);
        let window = Maximum { g, x, rows: rows.clone(), columns, first, pitch, out, winners };
        by_blocks(g.channels, window);
    }
}

/// The maximum of one window.
struct Maximum<'a> {
    g: &'a Geometry,
    x: &'a [f32],
    rows: Range<usize>,
    columns: Range<usize>,
    /// Number in the window of the first position, and the difference from one row to the next.
    first: usize,
    pitch: usize,
    out: &'a mut [f32],
    winners: &'a mut [u8],
}

impl ChannelBlock for Maximum<'_> {
    /// Finds the maxima of `N` channels. In a window of minus infinities the first position wins.
    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let (mut best, mut winner) = ([f32::NEG_INFINITY; N], [self.first as u32; N]);
        for (i, row) in self.rows.clone().enumerate() {
            let start = row * self.g.input_row() + at;
            for (j, column) in self.columns.clone().enumerate() {
                let place = (self.first + i * self.pitch + j) as u32;
                let x = &self.x[start + column * self.g.channels..][..N];
                // New arrays without conditional assignments: those would become masked stores,
                // which keep the arrays in memory.
                let (mut next, mut next_winner) = ([0f32; N], [0u32; N]);
                for c in 0..N {
                    let wins = (x[c] > best[c]) | x[c].is_nan();
                    next[c] = if wins { x[c] } else { best[c] };
                    next_winner[c] = if wins { place } else { winner[c] };
                }
                (best, winner) = (next, next_winner);
            }
        }
        self.out[at..at + N].copy_from_slice(&best);
        for (out, winner) in self.winners[at..at + N].iter_mut().zip(winner) {
            *out = winner as u8;
        }
    }
}

/// Computes one row of the input's gradient.
#[inline(always)]
fn gather(g: &Geometry, grad: &[f32], winners: &[u8], y: usize, out: &mut [f32]) {
    let rows = g.pool.covering(0, y, g.output[0]);
    for (x, out) in out.chunks_exact_mut(g.channels).enumerate() {
        let columns = g.pool.covering(1, x, g.output[1]);
        by_blocks(g.channels, Won { g, grad, winners, position: [y, x], rows: rows.clone(), columns, out });
    }
}

/// The gradients that a position has won.
struct Won<'a> {
    g: &'a Geometry,
    grad: &'a [f32],
    winners: &'a [u8],
    position: [usize; 2],
    rows: Range<usize>,
    columns: Range<usize>,
    out: &'a mut [f32],
}

impl ChannelBlock for Won<'_> {
    #[inline(always)]
    fn run<const N: usize>(&mut self, at: usize) {
        let (pool, [y, x]) = (&self.g.pool, self.position);
        let mut sum = [0f32; N];
        for row in self.rows.clone() {
            let start = row * self.g.output_row() + at;
            for column in self.columns.clone() {
                let place = (pool.place(0, row, y) * pool.kernel[1] + pool.place(1, column, x)) as u8;
                let from = start + column * self.g.channels;
                let (grad, winners) = (&self.grad[from..][..N], &self.winners[from..][..N]);
                for c in 0..N {
                    sum[c] += if winners[c] == place { grad[c] } else { 0.0 };
                }
            }
        }
        self.out[at..at + N].copy_from_slice(&sum);
    }
}
