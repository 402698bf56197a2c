//! A plane of numbers laid out for the vector loops.
//!
//! Rows are padded to whole vectors, and every row has a margin on either side,
//! so that a loop over a row can read neighbours to the left and right, and has
//! no remainder.

use crate::bands::Bands;

/// Floats in the widest vector (AVX-512); rows are padded to a multiple of it.
pub(crate) const LANES: usize = 16;

/// Floats before and after a row.
const MARGIN: usize = LANES / 2;

/// Columns that [`Rows::repeat_ends`] repeats on either side.
const REPEATED: usize = 2;

/// H rows of W floats in padded rows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plane {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// W rounded up to whole vectors.
    padded: usize,
    data: Vec<f32>,
}

impl Plane {
    /// Creates a plane of zeros, including margins.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let padded = width.next_multiple_of(LANES);
        Self { width, height, padded, data: vec![0.0; height * (padded + 2 * MARGIN)] }
    }

    /// Sets everything to zero, including margins.
    pub(crate) fn clear(&mut self) {
        self.data.fill(0.0);
    }

    #[inline(always)]
    fn start(&self, y: usize) -> usize {
        y * (self.padded + 2 * MARGIN) + MARGIN
    }

    /// Returns the W values of row `y`.
    #[inline(always)]
    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.padded_row(y)[..self.width]
    }

    /// Returns the W values of row `y`.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let width = self.width;
        &mut self.padded_row_mut(y)[..width]
    }

    /// Returns row `y` with its padding.
    #[inline(always)]
    pub(crate) fn padded_row(&self, y: usize) -> &[f32] {
        let start = self.start(y);
        &self.data[start..start + self.padded]
    }

    /// Returns row `y` with its padding.
    #[inline(always)]
    pub(crate) fn padded_row_mut(&mut self, y: usize) -> &mut [f32] {
        let start = self.start(y);
        &mut self.data[start..start + self.padded]
    }

    /// Returns row `y` with its padding, shifted so that index x holds column x - 1.
    #[inline(always)]
    pub(crate) fn left_of_row(&self, y: usize) -> &[f32] {
        let start = self.start(y) - 1;
        &self.data[start..start + self.padded]
    }

    /// Returns row `y` with its padding, shifted so that index x holds column x + 1.
    #[inline(always)]
    pub(crate) fn right_of_row(&self, y: usize) -> &[f32] {
        let start = self.start(y) + 1;
        &self.data[start..start + self.padded]
    }

    /// Returns row `y` with its padding and two more columns on either side: index
    /// x holds column x - 2.
    #[inline(always)]
    pub(crate) fn wide_row(&self, y: usize) -> &[f32] {
        let start = self.start(y) - REPEATED;
        &self.data[start..start + self.padded + 2 * REPEATED]
    }

    /// Repeats the last value of row `y` once, to the right of the picture.
    #[inline(always)]
    pub(crate) fn repeat_last(&mut self, y: usize) {
        let end = self.start(y) + self.width;
        self.data[end] = self.data[end - 1];
    }

    /// Splits the plane into the rows of each band, for writing in parallel.
    pub(crate) fn bands_mut(&mut self, bands: &Bands) -> Vec<Rows<'_>> {
        let (width, padded) = (self.width, self.padded);
        let mut rest = &mut self.data[..];
        let mut parts = Vec::with_capacity(bands.count());
        for rows in bands.ranges() {
            let (data, after) = rest.split_at_mut(rows.len() * (padded + 2 * MARGIN));
            parts.push(Rows { first: rows.start, width, padded, data });
            rest = after;
        }
        parts
    }
}

/// Some rows of a plane, addressed by their numbers in the plane.
pub(crate) struct Rows<'a> {
    first: usize,
    width: usize,
    padded: usize,
    data: &'a mut [f32],
}

impl Rows<'_> {
    #[inline(always)]
    fn start(&self, y: usize) -> usize {
        (y - self.first) * (self.padded + 2 * MARGIN) + MARGIN
    }

    /// Returns the W values of row `y`.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let width = self.width;
        &mut self.padded_row_mut(y)[..width]
    }

    /// Returns row `y` with its padding.
    #[inline(always)]
    pub(crate) fn padded_row_mut(&mut self, y: usize) -> &mut [f32] {
        let start = self.start(y);
        &mut self.data[start..start + self.padded]
    }

    /// Repeats the first and the last value of row `y` outwards, twice each.
    #[inline(always)]
    pub(crate) fn repeat_ends(&mut self, y: usize) {
        let (start, width) = (self.start(y), self.width);
        let (first, last) = (self.data[start], self.data[start + width - 1]);
        self.data[start - REPEATED..start].fill(first);
        self.data[start + width..start + width + REPEATED].fill(last);
    }
}
