//! The inverse search of patches, and the dense field that it gives: steps 1 and 2 of Kroeger, Timofte, Dai and Van
//! Gool, "Fast Optical Flow using Dense Inverse Search" (ECCV 2016), section 2.
//!
//! Patches T of 8x8 pixels lie on a grid over the first picture. Each looks for the displacement (u, v) with the least
//!
//! cost = sum over the patch of (d - mean of d)^2, d = I1(x + u, y + v) - T(x, y)
//!
//! by Gauss-Newton steps with the gradient of the patch instead of that of the second picture (2.1): the 2x2 matrix of
//! the step is computed once, and the mean is removed against changes of brightness (2.4). A patch starts from the
//! better of two displacements: that of the coarser level, and the one that its left neighbour has found. Then every
//! patch tries the results of its neighbours to the right, above and below, and goes on from the best if that
//! is better than its own. The paper starts from the coarser level only; OpenCV has a similar propagation.
//!
//! The field at a pixel is the mean of the displacements of the patches that cover it, each weighted by
//! 1 / max(1, |d - mean of d|) at that pixel (2.2).
//!
//! A row of patches depends on no other row of the same pass, and the mean of a pixel adds its patches in the order of
//! the grid, so the bits do not depend on the number of threads.

mod params;

use std::ops::Range;

use crate::bands::{self, Bands};
use crate::eight::{self, EIGHT, Eight, WithEight};
use crate::plane::{Plane, Rows};

pub use params::PatchSearch;

/// Side of a patch in pixels, and floats in its vectors.
pub(crate) const PATCH: usize = EIGHT;

/// Pixels of a patch.
const AREA: f32 = (PATCH * PATCH) as f32;

/// Pixels repeated around the second picture: a patch may lie fully outside, and a bilinear sample reaches one further.
const BORDER: usize = PATCH + 4;

/// Added to the diagonal of the matrix of a step, squared intensities per squared pixel: keeps patches without texture
/// where they are.
const DAMPING: f32 = 16.0;

/// Squared length in pixels of a step that is too short to go on.
const SHORTEST_STEP: f32 = 1e-3;

/// A neighbour's displacement is taken over if its cost is below this share of the own cost.
const CLEARLY_BETTER: f32 = 0.95;

/// Pixels from the own displacement below which a neighbour's is not tried.
const DIFFERENT: f32 = 0.1;

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

/// How many times as small as the pictures a level must be for patches to look around: a larger one has too many
/// places that look alike.
const SMALL: f32 = 3.9;

/// A patch: the start of its displacement is that of the coarser level.
#[derive(Debug, Clone, Copy, Default)]
struct Patch {
    u: f32,
    v: f32,
    cost: f32,
}

/// Scratch memory of the search, as large as the largest level so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Searcher {
    second: Bordered,
    found: Vec<Patch>,
    settled: Vec<Patch>,
}

/// The grid of patches of a level. The last patch of a row or column ends at the border of the picture.
#[derive(Debug, Clone, Copy)]
struct Layout {
    width: usize,
    height: usize,
    stride: usize,
    columns: usize,
    rows: usize,
}

impl Layout {
    fn new(width: usize, height: usize, stride: usize) -> Self {
        let count = |side: usize| (side - PATCH).div_ceil(stride) + 1;
        Self { width, height, stride, columns: count(width), rows: count(height) }
    }

    #[inline(always)]
    fn left(&self, column: usize) -> usize {
        (column * self.stride).min(self.width - PATCH)
    }

    #[inline(always)]
    fn top(&self, row: usize) -> usize {
        (row * self.stride).min(self.height - PATCH)
    }

    /// Returns the rows of patches of each band of pixels.
    fn bands(&self, count: usize) -> Vec<Range<usize>> {
        let rows = self.rows;
        (0..count).map(|band| band * rows / count..(band + 1) * rows / count).collect()
    }

    /// Returns the rows of patches that touch some rows of pixels.
    fn touching(&self, pixels: &Range<usize>) -> Range<usize> {
        let first = (0..self.rows).find(|&row| self.top(row) + PATCH > pixels.start).unwrap_or(self.rows);
        let end = (first..self.rows).find(|&row| self.top(row) >= pixels.end).unwrap_or(self.rows);
        first..end
    }
}

impl Searcher {
    /// Replaces the flow of a level, which is that of the next coarser one, by the field of the patches. A level
    /// smaller than a patch, or too fine to search, keeps its flow. `scale` is how many times as small as the pictures
    /// the level is.
    pub(crate) fn improve(
        &mut self,
        flow: &mut [Plane; 2],
        scratch: &mut Plane,
        [from, to]: [&Plane; 2],
        search: &PatchSearch,
        scale: f32,
        bands: &Bands,
    ) {
        let (width, height) = (from.width, from.height);
        if width.min(height) < PATCH || scale < 0.97 * (1 << search.finest) as f32 {
            return;
        }
        let layout = Layout::new(width, height, search.patch_stride);
        self.second.fill(to, bands);
        self.found.clear();
        self.found.resize(layout.rows * layout.columns, Patch::default());
        self.settled.clone_from(&self.found);
        let steps = search.descent_steps;
        let reach = if scale > SMALL { search.reach } else { 0 };
        let passes = if reach > 0 { 3 } else { 1 };
        let Self { second, found, settled } = self;
        let (second, cut) = (&*second, layout.bands(bands.count()));
        bands::each(cut.iter().cloned().zip(split(found, &cut, layout.columns)), |(rows, out)| {
            let level = Level { layout, from, to, second, steps };
            eight::run(Find { level, flow, rows, out });
        });
        for pass in 0..passes {
            if pass > 0 {
                std::mem::swap(found, settled);
            }
            let found = &*found;
            let reach = if pass == 1 { reach } else { 0 };
            bands::each(cut.iter().cloned().zip(split(settled, &cut, layout.columns)), |(rows, out)| {
                let level = Level { layout, from, to, second, steps };
                eight::run(Settle { level, found, rows, out, reach });
            });
        }
        let settled = &*settled;
        let [u, v] = flow;
        let parts = bands.ranges().zip(u.bands_mut(bands)).zip(v.bands_mut(bands)).zip(scratch.bands_mut(bands));
        bands::each(parts, |(((rows, u), v), weight)| {
            let level = Level { layout, from, to, second, steps: 0 };
            eight::run(Densify { level, patches: settled, rows, u, v, weight });
        });
    }
}

/// Splits patches into those of each band.
fn split<'a>(mut patches: &'a mut [Patch], bands: &[Range<usize>], columns: usize) -> Vec<&'a mut [Patch]> {
    let mut parts = Vec::with_capacity(bands.len());
    for band in bands {
        let (part, rest) = patches.split_at_mut(band.len() * columns);
        parts.push(part);
        patches = rest;
    }
    parts
}

/// The second picture with its border pixels repeated outwards.
#[derive(Debug, Clone, Default)]
struct Bordered {
    width: usize,
    height: usize,
    data: Vec<f32>,
}

impl Bordered {
    fn fill(&mut self, picture: &Plane, bands: &Bands) {
        (self.width, self.height) = (picture.width, picture.height);
        let (stride, width) = (self.stride(), self.width);
        let values = stride * (self.height + 2 * BORDER);
        // Never shrinks, since growing again would write zeros needlessly.
        self.data.resize(self.data.len().max(values), 0.0);
        let per_band = (self.height + 2 * BORDER).div_ceil(bands.count());
        let parts = self.data[..values].chunks_mut(stride * per_band).enumerate();
        bands::each(parts, |(band, rows)| {
            for (y, row) in rows.chunks_exact_mut(stride).enumerate() {
                let source = picture.row((band * per_band + y).saturating_sub(BORDER).min(picture.height - 1));
                row[..BORDER].fill(source[0]);
                row[BORDER..BORDER + width].copy_from_slice(source);
                row[BORDER + width..].fill(source[width - 1]);
            }
        });
    }

    #[inline(always)]
    fn stride(&self) -> usize {
        self.width + 2 * BORDER
    }
}

/// What all patches of a level share.
#[derive(Clone, Copy)]
struct Level<'a> {
    layout: Layout,
    from: &'a Plane,
    to: &'a Plane,
    second: &'a Bordered,
    steps: usize,
}

/// A patch of the first picture with its gradient, and the matrix of a step.
struct Template<E: Eight> {
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
struct Match {
    cost: f32,
    /// The step that lowers the cost.
    step: [f32; 2],
}

impl<E: Eight> Template<E> {
    #[inline(always)]
    fn new(e: E, level: &Level<'_>, row: usize, column: usize) -> Self {
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
    fn is_poor(&self, cost: f32) -> bool {
        let texture = variance(self.e, self.pixels);
        texture > LEAST_TEXTURE * AREA && cost > POOR * texture
    }

    /// Looks for a match by whole pixels, up to `reach` from the displacement of the patch to every side. A match counts
    /// only if the patch is, the other way round, clearly the best match of what was found.
    #[inline(always)]
    fn look_around(&self, level: &Level<'_>, patch: Patch, reach: usize) -> Option<Patch> {
        let home = [self.x as i32, self.y as i32];
        let start = [(self.x + patch.u) as i32, (self.y + patch.v) as i32];
        let (there, cost) = best_place(self.e, &self.pixels, level.to, start, reach, None);
        if !(cost < MUCH_BETTER * patch.cost) {
            return None;
        }
        let mut found = self.pixels;
        for (r, found) in found.iter_mut().enumerate() {
            *found = self.e.load(&level.to.padded_row(there[1] as usize + r)[there[0] as usize..]);
        }
        let (_, back) = best_place(self.e, &found, level.from, home, reach, Some(home));
        (cost < ONLY * back).then(|| Patch { u: (there[0] - home[0]) as f32, v: (there[1] - home[1]) as f32, cost })
    }

    /// Compares the patch with the second picture.
    #[inline(always)]
    fn compare(&self, second: &Bordered, u: f32, v: f32) -> Match {
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
    fn descend(&self, level: &Level<'_>, mut patch: Patch, mut step: [f32; 2]) -> Patch {
        for _ in 0..level.steps {
            let (u, v) = (patch.u + step[0], patch.v + step[1]);
            let length = step[0] * step[0] + step[1] * step[1];
            let next = self.compare(level.second, u, v);
            // A cost that is not a number ends the descent as well.
            if !(next.cost < patch.cost) {
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
struct Samples<'a, E: Eight> {
    e: E,
    window: &'a [f32],
    stride: usize,
    along: E::V,
    down: E::V,
}

impl<'a, E: Eight> Samples<'a, E> {
    /// The patch with its upper left pixel at a point. A patch fully outside the picture is moved to its border.
    #[inline(always)]
    fn new(e: E, second: &'a Bordered, x: f32, y: f32) -> Self {
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
    fn line(&self, row: usize) -> E::V {
        let taps = &self.window[row * self.stride..][..PATCH + 1];
        let (left, right) = (self.e.load(taps), self.e.load(&taps[1..]));
        self.e.mul_add(self.along, self.e.sub(right, left), left)
    }

    /// Interpolates between two lines.
    #[inline(always)]
    fn between(&self, above: E::V, below: E::V) -> E::V {
        self.e.mul_add(self.down, self.e.sub(below, above), above)
    }
}

/// Returns the sum of squared differences of a patch from its mean.
#[inline(always)]
fn variance<E: Eight>(e: E, pixels: [E::V; PATCH]) -> f32 {
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
fn best_place<E: Eight>(
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
fn clamp(value: f32, low: f32, high: f32) -> f32 {
    let value = if value < low { low } else { value };
    if value > high { high } else { value }
}

/// The first pass: from the coarser level or the left neighbour.
struct Find<'a> {
    level: Level<'a>,
    flow: &'a [Plane; 2],
    rows: Range<usize>,
    out: &'a mut [Patch],
}

impl WithEight for Find<'_> {
    #[inline(always)]
    fn call<E: Eight>(self, e: E) {
        let Self { level, flow, rows, out } = self;
        let layout = level.layout;
        for (row, out) in rows.zip(out.chunks_exact_mut(layout.columns)) {
            let middle = layout.top(row) + PATCH / 2;
            let (u, v) = (flow[0].row(middle), flow[1].row(middle));
            let mut left: Option<Patch> = None;
            for (column, out) in out.iter_mut().enumerate() {
                let template = Template::new(e, &level, row, column);
                let at = layout.left(column) + PATCH / 2;
                let first = template.compare(level.second, u[at], v[at]);
                let mut best = Patch { u: u[at], v: v[at], cost: first.cost };
                let mut step = first.step;
                if let Some(left) = left {
                    let other = template.compare(level.second, left.u, left.v);
                    if other.cost < CLEARLY_BETTER * best.cost {
                        best = Patch { cost: other.cost, ..left };
                        step = other.step;
                    }
                }
                *out = template.descend(&level, best, step);
                left = Some(*out);
            }
        }
    }
}

/// The second pass: from the neighbours to the right, above and below.
struct Settle<'a> {
    level: Level<'a>,
    found: &'a [Patch],
    rows: Range<usize>,
    out: &'a mut [Patch],
    reach: usize,
}

impl WithEight for Settle<'_> {
    #[inline(always)]
    fn call<E: Eight>(self, e: E) {
        let Self { level, found, rows, out, reach } = self;
        let layout = level.layout;
        for (row, out) in rows.zip(out.chunks_exact_mut(layout.columns)) {
            for (column, out) in out.iter_mut().enumerate() {
                let at = row * layout.columns + column;
                let own = found[at];
                let right = if column + 1 < layout.columns { at + 1 } else { at };
                let above = if row > 0 { at - layout.columns } else { at };
                let below = if row + 1 < layout.rows { at + layout.columns } else { at };
                let template = Template::new(e, &level, row, column);
                let (mut best, mut step) = (own, [0.0; 2]);
                best.cost *= CLEARLY_BETTER;
                for near in [right, above, below] {
                    let Patch { u, v, .. } = found[near];
                    if (u - own.u).abs().max((v - own.v).abs()) < DIFFERENT {
                        continue;
                    }
                    let other = template.compare(level.second, u, v);
                    if other.cost < best.cost {
                        best = Patch { u, v, cost: other.cost };
                        step = other.step;
                    }
                }
                let mut settled = if step == [0.0; 2] { own } else { template.descend(&level, best, step) };
                if reach > 0 && template.is_poor(settled.cost) {
                    if let Some(far) = template.look_around(&level, settled, reach) {
                        let near = template.compare(level.second, far.u, far.v);
                        settled = template.descend(&level, Patch { cost: near.cost, ..far }, near.step);
                    }
                }
                *out = settled;
            }
        }
    }
}

/// The mean of the patches over some rows of pixels.
struct Densify<'a> {
    level: Level<'a>,
    patches: &'a [Patch],
    rows: Range<usize>,
    u: Rows<'a>,
    v: Rows<'a>,
    weight: Rows<'a>,
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
