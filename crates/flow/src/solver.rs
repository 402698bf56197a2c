//! The primal-dual iterations of TV-L1 between two warps.
//!
//! With the data term linearised about the flow of the last warp,
//! rho(u) = rho_c + g . u, the energy of Zach, Pock and Bischof 2007 is
//! minimised alternately over u and the auxiliary v:
//!
//! - v = u + t g, t = clamp(-rho(u) / |g|^2, -lambda theta, lambda theta):
//!   their three-way threshold in one line;
//! - u = v + theta div p, for each component;
//! - p = q / max(1, |q|), q = p + tau / theta grad u: the projected gradient
//!   step of Wedel et al. 2009, which needs no division by
//!   1 + tau / theta |grad u|.
//!
//! Gradients are forward differences and the divergence backward differences,
//! zero across the border.
//!
//! The dual step of a row needs the new u of that row and the next, so one
//! iteration is one sweep down the picture. Several iterations sweep down
//! together, each one row behind the previous one, so that the rows that they
//! share stay in cache. The result is bit for bit the same as with one sweep
//! after the other.
//!
//! With several threads the picture is cut into bands of rows. Each band has
//! its own state, with copies of as many rows of its neighbours as there are
//! iterations in a joint sweep. Errors enter at the far end of these copies and
//! advance one row per iteration, so the band's own rows are still right when
//! the copies are renewed.

use std::ops::Range;

use crate::bands::{self, Bands};
use crate::plane::Plane;

/// Number of iterations in a joint sweep, and of rows that a band copies from
/// each neighbour.
const TOGETHER: usize = 10;

/// The flow and its dual variables on some rows of a level.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The two components of the flow.
    u: [Plane; 2],
    /// For each component, the two components of its dual variable.
    p: [[Plane; 2]; 2],
    zeros: Plane,
    /// Number in the picture of the first row held here.
    first: usize,
    /// Rows that are not copies, by their numbers in the picture.
    own: Range<usize>,
}

impl State {
    /// Creates a state for each band of a level.
    pub(crate) fn of_bands(width: usize, height: usize, bands: &Bands) -> Vec<Self> {
        bands.ranges().map(|own| Self::new(width, height, own)).collect()
    }

    fn new(width: usize, height: usize, own: Range<usize>) -> Self {
        let first = own.start.saturating_sub(TOGETHER);
        let rows = (own.end + TOGETHER).min(height) - first;
        let plane = || Plane::new(width, rows);
        Self {
            u: [plane(), plane()],
            p: [[plane(), plane()], [plane(), plane()]],
            zeros: Plane::new(width, 1),
            first,
            own,
        }
    }

    /// Returns the rows that are not copies, by their numbers in the picture.
    pub(crate) fn own(&self) -> Range<usize> {
        self.own.clone()
    }

    /// Returns row `y` of the picture, of one component of the flow.
    #[inline(always)]
    pub(crate) fn flow(&self, component: usize, y: usize) -> &[f32] {
        self.u[component].padded_row(y - self.first)
    }

    /// Returns row `y` of the picture, of one component of the flow.
    #[inline(always)]
    pub(crate) fn flow_mut(&mut self, component: usize, y: usize) -> &mut [f32] {
        self.u[component].padded_row_mut(y - self.first)
    }

    /// Sets the dual variables to zero.
    pub(crate) fn clear_duals(&mut self) {
        self.p.iter_mut().flatten().for_each(Plane::clear);
    }

    /// Copies `rows` of the picture from a neighbour.
    fn copy_rows(&mut self, from: &Self, rows: Range<usize>) {
        let to_planes = self.u.iter_mut().chain(self.p.iter_mut().flatten());
        let from_planes = from.u.iter().chain(from.p.iter().flatten());
        for (to, from_plane) in to_planes.zip(from_planes) {
            for y in rows.clone() {
                to.row_mut(y - self.first).copy_from_slice(from_plane.row(y - from.first));
            }
        }
    }
}

/// The data term, linearised: rho(u) = constant + gradient . u.
#[derive(Debug, Clone)]
pub(crate) struct DataTerm {
    /// The gradient g, a blend of both pictures' gradients.
    pub(crate) gradient: [Plane; 2],
    pub(crate) constant: Plane,
    /// 1 / |gradient|^2, large but finite if the gradient is zero.
    pub(crate) inverse: Plane,
}

impl DataTerm {
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let plane = || Plane::new(width, height);
        Self { gradient: [plane(), plane()], constant: plane(), inverse: plane() }
    }
}

/// The weights of an iteration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Weights {
    pub(crate) lambda: f32,
    pub(crate) theta: f32,
    pub(crate) tau: f32,
}

/// Runs `iterations` on the states of all bands of a level.
pub(crate) fn iterate(states: &mut [State], data: &DataTerm, weights: Weights, iterations: usize) {
    let mut left = iterations;
    while left > 0 {
        let together = left.min(TOGETHER);
        exchange(states);
        bands::each(states.iter_mut(), |state| {
            pulp::Arch::new().dispatch(Sweep { state, data, weights, iterations: together });
        });
        left -= together;
    }
}

/// Renews the copies of neighbours' rows.
fn exchange(states: &mut [State]) {
    for border in 1..states.len() {
        let (above, below) = states.split_at_mut(border);
        let (above, below) = (&mut above[border - 1], &mut below[0]);
        let cut = below.own.start;
        // A band has more rows of its own than it lends.
        below.copy_rows(above, below.first..cut);
        let end = above.first + above.u[0].height;
        above.copy_rows(below, cut..end);
    }
}

/// A joint sweep of several iterations, each one row behind the previous one.
struct Sweep<'a> {
    state: &'a mut State,
    data: &'a DataTerm,
    weights: Weights,
    iterations: usize,
}

impl pulp::NullaryFnOnce for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { state, data, weights, iterations } = self;
        let height = state.u[0].height;
        // Step r of an iteration is the primal step of row r and the dual step
        // of row r - 1; the last step has only the latter.
        for front in 0..height + iterations {
            for behind in 0..iterations {
                let Some(row) = front.checked_sub(behind) else {
                    break;
                };
                if row < height {
                    primal_step(state, data, weights, row);
                }
                if (1..=height).contains(&row) {
                    dual_step(state, weights, row - 1);
                }
            }
        }
    }
}

#[inline(always)]
fn primal_step(state: &mut State, data: &DataTerm, weights: Weights, y: usize) {
    let in_picture = state.first + y;
    let [u, v] = &mut state.u;
    let [[ux, uy], [vx, vy]] = &state.p;
    let (uy_above, vy_above) = match y.checked_sub(1) {
        Some(above) => (uy.padded_row(above), vy.padded_row(above)),
        None => (state.zeros.padded_row(0), state.zeros.padded_row(0)),
    };
    primal_row(
        u.padded_row_mut(y),
        v.padded_row_mut(y),
        [
            data.gradient[0].padded_row(in_picture),
            data.gradient[1].padded_row(in_picture),
            data.constant.padded_row(in_picture),
            data.inverse.padded_row(in_picture),
        ],
        [ux.padded_row(y), ux.left_of_row(y), uy.padded_row(y), uy_above],
        [vx.padded_row(y), vx.left_of_row(y), vy.padded_row(y), vy_above],
        weights,
    );
    u.repeat_last(y);
    v.repeat_last(y);
}

#[inline(always)]
fn primal_row(
    u: &mut [f32],
    v: &mut [f32],
    data: [&[f32]; 4],
    p: [&[f32]; 4],
    q: [&[f32]; 4],
    weights: Weights,
) {
    let n = u.len();
    let v = &mut v[..n];
    let [gx, gy, constant, inverse] = data.map(|row| &row[..n]);
    let [px, px_left, py, py_above] = p.map(|row| &row[..n]);
    let [qx, qx_left, qy, qy_above] = q.map(|row| &row[..n]);
    let theta = weights.theta;
    let most = weights.lambda * theta;
    for i in 0..n {
        let rho = constant[i] + (gx[i] * u[i] + gy[i] * v[i]);
        let step = clamp(-(rho * inverse[i]), -most, most);
        let div_p = (px[i] - px_left[i]) + (py[i] - py_above[i]);
        let div_q = (qx[i] - qx_left[i]) + (qy[i] - qy_above[i]);
        u[i] += step * gx[i] + theta * div_p;
        v[i] += step * gy[i] + theta * div_q;
    }
}

#[inline(always)]
fn dual_step(state: &mut State, weights: Weights, y: usize) {
    let rate = weights.tau / weights.theta;
    for (u, [px, py]) in state.u.iter().zip(&mut state.p) {
        // The last row is its own lower neighbour: no gradient across the border.
        let below = (y + 1).min(u.height - 1);
        dual_row(
            px.padded_row_mut(y),
            py.padded_row_mut(y),
            [u.padded_row(y), u.right_of_row(y), u.padded_row(below)],
            rate,
        );
    }
}

#[inline(always)]
fn dual_row(px: &mut [f32], py: &mut [f32], u: [&[f32]; 3], rate: f32) {
    let n = px.len();
    let py = &mut py[..n];
    let [here, right, below] = u.map(|row| &row[..n]);
    for i in 0..n {
        let x = px[i] + rate * (right[i] - here[i]);
        let y = py[i] + rate * (below[i] - here[i]);
        let shrink = at_most_one(inverse_root(x * x + y * y));
        px[i] = x * shrink;
        py[i] = y * shrink;
    }
}

/// Clamps a value; unlike `f32::clamp`, without the instructions that handle NaN.
#[inline(always)]
pub(crate) fn clamp(value: f32, low: f32, high: f32) -> f32 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}

#[inline(always)]
fn at_most_one(value: f32) -> f32 {
    if value < 1.0 { value } else { 1.0 }
}

/// Computes 1 / sqrt(x) to 0.07 %, finite at zero: the bit trick with one Newton
/// step and the constants of Kadlec 2010. A root and a division take several
/// times as long, and the length of a dual vector need not be exact.
#[inline(always)]
fn inverse_root(x: f32) -> f32 {
    let guess = f32::from_bits(0x5f1f_fff9_u32.wrapping_sub(x.to_bits() >> 1));
    0.703_952_25 * guess * (2.389_244_6 - x * guess * guess)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    fn states(width: usize, height: usize, bands: usize) -> Vec<State> {
        let bands = Bands::new(width, height, NonZeroUsize::new(bands).unwrap());
        State::of_bands(width, height, &bands)
    }

    #[test]
    fn iterations_together_and_in_bands_equal_iterations_one_by_one() {
        let (width, height) = (210, 77);
        let mut data = DataTerm::new(width, height);
        for y in 0..height {
            for x in 0..width {
                let (gx, gy) = ((x as f32 * 0.7).sin() * 9.0, (y as f32 + x as f32 * 0.3).cos() * 7.0);
                data.gradient[0].row_mut(y)[x] = gx;
                data.gradient[1].row_mut(y)[x] = gy;
                data.constant.row_mut(y)[x] = 6.0 - gx + 0.5 * gy;
                data.inverse.row_mut(y)[x] = 1.0 / (gx * gx + gy * gy + 1e-9);
            }
        }
        let weights = Weights { lambda: 0.15, theta: 0.3, tau: 0.25 };
        let (mut together, mut single) = (states(width, height, 1), states(width, height, 1));
        let mut banded = states(width, height, 3);
        assert_eq!(banded.len(), 3);
        iterate(&mut together, &data, weights, 2 * TOGETHER + 3);
        iterate(&mut banded, &data, weights, 2 * TOGETHER + 3);
        (0..2 * TOGETHER + 3).for_each(|_| iterate(&mut single, &data, weights, 1));
        for y in 0..height {
            for component in 0..2 {
                let row = &together[0].flow(component, y)[..width];
                assert!(row.iter().any(|&d| d != 0.0));
                assert_eq!(row, &single[0].flow(component, y)[..width]);
                let band = banded.iter().find(|state| state.own().contains(&y)).unwrap();
                assert_eq!(row, &band.flow(component, y)[..width]);
            }
        }
    }

    #[test]
    fn the_inverse_root_is_close_and_finite_at_zero() {
        for x in [1e-6_f32, 0.3, 1.0, 2.0, 77.0, 1e9] {
            assert!((inverse_root(x) * x.sqrt() - 1.0).abs() < 7e-4, "{x}");
        }
        assert!(inverse_root(0.0).is_finite());
    }
}
