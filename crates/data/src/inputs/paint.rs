//! Cuts one field after another into the channels of an input.
//!
//! The loops are plain Rust under [`pulp::Arch`], which compiles them for
//! AVX2 and AVX-512 too and picks at run time. No fused operation is used, so
//! every machine computes the same bits.

use crate::augment::Crop;

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
            x: (0..crop.width * crop.height)
                .map(|i| (crop.x + i % crop.width) as f32)
                .collect(),
            y: (0..crop.width * crop.height)
                .map(|i| (crop.y + i / crop.width) as f32)
                .collect(),
        });
        Self {
            crop: *crop,
            frame,
            scale,
            path,
        }
    }

    /// Writes both components of the next field, `u` and `v`, into the planes `x` and `y`.
    pub(super) fn paint(
        &mut self,
        u: &[f32],
        v: &[f32],
        mean: [f32; 2],
        x: &mut [f32],
        y: &mut [f32],
    ) {
        let Self {
            crop,
            frame,
            scale,
            path,
        } = self;
        let sign = if crop.flip { -*scale } else { *scale };
        pulp::Arch::new().dispatch(
            #[inline(always)]
            || match path {
                None => {
                    cut(u, frame.0, crop, mean[0], sign, x);
                    cut(v, frame.0, crop, mean[1], *scale, y);
                }
                Some(path) => {
                    follow(u, v, *frame, path, x, y);
                    finish(x, crop, mean[0], sign);
                    finish(y, crop, mean[1], *scale);
                }
            },
        );
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
fn follow(
    u: &[f32],
    v: &[f32],
    frame: (usize, usize),
    path: &mut Path,
    x: &mut [f32],
    y: &mut [f32],
) {
    let (width, height) = frame;
    let (right, bottom) = ((width - 1) as f32, (height - 1) as f32);
    // The upper left of the four neighbours is at most the last but one, so
    // that the others exist; a frame one pixel wide or high has only itself.
    let (last_x, last_y) = (
        width.saturating_sub(2) as f32,
        height.saturating_sub(2) as f32,
    );
    let step_x = usize::from(width > 1);
    let step_y = if height > 1 { width } else { 0 };
    let reach = step_x + step_y;

    let points = path.x.iter_mut().zip(path.y.iter_mut());
    for ((px, py), (x, y)) in points.zip(x.iter_mut().zip(y)) {
        let (left, top) = (px.trunc().min(last_x), py.trunc().min(last_y));
        let (fx, fy) = (*px - left, *py - top);
        let at = top as usize * width + left as usize;
        let (u, v) = (&u[at..=at + reach], &v[at..=at + reach]);
        *x = bilinear([u[0], u[step_x], u[step_y], u[reach]], fx, fy);
        *y = bilinear([v[0], v[step_x], v[step_y], v[reach]], fx, fy);
        // `max` first: a point that is not a number goes to 0.
        *px = (*px + *x).max(0.0).min(right);
        *py = (*py + *y).max(0.0).min(bottom);
    }
}

/// The value between four neighbours (upper left, upper right, lower left, lower right).
#[inline(always)]
fn bilinear(taps: [f32; 4], fx: f32, fy: f32) -> f32 {
    let upper = taps[0] + fx * (taps[1] - taps[0]);
    let lower = taps[2] + fx * (taps[3] - taps[2]);
    upper + fy * (lower - upper)
}

/// Mean, scale and mirror, in place, for values read along paths.
#[inline(always)]
fn finish(plane: &mut [f32], crop: &Crop, mean: f32, scale: f32) {
    for value in plane.iter_mut() {
        *value = (*value - mean) * scale;
    }
    if crop.flip {
        plane
            .chunks_exact_mut(crop.width)
            .for_each(<[f32]>::reverse);
    }
}
