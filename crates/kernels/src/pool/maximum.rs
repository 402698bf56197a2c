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
        let [_, columns] = g.pool.kernel;
        let place = |place: usize| (place / columns * g.input[1] + place % columns) * g.channels;
        let places: Vec<usize> = (0..g.pool.kernel[0] * columns).map(place).collect();
        let band = (BAND / g.input_row().max(1)).clamp(1, g.input[0].max(1));
        let image = (g.input[0] * g.input_row()).max(1);
        out.par_chunks_mut(image).enumerate().for_each(|(n, out)| {
            let (grad, winners) =
                (&given.gradient.data[n * sample..][..sample], &winners[n * sample..][..sample]);
            let bands = out.par_chunks_mut((band * g.input_row()).max(1)).enumerate();
            bands.for_each(|(at, out)| scatter(&g, &places, grad, winners, at * band, out));
        });
        Ok(vec![Gradient::Values(out)])
    }
}

/// Number of values of the input's gradient that a task writes; they stay in the second-level cache.
const BAND: usize = 1 << 15;

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

/// Computes some rows of one image of the input's gradient, from row `first` on: every window adds to the position that won
/// it, window by window. `places` are the distances of a window's positions from its first one.
fn scatter(g: &Geometry, places: &[usize], grad: &[f32], winners: &[u8], first: usize, out: &mut [f32]) {
    out.fill(0.0);
    let (pool, row) = (&g.pool, g.input_row());
    let last = first + (out.len() / row.max(1)).max(1) - 1;
    let windows = pool.covering(0, first, g.output[0]).start..pool.covering(0, last, g.output[0]).end;
    // Wraps around for positions in the padding or above the band; only those inside the band are then found.
    let start = |axis: usize, window: usize| (window * pool.stride[axis]).wrapping_sub(pool.padding[axis]);
    for y in windows {
        let line = start(0, y).wrapping_sub(first).wrapping_mul(row);
        let here = y * g.output_row()..(y + 1) * g.output_row();
        let won = grad[here.clone()].chunks_exact(g.channels).zip(winners[here].chunks_exact(g.channels));
        for (x, (grad, winners)) in won.enumerate() {
            let corner = line.wrapping_add(start(1, x).wrapping_mul(g.channels));
            for (channel, (grad, &winner)) in grad.iter().zip(winners).enumerate() {
                let at = corner.wrapping_add(places[usize::from(winner)] + channel);
                if let Some(sum) = out.get_mut(at) {
                    *sum += grad;
                }
            }
        }
    }
}
