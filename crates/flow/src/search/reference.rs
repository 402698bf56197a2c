//! The search once more, pixel by pixel in double precision, as the equations have it.

use std::num::NonZeroUsize;

use crate::bands::Bands;
use crate::plane::Plane;

use super::{Effort, PATCH, Searcher};

type Field = [Vec<Vec<f64>>; 2];

struct Pictures<'a> {
    from: &'a Plane,
    to: &'a Plane,
}

#[derive(Clone, Copy)]
struct Found {
    at: [f64; 2],
    cost: f64,
}

impl Pictures<'_> {
    fn pixel(picture: &Plane, x: i64, y: i64) -> f64 {
        let inside = |at: i64, side: usize| at.clamp(0, side as i64 - 1) as usize;
        f64::from(picture.row(inside(y, picture.height))[inside(x, picture.width)])
    }

    fn sample(&self, x: f64, y: f64) -> f64 {
        let (left, top) = (x.floor(), y.floor());
        let at = |i, j| Self::pixel(self.to, left as i64 + i, top as i64 + j);
        let (along, down) = (x - left, y - top);
        let above = at(0, 0) + along * (at(1, 0) - at(0, 0));
        let below = at(0, 1) + along * (at(1, 1) - at(0, 1));
        above + down * (below - above)
    }

    /// The differences of a patch from the second picture, less their mean, row by row.
    fn differences(&self, [left, top]: [usize; 2], [u, v]: [f64; 2]) -> Vec<f64> {
        let place =
            |start: usize, by: f64, side: usize| (start as f64 + by).clamp(-(PATCH as f64), side as f64);
        let (x, y) = (place(left, u, self.from.width), place(top, v, self.from.height));
        let mut d = Vec::new();
        for j in 0..PATCH {
            for i in 0..PATCH {
                let own = Self::pixel(self.from, (left + i) as i64, (top + j) as i64);
                d.push(self.sample(x + i as f64, y + j as f64) - own);
            }
        }
        let mean = d.iter().sum::<f64>() / d.len() as f64;
        d.iter().map(|d| d - mean).collect()
    }

    fn match_of(&self, corner: [usize; 2], at: [f64; 2]) -> Found {
        Found { at, cost: self.differences(corner, at).iter().map(|d| d * d).sum() }
    }

    /// The Gauss-Newton step.
    fn step(&self, [left, top]: [usize; 2], at: [f64; 2]) -> [f64; 2] {
        let (mut gx, mut gy) = (Vec::new(), Vec::new());
        for y in top as i64..(top + PATCH) as i64 {
            for x in left as i64..(left + PATCH) as i64 {
                let own = |x, y| Self::pixel(self.from, x, y);
                gx.push(0.5 * (own(x + 1, y) - own(x - 1, y)));
                gy.push(0.5 * (own(x, y + 1) - own(x, y - 1)));
            }
        }
        for gradient in [&mut gx, &mut gy] {
            let mean = gradient.iter().sum::<f64>() / gradient.len() as f64;
            gradient.iter_mut().for_each(|g| *g -= mean);
        }
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let d = self.differences([left, top], at);
        let (a, b, c) = (dot(&gx, &gx) + 16.0, dot(&gx, &gy), dot(&gy, &gy) + 16.0);
        let (x, y) = (dot(&gx, &d), dot(&gy, &d));
        let determinant = a * c - b * b;
        [-(c * x - b * y) / determinant, -(a * y - b * x) / determinant]
    }

    fn descend(&self, corner: [usize; 2], mut found: Found, steps: usize) -> Found {
        for _ in 0..steps {
            let [du, dv] = self.step(corner, found.at);
            let next = self.match_of(corner, [found.at[0] + du, found.at[1] + dv]);
            if next.cost >= found.cost {
                break;
            }
            found = next;
            if du * du + dv * dv < 1e-3 {
                break;
            }
        }
        found
    }
}

/// The field of the patches, without looking around.
fn search(pictures: &Pictures<'_>, flow: [f64; 2], stride: usize, steps: usize) -> Field {
    let (width, height) = (pictures.from.width, pictures.from.height);
    let starts = |side: usize| -> Vec<usize> {
        (0..(side - PATCH).div_ceil(stride) + 1).map(|at| (at * stride).min(side - PATCH)).collect()
    };
    let (lefts, tops) = (starts(width), starts(height));
    let mut found: Vec<Vec<Found>> = Vec::new();
    for &top in &tops {
        let mut row: Vec<Found> = Vec::new();
        for &left in &lefts {
            let mut best = pictures.match_of([left, top], flow);
            if let Some(before) = row.last() {
                let other = pictures.match_of([left, top], before.at);
                if other.cost < 0.95 * best.cost {
                    best = other;
                }
            }
            row.push(pictures.descend([left, top], best, steps));
        }
        found.push(row);
    }
    let mut settled = found.clone();
    for (j, &top) in tops.iter().enumerate() {
        for (i, &left) in lefts.iter().enumerate() {
            let own = found[j][i];
            let mut best = Found { cost: 0.95 * own.cost, ..own };
            let near = [(j, i + 1), (j.wrapping_sub(1), i), (j + 1, i)];
            for near in near.into_iter().filter_map(|(j, i)| found.get(j)?.get(i)) {
                let apart = (near.at[0] - own.at[0]).abs().max((near.at[1] - own.at[1]).abs());
                let other = pictures.match_of([left, top], near.at);
                if apart >= 0.1 && other.cost < best.cost {
                    best = other;
                }
            }
            if best.at != own.at {
                settled[j][i] = pictures.descend([left, top], best, steps);
            }
        }
    }
    let mut sums = vec![vec![[0.0; 3]; width]; height];
    for (j, &top) in tops.iter().enumerate() {
        for (i, &left) in lefts.iter().enumerate() {
            let [u, v] = settled[j][i].at;
            for (at, d) in pictures.differences([left, top], [u, v]).into_iter().enumerate() {
                let weight = 1.0 / d.abs().max(1.0);
                let sum = &mut sums[top + at / PATCH][left + at % PATCH];
                *sum = [sum[0] + weight * u, sum[1] + weight * v, sum[2] + weight];
            }
        }
    }
    [0, 1].map(|component| {
        sums.iter().map(|row| row.iter().map(|sum| sum[component] / sum[2]).collect()).collect()
    })
}

fn picture(width: usize, height: usize, value: impl Fn(f64, f64) -> f64) -> Plane {
    let mut plane = Plane::new(width, height);
    for y in 0..height {
        for x in 0..width {
            plane.row_mut(y)[x] = value(x as f64, y as f64) as f32;
        }
    }
    for mut rows in plane.bands_mut(&bands(width, height, 1)) {
        (0..height).for_each(|y| rows.repeat_ends(y));
    }
    plane
}

fn bands(width: usize, height: usize, count: usize) -> Bands {
    Bands::new(width, height, NonZeroUsize::new(count).unwrap())
}

fn texture(x: f64, y: f64) -> f64 {
    128.0
        + 40.0 * (0.31 * x + 0.13 * y).sin()
        + 30.0 * (0.29 * y - 0.17 * x).sin()
        + 20.0 * (0.83 * x).cos() * (0.71 * y).sin()
}

fn improved(from: &Plane, to: &Plane, start: [f32; 2], effort: Effort, count: usize) -> [Plane; 2] {
    let (width, height) = (from.width, from.height);
    let mut flow = start.map(|start| picture(width, height, |_, _| f64::from(start)));
    let mut scratch = Plane::new(width, height);
    let bands = bands(width, height, count);
    Searcher::default().improve(&mut flow, &mut scratch, [from, to], effort, &bands);
    flow
}

#[test]
fn the_vectors_compute_what_the_equations_say() {
    for (width, height, stride) in [(61, 43, 4), (40, 52, 3), (8, 8, 5), (9, 30, 8)] {
        let from = picture(width, height, texture);
        // Two motions, and another light.
        let to = picture(width, height, |x, y| match x < 25.0 {
            true => texture(x - 1.7, y + 0.8) + 9.0,
            false => texture(x + 1.2, y - 2.1) + 9.0,
        });
        let effort = Effort { stride, steps: 5, reach: 0 };
        let flow = improved(&from, &to, [0.4, -0.3], effort, 1);
        let expected =
            search(&Pictures { from: &from, to: &to }, [f64::from(0.4f32), f64::from(-0.3f32)], stride, 5);
        let mut apart = Vec::new();
        for (flow, expected) in flow.iter().zip(&expected) {
            for (y, row) in expected.iter().enumerate() {
                apart.extend(row.iter().zip(flow.row(y)).map(|(a, b)| (a - f64::from(*b)).abs()));
            }
        }
        // Single precision may end a descent a step earlier or later.
        let far = apart.iter().filter(|&&apart| apart > 2e-3).count();
        assert!(far * 50 <= apart.len(), "{width}x{height}: {far} of {}", apart.len());
        assert!(flow[0].row(height / 2)[3] > 0.5, "something moved");
    }
}

#[test]
fn patches_that_look_around_find_what_moved_far() {
    let (width, height) = (96, 72);
    let thing = |x: f64, y: f64| (30.0..46.0).contains(&x) && (24.0..40.0).contains(&y);
    let own = |x: f64, y: f64| 128.0 + 60.0 * (1.1 * x + 0.4 * y).sin() + 50.0 * (0.9 * y - 0.5 * x).cos();
    let from = picture(width, height, |x, y| if thing(x, y) { own(x, y) } else { texture(x, y) });
    let to = picture(width, height, |x, y| if thing(x - 13.0, y) { own(x - 13.0, y) } else { texture(x, y) });
    let middle = |reach| {
        let effort = Effort { stride: 4, steps: 6, reach };
        let flow = improved(&from, &to, [0.0; 2], effort, 1);
        for count in [2, 3] {
            let banded = improved(&from, &to, [0.0; 2], effort, count);
            for y in 0..height {
                assert_eq!([0, 1].map(|at| flow[at].row(y)), [0, 1].map(|at| banded[at].row(y)));
            }
        }
        [flow[0].row(32)[38], flow[1].row(32)[38]]
    };
    let [u, v] = middle(16);
    assert!((u - 13.0).abs() < 0.1 && v.abs() < 0.1, "{u}, {v}");
    assert!((middle(0)[0] - 13.0).abs() > 3.0);
}
