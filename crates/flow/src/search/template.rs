//! The comparison of one patch with the second picture, and its descent.

use crate::eight::Eight;
use crate::plane::Plane;

use super::grid::{BORDER, Bordered, Level, PATCH, Patch};

/// Pixels of a patch.
pub(super) const AREA: f32 = (PATCH * PATCH) as f32;

/// Added to the diagonal of the matrix of a step, squared intensities per squared pixel: keeps patches without texture
/// where they are.
const DAMPING: f32 = 16.0;

/// Squared length in pixels of a step that is too short to go on.
const SHORTEST_STEP: f32 = 1e-3;

/// A displacement further away is taken over if its cost is below this share of the own cost.
const MUCH_BETTER: f32 = 0.5;

/// A match counts if its cost is below this share of that of any other match of what it found.
const ONLY: f32 = 0.5;

/// A match is poor if its cost is more than this share of the variance of the patch.
const POOR: f32 = 0.25;

/// Pixels from a patch within which other matches are the same match.
const NEARBY: i32 = 2;

/// Variance of a patch, in squared intensities, below which it does not look around.
const LEAST_TEXTURE: f32 = 25.0;

/// A patch of the first picture with its gradient, and the matrix of a step.
pub(super) struct Template<E: Eight> {
    e: E,
    x: f32,
    y: f32,
    pixels: [E::V; PATCH],
    gradient: [[E::V; PATCH]; 2],
    /// Sums of the gradient over the patch.
    sums: [f32; 2],
    /// The inverse of the matrix: upper left, off the diagonal, lower right.
    inverse: [f32; 3],
}

/// The result of a comparison of a patch with the second picture.
#[derive(Clone, Copy)]
pub(super) struct Match {
    pub(super) cost: f32,
    /// The step that lowers the cost.
    pub(super) step: [f32; 2],
}

impl<E: Eight> Template<E> {
    #[inline(always)]
    pub(super) fn new(e: E, level: &Level<'_>, row: usize, column: usize) -> Self {
        let (left, top) = (level.layout.left(column), level.layout.top(row));
        let zero = e.splat(0.0);
        let mut pixels = [zero; PATCH];
        let mut gradient = [[zero; PATCH]; 2];
        let (mut x, mut y, mut xx, mut xy, mut yy) = (zero, zero, zero, zero, zero);
        let (picture, half) = (level.from, e.splat(0.5));
        for r in 0..PATCH {
            let at = top + r;
            let before = e.load(&picture.left_of_row(at)[left..]);
            let after = e.load(&picture.right_of_row(at)[left..]);
            let above = e.load(&picture.padded_row(at.saturating_sub(1))[left..]);
            let below = e.load(&picture.padded_row((at + 1).min(picture.height - 1))[left..]);
            let gx = e.mul(half, e.sub(after, before));
            let gy = e.mul(half, e.sub(below, above));
            x = e.add(x, gx);
            y = e.add(y, gy);
            xx = e.mul_add(gx, gx, xx);
            xy = e.mul_add(gx, gy, xy);
            yy = e.mul_add(gy, gy, yy);
            pixels[r] = e.load(&picture.padded_row(at)[left..]);
            gradient[0][r] = gx;
            gradient[1][r] = gy;
        }
        let (x, y) = (e.sum(x), e.sum(y));
        let a = e.sum(xx) - x * x / AREA + DAMPING;
        let b = e.sum(xy) - x * y / AREA;
        let c = e.sum(yy) - y * y / AREA + DAMPING;
        let share = 1.0 / (a * c - b * b).max(DAMPING);
        let inverse = [share * c, -share * b, share * a];
        Self { e, x: left as f32, y: top as f32, pixels, gradient, sums: [x, y], inverse }
    }

    /// Returns `true` if a patch has texture and its cost is a large part of it.
    #[inline(always)]
    pub(super) fn is_poor(&self, cost: f32) -> bool {
        let texture = variance(self.e, self.pixels);
        texture > LEAST_TEXTURE * AREA && cost > POOR * texture
    }

    /// Looks for a match by whole pixels, up to `reach` from the displacement of the patch to every side. A match counts
    /// only if the patch is, the other way round, clearly the best match of what was found.
    #[inline(always)]
    pub(super) fn look_around(&self, level: &Level<'_>, patch: Patch, reach: usize) -> Option<Patch> {
        let home = [self.x as i32, self.y as i32];
        let start = [(self.x + patch.u) as i32, (self.y + patch.v) as i32];
        let (there, cost) = best_place(self.e, &self.pixels, level.to, start, reach, None);
        let better = cost < MUCH_BETTER * patch.cost;
        if !better {
            return None;
        }
        let mut found = self.pixels;
        for (r, found) in found.iter_mut().enumerate() {
            *found = self.e.load(&level.to.padded_row(there[1] as usize + r)[there[0] as usize..]);
        }
        let (_, back) = best_place(self.e, &found, level.from, home, reach, Some(home));
        (cost < ONLY * back).then(|| Patch {
            u: (there[0] - home[0]) as f32,
            v: (there[1] - home[1]) as f32,
            cost,
        })
    }

    /// Compares the patch with the second picture.
    #[inline(always)]
    pub(super) fn compare(&self, second: &Bordered, u: f32, v: f32) -> Match {
        let e = self.e;
        let samples = Samples::new(e, second, self.x + u, self.y + v);
        let zero = e.splat(0.0);
        let (mut d1, mut d2, mut dx, mut dy) = (zero, zero, zero, zero);
        let mut above = samples.line(0);
        for r in 0..PATCH {
            let below = samples.line(r + 1);
            let d = e.sub(samples.between(above, below), self.pixels[r]);
            d1 = e.add(d1, d);
            d2 = e.mul_add(d, d, d2);
            dx = e.mul_add(d, self.gradient[0][r], dx);
            dy = e.mul_add(d, self.gradient[1][r], dy);
            above = below;
        }
        let total = e.sum(d1);
        let mean = total / AREA;
        let cost = e.sum(d2) - mean * total;
        let (x, y) = (e.sum(dx) - mean * self.sums[0], e.sum(dy) - mean * self.sums[1]);
        let [a, b, c] = self.inverse;
        Match { cost, step: [-(a * x + b * y), -(b * x + c * y)] }
    }

    /// Goes downhill from a displacement and its match as long as the cost falls.
    #[inline(always)]
    pub(super) fn descend(&self, level: &Level<'_>, mut patch: Patch, mut step: [f32; 2]) -> Patch {
        for _ in 0..level.steps {
            let (u, v) = (patch.u + step[0], patch.v + step[1]);
            let length = step[0] * step[0] + step[1] * step[1];
            let next = self.compare(level.second, u, v);
            // A cost that is not a number ends the descent as well.
            let better = next.cost < patch.cost;
            if !better {
                break;
            }
            patch = Patch { u, v, cost: next.cost };
            step = next.step;
            if length < SHORTEST_STEP {
                break;
            }
        }
        patch
    }
}

/// The second picture where a patch is displaced to, sampled between its pixels.
pub(super) struct Samples<'a, E: Eight> {
    e: E,
    window: &'a [f32],
    stride: usize,
    along: E::V,
    down: E::V,
}

impl<'a, E: Eight> Samples<'a, E> {
    /// The patch with its upper left pixel at a point. A patch fully outside the picture is moved to its border.
    #[inline(always)]
    pub(super) fn new(e: E, second: &'a Bordered, x: f32, y: f32) -> Self {
        let x = clamp(x, -(PATCH as f32), second.width as f32) + BORDER as f32;
        let y = clamp(y, -(PATCH as f32), second.height as f32) + BORDER as f32;
        // Both are positive.
        let (left, top) = (x as i32, y as i32);
        let (stride, corner) = (second.stride(), top as usize * second.stride() + left as usize);
        let window = &second.data[corner..corner + PATCH * stride + PATCH + 1];
        Self { e, window, stride, along: e.splat(x - left as f32), down: e.splat(y - top as f32) }
    }

    /// Interpolates along a row of pixels.
    #[inline(always)]
    pub(super) fn line(&self, row: usize) -> E::V {
        let taps = &self.window[row * self.stride..][..PATCH + 1];
        let (left, right) = (self.e.load(taps), self.e.load(&taps[1..]));
        self.e.mul_add(self.along, self.e.sub(right, left), left)
    }

    /// Interpolates between two lines.
    #[inline(always)]
    pub(super) fn between(&self, above: E::V, below: E::V) -> E::V {
        self.e.mul_add(self.down, self.e.sub(below, above), above)
    }
}

/// Returns the sum of squared differences of a patch from its mean.
#[inline(always)]
pub(super) fn variance<E: Eight>(e: E, pixels: [E::V; PATCH]) -> f32 {
    let (mut d1, mut d2) = (e.splat(0.0), e.splat(0.0));
    for row in pixels {
        d1 = e.add(d1, row);
        d2 = e.mul_add(row, row, d2);
    }
    let total = e.sum(d1);
    e.sum(d2) - total * total / AREA
}

/// Returns the upper left corner of the best match of some pixels in a picture, by whole pixels up to `reach` from
/// `start` to every side, and its cost. Places within a pixel or two of `except` do not count.
#[inline(always)]
pub(super) fn best_place<E: Eight>(
    e: E,
    pixels: &[E::V; PATCH],
    picture: &Plane,
    start: [i32; 2],
    reach: usize,
    except: Option<[i32; 2]>,
) -> ([i32; 2], f32) {
    let reach = reach as i32;
    // A start far outside gives an empty range.
    let span = |start: i32, side: usize| {
        start.saturating_sub(reach).max(0)..start.saturating_add(reach).min((side - PATCH) as i32) + 1
    };
    let (mut best, mut least) = ([0; 2], f32::INFINITY);
    for top in span(start[1], picture.height) {
        for left in span(start[0], picture.width) {
            let (mut d1, mut d2) = (e.splat(0.0), e.splat(0.0));
            for (r, &pixels) in pixels.iter().enumerate() {
                let d = e.sub(e.load(&picture.padded_row(top as usize + r)[left as usize..]), pixels);
                d1 = e.add(d1, d);
                d2 = e.mul_add(d, d, d2);
            }
            let total = e.sum(d1);
            let cost = e.sum(d2) - total * total / AREA;
            let counts = except.is_none_or(|[x, y]| (left - x).abs().max((top - y).abs()) > NEARBY);
            if cost < least && counts {
                (best, least) = ([left, top], cost);
            }
        }
    }
    (best, least)
}

/// Clamps a value; unlike `f32::clamp`, without the instructions that handle NaN.
#[inline(always)]
pub(super) fn clamp(value: f32, low: f32, high: f32) -> f32 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}
