//! Smoothing and resizing of pictures and fields.

use std::ops::Range;

use crate::bands::{self, Bands};
use crate::plane::{Plane, Rows};

/// Smallest side of a level in pixels; smaller pictures have too little to match.
const SMALLEST_SIDE: usize = 8;

/// Returns the width and height of each level, finest first. Sides shrink by
/// `scale_factor` per level while both are at least 8 pixels.
pub(crate) fn level_sizes(
    width: usize,
    height: usize,
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

/// Smallest side of a level of halves in pixels.
const SMALLEST_HALF: usize = 12;

/// Returns the width and height of each level of a pyramid of halves, finest first. Odd sides are rounded up. A level
/// whose shorter side is below 12 pixels is left out.
pub(crate) fn half_sizes(width: usize, height: usize, levels: usize) -> Vec<(usize, usize)> {
    let mut sizes = vec![(width, height)];
    let (mut width, mut height) = (width, height);
    for _ in 1..levels {
        (width, height) = (width.div_ceil(2), height.div_ceil(2));
        if width.min(height) < SMALLEST_HALF {
            break;
        }
        sizes.push((width, height));
    }
    sizes
}

/// Halves `from` into `to`: each pixel is the mean of four. Border pixels of odd sides are repeated outwards.
pub(crate) fn halve(from: &Plane, to: &mut Plane, bands: &Bands) {
    bands::each(bands.ranges().zip(to.bands_mut(bands)), |(rows, to)| {
        pulp::Arch::new().dispatch(Halve { from, rows, to });
    });
}

struct Halve<'a> {
    from: &'a Plane,
    rows: Range<usize>,
    to: Rows<'a>,
}

impl pulp::NullaryFnOnce for Halve<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { from, rows, mut to } = self;
        let mut line = vec![0.0; from.width + 1];
        for y in rows {
            let (above, below) = (from.row(2 * y), from.row((2 * y + 1).min(from.height - 1)));
            for ((out, &above), &below) in line.iter_mut().zip(above).zip(below) {
                *out = above + below;
            }
            line[from.width] = line[from.width - 1];
            for (out, pair) in to.row_mut(y).iter_mut().zip(line.as_chunks::<2>().0) {
                *out = 0.25 * (pair[0] + pair[1]);
            }
            to.repeat_ends(y);
        }
    }
}

/// Doubles `from` into `to` by bilinear interpolation, multiplying by `factor`. Undoes [`halve`], so `to` has twice the
/// sides of `from`, or one less.
pub(crate) fn double(from: &Plane, to: &mut Plane, factor: f32, bands: &Bands) {
    bands::each(bands.ranges().zip(to.bands_mut(bands)), |(rows, to)| {
        pulp::Arch::new().dispatch(Double { from, factor, rows, to });
    });
}

struct Double<'a> {
    from: &'a Plane,
    factor: f32,
    rows: Range<usize>,
    to: Rows<'a>,
}

impl pulp::NullaryFnOnce for Double<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { from, factor, rows, mut to } = self;
        let width = from.width;
        // With the first and the last value repeated once.
        let mut line = vec![0.0; width + 2];
        for y in rows {
            let near = y / 2;
            // The nearer row has three quarters of the weight.
            let far = if y % 2 == 0 { near.saturating_sub(1) } else { (near + 1).min(from.height - 1) };
            for ((out, &near), &far) in line[1..].iter_mut().zip(from.row(near)).zip(from.row(far)) {
                *out = factor * (0.75 * near + 0.25 * far);
            }
            line[0] = line[1];
            line[width + 1] = line[width];
            let out = to.row_mut(y);
            let (pairs, odd) = out.as_chunks_mut::<2>();
            let whole = pairs.len();
            for (pair, near) in pairs.iter_mut().zip(line.windows(3)) {
                pair[0] = 0.75 * near[1] + 0.25 * near[0];
                pair[1] = 0.75 * near[1] + 0.25 * near[2];
            }
            if let Some(last) = odd.first_mut() {
                *last = 0.75 * line[whole + 1] + 0.25 * line[whole];
            }
            to.repeat_ends(y);
        }
    }
}

/// Returns the standard deviation for shrinking by `scale_factor`, as in
/// Sanchez, Meinhardt-Llopis and Facciolo, "TV-L1 Optical Flow Estimation"
/// (IPOL 2013).
pub(crate) fn sigma_for(scale_factor: f32) -> f32 {
    0.6 * (scale_factor.powi(-2) - 1.0).sqrt()
}

/// A Gaussian kernel, one side of it: the centre and the taps to its right.
#[derive(Debug, Clone)]
pub(crate) struct Gaussian {
    taps: Vec<f32>,
}

impl Gaussian {
    /// Creates a kernel cut off at three standard deviations; a standard deviation
    /// of 0 gives the identity.
    pub(crate) fn new(sigma: f32) -> Self {
        let radius = (3.0 * sigma).ceil() as usize;
        let tap = |i: usize| (-0.5 * (i as f32 / sigma).powi(2)).exp();
        let mut taps = vec![1.0];
        taps.extend((1..=radius).map(tap));
        let sum = 2.0 * taps.iter().sum::<f32>() - 1.0;
        taps.iter_mut().for_each(|tap| *tap /= sum);
        Self { taps }
    }

    /// Smooths `from` into `to`, of the same size, with border pixels repeated outwards.
    pub(crate) fn smooth(&self, from: &Plane, to: &mut Plane, bands: &Bands) {
        bands::each(bands.ranges().zip(to.bands_mut(bands)), |(rows, to)| {
            pulp::Arch::new().dispatch(Smooth { kernel: self, from, rows, to });
        });
    }

    #[inline(always)]
    fn smooth_down(&self, from: &Plane, y: usize, out: &mut [f32]) {
        let centre = from.row(y);
        for (out, &value) in out.iter_mut().zip(centre) {
            *out = self.taps[0] * value;
        }
        for (distance, &tap) in self.taps.iter().enumerate().skip(1) {
            let above = from.row(y.saturating_sub(distance));
            let below = from.row((y + distance).min(from.height - 1));
            for ((out, &above), &below) in out.iter_mut().zip(above).zip(below) {
                *out += tap * (above + below);
            }
        }
    }

    #[inline(always)]
    fn smooth_along(&self, line: &mut [f32], out: &mut [f32]) {
        let radius = self.taps.len() - 1;
        let width = out.len();
        let (first, last) = (line[radius], line[radius + width - 1]);
        line[..radius].fill(first);
        line[radius + width..].fill(last);
        for (out, &value) in out.iter_mut().zip(&line[radius..]) {
            *out = self.taps[0] * value;
        }
        for (distance, &tap) in self.taps.iter().enumerate().skip(1) {
            let left = &line[radius - distance..][..width];
            let right = &line[radius + distance..][..width];
            for ((out, &left), &right) in out.iter_mut().zip(left).zip(right) {
                *out += tap * (left + right);
            }
        }
    }
}

struct Smooth<'a> {
    kernel: &'a Gaussian,
    from: &'a Plane,
    rows: Range<usize>,
    to: Rows<'a>,
}

impl pulp::NullaryFnOnce for Smooth<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { kernel, from, rows, mut to } = self;
        let radius = kernel.taps.len() - 1;
        let mut line = vec![0.0; from.width + 2 * radius];
        for y in rows {
            kernel.smooth_down(from, y, &mut line[radius..radius + from.width]);
            kernel.smooth_along(&mut line, to.row_mut(y));
            to.repeat_ends(y);
        }
    }
}

/// Resizes `from` to the size of `to` by bilinear interpolation between pixel
/// centres, multiplying by `factor`.
pub(crate) fn resize(from: &Plane, to: &mut Plane, factor: f32, bands: &Bands) {
    let sampling = Sampling::new(from.width, to.width);
    let columns: Vec<(usize, f32)> = (0..to.width).map(|x| sampling.at(x)).collect();
    let down = Sampling::new(from.height, to.height);
    bands::each(bands.ranges().zip(to.bands_mut(bands)), |(rows, to)| {
        pulp::Arch::new().dispatch(Resize { from, factor, columns: &columns, down: &down, rows, to });
    });
}

struct Resize<'a> {
    from: &'a Plane,
    factor: f32,
    columns: &'a [(usize, f32)],
    down: &'a Sampling,
    rows: Range<usize>,
    to: Rows<'a>,
}

impl pulp::NullaryFnOnce for Resize<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { from, factor, columns, down, rows, mut to } = self;
        // One value more than the row, so that the last column has a right
        // neighbour.
        let mut line = vec![0.0; from.width + 1];
        for y in rows {
            let (top, share) = down.at(y);
            let (above, below) = (from.row(top), from.row((top + 1).min(from.height - 1)));
            for ((out, &above), &below) in line.iter_mut().zip(above).zip(below) {
                *out = factor * (above + share * (below - above));
            }
            line[from.width] = line[from.width - 1];
            for (out, &(left, along)) in to.row_mut(y).iter_mut().zip(columns) {
                *out = line[left] + along * (line[left + 1] - line[left]);
            }
            to.repeat_ends(y);
        }
    }
}

/// Positions of the pixels of a resized line in the original line.
struct Sampling {
    step: f32,
    last: usize,
}

impl Sampling {
    fn new(from: usize, to: usize) -> Self {
        Self { step: from as f32 / to as f32, last: from - 1 }
    }

    /// Returns the first neighbour of pixel `to`, and the share of the second.
    #[inline(always)]
    fn at(&self, to: usize) -> (usize, f32) {
        let position = ((to as f32 + 0.5) * self.step - 0.5).clamp(0.0, self.last as f32);
        let low = position as usize;
        (low, position - low as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(width: usize, height: usize) -> Bands {
        Bands::new(width, height, std::num::NonZeroUsize::MIN)
    }

    #[test]
    fn levels_stop_before_a_side_gets_too_small() {
        assert_eq!(level_sizes(64, 64, 9, 0.5), [(64, 64), (32, 32), (16, 16), (8, 8)]);
        assert_eq!(level_sizes(80, 64, 2, 0.5), [(80, 64), (40, 32)]);
        assert_eq!(level_sizes(1, 500, 5, 0.5), [(1, 500)]);
    }

    #[test]
    fn smoothing_and_resizing_keep_a_constant() {
        let mut from = Plane::new(13, 7);
        (0..7).for_each(|y| from.row_mut(y).fill(42.0));
        let mut smooth = Plane::new(13, 7);
        Gaussian::new(1.3).smooth(&from, &mut smooth, &one(13, 7));
        let mut small = Plane::new(6, 3);
        resize(&smooth, &mut small, 2.0, &one(6, 3));
        for y in 0..3 {
            assert!(small.row(y).iter().all(|&v| (v - 84.0).abs() < 1e-3));
        }
    }

    #[test]
    fn halving_a_ramp_samples_between_the_centres() {
        let mut from = Plane::new(8, 1);
        let ramp: Vec<f32> = (0..8).map(|x| x as f32).collect();
        from.row_mut(0).copy_from_slice(&ramp);
        let mut to = Plane::new(4, 1);
        resize(&from, &mut to, 1.0, &one(4, 1));
        assert_eq!(to.row(0), [0.5, 2.5, 4.5, 6.5]);
    }
}
