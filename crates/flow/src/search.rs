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

use std::ops::Range;

use crate::bands::{self, Bands};
use crate::plane::{Plane, Rows};

/// Side of a patch in pixels, and floats in its vectors.
pub(crate) const PATCH: usize = 8;

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

/// How thoroughly patches search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effort {
    /// Distance in pixels from a patch to the next.
    pub(crate) stride: usize,
    /// Most steps of a descent.
    pub(crate) steps: usize,
}

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
    /// smaller than a patch keeps its flow.
    pub(crate) fn improve(
        &mut self,
        flow: &mut [Plane; 2],
        scratch: &mut Plane,
        [from, to]: [&Plane; 2],
        effort: Effort,
        bands: &Bands,
    ) {
        let (width, height) = (from.width, from.height);
        if width.min(height) < PATCH {
            return;
        }
        let layout = Layout::new(width, height, effort.stride);
        self.second.fill(to, bands);
        self.found.clear();
        self.found.resize(layout.rows * layout.columns, Patch::default());
        self.settled.clone_from(&self.found);
        let Self { second, found, settled } = self;
        let (second, cut) = (&*second, layout.bands(bands.count()));
        bands::each(cut.iter().cloned().zip(split(found, &cut, layout.columns)), |(rows, out)| {
            let level = Level { layout, from, second, steps: effort.steps };
            pulp::Arch::new().dispatch(Find { level, flow, rows, out });
        });
        let found = &*found;
        bands::each(cut.iter().cloned().zip(split(settled, &cut, layout.columns)), |(rows, out)| {
            let level = Level { layout, from, second, steps: effort.steps };
            pulp::Arch::new().dispatch(Settle { level, found, rows, out });
        });
        let settled = &*settled;
        let [u, v] = flow;
        let parts = bands.ranges().zip(u.bands_mut(bands)).zip(v.bands_mut(bands)).zip(scratch.bands_mut(bands));
        bands::each(parts, |(((rows, u), v), weight)| {
            let level = Level { layout, from, second, steps: 0 };
            pulp::Arch::new().dispatch(Densify { level, patches: settled, rows, u, v, weight });
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
    second: &'a Bordered,
    steps: usize,
}

/// A patch of the first picture with its gradient, and the matrix of a step.
struct Template {
    x: f32,
    y: f32,
    pixels: [[f32; PATCH]; PATCH],
    gradient: [[[f32; PATCH]; PATCH]; 2],
    /// Sums of the gradient over the patch.
    sums: [f32; 2],
    /// The inverse of the matrix: upper left, off the diagonal, lower right.
    inverse: [f32; 3],
}

/// The result of a comparison of a patch with the second picture.
#[derive(Clone, Copy)]
struct Match {
    cost: f32,
    /// The mean of d.
    mean: f32,
    /// The step that lowers the cost.
    step: [f32; 2],
}

/// Adds the values of a vector in a fixed order.
#[inline(always)]
fn sum(v: [f32; PATCH]) -> f32 {
    ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
}

/// Returns `PATCH` values of a row.
#[inline(always)]
fn vector(row: &[f32]) -> [f32; PATCH] {
    let mut values = [0.0; PATCH];
    values.copy_from_slice(&row[..PATCH]);
    values
}

impl Template {
    #[inline(always)]
    fn new(level: &Level<'_>, row: usize, column: usize) -> Self {
        let (left, top) = (level.layout.left(column), level.layout.top(row));
        let mut pixels = [[0.0; PATCH]; PATCH];
        let mut gradient = [[[0.0; PATCH]; PATCH]; 2];
        let (mut x, mut y) = ([0.0; PATCH], [0.0; PATCH]);
        let (mut xx, mut xy, mut yy) = ([0.0; PATCH], [0.0; PATCH], [0.0; PATCH]);
        let picture = level.from;
        for r in 0..PATCH {
            let at = top + r;
            let here = vector(&picture.padded_row(at)[left..]);
            let before = vector(&picture.left_of_row(at)[left..]);
            let after = vector(&picture.right_of_row(at)[left..]);
            let above = vector(&picture.padded_row(at.saturating_sub(1))[left..]);
            let below = vector(&picture.padded_row((at + 1).min(picture.height - 1))[left..]);
            let (mut gx, mut gy) = ([0.0; PATCH], [0.0; PATCH]);
            for i in 0..PATCH {
                gx[i] = 0.5 * (after[i] - before[i]);
                gy[i] = 0.5 * (below[i] - above[i]);
                x[i] += gx[i];
                y[i] += gy[i];
                xx[i] = gx[i].mul_add(gx[i], xx[i]);
                xy[i] = gx[i].mul_add(gy[i], xy[i]);
                yy[i] = gy[i].mul_add(gy[i], yy[i]);
            }
            pixels[r] = here;
            gradient[0][r] = gx;
            gradient[1][r] = gy;
        }
        let (x, y) = (sum(x), sum(y));
        let a = sum(xx) - x * x / AREA + DAMPING;
        let b = sum(xy) - x * y / AREA;
        let c = sum(yy) - y * y / AREA + DAMPING;
        let share = 1.0 / (a * c - b * b).max(DAMPING);
        let inverse = [share * c, -share * b, share * a];
        Self { x: left as f32, y: top as f32, pixels, gradient, sums: [x, y], inverse }
    }

    /// Returns the index in the second picture of the upper left sample of the displaced patch, and the distances of
    /// the patch from there.
    #[inline(always)]
    fn place(&self, second: &Bordered, u: f32, v: f32) -> (usize, f32, f32) {
        let x = clamp(self.x + u, -(PATCH as f32), second.width as f32);
        let y = clamp(self.y + v, -(PATCH as f32), second.height as f32);
        let (x, y) = (x + BORDER as f32, y + BORDER as f32);
        // Both are positive.
        let (left, top) = (x as i32, y as i32);
        let corner = top as usize * second.stride() + left as usize;
        (corner, x - left as f32, y - top as f32)
    }

    /// Compares the patch with the second picture.
    #[inline(always)]
    fn compare(&self, second: &Bordered, u: f32, v: f32) -> Match {
        let (corner, along, down) = self.place(second, u, v);
        let stride = second.stride();
        let window = &second.data[corner..corner + PATCH * stride + PATCH + 1];
        let (mut d1, mut d2) = ([0.0; PATCH], [0.0; PATCH]);
        let (mut dx, mut dy) = ([0.0; PATCH], [0.0; PATCH]);
        let mut above = across(window, along);
        for r in 0..PATCH {
            let below = across(&window[(r + 1) * stride..], along);
            let (pixels, gx, gy) = (&self.pixels[r], &self.gradient[0][r], &self.gradient[1][r]);
            for i in 0..PATCH {
                let d = down.mul_add(below[i] - above[i], above[i]) - pixels[i];
                d1[i] += d;
                d2[i] = d.mul_add(d, d2[i]);
                dx[i] = d.mul_add(gx[i], dx[i]);
                dy[i] = d.mul_add(gy[i], dy[i]);
            }
            above = below;
        }
        let mean = sum(d1) / AREA;
        let cost = sum(d2) - mean * mean * AREA;
        let (x, y) = (sum(dx) - mean * self.sums[0], sum(dy) - mean * self.sums[1]);
        let [a, b, c] = self.inverse;
        Match { cost, mean, step: [-(a * x + b * y), -(b * x + c * y)] }
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

/// Interpolates `PATCH` samples of a row.
#[inline(always)]
fn across(row: &[f32], along: f32) -> [f32; PATCH] {
    let (left, right) = (vector(row), vector(&row[1..]));
    let mut out = [0.0; PATCH];
    for i in 0..PATCH {
        out[i] = along.mul_add(right[i] - left[i], left[i]);
    }
    out
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

impl pulp::NullaryFnOnce for Find<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { level, flow, rows, out } = self;
        let layout = level.layout;
        for (row, out) in rows.zip(out.chunks_exact_mut(layout.columns)) {
            let middle = layout.top(row) + PATCH / 2;
            let (u, v) = (flow[0].row(middle), flow[1].row(middle));
            let mut left: Option<Patch> = None;
            for (column, out) in out.iter_mut().enumerate() {
                let template = Template::new(&level, row, column);
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
}

impl pulp::NullaryFnOnce for Settle<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { level, found, rows, out } = self;
        let layout = level.layout;
        for (row, out) in rows.zip(out.chunks_exact_mut(layout.columns)) {
            for (column, out) in out.iter_mut().enumerate() {
                let at = row * layout.columns + column;
                let own = found[at];
                let right = if column + 1 < layout.columns { at + 1 } else { at };
                let above = if row > 0 { at - layout.columns } else { at };
                let below = if row + 1 < layout.rows { at + layout.columns } else { at };
                let template = Template::new(&level, row, column);
                let (mut best, mut step) = (own, [0.0; 2]);
                best.cost *= CLEARLY_BETTER;
                for near in [right, above, below] {
                    let Patch { u, v, .. } = found[near];
                    let other = template.compare(level.second, u, v);
                    if other.cost < best.cost {
                        best = Patch { u, v, cost: other.cost };
                        step = other.step;
                    }
                }
                *out = if step == [0.0; 2] { own } else { template.descend(&level, best, step) };
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

impl pulp::NullaryFnOnce for Densify<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
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
                spread(&level, patch, row, column, &rows, [&mut u, &mut v, &mut weight]);
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
fn spread(
    level: &Level<'_>,
    patch: Patch,
    row: usize,
    column: usize,
    pixels: &Range<usize>,
    [u, v, weight]: [&mut Rows<'_>; 3],
) {
    let template = Template::new(level, row, column);
    let mean = template.compare(level.second, patch.u, patch.v).mean;
    let (corner, along, down) = template.place(level.second, patch.u, patch.v);
    let stride = level.second.stride();
    let window = &level.second.data[corner..corner + PATCH * stride + PATCH + 1];
    let (left, top) = (level.layout.left(column), level.layout.top(row));
    let mut above = across(window, along);
    for r in 0..PATCH {
        let below = across(&window[(r + 1) * stride..], along);
        let y = top + r;
        if pixels.contains(&y) {
            let mut share = [0.0; PATCH];
            for i in 0..PATCH {
                let d = down.mul_add(below[i] - above[i], above[i]) - template.pixels[r][i] - mean;
                let most = if d.abs() > 1.0 { d.abs() } else { 1.0 };
                share[i] = 1.0 / most;
            }
            let u = &mut u.padded_row_mut(y)[left..][..PATCH];
            let v = &mut v.padded_row_mut(y)[left..][..PATCH];
            let weight = &mut weight.padded_row_mut(y)[left..][..PATCH];
            for i in 0..PATCH {
                u[i] = share[i].mul_add(patch.u, u[i]);
                v[i] = share[i].mul_add(patch.v, v[i]);
                weight[i] += share[i];
            }
        }
        above = below;
    }
}
