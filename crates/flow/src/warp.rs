//! Warping: samples the second picture and its gradient at the points to which the flow leads.

use std::ops::Range;

use crate::bands::{self, Bands};
use crate::light::Light;
use crate::plane::{LANES, Plane, Rows};
use crate::solver::{DataTerm, clamp};

/// Columns and rows repeated around a picture: a cubic reaches two pixels out.
const BORDER: usize = 2;

/// A picture with its border pixels repeated outwards.
#[derive(Debug, Clone)]
pub(crate) struct Bordered {
    width: usize,
    height: usize,
    data: Vec<f32>,
}

impl Bordered {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let data = vec![0.0; (width + 2 * BORDER) * (height + 2 * BORDER)];
        Self { width, height, data }
    }

    /// Takes over a picture of the same size.
    pub(crate) fn fill(&mut self, picture: &Plane) {
        let stride = self.width + 2 * BORDER;
        for (y, row) in self.data.chunks_exact_mut(stride).enumerate() {
            let source = picture.row(y.saturating_sub(BORDER).min(self.height - 1));
            row[..BORDER].fill(source[0]);
            row[BORDER..BORDER + self.width].copy_from_slice(source);
            row[BORDER + self.width..].fill(source[self.width - 1]);
        }
    }
}

/// Input of the data term.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    /// The first picture; the ends of its rows are repeated.
    pub(crate) first: &'a Plane,
    pub(crate) second: &'a Bordered,
    /// The flow to linearise about.
    pub(crate) flow: &'a [Plane; 2],
    /// Share of the first picture's gradient.
    pub(crate) blend: f32,
    /// Maximum change of the illumination estimate by one pixel.
    pub(crate) limit: f32,
}

/// Linearises the data term about a flow.
///
/// The second picture is interpolated by the cubic of Keys 1981 (Catmull-Rom)
/// and its gradient is the gradient of that same interpolant. The gradient of
/// the data term is a blend of it and the first picture's (central differences),
/// as in Wedel et al. 2009: the mean of the two halves the variance of the noise,
/// and makes the linearisation exact to second order. Pixels whose flow leads out
/// of the picture cannot be compared, so their data term is switched off.
///
/// `data` does not include the change of illumination yet; the part of the
/// difference that this change leaves unexplained goes to `light.error`.
pub(crate) fn linearise(pair: Pair<'_>, data: &mut DataTerm, light: &mut Light, bands: &Bands) {
    let [gx, gy] = &mut data.gradient;
    let gradients = gx.bands_mut(bands).into_iter().zip(gy.bands_mut(bands));
    let others = data.constant.bands_mut(bands).into_iter().zip(data.inverse.bands_mut(bands));
    let parts = bands.ranges().zip(gradients).zip(others).zip(light.error.bands_mut(bands));
    let change = &light.change;
    bands::each(parts, |(((rows, (gx, gy)), (constant, inverse)), error)| {
        let out = Out { gx, gy, constant, inverse, error };
        pulp::Arch::new().dispatch(Linearise { pair, change, rows, out });
    });
}

struct Out<'a> {
    gx: Rows<'a>,
    gy: Rows<'a>,
    constant: Rows<'a>,
    inverse: Rows<'a>,
    error: Rows<'a>,
}

struct Linearise<'a> {
    pair: Pair<'a>,
    change: &'a Plane,
    rows: Range<usize>,
    out: Out<'a>,
}

impl pulp::NullaryFnOnce for Linearise<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { pair, change, rows, mut out } = self;
        let mut block = Block::default();
        for y in rows {
            warp_row(pair, &mut block, &mut out, y);
            complete_row(pair, change, &mut out, y);
        }
    }
}

/// Interpolates row `y`: writes the gradient, the difference of intensities to
/// the constant, and to the error 1 if the flow leads into the picture, else 0.
#[inline(always)]
fn warp_row(pair: Pair<'_>, block: &mut Block, out: &mut Out<'_>, y: usize) {
    let Pair { first, second, flow, .. } = pair;
    let (u, v) = (flow[0].padded_row(y), flow[1].padded_row(y));
    let intensity = first.padded_row(y);
    let gx = out.gx.padded_row_mut(y);
    let gy = out.gy.padded_row_mut(y);
    let difference = out.constant.padded_row_mut(y);
    let inside = out.error.padded_row_mut(y);
    let last = [(second.width - 1) as f32, (second.height - 1) as f32];
    for start in (0..first.width).step_by(LANES) {
        let span = start..start + LANES;
        block.locate(&u[span.clone()], &v[span.clone()], start as f32, y as f32, last);
        block.gather(second);
        block.interpolate(
            &intensity[span.clone()],
            [&mut gx[span.clone()], &mut gy[span.clone()], &mut difference[span.clone()], &mut inside[span]],
        );
    }
}

/// Blends the gradients, and completes the constant and the error of row `y`.
#[inline(always)]
fn complete_row(pair: Pair<'_>, change: &Plane, out: &mut Out<'_>, y: usize) {
    let Pair { first, flow, blend, limit, .. } = pair;
    let gx = out.gx.padded_row_mut(y);
    let n = gx.len();
    let gy = &mut out.gy.padded_row_mut(y)[..n];
    let constant = &mut out.constant.padded_row_mut(y)[..n];
    let inverse = &mut out.inverse.padded_row_mut(y)[..n];
    let error = &mut out.error.padded_row_mut(y)[..n];
    let change = &change.padded_row(y)[..n];
    let [u, v] = [&flow[0].padded_row(y)[..n], &flow[1].padded_row(y)[..n]];
    let (left, right) = (&first.left_of_row(y)[..n], &first.right_of_row(y)[..n]);
    let above = &first.padded_row(y.saturating_sub(1))[..n];
    let below = &first.padded_row((y + 1).min(first.height - 1))[..n];
    for i in 0..n {
        let inside = error[i];
        let x = gx[i] + blend * (0.5 * (right[i] - left[i]) - gx[i]);
        let y = gy[i] + blend * (0.5 * (below[i] - above[i]) - gy[i]);
        let difference = inside * constant[i];
        gx[i] = inside * x;
        gy[i] = inside * y;
        error[i] = inside * clamp(difference - change[i], -limit, limit);
        constant[i] = difference - (gx[i] * u[i] + gy[i] * v[i]);
        inverse[i] = 1.0 / (gx[i] * gx[i] + gy[i] * gy[i] + 1e-9);
    }
}

/// Intermediate values of the interpolation for a vector of pixels. Only the
/// fetching of pixels is done one by one.
#[derive(Default)]
struct Block {
    /// The pixel to the upper left of the point to which the flow leads.
    left: [i32; LANES],
    top: [i32; LANES],
    /// Distance of the point from there to the right.
    along: [f32; LANES],
    /// The weights of the four rows, and their derivatives.
    weights: [[f32; LANES]; 4],
    weight_slopes: [[f32; LANES]; 4],
    /// 1 if the flow leads into the picture, else 0.
    inside: [f32; LANES],
    /// Interpolated downwards, in each of four columns: intensity and slope.
    values: [[f32; LANES]; 4],
    slopes: [[f32; LANES]; 4],
}

impl Block {
    #[inline(always)]
    fn locate(&mut self, u: &[f32], v: &[f32], x: f32, y: f32, last: [f32; 2]) {
        let (u, v) = (&u[..LANES], &v[..LANES]);
        for i in 0..LANES {
            let (to_x, to_y) = (x + i as f32 + u[i], y + v[i]);
            let (in_x, in_y) = (clamp(to_x, 0.0, last[0]), clamp(to_y, 0.0, last[1]));
            self.inside[i] = if in_x == to_x && in_y == to_y { 1.0 } else { 0.0 };
            self.left[i] = in_x as i32;
            self.top[i] = in_y as i32;
            self.along[i] = in_x - self.left[i] as f32;
            let (weights, slopes) = cubic(in_y - self.top[i] as f32);
            for tap in 0..4 {
                self.weights[tap][i] = weights[tap];
                self.weight_slopes[tap][i] = slopes[tap];
            }
        }
    }

    #[inline(always)]
    fn gather(&mut self, second: &Bordered) {
        let stride = second.width + 2 * BORDER;
        for i in 0..LANES {
            // The first tap is one pixel up and to the left; the border shifts
            // it two pixels down and to the right.
            let (left, top) = (self.left[i] as usize, self.top[i] as usize);
            let corner = (top + BORDER - 1) * stride + left + BORDER - 1;
            let window = &second.data[corner..corner + 3 * stride + 4];
            let (mut values, mut slopes) = ([0.0; 4], [0.0; 4]);
            for tap in 0..4 {
                let taps = &window[tap * stride..tap * stride + 4];
                for column in 0..4 {
                    values[column] += self.weights[tap][i] * taps[column];
                    slopes[column] += self.weight_slopes[tap][i] * taps[column];
                }
            }
            for column in 0..4 {
                self.values[column][i] = values[column];
                self.slopes[column][i] = slopes[column];
            }
        }
    }

    #[inline(always)]
    fn interpolate(&self, intensity: &[f32], out: [&mut [f32]; 4]) {
        let intensity = &intensity[..LANES];
        let [gx, gy, difference, inside] = out;
        let (gx, gy) = (&mut gx[..LANES], &mut gy[..LANES]);
        let (difference, inside) = (&mut difference[..LANES], &mut inside[..LANES]);
        let [v0, v1, v2, v3] = &self.values;
        let [s0, s1, s2, s3] = &self.slopes;
        for i in 0..LANES {
            let ([w0, w1, w2, w3], [d0, d1, d2, d3]) = cubic(self.along[i]);
            let value = (w0 * v0[i] + w1 * v1[i]) + (w2 * v2[i] + w3 * v3[i]);
            gx[i] = (d0 * v0[i] + d1 * v1[i]) + (d2 * v2[i] + d3 * v3[i]);
            gy[i] = (w0 * s0[i] + w1 * s1[i]) + (w2 * s2[i] + w3 * s3[i]);
            difference[i] = value - intensity[i];
            inside[i] = self.inside[i];
        }
    }
}

/// Returns the weights of the four taps at distance `t` past the second, and
/// their derivatives.
#[inline(always)]
fn cubic(t: f32) -> ([f32; 4], [f32; 4]) {
    let weights = [
        t * (-0.5 + t * (1.0 - 0.5 * t)),
        1.0 + t * t * (-2.5 + 1.5 * t),
        t * (0.5 + t * (2.0 - 1.5 * t)),
        t * t * (-0.5 + 0.5 * t),
    ];
    let slopes =
        [-0.5 + t * (2.0 - 1.5 * t), t * (-5.0 + 4.5 * t), 0.5 + t * (4.0 - 4.5 * t), t * (-1.0 + 1.5 * t)];
    (weights, slopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cubic_weights_sum_to_one_and_their_slopes_to_zero() {
        for t in [0.0, 0.25, 0.5, 0.9] {
            let (weights, slopes) = cubic(t);
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
            assert!(slopes.iter().sum::<f32>().abs() < 1e-6);
        }
    }

    #[test]
    fn a_parabola_is_interpolated_exactly_with_its_slope() {
        let mut picture = Plane::new(9, 9);
        for y in 0..9 {
            for x in 0..9 {
                picture.row_mut(y)[x] = (x * x) as f32 + 3.0 * y as f32;
            }
        }
        let mut second = Bordered::new(9, 9);
        second.fill(&picture);
        let mut flow = [Plane::new(9, 9), Plane::new(9, 9)];
        for y in 0..9 {
            flow[0].row_mut(y).fill(0.25);
            flow[1].row_mut(y).fill(-0.5);
        }
        let bands = |width, height| Bands::new(width, height, std::num::NonZeroUsize::MIN);
        let (mut data, mut light) = (DataTerm::new(9, 9), Light::new(9, 9, bands));
        let pair = Pair { first: &picture, second: &second, flow: &flow, blend: 0.0, limit: 2.0 };
        linearise(pair, &mut data, &mut light, &bands(9, 9));
        for x in 2..6 {
            let to = x as f32 + 0.25;
            let (gx, gy) = (data.gradient[0].row(4)[x], data.gradient[1].row(4)[x]);
            assert!((gx - 2.0 * to).abs() < 1e-4, "{gx}");
            assert!((gy - 3.0).abs() < 1e-4, "{gy}");
            let difference = to * to + 3.0 * 3.5 - picture.row(4)[x];
            let rho = data.constant.row(4)[x] + gx * 0.25 - gy * 0.5;
            assert!((rho - difference).abs() < 1e-4, "{rho} {difference}");
            assert!((light.error.row(4)[x] - difference.clamp(-2.0, 2.0)).abs() < 1e-4);
        }
    }
}
