//! The dense field: the weighted mean of the patches that cover a pixel.

use std::ops::Range;

use crate::eight::{Eight, WithEight};
use crate::plane::Rows;

use super::grid::{Level, PATCH, Patch};
use super::template::{AREA, Samples};

/// The mean of the patches over some rows of pixels.
pub(super) struct Densify<'a> {
    pub(super) level: Level<'a>,
    pub(super) patches: &'a [Patch],
    pub(super) rows: Range<usize>,
    pub(super) u: Rows<'a>,
    pub(super) v: Rows<'a>,
    pub(super) weight: Rows<'a>,
}

impl WithEight for Densify<'_> {
    #[inline(always)]
    fn call<E: Eight>(self, e: E) {
        let Self { level, patches, rows, mut u, mut v, mut weight } = self;
        let layout = level.layout;
        for y in rows.clone() {
            u.padded_row_mut(y).fill(0.0);
            v.padded_row_mut(y).fill(0.0);
            weight.padded_row_mut(y).fill(0.0);
        }
        for row in layout.touching(&rows) {
            for column in 0..layout.columns {
                let patch = patches[row * layout.columns + column];
                let place = [layout.left(column), layout.top(row)];
                spread(e, &level, patch, place, &rows, [&mut u, &mut v, &mut weight]);
            }
        }
        for y in rows {
            let weight = weight.row_mut(y);
            for plane in [&mut u, &mut v] {
                for (sum, weight) in plane.row_mut(y).iter_mut().zip(&*weight) {
                    *sum /= *weight;
                }
                plane.repeat_ends(y);
            }
        }
    }
}

/// Adds a patch to the sums of its pixels.
#[inline(always)]
fn spread<E: Eight>(
    e: E,
    level: &Level<'_>,
    patch: Patch,
    [left, top]: [usize; 2],
    pixels: &Range<usize>,
    [u, v, weight]: [&mut Rows<'_>; 3],
) {
    let samples = Samples::new(e, level.second, left as f32 + patch.u, top as f32 + patch.v);
    let mut differences = [e.splat(0.0); PATCH];
    let mut total = e.splat(0.0);
    let mut above = samples.line(0);
    for (r, d) in differences.iter_mut().enumerate() {
        let below = samples.line(r + 1);
        *d = e.sub(samples.between(above, below), e.load(&level.from.padded_row(top + r)[left..]));
        total = e.add(total, *d);
        above = below;
    }
    let mean = e.splat(e.sum(total) / AREA);
    let (to_u, to_v, one) = (e.splat(patch.u), e.splat(patch.v), e.splat(1.0));
    for (r, &d) in differences.iter().enumerate() {
        let y = top + r;
        if pixels.contains(&y) {
            let share = e.div(one, e.magnitude_or(e.sub(d, mean), one));
            let u = &mut u.padded_row_mut(y)[left..][..PATCH];
            let sum = e.mul_add(share, to_u, e.load(u));
            e.store(u, sum);
            let v = &mut v.padded_row_mut(y)[left..][..PATCH];
            let sum = e.mul_add(share, to_v, e.load(v));
            e.store(v, sum);
            let weight = &mut weight.padded_row_mut(y)[left..][..PATCH];
            let sum = e.add(share, e.load(weight));
            e.store(weight, sum);
        }
    }
}
