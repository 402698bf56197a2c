//! TV-L1 optical flow of many pairs of frames at once, for preparing data sets.
//!
//! The algorithm is that of crate `flow`, which explains it, with the same arithmetic in the same order; this module does
//! not depend on that crate. A single pair of a small video would leave a GPU idle, so every launch works on all pairs of
//! a batch, and the pyramid of a frame is computed once for all its pairs in the batch.
//!
//! Letters: B pairs, H height, W width; pictures and fields are row-major.

mod params;
mod pyramid;
mod solve;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use candle_core::{Device, Result, bail};

use self::pyramid::{Pyramid, level_sizes};
use self::solve::solve;
use super::Gpu;
use super::lock::lock;

pub use self::params::{Median, Params};

/// The flow of a pair: displacements to the right and downwards, H x W each.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Displacements to the right, in pixels.
    pub u: Vec<f32>,
    /// Displacements downwards, in pixels.
    pub v: Vec<f32>,
}

/// Default bound on the GPU memory of a batch, in bytes.
const BUDGET: usize = 2 << 30;

/// Maximum number of pairs in a batch: their two components lie along a grid dimension with at most 65,535 blocks.
const MOST_PAIRS: usize = 32_767;

/// Maximum side of a frame; the grid cannot hold more rows.
const LONGEST_SIDE: usize = 99_999;

/// The estimator on one GPU. Calls from several threads take turns batch by batch, so that the bound on memory holds for
/// all of them together.
#[derive(Debug)]
pub struct TvL1 {
    gpu: Arc<Gpu>,
    budget: usize,
    turn: Mutex<()>,
}

impl TvL1 {
    /// Creates the estimator on a device that [`super::device`] made.
    ///
    /// # Errors
    /// If the device is not a GPU, or was made in another way.
    pub fn new(device: &Device) -> Result<Self> {
        let Device::Cuda(device) = device else {
            bail!("optical flow on the GPU needs a GPU, found {device:?}")
        };
        Ok(Self { gpu: Gpu::of(device)?, budget: BUDGET, turn: Mutex::default() })
    }

    /// Sets the bound on the memory of a batch, in bytes. A single pair may exceed it.
    #[must_use]
    pub fn with_budget(self, bytes: usize) -> Self {
        Self { budget: bytes, ..self }
    }

    /// Computes the flow of every pair, in order. `frames` are intensities of 0 to 255, H x W each; a pair (i, j) requests
    /// the flow from frame i to frame j. The fields do not depend on the division into batches.
    ///
    /// # Errors
    /// If a size or a parameter is out of its range, a frame has a different size, the index of a frame is out of range, or
    /// the GPU's memory is insufficient.
    pub fn compute(
        &self,
        params: &Params,
        size: (usize, usize),
        frames: &[&[f32]],
        pairs: &[(usize, usize)],
    ) -> Result<Vec<Field>> {
        check(params, size, frames, pairs)?;
        let sizes = level_sizes(size, params.levels, params.scale_factor);
        let mut fields = Vec::with_capacity(pairs.len());
        for batch in batches(pairs, Cost::of(&sizes), self.budget) {
            let used: BTreeSet<usize> = batch.iter().flat_map(|&(from, to)| [from, to]).collect();
            let used: Vec<usize> = used.into_iter().collect();
            // The index of a frame among those of the batch.
            let place = |frame: usize| used.partition_point(|&other| other < frame) as i32;
            let numbers: Vec<i32> = batch.iter().flat_map(|&(from, to)| [place(from), place(to)]).collect();
            let pictures: Vec<&[f32]> = used.iter().map(|&frame| frames[frame]).collect();
            let turn = lock(&self.turn);
            let pyramid = Pyramid::new(&self.gpu, params, &sizes, &pictures)?;
            let flow = solve(&self.gpu, params, &pyramid, &numbers)?;
            let (plane, second) = (size.0 * size.1, batch.len() * size.0 * size.1);
            for first in (0..second).step_by(plane) {
                let part = |start: usize| flow.read_part(&self.gpu, start..start + plane);
                fields.push(Field { u: part(first)?, v: part(second + first)? });
            }
            drop(turn);
        }
        Ok(fields)
    }

    /// Measures the number of pairs of generated frames of this size computed per second, in one call for `count` pairs:
    /// including the copying of frames and fields, without the compilation of the kernels.
    ///
    /// # Errors
    /// As for [`TvL1::compute`].
    pub fn pairs_per_second(&self, params: &Params, size: (usize, usize), count: usize) -> Result<f64> {
        let count = count.max(1);
        let frames: Vec<Vec<f32>> = (0..=count).map(|time| moving_waves(size, time)).collect();
        let frames: Vec<&[f32]> = frames.iter().map(Vec::as_slice).collect();
        let pairs: Vec<(usize, usize)> = (0..count).map(|first| (first, first + 1)).collect();
        self.compute(params, size, &frames, &pairs[..1])?;
        let begun = Instant::now();
        self.compute(params, size, &frames, &pairs)?;
        Ok(count as f64 / begun.elapsed().as_secs_f64())
    }
}

/// Generates a picture of waves that move by about one pixel per frame.
fn moving_waves((width, height): (usize, usize), time: usize) -> Vec<f32> {
    let shift = 0.9 * (time % 64) as f32;
    let at = |index: usize| {
        let (x, y) = ((index % width) as f32 - shift, (index / width) as f32 + 0.4 * shift);
        128.0 + 50.0 * (0.31 * x + 0.17 * y).sin() + 40.0 * (0.23 * y - 0.11 * x).cos()
    };
    (0..width * height).map(at).collect()
}

/// Number of values on the GPU that a frame and a pair take.
#[derive(Debug, Clone, Copy)]
struct Cost {
    frame: usize,
    pair: usize,
}

impl Cost {
    fn of(sizes: &[(usize, usize)]) -> Self {
        let pixels: usize = sizes.iter().map(|(width, height)| width * height).sum();
        let finest = sizes.first().map_or(0, |(width, height)| width * height);
        let second = sizes.get(1).map_or(0, |(width, height)| width * height);
        // A frame's pyramid, and scratch memory for smoothing.
        let frame = pixels + 2 * finest;
        // At the finest level: the flow twice, the data term and the dual variables, the change of illumination, its
        // error, and cells of both; and the flow and the change of the previous level.
        let pair = (2 * 2 + 4 + 4 + 1 + 1 + 1) * finest + 3 * second;
        Self { frame, pair }
    }
}

/// Divides pairs into runs that fit into `budget` bytes together with their frames; a pair that does not fit is alone.
fn batches(pairs: &[(usize, usize)], cost: Cost, budget: usize) -> Vec<&[(usize, usize)]> {
    let values = budget / size_of::<f32>();
    let (mut found, mut start) = (Vec::new(), 0);
    let mut frames = BTreeSet::new();
    for (at, &(from, to)) in pairs.iter().enumerate() {
        frames.extend([from, to]);
        let count = at + 1 - start;
        if count > 1 && (count > MOST_PAIRS || frames.len() * cost.frame + count * cost.pair > values) {
            found.push(&pairs[start..at]);
            start = at;
            frames = BTreeSet::from([from, to]);
        }
    }
    if start < pairs.len() {
        found.push(&pairs[start..]);
    }
    found
}

/// Refuses arguments that the kernels cannot handle.
fn check(
    params: &Params,
    (width, height): (usize, usize),
    frames: &[&[f32]],
    pairs: &[(usize, usize)],
) -> Result<()> {
    if !(1..=LONGEST_SIDE).contains(&width) || !(1..=LONGEST_SIDE).contains(&height) {
        bail!("optical flow: expected sides of 1 to {LONGEST_SIDE} pixels, found {width}x{height}");
    }
    if let Some(frame) = frames.iter().position(|frame| frame.len() != width * height) {
        let found = frames[frame].len();
        bail!(
            "optical flow: frame {frame} of {width}x{height} needs {} values, found {found}",
            width * height
        );
    }
    if let Some((from, to)) = pairs.iter().find(|(from, to)| from.max(to) >= &frames.len()) {
        bail!("optical flow: the pair ({from}, {to}) is out of range for {} frames", frames.len());
    }
    let Params { levels, warps, rounds, iterations, .. } = *params;
    let counts = [levels, warps, rounds, iterations].into_iter().all(|count| count > 0);
    let ranges = (0.4..=0.95).contains(&params.scale_factor)
        && (0.0..=10.0).contains(&params.smoothing)
        && (4.0..=64.0).contains(&params.illumination_scale)
        && params.theta > 0.0
        && params.illumination_limit >= 0.0;
    if !(counts && ranges) {
        bail!("optical flow: a parameter is out of range: {params:?}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_keep_the_order_and_the_budget() {
        let pairs: Vec<(usize, usize)> = (0..10).map(|first| (first, first + 1)).collect();
        let cost = Cost { frame: 10, pair: 100 };
        // Three pairs have four frames: 340 values.
        let found = batches(&pairs, cost, 4 * 345);
        assert_eq!(found.iter().map(|batch| batch.len()).collect::<Vec<_>>(), [3, 3, 3, 1]);
        assert_eq!(found.concat(), pairs);
        assert_eq!(batches(&pairs, cost, 0).len(), 10);
        assert_eq!(batches(&pairs, cost, usize::MAX), [&pairs[..]]);
        assert!(batches(&[], cost, 0).is_empty());
        // Both directions of a pair share their frames.
        let both = [(0, 1), (1, 0), (1, 2), (2, 1)];
        assert_eq!(batches(&both, cost, 4 * 220).len(), 2);
    }
}
