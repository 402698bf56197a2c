//! Fields of one level, stored by colour of a chequerboard.
//!
//! Red pixels are those with x + y even, black ones the others. A row keeps the
//! red values of a field side by side and the black values side by side, so
//! that a relaxation of one colour runs over whole vectors. With
//! p = (y + colour) mod 2, value i of a row is the pixel x = 2 i + p; its left
//! and right neighbours are values i + p - 1 and i + p of the other colour, and
//! those above and below are value i of the other colour.
//!
//! The fields of a row are stored one after the other, so a band of rows of all
//! fields is one slice, and bands go to threads without copies.

use std::ops::Range;

use crate::plane::{LANES, Plane};

/// The two colours, by their number.
pub(super) const COLOURS: [usize; 2] = [0, 1];

/// Padding before and after the values of a field, which is read but never has an effect.
const MARGIN: usize = LANES / 2;

/// Returns the parity p of a colour in row `y`: value i is the pixel 2 i + p.
#[inline(always)]
pub(super) fn parity(y: usize, colour: usize) -> usize {
    (y + colour) % 2
}

/// The flow of a level: u and v.
pub(super) type State = Grid<2>;

/// H rows of F fields in two colours.
#[derive(Debug, Clone, Default)]
pub(super) struct Grid<const F: usize> {
    pub(super) width: usize,
    pub(super) height: usize,
    /// Values of one colour in a row, rounded up to whole vectors.
    padded: usize,
    data: Vec<f32>,
}

impl<const F: usize> Grid<F> {
    /// Adapts to the size of a level. Values are arbitrary; margins and padding are zero.
    pub(super) fn reshape(&mut self, width: usize, height: usize) {
        self.width = width;
        self.height = height;
        self.padded = width.div_ceil(2).next_multiple_of(LANES);
        // Never shrinks, since growing again would write zeros needlessly.
        let values = height * self.row_length();
        self.data.resize(self.data.len().max(values), 0.0);
        let (stride, end) = (self.stride(), MARGIN + width / 2);
        for field in self.data[..values].chunks_exact_mut(stride) {
            field[..MARGIN].fill(0.0);
            field[end..].fill(0.0);
        }
    }

    #[inline(always)]
    fn stride(&self) -> usize {
        self.padded + 2 * MARGIN
    }

    #[inline(always)]
    fn row_length(&self) -> usize {
        2 * F * self.stride()
    }

    /// Returns the number of values of one colour in a row, with padding.
    pub(super) fn padded(&self) -> usize {
        self.padded
    }

    /// Returns all rows for reading.
    #[inline(always)]
    pub(super) fn rows(&self) -> Rows<'_, F> {
        Rows { first: 0, padded: self.padded, data: &self.data }
    }

    /// Returns the rows in bands for writing.
    pub(super) fn bands_mut(&mut self, bands: &[Range<usize>]) -> Vec<Band<'_, F>> {
        let (padded, length) = (self.padded, self.row_length());
        let (mut rest, mut at) = (self.data.as_mut_slice(), 0);
        let mut parts = Vec::with_capacity(bands.len());
        for band in bands {
            let (_, tail) = rest.split_at_mut((band.start - at) * length);
            let (data, tail) = tail.split_at_mut(band.len() * length);
            parts.push(Band { first: band.start, padded, data });
            (rest, at) = (tail, band.end);
        }
        parts
    }

    /// Copies a plane into a field.
    pub(super) fn take(&mut self, field: usize, plane: &Plane) {
        let (width, height) = (self.width, self.height);
        let all = 0..height;
        for mut band in self.bands_mut(std::slice::from_ref(&all)) {
            for y in 0..height {
                let source = &plane.row(y)[..width];
                for colour in COLOURS {
                    let every_other = source.iter().skip(parity(y, colour)).step_by(2);
                    for (to, from) in band.field_mut(y, colour, field).iter_mut().zip(every_other) {
                        *to = *from;
                    }
                }
            }
        }
    }

    /// Copies a field into a plane.
    pub(super) fn give(&self, field: usize, plane: &mut Plane) {
        for y in 0..self.height {
            let row = plane.row_mut(y);
            for colour in COLOURS {
                let every_other = row.iter_mut().skip(parity(y, colour)).step_by(2);
                for (to, from) in every_other.zip(self.rows().field(y, colour, field)) {
                    *to = *from;
                }
            }
        }
    }

    /// Repeats the first and last pixel of every row once outwards.
    pub(super) fn repeat_borders(&mut self) {
        let (stride, width, height) = (self.stride(), self.width, self.height);
        for (y, row) in self.data.chunks_exact_mut(2 * F * stride).take(height).enumerate() {
            for field in 0..F {
                for (x, outside) in [(0, -1), (width as isize - 1, width as isize)] {
                    let place = |x: isize| {
                        // x = 2 i + p, also for x = -1.
                        let colour = (x + y as isize).rem_euclid(2) as usize;
                        let i = (x - parity(y, colour) as isize) / 2;
                        ((colour * F + field) * stride + MARGIN).wrapping_add_signed(i)
                    };
                    row[place(outside)] = row[place(x)];
                }
            }
        }
    }
}

/// Rows of a grid for reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a, const F: usize> {
    first: usize,
    padded: usize,
    data: &'a [f32],
}

impl<'a, const F: usize> Rows<'a, F> {
    /// Returns the padded values of a field in row `y`.
    #[inline(always)]
    pub(super) fn field(self, y: usize, colour: usize, field: usize) -> &'a [f32] {
        self.shifted(y, colour, field, 1)
    }

    /// Returns the padded values, shifted so that index i holds value i + `by` - 1.
    #[inline(always)]
    pub(super) fn shifted(self, y: usize, colour: usize, field: usize, by: usize) -> &'a [f32] {
        let stride = self.padded + 2 * MARGIN;
        let start = (((y - self.first) * 2 + colour) * F + field) * stride + MARGIN + by - 1;
        &self.data[start..start + self.padded]
    }
}

/// A band of rows of a grid for writing.
#[derive(Debug)]
pub(super) struct Band<'a, const F: usize> {
    pub(super) first: usize,
    padded: usize,
    data: &'a mut [f32],
}

impl<'a, const F: usize> Band<'a, F> {
    /// Returns the rows of the band for reading.
    #[inline(always)]
    pub(super) fn rows(&self) -> Rows<'_, F> {
        Rows { first: self.first, padded: self.padded, data: self.data }
    }

    /// Returns the range of rows in the band.
    #[inline(always)]
    pub(super) fn range(&self) -> Range<usize> {
        let length = 2 * F * (self.padded + 2 * MARGIN);
        self.first..self.first + self.data.len() / length
    }

    /// Returns the padded values of a field in row `y`.
    #[inline(always)]
    pub(super) fn field_mut(&mut self, y: usize, colour: usize, field: usize) -> &mut [f32] {
        let stride = self.padded + 2 * MARGIN;
        let start = (((y - self.first) * 2 + colour) * F + field) * stride + MARGIN;
        &mut self.data[start..start + self.padded]
    }

    /// Returns the padded values of all fields of a colour in row `y`.
    #[inline(always)]
    pub(super) fn fields_mut(&mut self, y: usize, colour: usize) -> [&mut [f32]; F] {
        let half = F * (self.padded + 2 * MARGIN);
        let start = ((y - self.first) * 2 + colour) * half;
        split_fields(&mut self.data[start..start + half], self.padded)
    }

    /// Returns row `y` of one colour for writing, and its neighbours of the other
    /// colour for reading: the rows above, in the middle and below. A row outside
    /// the band is replaced by the one in the middle.
    #[inline(always)]
    pub(super) fn row_and_neighbours(
        &mut self,
        y: usize,
        colour: usize,
    ) -> ([&mut [f32]; F], [Half<'_, F>; 3]) {
        let padded = self.padded;
        let half = F * (padded + 2 * MARGIN);
        let (above, rest) = self.data.split_at_mut((y - self.first) * 2 * half);
        let (row, below) = rest.split_at_mut(2 * half);
        let (red, black) = row.split_at_mut(half);
        let (own, other) = if colour == 0 { (red, black) } else { (black, red) };
        let other = Half { padded, data: other };
        let start = (1 - colour) * half;
        let above = match above.len().checked_sub(2 * half) {
            Some(last) => Half { padded, data: &above[last + start..][..half] },
            None => other,
        };
        let below = match below.len() {
            0 => other,
            _ => Half { padded, data: &below[start..][..half] },
        };
        (split_fields(own, padded), [above, other, below])
    }
}

/// One colour of a row for reading.
#[derive(Debug, Clone, Copy)]
pub(super) struct Half<'a, const F: usize> {
    padded: usize,
    data: &'a [f32],
}

impl<'a, const F: usize> Half<'a, F> {
    /// Returns the padded values of a field, shifted so that index i holds value
    /// i + `by` - 1.
    #[inline(always)]
    pub(super) fn shifted(self, field: usize, by: usize) -> &'a [f32] {
        let start = field * (self.padded + 2 * MARGIN) + MARGIN + by - 1;
        &self.data[start..start + self.padded]
    }
}

#[inline(always)]
fn split_fields<const F: usize>(data: &mut [f32], padded: usize) -> [&mut [f32]; F] {
    let stride = padded + 2 * MARGIN;
    let mut fields = data.chunks_exact_mut(stride);
    std::array::from_fn(|_| match fields.next() {
        Some(field) => &mut field[MARGIN..MARGIN + padded],
        None => &mut [],
    })
}
