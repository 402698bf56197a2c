//! Warping: the second picture and its gradient where the flow points.

use crate::plane::{LANES, Plane};
use crate::solver::{DataTerm, State, clamp};

/// Columns and rows repeated round a picture: a cubic reaches two pixels out.
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

/// Linearises the data term about the flow of `state`.
///
/// The second picture is interpolated by the cubic of Keys 1981 (Catmull-Rom)
/// and its gradient is the gradient of that same interpolant. Where the flow
/// points out of the picture there is nothing to compare, and the data term is
/// switched off.
pub(crate) fn linearise(first: &Plane, second: &Bordered, state: &State, data: &mut DataTerm) {
    pulp::Arch::new().dispatch(Linearise { first, second, state, data });
}

struct Linearise<'a> {
    first: &'a Plane,
    second: &'a Bordered,
    state: &'a State,
    data: &'a mut DataTerm,
}

impl pulp::NullaryFnOnce for Linearise<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { first, second, state, data } = self;
        for y in 0..first.height {
            warp_row(first, second, state, data, y);
            complete_row(first, state, data, y);
        }
    }
}

/// Interpolates row `y`: the gradient goes to its place in `data`, the warped
/// intensity to `data.constant`.
#[inline(always)]
fn warp_row(first: &Plane, second: &Bordered, state: &State, data: &mut DataTerm, y: usize) {
    let [gx, gy] = &mut data.gradient;
    let rows = [gx.padded_row_mut(y), gy.padded_row_mut(y), data.constant.padded_row_mut(y)];
    let [gx, gy, warped] = rows;
    let (u, v) = (state.u[0].padded_row(y), state.u[1].padded_row(y));
    let intensity = first.padded_row(y);
    let last = [(second.width - 1) as f32, (second.height - 1) as f32];
    let mut block = Block::default();
    for start in (0..first.width).step_by(LANES) {
        let span = start..start + LANES;
        block.locate(&u[span.clone()], &v[span.clone()], start as f32, y as f32, last);
        block.gather(second);
        block.interpolate(
            &intensity[span.clone()],
            &mut gx[span.clone()],
            &mut gy[span.clone()],
            &mut warped[span],
        );
    }
}

/// A vector of pixels on its way through the interpolation. The fetching of
/// pixels is the one part that goes pixel by pixel.
#[derive(Default)]
struct Block {
    /// The pixel to the upper left of where the flow points.
    left: [i32; LANES],
    top: [i32; LANES],
    /// The way to the right from there.
    along: [f32; LANES],
    /// The weights of the four rows, and their derivatives.
    weights: [[f32; LANES]; 4],
    weight_slopes: [[f32; LANES]; 4],
    /// 1 where the flow points into the picture, 0 elsewhere.
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
            // The first tap is one up and one to the left: with the border,
            // one further down and to the right.
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
    fn interpolate(&self, intensity: &[f32], gx: &mut [f32], gy: &mut [f32], warped: &mut [f32]) {
        let intensity = &intensity[..LANES];
        let (gx, gy, warped) = (&mut gx[..LANES], &mut gy[..LANES], &mut warped[..LANES]);
        let [v0, v1, v2, v3] = &self.values;
        let [s0, s1, s2, s3] = &self.slopes;
        for i in 0..LANES {
            let ([w0, w1, w2, w3], [d0, d1, d2, d3]) = cubic(self.along[i]);
            let value = (w0 * v0[i] + w1 * v1[i]) + (w2 * v2[i] + w3 * v3[i]);
            gx[i] = self.inside[i] * ((d0 * v0[i] + d1 * v1[i]) + (d2 * v2[i] + d3 * v3[i]));
            gy[i] = self.inside[i] * ((w0 * s0[i] + w1 * s1[i]) + (w2 * s2[i] + w3 * s3[i]));
            warped[i] = if self.inside[i] == 1.0 { value } else { intensity[i] };
        }
    }
}

/// From the warped intensity to the constant of the linearised data term.
#[inline(always)]
fn complete_row(first: &Plane, state: &State, data: &mut DataTerm, y: usize) {
    let constant = data.constant.padded_row_mut(y);
    let inverse = data.inverse.padded_row_mut(y);
    let n = constant.len();
    let inverse = &mut inverse[..n];
    let [gx, gy] = [&data.gradient[0], &data.gradient[1]].map(|plane| &plane.padded_row(y)[..n]);
    let [u, v] = [&state.u[0], &state.u[1]].map(|plane| &plane.padded_row(y)[..n]);
    let intensity = &first.padded_row(y)[..n];
    for i in 0..n {
        constant[i] = constant[i] - intensity[i] - (gx[i] * u[i] + gy[i] * v[i]);
        inverse[i] = 1.0 / (gx[i] * gx[i] + gy[i] * gy[i] + 1e-9);
    }
}

/// The weights of the four taps at distance `t` past the second, and their
/// derivatives.
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
        let mut state = State::new(9, 9);
        for y in 0..9 {
            state.u[0].row_mut(y).fill(0.25);
            state.u[1].row_mut(y).fill(-0.5);
        }
        let mut data = DataTerm::new(9, 9);
        linearise(&picture, &second, &state, &mut data);
        for x in 2..6 {
            let to = x as f32 + 0.25;
            let (gx, gy) = (data.gradient[0].row(4)[x], data.gradient[1].row(4)[x]);
            assert!((gx - 2.0 * to).abs() < 1e-4, "{gx}");
            assert!((gy - 3.0).abs() < 1e-4, "{gy}");
            let difference = to * to + 3.0 * 3.5 - picture.row(4)[x];
            let rho = data.constant.row(4)[x] + gx * 0.25 - gy * 0.5;
            assert!((rho - difference).abs() < 1e-4, "{rho} {difference}");
        }
    }
}
