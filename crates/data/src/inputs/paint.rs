//! Cuts one field after another into the channels of an input.
//!
//! The loops are plain Rust under [`pulp::Arch`], which compiles them for
//! AVX2 and AVX-512 too and picks at run time. No fused operation is used, so
//! every machine computes the same bits.

use crate::Field;
use crate::augment::Crop;

/// Points of a path that are handled together.
const BLOCK: usize = 64;

/// Draws the fields of one input, in order, for one crop.
pub(super) struct Painter {
    crop: Crop,
    frame: (usize, usize),
    scale: f32,
    path: Option<Path>,
}

/// p_k of every pixel of the crop, in pixels of the frame, not mirrored.
struct Path {
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Painter {
    /// A painter at the first field; `crop` lies within `frame`.
    pub(super) fn new(crop: &Crop, frame: (usize, usize), scale: f32, follow: bool) -> Self {
        let path = follow.then(|| Path {
            x: (0..crop.width * crop.height).map(|i| (crop.x + i % crop.width) as f32).collect(),
            y: (0..crop.width * crop.height).map(|i| (crop.y + i / crop.width) as f32).collect(),
        });
        Self { crop: *crop, frame, scale, path }
    }

    /// Writes both components of the next field into the planes `x` and `y`.
    /// `grid` holds the same field; only a painter that follows a path reads it.
    pub(super) fn paint(&mut self, field: &Field, grid: &Grid, mean: [f32; 2], x: &mut [f32], y: &mut [f32]) {
        pulp::Arch::new().dispatch(Paint { painter: self, field, grid, mean, x, y });
    }
}

/// The work of [`Painter::paint`]. A type rather than a closure: the call of a
/// closure is not certain to be inlined, and what is not runs as plain SSE2.
struct Paint<'a> {
    painter: &'a mut Painter,
    field: &'a Field,
    grid: &'a Grid,
    mean: [f32; 2],
    x: &'a mut [f32],
    y: &'a mut [f32],
}

impl pulp::WithSimd for Paint<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { painter, field, grid, mean, x, y } = self;
        let Painter { crop, frame, scale, path } = painter;
        let sign = if crop.flip { -*scale } else { *scale };
        match path {
            None => {
                cut(&field.u, frame.0, crop, mean[0], sign, x);
                cut(&field.v, frame.0, crop, mean[1], *scale, y);
            }
            Some(path) => {
                follow(grid, *frame, path, x, y);
                finish(x, crop, mean[0], sign);
                finish(y, crop, mean[1], *scale);
            }
        }
    }
}

/// A field laid out for reading between its pixels: u and v side by side, and
/// the last column and row repeated, so that every point of the frame has four
/// neighbours and all of them lie in two short runs.
#[derive(Default)]
pub(super) struct Grid {
    vectors: Vec<[f32; 2]>,
}

impl Grid {
    /// Takes over a field, whose size has been checked.
    pub(super) fn load(&mut self, field: &Field) {
        let (width, height) = (field.width, field.height);
        self.vectors.resize((width + 1) * (height + 1), [0.0; 2]);
        let rows = field.u.chunks_exact(width).zip(field.v.chunks_exact(width));
        for (out, (u, v)) in self.vectors.chunks_exact_mut(width + 1).zip(rows) {
            for (out, (u, v)) in out.iter_mut().zip(u.iter().zip(v)) {
                *out = [*u, *v];
            }
            out[width] = out[width - 1];
        }
        let last = (height - 1) * (width + 1);
        self.vectors.copy_within(last..last + width + 1, last + width + 1);
    }
}

/// Equation 1: `(source - mean) * scale` over the crop, mirrored where the crop is.
#[inline(always)]
fn cut(source: &[f32], stride: usize, crop: &Crop, mean: f32, scale: f32, out: &mut [f32]) {
    for (row, out) in out.chunks_exact_mut(crop.width).enumerate() {
        let source = &source[(crop.y + row) * stride + crop.x..][..crop.width];
        if crop.flip {
            for (out, value) in out.iter_mut().zip(source.iter().rev()) {
                *out = (value - mean) * scale;
            }
        } else {
            for (out, value) in out.iter_mut().zip(source) {
                *out = (value - mean) * scale;
            }
        }
    }
}

/// Equation 2: reads the field at every p_k into `x` and `y` and moves on to p_{k+1}.
#[inline(always)]
fn follow(grid: &Grid, frame: (usize, usize), path: &mut Path, x: &mut [f32], y: &mut [f32]) {
    let stride = frame.0 + 1;
    let (right, bottom) = ((frame.0 - 1) as f32, (frame.1 - 1) as f32);
    let points = path.x.chunks_mut(BLOCK).zip(path.y.chunks_mut(BLOCK));
    for ((px, py), (x, y)) in points.zip(x.chunks_mut(BLOCK).zip(y.chunks_mut(BLOCK))) {
        // Three loops, of which the first and the last run in vectors.
        let (mut at, mut fx, mut fy) = ([0; BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
        let into = at.iter_mut().zip(fx.iter_mut().zip(fy.iter_mut()));
        for ((at, (fx, fy)), (px, py)) in into.zip(px.iter().zip(py.iter())) {
            let (left, top) = (px.trunc(), py.trunc());
            (*fx, *fy) = (px - left, py - top);
            *at = top as u32 * stride as u32 + left as u32;
        }
        let from = at.iter().zip(fx.iter().zip(fy.iter()));
        for ((&at, (&fx, &fy)), (x, y)) in from.zip(x.iter_mut().zip(y.iter_mut())) {
            // Down first, for u and v, left and right at once; then across.
            let at = at as usize;
            let (upper, lower) =
                (grid.vectors[at..].as_flattened(), grid.vectors[at + stride..].as_flattened());
            let (upper, lower) = (&upper[..4], &lower[..4]);
            let mut side = [0.0; 4];
            for (i, side) in side.iter_mut().enumerate() {
                *side = upper[i] + fy * (lower[i] - upper[i]);
            }
            *x = side[0] + fx * (side[2] - side[0]);
            *y = side[1] + fx * (side[3] - side[1]);
        }
        for ((px, py), (x, y)) in px.iter_mut().zip(py).zip(x.iter().zip(y.iter())) {
            // `max` first: a point that is not a number goes to 0.
            *px = (*px + x).max(0.0).min(right);
            *py = (*py + y).max(0.0).min(bottom);
        }
    }
}

/// Mean, scale and mirror, in place, for values read along paths.
#[inline(always)]
fn finish(plane: &mut [f32], crop: &Crop, mean: f32, scale: f32) {
    for value in plane.iter_mut() {
        *value = (*value - mean) * scale;
    }
    if crop.flip {
        plane.chunks_exact_mut(crop.width).for_each(<[f32]>::reverse);
    }
}
