//! Smooths frames and shrinks them to pyramids.

use candle_core::Result;

use super::Params;
use crate::cuda::gpu::Source;
use crate::cuda::{Buffer, Gpu};

/// Smallest side of a level.
const SMALLEST_SIDE: usize = 8;

/// Returns the width and height of each level, finest first.
pub(super) fn level_sizes(
    (width, height): (usize, usize),
    levels: usize,
    scale_factor: f32,
) -> Vec<(usize, usize)> {
    let mut sizes = vec![(width, height)];
    for level in 1..levels {
        let scale = f64::from(scale_factor).powi(level as i32);
        let [width, height] = [width, height].map(|side| (side as f64 * scale).round() as usize);
        if width.min(height) < SMALLEST_SIDE {
            break;
        }
        sizes.push((width, height));
    }
    sizes
}

/// Computes one side of a Gaussian, its middle first, cut off at three standard deviations.
fn taps(sigma: f32) -> Vec<f32> {
    let radius = (3.0 * sigma).ceil() as usize;
    let tap = |i: usize| (-0.5 * (i as f32 / sigma).powi(2)).exp();
    let mut taps = vec![1.0];
    taps.extend((1..=radius).map(tap));
    let sum = 2.0 * taps.iter().sum::<f32>() - 1.0;
    taps.iter_mut().for_each(|tap| *tap /= sum);
    taps
}

/// A Gaussian on the device.
pub(super) struct Gaussian<'a> {
    gpu: &'a Gpu,
    taps: Buffer,
}

impl<'a> Gaussian<'a> {
    pub(super) fn new(gpu: &'a Gpu, sigma: f32) -> Result<Self> {
        Ok(Self { gpu, taps: gpu.upload(&taps(sigma))? })
    }

    /// Smooths (planes, H, W) into `to`, with `between` as scratch; border pixels are repeated outwards.
    pub(super) fn smooth(
        &self,
        from: &Buffer,
        between: &mut Buffer,
        to: &mut Buffer,
        planes: usize,
        size: (usize, usize),
    ) -> Result<()> {
        let radius = self.taps.count() - 1;
        let kernel = |name| self.gpu.kernel(Source::Flow, name);
        kernel("flow_smooth_down")?
            .read(from)
            .write(between)
            .read(&self.taps)
            .int(radius)
            .over_planes(planes, size)?;
        kernel("flow_smooth_along")?
            .read(between)
            .write(to)
            .read(&self.taps)
            .int(radius)
            .over_planes(planes, size)
    }
}

/// The resizing of a stack of planes between two sizes (W, H).
#[derive(Debug, Clone, Copy)]
pub(super) struct Resize {
    pub(super) from: (usize, usize),
    pub(super) to: (usize, usize),
    /// Number of planes of two kinds, and the factors of their values.
    pub(super) planes: [usize; 2],
    pub(super) factors: [f32; 2],
}

impl Resize {
    /// Resizes by bilinear interpolation between pixel centres.
    pub(super) fn run(self, gpu: &Gpu, from: &Buffer, to: &mut Buffer) -> Result<()> {
        let Self { from: small, to: large, planes: [first, second], factors } = self;
        gpu.kernel(Source::Flow, "flow_resize")?
            .read(from)
            .write(to)
            .float(small.0 as f32 / large.0 as f32)
            .float(small.1 as f32 / large.1 as f32)
            .float(factors[0])
            .float(factors[1])
            .ints([first, small.0, small.1])
            .over_planes(first + second, large)
    }
}

/// The pyramids of all frames of a batch.
pub(super) struct Pyramid {
    /// Width and height of each level, finest first.
    pub(super) sizes: Vec<(usize, usize)>,
    /// Frames of each level, (frames, H, W).
    pub(super) levels: Vec<Buffer>,
}

impl Pyramid {
    pub(super) fn new(
        gpu: &Gpu,
        params: &Params,
        sizes: &[(usize, usize)],
        frames: &[&[f32]],
    ) -> Result<Self> {
        let count = frames.len();
        let values = |(width, height): (usize, usize)| count * width * height;
        // SAFETY: the frames fill the first, which is as large as they are together; every kernel below writes all of
        // its target, as many planes of that level's size as there are frames, before another reads it.
        let room = |size| unsafe { gpu.unwritten::<f32>(values(size)) };
        let mut given = room(sizes[0])?;
        for (number, frame) in frames.iter().enumerate() {
            given.write_part(gpu, number * frame.len(), frame)?;
        }
        let mut between = room(sizes[0])?;
        let mut finest = room(sizes[0])?;
        Gaussian::new(gpu, params.smoothing)?.smooth(&given, &mut between, &mut finest, count, sizes[0])?;
        // Standard deviation for shrinking: Sanchez, Meinhardt-Llopis and Facciolo (IPOL 2013).
        let shrinking = Gaussian::new(gpu, 0.6 * (params.scale_factor.powi(-2) - 1.0).sqrt())?;
        let mut smooth = given;
        let mut levels = vec![finest];
        for (level, pair) in sizes.windows(2).enumerate() {
            let (from, to) = (pair[0], pair[1]);
            shrinking.smooth(&levels[level], &mut between, &mut smooth, count, from)?;
            let mut coarser = room(to)?;
            Resize { from, to, planes: [count, 0], factors: [1.0, 1.0] }.run(gpu, &smooth, &mut coarser)?;
            levels.push(coarser);
        }
        Ok(Self { sizes: sizes.to_vec(), levels })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_stop_before_a_side_gets_too_small() {
        assert_eq!(level_sizes((64, 64), 9, 0.5), [(64, 64), (32, 32), (16, 16), (8, 8)]);
        assert_eq!(level_sizes((80, 64), 2, 0.5), [(80, 64), (40, 32)]);
        assert_eq!(level_sizes((1, 500), 5, 0.5), [(1, 500)]);
    }

    #[test]
    fn taps_sum_to_one_and_none_is_one_tap() {
        assert_eq!(taps(0.0), [1.0]);
        let taps = taps(1.3);
        assert!((taps[0] + 2.0 * taps[1..].iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
}
