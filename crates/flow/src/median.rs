//! The median filter of a flow component (Wedel et al. 2009, Sect. 3.2).
//!
//! Each median is taken by a fixed network of compare-and-exchange steps, the
//! same for every pixel, so that a vector of pixels goes through it at once.

use crate::MedianFilter;
use crate::plane::Plane;

/// Exchanges that bring the median of 9 to place 4 (Paeth; Devillard 1998).
const NETWORK_9: [(usize, usize); 19] = [
    (1, 2),
    (4, 5),
    (7, 8),
    (0, 1),
    (3, 4),
    (6, 7),
    (1, 2),
    (4, 5),
    (7, 8),
    (0, 3),
    (5, 8),
    (4, 7),
    (3, 6),
    (1, 4),
    (2, 5),
    (4, 7),
    (4, 2),
    (6, 4),
    (4, 2),
];

/// Exchanges that bring the median of 25 to place 12 (Devillard 1998).
const NETWORK_25: [(usize, usize); 99] = [
    (0, 1),
    (3, 4),
    (2, 4),
    (2, 3),
    (6, 7),
    (5, 7),
    (5, 6),
    (9, 10),
    (8, 10),
    (8, 9),
    (12, 13),
    (11, 13),
    (11, 12),
    (15, 16),
    (14, 16),
    (14, 15),
    (18, 19),
    (17, 19),
    (17, 18),
    (21, 22),
    (20, 22),
    (20, 21),
    (23, 24),
    (2, 5),
    (3, 6),
    (0, 6),
    (0, 3),
    (4, 7),
    (1, 7),
    (1, 4),
    (11, 14),
    (8, 14),
    (8, 11),
    (12, 15),
    (9, 15),
    (9, 12),
    (13, 16),
    (10, 16),
    (10, 13),
    (20, 23),
    (17, 23),
    (17, 20),
    (21, 24),
    (18, 24),
    (18, 21),
    (19, 22),
    (8, 17),
    (9, 18),
    (0, 18),
    (0, 9),
    (10, 19),
    (1, 19),
    (1, 10),
    (11, 20),
    (2, 20),
    (2, 11),
    (12, 21),
    (3, 21),
    (3, 12),
    (13, 22),
    (4, 22),
    (4, 13),
    (14, 23),
    (5, 23),
    (5, 14),
    (15, 24),
    (6, 24),
    (6, 15),
    (7, 16),
    (7, 19),
    (13, 21),
    (15, 23),
    (7, 13),
    (7, 15),
    (1, 9),
    (3, 11),
    (5, 17),
    (11, 17),
    (9, 17),
    (4, 10),
    (6, 12),
    (7, 14),
    (4, 6),
    (4, 7),
    (12, 14),
    (10, 14),
    (6, 7),
    (10, 12),
    (6, 10),
    (6, 17),
    (12, 17),
    (7, 17),
    (7, 10),
    (12, 18),
    (7, 12),
    (10, 18),
    (12, 20),
    (10, 20),
    (10, 12),
];

/// Replaces `plane` by its median, border pixels repeated outwards. `scratch`
/// is of any size and is kept for its memory.
pub(crate) fn filter(plane: &mut Plane, window: MedianFilter, scratch: &mut Vec<f32>) {
    pulp::Arch::new().dispatch(|| match window {
        MedianFilter::None => {}
        MedianFilter::Three => filter_with::<3, 9, 19>(plane, &NETWORK_9, scratch),
        MedianFilter::Five => filter_with::<5, 25, 99>(plane, &NETWORK_25, scratch),
    });
}

#[inline(always)]
fn filter_with<const SIDE: usize, const AREA: usize, const STEPS: usize>(
    plane: &mut Plane,
    network: &[(usize, usize); STEPS],
    scratch: &mut Vec<f32>,
) {
    let radius = SIDE / 2;
    let (width, height) = (plane.width, plane.height);
    let padded = plane.padded_row(0).len();
    let stride = padded + 2 * radius;
    scratch.resize(stride * height, 0.0);
    for (y, line) in scratch.chunks_exact_mut(stride).enumerate() {
        let row = plane.row(y);
        line[..radius].fill(row[0]);
        line[radius..radius + width].copy_from_slice(row);
        line[radius + width..].fill(row[width - 1]);
    }
    for y in 0..height {
        let lines: [&[f32]; SIDE] = std::array::from_fn(|dy| {
            let from = (y + dy).saturating_sub(radius).min(height - 1);
            &scratch[from * stride..(from + 1) * stride]
        });
        let taps: [&[f32]; AREA] =
            std::array::from_fn(|tap| &lines[tap / SIDE][tap % SIDE..][..padded]);
        let out = &mut plane.padded_row_mut(y)[..padded];
        for x in 0..padded {
            let mut values: [f32; AREA] = std::array::from_fn(|tap| taps[tap][x]);
            for &(low, high) in network {
                let (a, b) = (values[low], values[high]);
                values[low] = if a < b { a } else { b };
                values[high] = if a < b { b } else { a };
            }
            out[x] = values[AREA / 2];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(window: MedianFilter, radius: usize, width: usize, height: usize, seed: u64) {
        let mut plane = Plane::new(width, height);
        let mut state = seed | 1;
        for y in 0..height {
            for value in plane.row_mut(y) {
                state = state
                    .wrapping_mul(6364136223846793005)
                    .wrapping_add(1442695040888963407);
                // Few distinct values, so that ties are met as well.
                *value = ((state >> 40) % 19) as f32 - 9.0;
            }
        }
        let source = plane.clone();
        filter(&mut plane, window, &mut Vec::new());
        for y in 0..height {
            for x in 0..width {
                let near = |at: usize, last: usize, by: usize| {
                    (at + by).saturating_sub(radius).min(last - 1)
                };
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
