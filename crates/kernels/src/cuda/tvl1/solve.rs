//! Computes the flow from the coarsest level to the finest.

use candle_core::Result;

use super::pyramid::{Gaussian, Pyramid, Resize};
use super::{Median, Params};
use crate::cuda::gpu::Source;
use crate::cuda::launch::Launch;
use crate::cuda::{Buffer, Gpu};

/// Side in pixels of the cells over which the error of the illumination is averaged; same as `CELL` in `flow.cu`.
const CELL: usize = 4;

/// Computes the flow of all pairs of a batch, (2, B, H, W): components, pairs. `numbers` are the two frames of each pair.
pub(super) fn solve(gpu: &Gpu, params: &Params, pyramid: &Pyramid, numbers: &[i32]) -> Result<Buffer> {
    let count = numbers.len() / 2;
    let pairs = gpu.upload(numbers)?;
    let light = Gaussian::new(gpu, params.illumination_scale / CELL as f32)?;
    let mut coarser: Option<Found> = None;
    for (&size, frames) in pyramid.sizes.iter().zip(&pyramid.levels).rev() {
        let found = Found::start(gpu, size, count, coarser.take())?;
        let level = Level::new(gpu, params, size, count, found)?;
        coarser = Some(level.solve(frames, &pairs, &light)?);
    }
    match coarser {
        Some(found) => Ok(found.flow),
        // Unreachable: there is at least one level.
        None => gpu.zeros(0),
    }
}

/// Results passed from level to level.
struct Found {
    size: (usize, usize),
    /// The flow, (2, B, H, W).
    flow: Buffer,
    /// The change of illumination, (B, H, W).
    change: Buffer,
}

impl Found {
    /// Initialises a level with the enlarged results of the next coarser one, or with zeros.
    fn start(gpu: &Gpu, size: (usize, usize), pairs: usize, coarser: Option<Self>) -> Result<Self> {
        let values = pairs * size.0 * size.1;
        let Some(coarser) = coarser else {
            return Ok(Self { size, flow: gpu.zeros(2 * values)?, change: gpu.zeros(values)? });
        };
        let from = coarser.size;
        // SAFETY: the resizing writes all planes of both: two a pair and one a pair.
        let (mut flow, mut change) = unsafe { (gpu.unwritten(2 * values)?, gpu.unwritten(values)?) };
        let factors = [size.0 as f32 / from.0 as f32, size.1 as f32 / from.1 as f32];
        let resize = Resize { from, to: size, planes: [pairs, pairs], factors };
        resize.run(gpu, &coarser.flow, &mut flow)?;
        let resize = Resize { planes: [pairs, 0], factors: [1.0, 1.0], ..resize };
        resize.run(gpu, &coarser.change, &mut change)?;
        Ok(Self { size, flow, change })
    }
}

/// The work on one level.
struct Level<'a> {
    gpu: &'a Gpu,
    params: &'a Params,
    size: (usize, usize),
    /// Width and height in cells.
    across: (usize, usize),
    pairs: usize,
    found: Found,
    /// Output of the median filter, which is then swapped with the flow.
    filtered: Option<Buffer>,
    /// The linearised data term and the dual variables, (B, H, W, 4).
    data: Buffer,
    duals: Buffer,
    /// The difference that the change of illumination leaves unexplained, (B, H, W).
    error: Buffer,
    /// Its means over cells, and scratch memory to smooth them.
    cells: [Buffer; 3],
}

impl<'a> Level<'a> {
    fn new(
        gpu: &'a Gpu,
        params: &'a Params,
        size: (usize, usize),
        pairs: usize,
        found: Found,
    ) -> Result<Self> {
        let values = pairs * size.0 * size.1;
        let across = (size.0.div_ceil(CELL), size.1.div_ceil(CELL));
        // SAFETY: `linearise` writes all of the data term and of the error before anything reads them, the means are
        // written before they are smoothed, and the filter writes all of its target before it is the flow.
        let (filtered, data, error, cells) = unsafe {
            let cells = || gpu.unwritten(pairs * across.0 * across.1);
            let filtered = (params.median != Median::None).then(|| gpu.unwritten(2 * values)).transpose()?;
            (filtered, gpu.unwritten(4 * values)?, gpu.unwritten(values)?, [cells()?, cells()?, cells()?])
        };
        let duals = gpu.zeros(4 * values)?;
        Ok(Self { gpu, params, size, across, pairs, found, filtered, data, duals, error, cells })
    }

    fn solve(mut self, frames: &Buffer, pairs: &Buffer<i32>, light: &Gaussian<'_>) -> Result<Found> {
        let params = self.params;
        for _ in 0..params.warps {
            self.linearise(frames, pairs)?;
            if params.illumination_limit > 0.0 {
                self.follow_light(light)?;
            }
            for _ in 0..params.rounds {
                for _ in 0..params.iterations {
                    self.iterate()?;
                }
                self.filter()?;
            }
        }
        Ok(self.found)
    }

    fn kernel(&self, name: &'static str) -> Result<Launch<'a>> {
        self.gpu.kernel(Source::Flow, name)
    }

    fn linearise(&mut self, frames: &Buffer, pairs: &Buffer<i32>) -> Result<()> {
        self.kernel("flow_linearise")?
            .read(frames)
            .read(pairs)
            .read(&self.found.flow)
            .read(&self.found.change)
            .write(&mut self.data)
            .write(&mut self.error)
            .float(self.params.gradient_blend)
            .float(self.params.illumination_limit)
            .over_planes(self.pairs, self.size)
    }

    /// Adds the smoothed mean of the error to the change of illumination.
    fn follow_light(&mut self, light: &Gaussian<'_>) -> Result<()> {
        let ((width, height), (across, down)) = (self.size, self.across);
        let kernel = self.kernel("flow_cell_means")?;
        let [means, between, smooth] = &mut self.cells;
        kernel.read(&self.error).write(means).ints([width, height]).over_planes(self.pairs, self.across)?;
        light.smooth(means, between, smooth, self.pairs, self.across)?;
        self.kernel("flow_light")?
            .read(&self.cells[2])
            .write(&mut self.found.change)
            .write(&mut self.data)
            .ints([across, down])
            .over_planes(self.pairs, self.size)
    }

    /// Does a primal and a dual step. Each changes its pixel in place and reads only neighbours in the other's variables.
    fn iterate(&mut self) -> Result<()> {
        let Params { theta, lambda, tau, .. } = *self.params;
        self.kernel("flow_primal")?
            .write(&mut self.found.flow)
            .read(&self.data)
            .read(&self.duals)
            .float(theta)
            .float(lambda * theta)
            .over_planes(self.pairs, self.size)?;
        self.kernel("flow_dual")?
            .read(&self.found.flow)
            .write(&mut self.duals)
            .float(tau / theta)
            .over_planes(self.pairs, self.size)
    }

    /// Passes both components through the median filter.
    fn filter(&mut self) -> Result<()> {
        let name = if self.params.median == Median::Five { "flow_median_5" } else { "flow_median_3" };
        let Some(mut filtered) = self.filtered.take() else { return Ok(()) };
        let kernel = self.kernel(name)?.read(&self.found.flow).write(&mut filtered);
        kernel.over_planes(2 * self.pairs, self.size)?;
        self.filtered = Some(std::mem::replace(&mut self.found.flow, filtered));
        Ok(())
    }
}
