//! Tiles of output positions, and the im2col matrix of a tile.
//!
//! The part of the image that a tile reads is first copied with its padding and
//! with the columns sorted by their remainder modulo the horizontal stride
//! ("phases"). After that every row of every window matrix is a contiguous
//! copy, whatever the stride, and nothing needs bounds logic.

use crate::simd::vectorised;
use std::cell::RefCell;
use std::ops::Range;

use super::Geometry;

/// Positions that a tile aims at, and the most values its matrix may have.
const POSITIONS: usize = 448;
const MATRIX: usize = 1 << 20;
/// Tile counts are multiples of this, so that a few threads share them evenly.
const EVEN: usize = 8;

/// Whole output rows of one sample.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    pub(super) sample: usize,
    pub(super) rows: Range<usize>,
}

impl Segment {
    /// Output positions of the segment.
    pub(super) fn positions(&self, g: &Geometry) -> usize {
        self.rows.len() * g.output[1]
    }

    /// First position within the sample's plane.
    pub(super) fn start(&self, g: &Geometry) -> usize {
        self.rows.start * g.output[1]
    }
}

/// Cuts all positions of the batch into tiles, in order.
pub(super) fn tiles(g: &Geometry) -> Vec<Vec<Segment>> {
    tiles_of(g, 0..g.batch)
}

/// Cuts the positions of some samples into tiles, in order.
pub(super) fn tiles_of(g: &Geometry, samples: Range<usize>) -> Vec<Vec<Segment>> {
    let [height, width] = g.output;
    let rows = samples.len() * height;
    if rows == 0 {
        return Vec::new();
    }
    let positions = POSITIONS.min((MATRIX / g.window().max(1)).max(96));
    let wanted = (rows * width).div_ceil(positions).next_multiple_of(EVEN);
    let rows_each = rows.div_ceil(wanted);
    (0..rows.div_ceil(rows_each))
        .map(|tile| {
            let (mut row, end) = (tile * rows_each, ((tile + 1) * rows_each).min(rows));
            let mut segments = Vec::new();
            while row < end {
                let (sample, first) = (row / height, row % height);
                let count = (height - first).min(end - row);
                segments.push(Segment { sample: samples.start + sample, rows: first..first + count });
                row += count;
            }
            segments
        })
        .collect()
}

/// Runs of whole samples with enough positions for one product each.
pub(super) fn sample_groups(g: &Geometry) -> Vec<Range<usize>> {
    let each = (POSITIONS / g.plane().max(1)).clamp(1, g.batch.max(1));
    (0..g.batch).step_by(each).map(|start| start..(start + each).min(g.batch)).collect()
}

/// Scratch buffers of one thread, reused between tiles and between calls.
#[derive(Default)]
pub(super) struct Columns {
    /// The image with padding, sorted by phase: (channel, row, phase, column).
    split: Vec<f32>,
    /// im2col matrix (window x n), or its gradient.
    pub(super) matrix: Vec<f32>,
    /// Result of a product, or gathered gradients (O x n).
    pub(super) result: Vec<f32>,
    positions: usize,
}

thread_local! {
    static COLUMNS: RefCell<Columns> = RefCell::default();
}

/// Lends this thread's buffers. Tasks run to their end on one thread and never nest.
pub(super) fn with_columns(work: impl FnOnce(&mut Columns)) {
    COLUMNS.with_borrow_mut(work);
}

/// Layout of a split image of a number of rows.
struct Split {
    /// Columns of one phase.
    width: usize,
    /// Values from one image row to the next.
    row: usize,
    /// Values from one channel to the next.
    channel: usize,
}

impl Split {
    fn new(g: &Geometry, rows: usize) -> Self {
        let stride = g.stride[1];
        let width = ((g.output[1] - 1) * stride + g.kernel[1]).div_ceil(stride);
        Self { width, row: width * stride, channel: rows * width * stride }
    }
}

/// Image rows (padding included) that output rows read.
fn image_rows(g: &Geometry, output_rows: usize) -> usize {
    (output_rows - 1) * g.stride[0] + g.kernel[0]
}

impl Columns {
    /// Columns of the matrix last filled.
    pub(super) fn positions(&self) -> usize {
        self.positions
    }

    /// Lays out the windows of a tile.
    pub(super) fn fill(&mut self, g: &Geometry, x: &[f32], segments: &[Segment]) {
        let n = segments.iter().map(|segment| segment.positions(g)).sum();
        self.positions = n;
        self.matrix.resize((g.window() * n).max(self.matrix.len()), 0.0);
        let mut at = 0;
        for segment in segments {
            self.split_rows(g, x, segment);
            vectorised(
                #[inline(always)]
                || copy_windows(g, &self.split, segment.rows.len(), &mut self.matrix, n, at),
            );
            at += segment.positions(g);
        }
    }

    /// Copies the image rows that a segment reads into `split`.
    fn split_rows(&mut self, g: &Geometry, x: &[f32], segment: &Segment) {
        let [height, width] = g.input;
        let rows = image_rows(g, segment.rows.len());
        let split = Split::new(g, rows);
        let len = g.channels * split.channel;
        self.split.resize(len.max(self.split.len()), 0.0);
        let image = &x[segment.sample * g.channels * height * width..];
        let first = segment.rows.start * g.stride[0];
        for channel in 0..g.channels {
            for row in 0..rows {
                let out = &mut self.split[channel * split.channel + row * split.row..][..split.row];
                let source = (first + row).wrapping_sub(g.padding[0]);
                if source >= height {
                    out.fill(0.0);
                    continue;
                }
                let x = &image[(channel * height + source) * width..][..width];
                split_row(x, out, split.width, g.stride[1], g.padding[1]);
            }
        }
    }

    /// Zeroes the split images that gradients are added to.
    pub(super) fn clear_images(&mut self, g: &Geometry, samples: usize, channels: usize) {
        let len = samples * channels * Split::new(g, image_rows(g, g.output[0])).channel;
        self.split.resize(len.max(self.split.len()), 0.0);
        self.split[..len].fill(0.0);
    }

    /// Adds the gradient of a tile's windows to the split images.
    pub(super) fn add_back(
        &mut self,
        g: &Geometry,
        channels: usize,
        segments: &[Segment],
        first_sample: usize,
        n: usize,
    ) {
        let split = Split::new(g, image_rows(g, g.output[0]));
        let mut at = 0;
        for segment in segments {
            let start = (segment.sample - first_sample) * channels * split.channel
                + segment.rows.start * g.stride[0] * split.row;
            let images = &mut self.split[start..];
            vectorised(
                #[inline(always)]
                || add_windows(g, &split, channels, &self.matrix, segment.rows.len(), n, at, images),
            );
            at += segment.positions(g);
        }
    }

    /// Writes one split image without padding. `at` counts (sample, channel) pairs.
    pub(super) fn image(&self, g: &Geometry, at: usize, out: &mut [f32]) {
        let [height, width] = g.input;
        let rows = image_rows(g, g.output[0]);
        let split = Split::new(g, rows);
        let image = &self.split[at * split.channel..][..split.channel];
        for row in 0..height {
            let padded = row + g.padding[0];
            if padded >= rows {
                break; // rows that no window reaches keep a gradient of zero
            }
            let image = &image[padded * split.row..][..split.row];
            let out = &mut out[row * width..][..width];
            if g.stride[1] == 1 {
                let len = width.min(split.width.saturating_sub(g.padding[1]));
                out[..len].copy_from_slice(&image[g.padding[1]..][..len]);
                continue;
            }
            for phase in 0..g.stride[1] {
                let values = &image[phase * split.width..][..split.width];
                for (column, &value) in values.iter().enumerate() {
                    let target = (column * g.stride[1] + phase).wrapping_sub(g.padding[1]);
                    if target < width {
                        out[target] = value;
                    }
                }
            }
        }
    }
}

/// Sorts one image row by phase, adding zeros for the padding.
fn split_row(x: &[f32], out: &mut [f32], phase_width: usize, stride: usize, padding: usize) {
    if stride == 1 {
        let len = x.len().min(phase_width.saturating_sub(padding));
        out[..padding.min(phase_width)].fill(0.0);
        if len > 0 {
            out[padding..padding + len].copy_from_slice(&x[..len]);
            out[padding + len..].fill(0.0);
        }
        return;
    }
    for (phase, out) in out.chunks_mut(phase_width).enumerate() {
        // Padded column `phase + i * stride` is image column `phase + i * stride - padding`.
        let skip = padding.saturating_sub(phase).div_ceil(stride).min(out.len());
        let (zeros, rest) = out.split_at_mut(skip);
        zeros.fill(0.0);
        let start = phase + skip * stride - padding.min(phase + skip * stride);
        let x = x.get(start..).unwrap_or(&[]);
        let (values, zeros) = rest.split_at_mut(x.len().div_ceil(stride).min(rest.len()));
        zeros.fill(0.0);
        match stride {
            2 => take_every(x, values, 2),
            _ => take_every(x, values, stride),
        }
    }
}

/// `out[i] = x[i * stride]`; inlined with a constant stride where it matters.
#[inline(always)]
fn take_every(x: &[f32], out: &mut [f32], stride: usize) {
    for (out, x) in out.iter_mut().zip(x.chunks(stride)) {
        *out = x[0];
    }
}

#[inline(always)]
fn copy_windows(g: &Geometry, split: &[f32], output_rows: usize, matrix: &mut [f32], n: usize, at: usize) {
    let layout = Split::new(g, image_rows(g, output_rows));
    let width = g.output[1];
    let ([kh, kw], [sh, sw]) = (g.kernel, g.stride);
    let mut k = 0;
    for channel in 0..g.channels {
        for ky in 0..kh {
            for kx in 0..kw {
                let start = channel * layout.channel + ky * layout.row + kx % sw * layout.width + kx / sw;
                let out = &mut matrix[k * n + at..][..output_rows * width];
                k += 1;
                for (row, out) in out.chunks_exact_mut(width).enumerate() {
                    let from = &split[start + row * sh * layout.row..][..width];
                    copy_short(from, out);
                }
            }
        }
    }
}

/// A copy without the call that `copy_from_slice` makes, for rows of a few dozen values.
#[inline(always)]
fn copy_short(from: &[f32], out: &mut [f32]) {
    let mut out = out.chunks_exact_mut(8);
    let mut from = from.chunks_exact(8);
    for (out, from) in (&mut out).zip(&mut from) {
        out.copy_from_slice(from);
    }
    for (out, &from) in out.into_remainder().iter_mut().zip(from.remainder()) {
        *out = from;
    }
}

#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "the sizes of a tile, passed once")]
fn add_windows(
    g: &Geometry,
    layout: &Split,
    channels: usize,
    matrix: &[f32],
    output_rows: usize,
    n: usize,
    at: usize,
    images: &mut [f32],
) {
    let width = g.output[1];
    let ([kh, kw], [sh, sw]) = (g.kernel, g.stride);
    let mut k = 0;
    for channel in 0..channels {
        for ky in 0..kh {
            for kx in 0..kw {
                let start = channel * layout.channel + ky * layout.row + kx % sw * layout.width + kx / sw;
                let from = &matrix[k * n + at..][..output_rows * width];
                k += 1;
                for (row, from) in from.chunks_exact(width).enumerate() {
                    let image = &mut images[start + row * sh * layout.row..][..width];
                    for (image, &from) in image.iter_mut().zip(from) {
                        *image += from;
                    }
                }
            }
        }
    }
}
