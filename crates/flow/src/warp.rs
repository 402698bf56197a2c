//! Warping: the second picture and its gradient where the flow points.

use crate::plane::Plane;
use crate::solver::{DataTerm, State};

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
    let stride = second.width + 2 * BORDER;
    let right = (second.width - 1) as f32;
    let bottom = (second.height - 1) as f32;
    let n = first.width;
    let (u, v) = (&state.u[0].row(y)[..n], &state.u[1].row(y)[..n]);
    let intensity = &first.row(y)[..n];
    let [gx, gy] = &mut data.gradient;
    let (gx, gy) = (&mut gx.row_mut(y)[..n], &mut gy.row_mut(y)[..n]);
    let warped = &mut data.constant.row_mut(y)[..n];
    for x in 0..n {
        let (to_x, to_y) = (x as f32 + u[x], y as f32 + v[x]);
        let inside = to_x >= 0.0 && to_x <= right && to_y >= 0.0 && to_y <= bottom;
        if !inside {
            (gx[x], gy[x], warped[x]) = (0.0, 0.0, intensity[x]);
            continue;
        }
        let (left, top) = (to_x as usize, to_y as usize);
        let (wx, dx) = cubic(to_x - left as f32);
        let (wy, dy) = cubic(to_y - top as f32);
        let mut values = [0.0; 4];
        let mut slopes = [0.0; 4];
        // The first tap is at left - 1, top - 1: with the border, one further.
        let corner = (top + BORDER - 1) * stride + left + BORDER - 1;
        for (tap, (wy, dy)) in wy.into_iter().zip(dy).enumerate() {
            let at = corner + tap * stride;
            let taps = &second.data[at..at + 4];
            for k in 0..4 {
                values[k] += wy * taps[k];
                slopes[k] += dy * taps[k];
            }
        }
        warped[x] = dot(wx, values);
        gx[x] = dot(dx, values);
        gy[x] = dot(wx, slopes);
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

#[inline(always)]
fn dot(a: [f32; 4], b: [f32; 4]) -> f32 {
    (a[0] * b[0] + a[1] * b[1]) + (a[2] * b[2] + a[3] * b[3])
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
