//! Successive over-relaxation of the linear system, alternating between red and
//! black pixels.
//!
//! A pixel's two equations are solved together. With the weights w_n of its
//! four neighbours, the right-hand side r and the inverse M of the 2x2 matrix
//! of the pixel (the `system` module computes all three),
//!
//! U = (1 - omega) U + omega M (r + sum of w_n U_n).
//!
//! A half sweep changes the pixels of one colour and reads those of the other,
//! so the result depends neither on the order of rows nor on the number of
//! threads. Several half sweeps go down the picture together, each one row
//! behind the previous one, so that the rows that they share stay in cache.
//!
//! Each thread takes a band of rows. A band by itself can do half sweep s except
//! on the s rows next to another band. This leaves a wedge at each border, which
//! is done as soon as both its bands are.

use std::num::NonZeroUsize;
use std::ops::Range;

use crate::bands::each;

use super::bands;
use super::grid::{Band, Rows, State, parity};
use super::system::{Coefficients, INVERSE, RIGHT_SIDE, WEIGHT_DOWN, WEIGHT_RIGHT};

/// Number of half sweeps that go down the picture together.
const TOGETHER: usize = 20;

/// Relaxes `state` by `sweeps` sweeps over both colours, on up to `threads`
/// threads.
pub(super) fn relax(
    state: &mut State,
    system: &Coefficients,
    omega: f32,
    sweeps: usize,
    threads: NonZeroUsize,
) {
    let (width, height) = (state.width, state.height);
    let mut left = 2 * sweeps;
    while left > 0 {
        let together = left.min(TOGETHER);
        let bands = bands::cut(width, height, threads, 2 * together + 4);
        let borders: Vec<usize> = bands.iter().skip(1).map(|band| band.start).collect();
        each(state.bands_mut(&bands), |mut band| {
            let rows = band.range();
            let wave = Wave { rows, height, half_sweeps: together, part: Part::Inside };
            run(&mut band, system, omega, &wave);
        });
        let wedges: Vec<Range<usize>> =
            borders.iter().map(|&border| border - together - 1..border + together + 1).collect();
        if wedges.is_empty() {
            left -= together;
            continue;
        }
        each(state.bands_mut(&wedges), |mut band| {
            let rows = band.range();
            let wave = Wave { rows, height, half_sweeps: together, part: Part::Wedge };
            run(&mut band, system, omega, &wave);
        });
        left -= together;
    }
}

/// The part of some half sweeps that one thread does.
struct Wave {
    rows: Range<usize>,
    height: usize,
    half_sweeps: usize,
    part: Part,
}

enum Part {
    /// A band, except the rows that need another band.
    Inside,
    /// The rows that two bands have left at their border, in the middle of the range.
    Wedge,
}

impl Wave {
    /// Returns the rows of half sweep `s`, counted from 1.
    #[inline(always)]
    fn rows_of(&self, s: usize) -> Range<usize> {
        match self.part {
            Part::Inside => {
                let start = if self.rows.start == 0 { 0 } else { self.rows.start + s };
                let end = if self.rows.end == self.height { self.height } else { self.rows.end - s };
                start..end
            }
            Part::Wedge => {
                let border = self.rows.start + self.half_sweeps + 1;
                border - s..border + s
            }
        }
    }
}

fn run(band: &mut Band<'_, 2>, system: &Coefficients, omega: f32, wave: &Wave) {
    pulp::Arch::new().dispatch(Run { band, system, omega, wave });
}

struct Run<'a, 'b> {
    band: &'a mut Band<'b, 2>,
    system: &'a Coefficients,
    omega: f32,
    wave: &'a Wave,
}

impl pulp::NullaryFnOnce for Run<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { band, system, omega, wave } = self;
        let (rows, zeros) = (system.rows(), system.zeros());
        for front in wave.rows.start..wave.rows.end + wave.half_sweeps {
            for s in 1..wave.half_sweeps + 1 {
                let Some(y) = (front + 1).checked_sub(s) else {
                    break;
                };
                let span = wave.rows_of(s);
                if span.start <= y && y < span.end {
                    relax_row(band, rows, zeros, omega, y, (s - 1) % 2);
                }
            }
        }
    }
}

#[inline(always)]
fn relax_row(
    band: &mut Band<'_, 2>,
    system: Rows<'_, 7>,
    zeros: &[f32],
    omega: f32,
    y: usize,
    colour: usize,
) {
    let (p, other) = (parity(y, colour), 1 - colour);
    let ([u, v], [above, beside, below]) = band.row_and_neighbours(y, colour);
    let weight_above = match y.checked_sub(1) {
        Some(above) => system.field(above, other, WEIGHT_DOWN),
        None => zeros,
    };
    let weights = [
        system.shifted(y, other, WEIGHT_RIGHT, p),
        system.field(y, colour, WEIGHT_RIGHT),
        weight_above,
        system.field(y, colour, WEIGHT_DOWN),
    ];
    let near_u = [beside.shifted(0, p), beside.shifted(0, p + 1), above.shifted(0, 1), below.shifted(0, 1)];
    let near_v = [beside.shifted(1, p), beside.shifted(1, p + 1), above.shifted(1, 1), below.shifted(1, 1)];
    let pixel = [
        system.field(y, colour, RIGHT_SIDE[0]),
        system.field(y, colour, RIGHT_SIDE[1]),
        system.field(y, colour, INVERSE[0]),
        system.field(y, colour, INVERSE[1]),
        system.field(y, colour, INVERSE[2]),
    ];
    relax_values(u, v, weights, near_u, near_v, pixel, omega);
}

#[inline(always)]
fn relax_values(
    u: &mut [f32],
    v: &mut [f32],
    weights: [&[f32]; 4],
    near_u: [&[f32]; 4],
    near_v: [&[f32]; 4],
    pixel: [&[f32]; 5],
    omega: f32,
) {
    let n = u.len();
    let v = &mut v[..n];
    let [wl, wr, wa, wb] = [&weights[0][..n], &weights[1][..n], &weights[2][..n], &weights[3][..n]];
    let [ul, ur, ua, ub] = [&near_u[0][..n], &near_u[1][..n], &near_u[2][..n], &near_u[3][..n]];
    let [vl, vr, va, vb] = [&near_v[0][..n], &near_v[1][..n], &near_v[2][..n], &near_v[3][..n]];
    let [ru, rv] = [&pixel[0][..n], &pixel[1][..n]];
    let [m11, m12, m22] = [&pixel[2][..n], &pixel[3][..n], &pixel[4][..n]];
    for i in 0..n {
        let across_u = wl[i].mul_add(ul[i], wr[i].mul_add(ur[i], ru[i]));
        let across_v = wl[i].mul_add(vl[i], wr[i].mul_add(vr[i], rv[i]));
        let sum_u = wa[i].mul_add(ua[i], wb[i].mul_add(ub[i], across_u));
        let sum_v = wa[i].mul_add(va[i], wb[i].mul_add(vb[i], across_v));
        let to_u = m11[i].mul_add(sum_u, m12[i] * sum_v);
        let to_v = m12[i].mul_add(sum_u, m22[i] * sum_v);
        u[i] = omega.mul_add(to_u - u[i], u[i]);
        v[i] = omega.mul_add(to_v - v[i], v[i]);
    }
}
