//! Cuts one field or frame after another into the channels of an input.
//!
//! The loops are plain Rust under [`pulp::Arch`], which also compiles them for
//! AVX2 and AVX-512 and chooses at run time. No fused operation is used, so
//! every machine computes the same bits.

use super::resample::{Taps, position};
use super::view::View;
use crate::augment::Crop;
use crate::source::{FieldWindow, Frame, FrameWindow, Plane, Window};

/// Memory that painting reuses; each thread has its own.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(super) field: FieldWindow,
    pub(super) frame: FrameWindow,
    pub(super) grid: Grid,
    pub(super) row: Vec<f32>,
    pub(super) planes: Vec<f32>,
    pub(super) earlier: Vec<f32>,
}

/// Number of points of a path that are handled together.
const BLOCK: usize = 64;

/// Draws the fields or frames of one input, in order, for one view.
pub(super) struct Painter {
    place: Place,
    frame: (usize, usize),
    scale: f32,
    path: Option<Path>,
}

/// The position of a view in the window that was read.
struct Place {
    /// The crop, relative to the window's corner.
    crop: Crop,
    /// Width and height of the view.
    size: (usize, usize),
    /// Columns of the window.
    stride: usize,
    /// Pixels between which the view's pixels lie, across and down; `None` if they lie on pixels.
    taps: Option<[Taps; 2]>,
}

/// p_k of every pixel of the view, in pixels of the frame, not mirrored.
struct Path {
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Painter {
    /// Creates a painter at the first field; the view's crop lies within `window`, which lies within `frame`.
    /// A painter that follows paths needs the whole frame as its window.
    pub(super) fn new(
        view: &View<'_>,
        window: Window,
        frame: (usize, usize),
        scale: f32,
        follow: bool,
    ) -> Self {
        let View { crop, size, .. } = *view;
        let path = follow.then(|| {
            let x = (0..size.0).map(|i| crop.x as f32 + position(i, crop.width, size.0));
            let across: Vec<f32> = x.collect();
            let down = (0..size.1).map(|i| crop.y as f32 + position(i, crop.height, size.1));
            Path {
                x: std::iter::repeat_n(&across, size.1).flatten().copied().collect(),
                y: down.flat_map(|y| std::iter::repeat_n(y, size.0)).collect(),
            }
        });
        let resized = !follow && size != (crop.width, crop.height);
        let taps = resized
            .then(|| [Taps::new(crop.width, size.0, crop.flip), Taps::new(crop.height, size.1, false)]);
        let crop = Crop { x: crop.x - window.x, y: crop.y - window.y, ..crop };
        Self { place: Place { crop, size, stride: window.width, taps }, frame, scale, path }
    }

    /// Writes both components of the next field into the planes `x` and `y`.
    /// `grid` holds the same field; only a painter that follows a path reads it.
    pub(super) fn paint(
        &mut self,
        field: &FieldWindow,
        grid: &Grid,
        mean: [f32; 2],
        row: &mut Vec<f32>,
        x: &mut [f32],
        y: &mut [f32],
    ) {
        pulp::Arch::new().dispatch(PaintField { painter: self, field, grid, mean, row, x, y });
    }

    /// Writes the planes R, G and B of a frame: `(byte + shift) * scale` for each.
    pub(super) fn paint_frame(
        &self,
        frame: &Frame,
        shift: [f32; 3],
        scale: [f32; 3],
        row: &mut Vec<f32>,
        out: &mut [f32],
    ) {
        pulp::Arch::new().dispatch(PaintFrame { place: &self.place, frame, shift, scale, row, out });
    }
}

/// The work of [`Painter::paint`]. A type rather than a closure: a closure is not
/// certain to be inlined, and one that is not runs as plain SSE2.
struct PaintField<'a> {
    painter: &'a mut Painter,
    field: &'a FieldWindow,
    grid: &'a Grid,
    mean: [f32; 2],
    row: &'a mut Vec<f32>,
    x: &'a mut [f32],
    y: &'a mut [f32],
}

impl pulp::WithSimd for PaintField<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { painter, field, grid, mean, row, x, y } = self;
        let Painter { place, frame, scale, path } = painter;
        let sign = if place.crop.flip { -*scale } else { *scale };
        match path {
            None => {
                plane(&field.u, place, mean[0], sign, row, x);
                plane(&field.v, place, mean[1], *scale, row, y);
            }
            Some(path) => {
                follow(grid, *frame, path, x, y);
                finish(x, place, mean[0], sign);
                finish(y, place, mean[1], *scale);
            }
        }
    }
}

/// The work of [`Painter::paint_frame`].
struct PaintFrame<'a> {
    place: &'a Place,
    frame: &'a Frame,
    shift: [f32; 3],
    scale: [f32; 3],
    row: &'a mut Vec<f32>,
    out: &'a mut [f32],
}

impl pulp::WithSimd for PaintFrame<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { place, frame, shift, scale, row, out } = self;
        let plane = place.size.0 * place.size.1;
        for (channel, out) in out.chunks_exact_mut(plane).enumerate() {
            let (shift, scale) = (shift[channel], scale[channel]);
            let source = &frame.rgb[channel..];
            match &place.taps {
                None => cut::<_, 3>(source, &Restore::BYTE, place, -shift, scale, out),
                Some(taps) => resize::<_, 3>(source, &Restore::BYTE, place, taps, -shift, scale, row, out),
            }
        }
    }
}

/// The meaning of stored values.
trait Value<T: Copy> {
    fn of(&self, stored: T) -> f32;
}

/// Values that are stored as they are.
struct Same;

impl Value<f32> for Same {
    #[inline(always)]
    fn of(&self, stored: f32) -> f32 {
        stored
    }
}

/// Bytes that stand for `min + byte * step`.
struct Restore {
    min: f32,
    step: f32,
}

impl Restore {
    /// A byte that stands for itself.
    const BYTE: Self = Self { min: 0.0, step: 1.0 };
}

impl Value<u8> for Restore {
    #[inline(always)]
    fn of(&self, stored: u8) -> f32 {
        self.min + f32::from(stored) * self.step
    }
}

/// Paints one component at the pixels of the view, for either storage.
#[inline(always)]
fn plane(source: &Plane, place: &Place, mean: f32, scale: f32, row: &mut Vec<f32>, out: &mut [f32]) {
    match (source, &place.taps) {
        (Plane::Floats(values), None) => cut::<_, 1>(values, &Same, place, mean, scale, out),
        (Plane::Floats(values), Some(taps)) => {
            resize::<_, 1>(values, &Same, place, taps, mean, scale, row, out);
        }
        (&Plane::Bytes { ref data, min, step }, None) => {
            cut::<_, 1>(data, &Restore { min, step }, place, mean, scale, out);
        }
        (&Plane::Bytes { ref data, min, step }, Some(taps)) => {
            resize::<_, 1>(data, &Restore { min, step }, place, taps, mean, scale, row, out);
        }
    }
}

/// Equation 1: `(value - mean) * scale` over the crop, mirrored where the crop is. A pixel is `STEP`
/// stored values from the next.
#[inline(always)]
fn cut<T: Copy, const STEP: usize>(
    source: &[T],
    value: &impl Value<T>,
    place: &Place,
    mean: f32,
    scale: f32,
    out: &mut [f32],
) {
    let Place { crop, stride, .. } = place;
    for (row, out) in out.chunks_exact_mut(crop.width).enumerate() {
        let from = ((crop.y + row) * stride + crop.x) * STEP;
        let source = &source[from..][..(crop.width - 1) * STEP + 1];
        // The same loop twice: with a step known to be 1 it is vectorised.
        match (crop.flip, STEP) {
            (false, 1) => {
                for (out, &stored) in out.iter_mut().zip(source) {
                    *out = (value.of(stored) - mean) * scale;
                }
            }
            (true, 1) => {
                for (out, &stored) in out.iter_mut().zip(source.iter().rev()) {
                    *out = (value.of(stored) - mean) * scale;
                }
            }
            (false, _) => {
                for (out, &stored) in out.iter_mut().zip(source.iter().step_by(STEP)) {
                    *out = (value.of(stored) - mean) * scale;
                }
            }
            (true, _) => {
                for (out, &stored) in out.iter_mut().rev().zip(source.iter().step_by(STEP)) {
                    *out = (value.of(stored) - mean) * scale;
                }
            }
        }
    }
}

/// Like [`cut`], but bilinear between the pixels: down first, into `row`, then across.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "a loop of the painter, cut out for two kinds of values")]
fn resize<T: Copy, const STEP: usize>(
    source: &[T],
    value: &impl Value<T>,
    place: &Place,
    [across, down]: &[Taps; 2],
    mean: f32,
    scale: f32,
    row: &mut Vec<f32>,
    out: &mut [f32],
) {
    let Place { crop, stride, size, .. } = place;
    // The last pixel twice, so that every pixel has a right neighbour.
    row.resize(crop.width + 1, 0.0);
    let rows = down.index.iter().zip(&down.fraction);
    for (out, (&top, &fraction)) in out.chunks_exact_mut(size.0).zip(rows) {
        let top = top as usize;
        let line = |y: usize| {
            let from = ((crop.y + y) * stride + crop.x) * STEP;
            &source[from..][..(crop.width - 1) * STEP + 1]
        };
        let (upper, lower) = (line(top), line((top + 1).min(crop.height - 1)));
        if STEP == 1 {
            for (row, (&upper, &lower)) in row.iter_mut().zip(upper.iter().zip(lower)) {
                let upper = value.of(upper);
                *row = upper + fraction * (value.of(lower) - upper);
            }
        } else {
            let both = upper.iter().step_by(STEP).zip(lower.iter().step_by(STEP));
            for (row, (&upper, &lower)) in row.iter_mut().zip(both) {
                let upper = value.of(upper);
                *row = upper + fraction * (value.of(lower) - upper);
            }
        }
        row[crop.width] = row[crop.width - 1];
        for (out, (&left, &fraction)) in out.iter_mut().zip(across.index.iter().zip(&across.fraction)) {
            let pair = &row[left as usize..][..2];
            *out = (pair[0] + fraction * (pair[1] - pair[0]) - mean) * scale;
        }
    }
}

/// What a picture of a window keeps of each frame, see [`gather`].
#[derive(Clone, Copy)]
pub(super) enum Gather {
    /// Adds the difference from the first frame, times a factor.
    Weighted(f32),
    /// Keeps the largest value.
    Largest,
    /// Writes a value into the first plane where the brightness has changed by more than this since the frame before.
    Changed {
        /// Smallest change that does not count.
        threshold: f32,
        /// The value.
        value: f32,
    },
}

/// Share of R, G and B in the brightness (ITU-R BT.601).
const BRIGHTNESS: [f32; 3] = [0.299, 0.587, 0.114];

/// Takes the planes of one more frame into the picture of a window. `earlier` holds those of the first frame, or of the frame
/// before.
pub(super) fn gather(how: Gather, frame: &[f32], earlier: &[f32], out: &mut [f32]) {
    pulp::Arch::new().dispatch(PaintGathered { how, frame, earlier, out });
}

/// The work of [`gather`].
struct PaintGathered<'a> {
    how: Gather,
    frame: &'a [f32],
    earlier: &'a [f32],
    out: &'a mut [f32],
}

impl pulp::WithSimd for PaintGathered<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { how, frame, earlier, out } = self;
        match how {
            Gather::Weighted(weight) => {
                for (out, (frame, earlier)) in out.iter_mut().zip(frame.iter().zip(earlier)) {
                    *out += weight * (frame - earlier);
                }
            }
            Gather::Largest => {
                for (out, frame) in out.iter_mut().zip(frame) {
                    *out = out.max(*frame);
                }
            }
            Gather::Changed { threshold, value } => {
                let plane = frame.len() / BRIGHTNESS.len();
                for (i, out) in out.iter_mut().take(plane).enumerate() {
                    let mut change = 0.0;
                    for (channel, share) in BRIGHTNESS.iter().enumerate() {
                        change += share * (frame[channel * plane + i] - earlier[channel * plane + i]);
                    }
                    if change.abs() > threshold {
                        *out = value;
                    }
                }
            }
        }
    }
}

/// A field laid out for reading between its pixels: u and v side by side, and
/// the last column and row repeated, so that every point of the frame has four
/// neighbours and all of them lie in two short runs.
#[derive(Debug, Default)]
pub(super) struct Grid {
    vectors: Vec<[f32; 2]>,
}

impl Grid {
    /// Loads a whole field, whose size has been checked.
    pub(super) fn load(&mut self, field: &FieldWindow) {
        let (width, height) = (field.width, field.height);
        self.vectors.resize((width + 1) * (height + 1), [0.0; 2]);
        for (component, plane) in [&field.u, &field.v].into_iter().enumerate() {
            match plane {
                Plane::Floats(values) => self.component(component, width, values, &Same),
                &Plane::Bytes { ref data, min, step } => {
                    self.component(component, width, data, &Restore { min, step });
                }
            }
        }
        let last = (height - 1) * (width + 1);
        self.vectors.copy_within(last..last + width + 1, last + width + 1);
    }

    fn component<T: Copy>(&mut self, component: usize, width: usize, source: &[T], value: &impl Value<T>) {
        for (out, source) in self.vectors.chunks_exact_mut(width + 1).zip(source.chunks_exact(width)) {
            for (out, &stored) in out.iter_mut().zip(source) {
                out[component] = value.of(stored);
            }
            out[width][component] = out[width - 1][component];
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
        // Three loops; the first and the last are vectorised.
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

/// Applies mean, scale and mirroring in place, to values read along paths.
#[inline(always)]
fn finish(plane: &mut [f32], place: &Place, mean: f32, scale: f32) {
    for value in plane.iter_mut() {
        *value = (*value - mean) * scale;
    }
    if place.crop.flip {
        plane.chunks_exact_mut(place.size.0).for_each(<[f32]>::reverse);
    }
}
