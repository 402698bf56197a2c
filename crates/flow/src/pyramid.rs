//! Smoothing and resizing of pictures and fields.

use crate::plane::Plane;

/// Smallest side of a level: below it a picture has too little to match.
const SMALLEST_SIDE: usize = 8;

/// Width and height of each level, finest first. Sides shrink by
/// `scale_factor` a level while both are at least 8 pixels.
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

/// The standard deviation that suits a shrinking by `scale_factor`: that of
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
    /// Cut off at three standard deviations; a standard deviation of 0 changes
    /// nothing.
    pub(crate) fn new(sigma: f32) -> Self {
        let radius = (3.0 * sigma).ceil() as usize;
        let tap = |i: usize| (-0.5 * (i as f32 / sigma).powi(2)).exp();
        let mut taps = vec![1.0];
        taps.extend((1..=radius).map(tap));
        let sum = 2.0 * taps.iter().sum::<f32>() - 1.0;
        taps.iter_mut().for_each(|tap| *tap /= sum);
        Self { taps }
    }

    /// `to` = `from` smoothed, border pixels repeated outwards; both of a size.
    pub(crate) fn smooth(&self, from: &Plane, to: &mut Plane, scratch: &mut Plane) {
        pulp::Arch::new().dispatch(Smooth { kernel: self, from, to, scratch });
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
    fn smooth_along(&self, row: &[f32], line: &mut Vec<f32>, out: &mut [f32]) {
        let radius = self.taps.len() - 1;
        let width = row.len();
        line.clear();
        line.resize(radius, row[0]);
        line.extend_from_slice(row);
        line.resize(width + 2 * radius, row[width - 1]);
        for (out, &value) in out.iter_mut().zip(row) {
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
    to: &'a mut Plane,
    scratch: &'a mut Plane,
}

impl pulp::NullaryFnOnce for Smooth<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { kernel, from, to, scratch } = self;
        for y in 0..from.height {
            kernel.smooth_down(from, y, scratch.row_mut(y));
        }
        let mut line = Vec::new();
        for y in 0..from.height {
            kernel.smooth_along(scratch.row(y), &mut line, to.row_mut(y));
        }
    }
}

/// Resizes `from` to the size of `to` by bilinear interpolation between pixel
/// centres, multiplying by `factor`.
pub(crate) fn resize(from: &Plane, to: &mut Plane, factor: f32) {
    let columns = Sampling::new(from.width, to.width);
    let rows = Sampling::new(from.height, to.height);
    for y in 0..to.height {
        let (top, bottom, down) = rows.at(y);
        let (top, bottom) = (from.row(top), from.row(bottom));
        for (x, out) in to.row_mut(y).iter_mut().enumerate() {
            let (left, right, along) = columns.at(x);
            let above = top[left] + along * (top[right] - top[left]);
            let below = bottom[left] + along * (bottom[right] - bottom[left]);
            *out = factor * (above + down * (below - above));
        }
    }
}

/// Where the pixels of a resized line lie in the line it comes from.
struct Sampling {
    step: f32,
    last: usize,
}

impl Sampling {
    fn new(from: usize, to: usize) -> Self {
        Self { step: from as f32 / to as f32, last: from - 1 }
    }

    /// The two neighbours of pixel `to` and the share of the second.
    #[inline(always)]
    fn at(&self, to: usize) -> (usize, usize, f32) {
        let position = ((to as f32 + 0.5) * self.step - 0.5).clamp(0.0, self.last as f32);
        let low = position as usize;
        (low, (low + 1).min(self.last), position - low as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        let mut scratch = Plane::new(13, 7);
        Gaussian::new(1.3).smooth(&from, &mut smooth, &mut scratch);
        let mut small = Plane::new(6, 3);
        resize(&smooth, &mut small, 2.0);
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
        resize(&from, &mut to, 1.0);
        assert_eq!(to.row(0), [0.5, 2.5, 4.5, 6.5]);
    }
}
