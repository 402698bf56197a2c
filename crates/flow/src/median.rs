//! The median filter of a flow component (as in Wedel et al. 2009).
//!
//! Each median is computed by a fixed network of compare-and-exchange steps,
//! the same for every pixel, so that it processes a vector of pixels at once.

use std::ops::Range;

use crate::MedianFilter;
use crate::plane::{Plane, Rows};

/// Puts each named pair of `$values` in order. Expanded to straight code, because
/// the compiler vectorises it only if every index is a constant.
macro_rules! exchange {
    ($values:ident: $($low:literal $high:literal,)*) => {
        $(
            let (a, b) = ($values[$low], $values[$high]);
            $values[$low] = if a < b { a } else { b };
            $values[$high] = if a < b { b } else { a };
        )*
    };
}

/// Computes a row of medians of 9 (Paeth 1990; Devillard 1998) from three lines.
#[inline(always)]
fn row_3x3(lines: [&[f32]; 3], out: &mut [f32]) {
    let n = out.len();
    let [a0, a1, a2] = shifts_3(lines[0], n);
    let [b0, b1, b2] = shifts_3(lines[1], n);
    let [c0, c1, c2] = shifts_3(lines[2], n);
    for x in 0..n {
        let mut values = [a0[x], a1[x], a2[x], b0[x], b1[x], b2[x], c0[x], c1[x], c2[x]];
        exchange!(values:
        1 2, 4 5, 7 8, 0 1, 3 4, 6 7, 1 2, 4 5, 7 8, 0 3, 5 8, 4 7, 3 6, 1 4, 2 5, 4 7, 4 2, 6 4,
                4 2,
            );
        out[x] = values[4];
    }
}

/// Computes a row of medians of 25 (Devillard 1998) from five lines.
#[inline(always)]
fn row_5x5(lines: [&[f32]; 5], out: &mut [f32]) {
    let n = out.len();
    let [a0, a1, a2, a3, a4] = shifts_5(lines[0], n);
    let [b0, b1, b2, b3, b4] = shifts_5(lines[1], n);
    let [c0, c1, c2, c3, c4] = shifts_5(lines[2], n);
    let [d0, d1, d2, d3, d4] = shifts_5(lines[3], n);
    let [e0, e1, e2, e3, e4] = shifts_5(lines[4], n);
    for x in 0..n {
        let mut values = [
            a0[x], a1[x], a2[x], a3[x], a4[x], b0[x], b1[x], b2[x], b3[x], b4[x], c0[x], c1[x], c2[x], c3[x],
            c4[x], d0[x], d1[x], d2[x], d3[x], d4[x], e0[x], e1[x], e2[x], e3[x], e4[x],
        ];
        exchange!(values:
        0 1, 3 4, 2 4, 2 3, 6 7, 5 7, 5 6, 9 10, 8 10, 8 9, 12 13, 11 13, 11 12, 15 16, 14 16,
                14 15, 18 19, 17 19, 17 18, 21 22, 20 22, 20 21, 23 24, 2 5, 3 6, 0 6, 0 3, 4 7, 1 7, 1 4,
                11 14, 8 14, 8 11, 12 15, 9 15, 9 12, 13 16, 10 16, 10 13, 20 23, 17 23, 17 20, 21 24,
                18 24, 18 21, 19 22, 8 17, 9 18, 0 18, 0 9, 10 19, 1 19, 1 10, 11 20, 2 20, 2 11, 12 21,
                3 21, 3 12, 13 22, 4 22, 4 13, 14 23, 5 23, 5 14, 15 24, 6 24, 6 15, 7 16, 7 19, 13 21,
                15 23, 7 13, 7 15, 1 9, 3 11, 5 17, 11 17, 9 17, 4 10, 6 12, 7 14, 4 6, 4 7, 12 14, 10 14,
                6 7, 10 12, 6 10, 6 17, 12 17, 7 17, 7 10, 12 18, 7 12, 10 18, 12 20, 10 20, 10 12,
            );
        out[x] = values[12];
    }
}

/// Returns the slices of `n` values that start at the first, second and third value.
#[inline(always)]
fn shifts_3(line: &[f32], n: usize) -> [&[f32]; 3] {
    [&line[..n], &line[1..][..n], &line[2..][..n]]
}

/// Returns the slices of `n` values that start at the first to the fifth value.
#[inline(always)]
fn shifts_5(line: &[f32], n: usize) -> [&[f32]; 5] {
    [&line[..n], &line[1..][..n], &line[2..][..n], &line[3..][..n], &line[4..][..n]]
}

/// Writes the median of `from` to `rows` of `to`, with border pixels repeated
/// outwards. The ends of the rows of `from` must be repeated already.
pub(crate) fn filter(from: &Plane, window: MedianFilter, rows: Range<usize>, to: &mut Rows<'_>) {
    pulp::Arch::new().dispatch(Filter { from, window, rows, to });
}

struct Filter<'a, 'b> {
    from: &'a Plane,
    window: MedianFilter,
    rows: Range<usize>,
    to: &'a mut Rows<'b>,
}

impl pulp::NullaryFnOnce for Filter<'_, '_> {
    type Output = ();

    // Only loops and array literals: a closure would be compiled for the baseline
    // instruction set instead of the one dispatched to.
    #[inline(always)]
    fn call(self) {
        let Self { from, window, rows, to } = self;
        for y in rows {
            let [up_2, up_1] = [y.saturating_sub(2), y.saturating_sub(1)];
            let last = from.height - 1;
            let [down_1, down_2] = [(y + 1).min(last), (y + 2).min(last)];
            let out = to.padded_row_mut(y);
            match window {
                MedianFilter::None => out.copy_from_slice(from.padded_row(y)),
                MedianFilter::Three => {
                    let near = [from.wide_row(up_1), from.wide_row(y), from.wide_row(down_1)];
                    row_3x3([&near[0][1..], &near[1][1..], &near[2][1..]], out);
                }
                MedianFilter::Five => {
                    let above = [from.wide_row(up_2), from.wide_row(up_1)];
                    let below = [from.wide_row(down_1), from.wide_row(down_2)];
                    row_5x5([above[0], above[1], from.wide_row(y), below[0], below[1]], out);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bands::Bands;
    use proptest::prelude::*;
    use std::num::NonZeroUsize;

    fn check(window: MedianFilter, radius: usize, width: usize, height: usize, seed: u64) {
        let mut plane = Plane::new(width, height);
        let mut state = seed | 1;
        for y in 0..height {
            for value in plane.row_mut(y) {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                // Few distinct values, so that ties occur as well.
                *value = ((state >> 40) % 19) as f32 - 9.0;
            }
        }
        let bands = Bands::new(width, height, NonZeroUsize::MIN);
        for mut rows in plane.bands_mut(&bands) {
            (0..height).for_each(|y| rows.repeat_ends(y));
        }
        let source = plane;
        let mut plane = Plane::new(width, height);
        for mut rows in plane.bands_mut(&bands) {
            filter(&source, window, 0..height, &mut rows);
        }
        for y in 0..height {
            for x in 0..width {
                let near = |at: usize, last: usize, by: usize| (at + by).saturating_sub(radius).min(last - 1);
                let side = 0..2 * radius + 1;
                let mut values: Vec<f32> = side
                    .clone()
                    .flat_map(|dy| side.clone().map(move |dx| (dx, dy)))
                    .map(|(dx, dy)| source.row(near(y, height, dy))[near(x, width, dx)])
                    .collect();
                values.sort_by(f32::total_cmp);
                assert_eq!(plane.row(y)[x], values[values.len() / 2], "at {x}, {y}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_networks_agree_with_sorting(width in 1usize..40, height in 1usize..12, seed: u64) {
            check(MedianFilter::Three, 1, width, height, seed);
            check(MedianFilter::Five, 2, width, height, seed);
        }
    }
}
