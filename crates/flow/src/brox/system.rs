//! The linear system of one fixed-point step: robust weights frozen at the
//! current flow.
//!
//! With U = (U, V) the unknown flow, each constraint k of a pixel is a linear
//! residual c_k + g_k U + h_k V (the `data` module computes the three):
//! k = 0 is the constancy of brightness, k = 1, 2 that of the two components
//! of the gradient. The step solves
//!
//! sum_k psi_k (g_k, h_k)^T (c_k + g_k U + h_k V) - alpha div(psi_s grad U) = 0
//!
//! for both components, where psi = 1 / sqrt(s^2 + epsilon^2) is (twice) the
//! derivative of the robust function at the flow of the previous step. Its
//! argument s^2 differs between the terms:
//!
//! - the squared residual of brightness for k = 0;
//! - the sum of both squared residuals of the gradient for k = 1 and 2, whose
//!   psi is multiplied by gamma;
//! - |grad U|^2 + |grad V|^2 for the smoothness, taken half-way between two
//!   pixels: the difference across, and along the mean of the central
//!   differences at both.

use std::num::NonZeroUsize;

use crate::bands::each;

use super::bands;
use super::data::{Data, FIELDS};
use super::grid::{Band, COLOURS, Grid, Rows, State, parity};

/// Weight between a pixel and its right neighbour.
pub(super) const WEIGHT_RIGHT: usize = 0;
/// Weight between a pixel and the one below.
pub(super) const WEIGHT_DOWN: usize = 1;
/// Both components of the right-hand side.
pub(super) const RIGHT_SIDE: [usize; 2] = [2, 3];
/// The inverse of the pixel's matrix: upper left, off the diagonal, lower right.
pub(super) const INVERSE: [usize; 3] = [4, 5, 6];

/// Added to the diagonal, so that a pixel without data and neighbours (a
/// picture of one pixel) has a solution, which is zero.
pub(super) const REGULAR: f32 = 1e-6;

/// The weights of the energy.
#[derive(Debug, Clone, Copy)]
pub(super) struct Weights {
    pub(super) alpha: f32,
    pub(super) gamma: f32,
    pub(super) epsilon: f32,
}

/// The coefficients of the system, in two colours.
#[derive(Debug, Clone, Default)]
pub(super) struct Coefficients {
    grid: Grid<7>,
    zeros: Vec<f32>,
}

impl Coefficients {
    pub(super) fn reshape(&mut self, width: usize, height: usize) {
        self.grid.reshape(width, height);
        self.zeros.clear();
        self.zeros.resize(self.grid.padded(), 0.0);
    }

    #[inline(always)]
    pub(super) fn rows(&self) -> Rows<'_, 7> {
        self.grid.rows()
    }

    /// Returns a row of zeros.
    #[inline(always)]
    pub(super) fn zeros(&self) -> &[f32] {
        &self.zeros
    }

    /// Builds the system of the flow `state`, on up to `threads` threads.
    pub(super) fn build(&mut self, state: &mut State, data: &Data, weights: Weights, threads: NonZeroUsize) {
        state.repeat_borders();
        let (width, height) = (state.width, state.height);
        let build = Build { state: state.rows(), data: data.rows(), weights, width, height };
        let padded = self.zeros.len();
        each(self.grid.bands_mut(&bands::cut(width, height, threads, 1)), |band| {
            let above = [vec![0.0; padded], vec![0.0; padded]];
            pulp::Arch::new().dispatch(BuildBand { build: &build, band, above });
        });
    }
}

/// Input of the system.
struct Build<'a> {
    state: Rows<'a, 2>,
    data: Rows<'a, FIELDS>,
    weights: Weights,
    width: usize,
    height: usize,
}

struct BuildBand<'a, 'b> {
    build: &'a Build<'a>,
    band: Band<'b, 7>,
    /// The downward weights of the row above the band, by colour.
    above: [Vec<f32>; 2],
}

impl pulp::NullaryFnOnce for BuildBand<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { build, mut band, mut above } = self;
        let rows = band.range();
        if let Some(y) = rows.start.checked_sub(1) {
            let mut right = vec![0.0; above[0].len()];
            for colour in COLOURS {
                build.smoothness(y, colour, &mut right, &mut above[colour]);
            }
        }
        for y in rows {
            for colour in COLOURS {
                let [right, down, ..] = band.fields_mut(y, colour);
                build.smoothness(y, colour, right, down);
            }
            for colour in COLOURS {
                build.pixels(&mut band, &above[1 - colour], y, colour);
            }
            for colour in COLOURS {
                above[colour].copy_from_slice(band.rows().field(y, colour, WEIGHT_DOWN));
            }
        }
    }
}

impl Build<'_> {
    /// Counts the pixels of a colour in row `y`.
    #[inline(always)]
    fn count(&self, y: usize, colour: usize) -> usize {
        (self.width + 1 - parity(y, colour)) / 2
    }

    /// Computes the weights between a row's pixels of one colour and their
    /// neighbours to the right and below; none leads out of the picture.
    #[inline(always)]
    fn smoothness(&self, y: usize, colour: usize, right: &mut [f32], down: &mut [f32]) {
        let (p, other) = (parity(y, colour), 1 - colour);
        // Values outside the picture equal those at its border.
        let (above, below) = (y.saturating_sub(1), (y + 1).min(self.height - 1));
        let (here_above, beside_above) = if above == y { (colour, other) } else { (other, colour) };
        let (here_below, beside_below) = if below == y { (colour, other) } else { (other, colour) };
        let mut near = [Neighbours::default(); 2];
        for (component, near) in near.iter_mut().enumerate() {
            *near = Neighbours {
                here: self.state.field(y, colour, component),
                left: self.state.shifted(y, other, component, p),
                right: self.state.shifted(y, other, component, p + 1),
                above: self.state.field(above, here_above, component),
                above_right: self.state.shifted(above, beside_above, component, p + 1),
                below: self.state.field(below, here_below, component),
                below_left: self.state.shifted(below, beside_below, component, p),
                below_right: self.state.shifted(below, beside_below, component, p + 1),
            };
        }
        let Weights { alpha, epsilon, .. } = self.weights;
        smoothness_values(right, down, &near[0], &near[1], alpha, epsilon * epsilon);
        let count = self.count(y, colour);
        right[count..].fill(0.0);
        down[count..].fill(0.0);
        if 2 * count + p == self.width + 1 {
            // The last pixel of the row is of this colour.
            right[count - 1] = 0.0;
        }
        if y + 1 == self.height {
            down.fill(0.0);
        }
    }

    /// Computes the right-hand sides and inverses of a row's pixels of one colour.
    /// `above` holds the weights between them and the row above.
    #[inline(always)]
    fn pixels(&self, band: &mut Band<'_, 7>, above: &[f32], y: usize, colour: usize) {
        let p = parity(y, colour);
        let (fields, [_, beside, _]) = band.row_and_neighbours(y, colour);
        let [right, down, to_u, to_v, m11, m12, m22] = fields;
        let weights = [beside.shifted(WEIGHT_RIGHT, p), &*right, above, &*down];
        let mut data = [above; FIELDS];
        for (field, values) in data.iter_mut().enumerate() {
            *values = self.data.field(y, colour, field);
        }
        let flow = [self.state.field(y, colour, 0), self.state.field(y, colour, 1)];
        let Weights { gamma, epsilon, .. } = self.weights;
        pixel_values([to_u, to_v], [m11, m12, m22], weights, data, flow, gamma, epsilon * epsilon);
        let count = self.count(y, colour);
        for field in &mut band.fields_mut(y, colour)[RIGHT_SIDE[0]..] {
            field[count..].fill(0.0);
        }
    }
}

/// One component of the flow around a row's pixels of one colour.
#[derive(Clone, Copy, Default)]
struct Neighbours<'a> {
    here: &'a [f32],
    left: &'a [f32],
    right: &'a [f32],
    above: &'a [f32],
    above_right: &'a [f32],
    below: &'a [f32],
    below_left: &'a [f32],
    below_right: &'a [f32],
}

impl Neighbours<'_> {
    #[inline(always)]
    fn first(&self, n: usize) -> Self {
        Self {
            here: &self.here[..n],
            left: &self.left[..n],
            right: &self.right[..n],
            above: &self.above[..n],
            above_right: &self.above_right[..n],
            below: &self.below[..n],
            below_left: &self.below_left[..n],
            below_right: &self.below_right[..n],
        }
    }

    /// Computes the squared gradient half-way to the right.
    #[inline(always)]
    fn slope_right(&self, i: usize) -> f32 {
        let across = self.right[i] - self.here[i];
        let along = 0.25 * ((self.below[i] - self.above[i]) + (self.below_right[i] - self.above_right[i]));
        across.mul_add(across, along * along)
    }

    /// Computes the squared gradient half-way down.
    #[inline(always)]
    fn slope_down(&self, i: usize) -> f32 {
        let across = self.below[i] - self.here[i];
        let along = 0.25 * ((self.right[i] - self.left[i]) + (self.below_right[i] - self.below_left[i]));
        across.mul_add(across, along * along)
    }
}

#[inline(always)]
fn smoothness_values(
    right: &mut [f32],
    down: &mut [f32],
    u: &Neighbours<'_>,
    v: &Neighbours<'_>,
    alpha: f32,
    epsilon_squared: f32,
) {
    let n = right.len();
    let down = &mut down[..n];
    let (u, v) = (u.first(n), v.first(n));
    for i in 0..n {
        right[i] = alpha / (u.slope_right(i) + v.slope_right(i) + epsilon_squared).sqrt();
        down[i] = alpha / (u.slope_down(i) + v.slope_down(i) + epsilon_squared).sqrt();
    }
}

#[inline(always)]
fn pixel_values(
    right_side: [&mut [f32]; 2],
    inverse: [&mut [f32]; 3],
    weights: [&[f32]; 4],
    data: [&[f32]; FIELDS],
    flow: [&[f32]; 2],
    gamma: f32,
    epsilon_squared: f32,
) {
    let [to_u, to_v] = right_side;
    let [m11, m12, m22] = inverse;
    let n = to_u.len();
    let to_v = &mut to_v[..n];
    let (m11, m12, m22) = (&mut m11[..n], &mut m12[..n], &mut m22[..n]);
    let [wl, wr, wa, wb] = [&weights[0][..n], &weights[1][..n], &weights[2][..n], &weights[3][..n]];
    let [gx, gy, c0] = [&data[0][..n], &data[1][..n], &data[2][..n]];
    let [gxx, gxy, gyy] = [&data[3][..n], &data[4][..n], &data[5][..n]];
    let [c1, c2] = [&data[6][..n], &data[7][..n]];
    let [u, v] = [&flow[0][..n], &flow[1][..n]];
    for i in 0..n {
        let r0 = gx[i].mul_add(u[i], gy[i].mul_add(v[i], c0[i]));
        let r1 = gxx[i].mul_add(u[i], gxy[i].mul_add(v[i], c1[i]));
        let r2 = gxy[i].mul_add(u[i], gyy[i].mul_add(v[i], c2[i]));
        let psi = 1.0 / r0.mul_add(r0, epsilon_squared).sqrt();
        let psi_gradient = gamma / r1.mul_add(r1, r2.mul_add(r2, epsilon_squared)).sqrt();
        let (px, py) = (psi * gx[i], psi * gy[i]);
        let (pxx, pxy, pyy) = (psi_gradient * gxx[i], psi_gradient * gxy[i], psi_gradient * gyy[i]);
        let a11 = px.mul_add(gx[i], pxx.mul_add(gxx[i], pxy * gxy[i]));
        let a12 = px.mul_add(gy[i], pxx.mul_add(gxy[i], pxy * gyy[i]));
        let a22 = py.mul_add(gy[i], pxy.mul_add(gxy[i], pyy * gyy[i]));
        to_u[i] = -px.mul_add(c0[i], pxx.mul_add(c1[i], pxy * c2[i]));
        to_v[i] = -py.mul_add(c0[i], pxy.mul_add(c1[i], pyy * c2[i]));
        let sum = ((wl[i] + wr[i]) + (wa[i] + wb[i])) + REGULAR;
        // a11 a22 - a12^2 as Lagrange's sum of squares: it cannot cancel.
        let d01 = gx[i] * gxy[i] - gy[i] * gxx[i];
        let d02 = gx[i] * gyy[i] - gy[i] * gxy[i];
        let d12 = gxx[i] * gyy[i] - gxy[i] * gxy[i];
        let with_brightness = psi * d01.mul_add(d01, d02 * d02);
        let data_part = psi_gradient * (psi_gradient * d12).mul_add(d12, with_brightness);
        let share = 1.0 / sum.mul_add(a11 + a22 + sum, data_part);
        m11[i] = share * (a22 + sum);
        m12[i] = -(share * a12);
        m22[i] = share * (a11 + sum);
    }
}
