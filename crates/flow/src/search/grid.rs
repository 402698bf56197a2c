//! The patches of a level, and the two pictures that they compare.

use std::ops::Range;

use crate::bands::{self, Bands};
use crate::eight::EIGHT;
use crate::plane::Plane;

/// Side of a patch in pixels, and floats in its vectors.
pub(crate) const PATCH: usize = EIGHT;

/// Pixels repeated around the second picture: a patch may lie fully outside, and a bilinear sample reaches one further.
pub(super) const BORDER: usize = PATCH + 4;

/// A patch: the start of its displacement is that of the coarser level.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Patch {
    pub(super) u: f32,
    pub(super) v: f32,
    pub(super) cost: f32,
}

/// The grid of patches of a level. The last patch of a row or column ends at the border of the picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) stride: usize,
    pub(super) columns: usize,
    pub(super) rows: usize,
}

impl Layout {
    pub(super) fn new(width: usize, height: usize, stride: usize) -> Self {
        let count = |side: usize| (side - PATCH).div_ceil(stride) + 1;
        Self { width, height, stride, columns: count(width), rows: count(height) }
    }

    #[inline(always)]
    pub(super) fn left(&self, column: usize) -> usize {
        (column * self.stride).min(self.width - PATCH)
    }

    #[inline(always)]
    pub(super) fn top(&self, row: usize) -> usize {
        (row * self.stride).min(self.height - PATCH)
    }

    /// Returns the rows of patches of each band of pixels.
    pub(super) fn bands(&self, count: usize) -> Vec<Range<usize>> {
        let rows = self.rows;
        (0..count).map(|band| band * rows / count..(band + 1) * rows / count).collect()
    }

    /// Returns the rows of patches that touch some rows of pixels.
    pub(super) fn touching(&self, pixels: &Range<usize>) -> Range<usize> {
        let first = (0..self.rows).find(|&row| self.top(row) + PATCH > pixels.start).unwrap_or(self.rows);
        let end = (first..self.rows).find(|&row| self.top(row) >= pixels.end).unwrap_or(self.rows);
        first..end
    }
}

/// The second picture with its border pixels repeated outwards.
#[derive(Debug, Clone, Default)]
pub(super) struct Bordered {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) data: Vec<f32>,
}

impl Bordered {
    pub(super) fn fill(&mut self, picture: &Plane, bands: &Bands) {
        (self.width, self.height) = (picture.width, picture.height);
        let (stride, width) = (self.stride(), self.width);
        let values = stride * (self.height + 2 * BORDER);
        // Never shrinks, since growing again would write zeros needlessly.
        self.data.resize(self.data.len().max(values), 0.0);
        let per_band = (self.height + 2 * BORDER).div_ceil(bands.count());
        let parts = self.data[..values].chunks_mut(stride * per_band).enumerate();
        bands::each(parts, |(band, rows)| {
            for (y, row) in rows.chunks_exact_mut(stride).enumerate() {
                let source =
                    picture.row((band * per_band + y).saturating_sub(BORDER).min(picture.height - 1));
                row[..BORDER].fill(source[0]);
                row[BORDER..BORDER + width].copy_from_slice(source);
                row[BORDER + width..].fill(source[width - 1]);
            }
        });
    }

    #[inline(always)]
    pub(super) fn stride(&self) -> usize {
        self.width + 2 * BORDER
    }
}

/// What all patches of a level share.
#[derive(Clone, Copy)]
pub(super) struct Level<'a> {
    pub(super) layout: Layout,
    pub(super) from: &'a Plane,
    pub(super) to: &'a Plane,
    pub(super) second: &'a Bordered,
    pub(super) steps: usize,
}
