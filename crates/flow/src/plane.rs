//! A plane of numbers laid out for the vector loops.
//!
//! Rows are padded to whole vectors, and a margin lies before every row and
//! after the last, so that a loop over a row may read its left or right
//! neighbour, and has no remainder.

/// Floats in the widest vector (AVX-512): rows are padded to a multiple.
pub(crate) const LANES: usize = 16;

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
    /// A plane of zeros, margins included.
    pub(crate) fn new(width: usize, height: usize) -> Self {
        let padded = width.next_multiple_of(LANES);
        Self { width, height, padded, data: vec![0.0; height * (padded + LANES) + LANES] }
    }

    /// Sets everything to zero, margins included.
    pub(crate) fn clear(&mut self) {
        self.data.fill(0.0);
    }

    #[inline(always)]
    fn start(&self, y: usize) -> usize {
        y * (self.padded + LANES) + LANES
    }

    /// The W values of row `y`.
    #[inline(always)]
    pub(crate) fn row(&self, y: usize) -> &[f32] {
        &self.padded_row(y)[..self.width]
    }

    /// The W values of row `y`.
    #[inline(always)]
    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        let width = self.width;
        &mut self.padded_row_mut(y)[..width]
    }

    /// Row `y` with its padding.
    #[inline(always)]
    pub(crate) fn padded_row(&self, y: usize) -> &[f32] {
        let start = self.start(y);
        &self.data[start..start + self.padded]
    }

    /// Row `y` with its padding.
    #[inline(always)]
    pub(crate) fn padded_row_mut(&mut self, y: usize) -> &mut [f32] {
        let start = self.start(y);
        &mut self.data[start..start + self.padded]
    }

    /// Row `y` with its padding, moved so that index x holds column x - 1.
    #[inline(always)]
    pub(crate) fn left_of_row(&self, y: usize) -> &[f32] {
        let start = self.start(y) - 1;
        &self.data[start..start + self.padded]
    }

    /// Row `y` with its padding, moved so that index x holds column x + 1.
    #[inline(always)]
    pub(crate) fn right_of_row(&self, y: usize) -> &[f32] {
        let start = self.start(y) + 1;
        &self.data[start..start + self.padded]
    }

    /// Repeats the last value of row `y` once, to the right of the picture.
    #[inline(always)]
    pub(crate) fn repeat_last(&mut self, y: usize) {
        let end = self.start(y) + self.width;
        self.data[end] = self.data[end - 1];
    }
}
