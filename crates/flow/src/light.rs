//! The change of illumination between two pictures.
//!
//! Brightness constancy I1(x + u) = I0(x) fails when a lamp flickers, a shadow
//! passes or a camera adapts. As in Chambolle and Pock 2011, the data term
//! therefore includes an additive change w(x),
//!
//! rho(u) = I1(x + u) - I0(x) - w(x),
//!
//! but w is a smooth estimate instead of a further variable of the minimisation:
//! after each warp it is updated by the Gaussian mean of the unexplained rest,
//!
//! w += G * clamp(I1(x + u) - I0(x) - w, -limit, limit).
//!
//! The clamp suppresses differences that are not due to light: occlusions, and
//! objects that are not aligned yet. The common part of the warped pictures never
//! enters w, so it does less harm at edges of objects than subtracting each
//! picture's own local mean. Levels pass w on to the next finer one.

use std::ops::Range;

use crate::bands::{self, Bands};
use crate::plane::{Plane, Rows};
use crate::pyramid::{self, Gaussian};

/// Side in pixels of the cells whose means enter the Gaussian mean, which is much
/// wider. This takes a sixteenth of the work.
pub(crate) const CELL: usize = 4;

/// The change of illumination of a level.
#[derive(Debug, Clone)]
pub(crate) struct Light {
    /// w.
    pub(crate) change: Plane,
    /// The difference that w leaves unexplained, clamped; 0 outside the picture.
    pub(crate) error: Plane,
    /// Mean of the error over cells, and its smoothed version.
    cells: Plane,
    smooth: Plane,
    /// The bands of the cells.
    bands: Bands,
}

impl Light {
    pub(crate) fn new(width: usize, height: usize, bands: impl Fn(usize, usize) -> Bands) -> Self {
        let [across, down] = [width, height].map(|side| side.div_ceil(CELL));
        Self {
            change: Plane::new(width, height),
            error: Plane::new(width, height),
            cells: Plane::new(across, down),
            smooth: Plane::new(across, down),
            bands: bands(across, down),
        }
    }

    /// Initialises w from that of the coarser level, or with zero.
    pub(crate) fn start(&mut self, coarser: Option<&Self>, bands: &Bands) {
        match coarser {
            Some(coarser) => pyramid::resize(&coarser.change, &mut self.change, 1.0, bands),
            None => self.change.clear(),
        }
    }

    /// Adds the mean of `error` to the change, and subtracts the change from the
    /// `constant` of the data term. `kernel` is in units of cells.
    pub(crate) fn update(&mut self, constant: &mut Plane, kernel: &Gaussian, bands: &Bands) {
        let error = &self.error;
        bands::each(self.bands.ranges().zip(self.cells.bands_mut(&self.bands)), |(rows, cells)| {
            pulp::Arch::new().dispatch(Means { error, rows, cells });
        });
        kernel.smooth(&self.cells, &mut self.smooth, &self.bands);
        let step = &self.smooth;
        let parts = bands.ranges().zip(self.change.bands_mut(bands)).zip(constant.bands_mut(bands));
        bands::each(parts, |((rows, change), constant)| {
            pulp::Arch::new().dispatch(Apply { step, rows, change, constant });
        });
    }
}

struct Means<'a> {
    error: &'a Plane,
    rows: Range<usize>,
    cells: Rows<'a>,
}

impl pulp::NullaryFnOnce for Means<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { error, rows, mut cells } = self;
        let mut sums = vec![0.0; error.width];
        for row in rows {
            let inside = row * CELL..((row + 1) * CELL).min(error.height);
            let high = inside.len();
            sums.fill(0.0);
            for y in inside {
                for (sum, &value) in sums.iter_mut().zip(error.row(y)) {
                    *sum += value;
                }
            }
            for (mean, sums) in cells.row_mut(row).iter_mut().zip(sums.chunks(CELL)) {
                let mut sum = 0.0;
                for &value in sums {
                    sum += value;
                }
                *mean = sum / (high * sums.len()) as f32;
            }
        }
    }
}

struct Apply<'a> {
    step: &'a Plane,
    rows: Range<usize>,
    change: Rows<'a>,
    constant: Rows<'a>,
}

impl pulp::NullaryFnOnce for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { step, rows, mut change, mut constant } = self;
        // The cells of a row between two rows of cells, with one repeated before
        // them and others after them up to the end of the padding.
        let mut line = vec![0.0; 0];
        for y in rows {
            let position = ((y as f32 + 0.5) / CELL as f32 - 0.5).max(0.0);
            let top = (position as usize).min(step.height - 1);
            let share = position - top as f32;
            let (above, below) = (step.row(top), step.row((top + 1).min(step.height - 1)));
            let change = change.padded_row_mut(y);
            line.resize(change.len() / CELL + 2, 0.0);
            for ((out, &above), &below) in line[1..].iter_mut().zip(above).zip(below) {
                *out = above + share * (below - above);
            }
            line[0] = line[1];
            let last = line[step.width];
            line[step.width + 1..].fill(last);
            let constant = constant.padded_row_mut(y);
            for (cell, (change, constant)) in change
                .as_chunks_mut::<CELL>()
                .0
                .iter_mut()
                .zip(constant.as_chunks_mut::<CELL>().0)
                .enumerate()
            {
                let (left, here, right) = (line[cell], line[cell + 1], line[cell + 2]);
                let step = [
                    here + 0.375 * (left - here),
                    here + 0.125 * (left - here),
                    here + 0.125 * (right - here),
                    here + 0.375 * (right - here),
                ];
                for i in 0..CELL {
                    change[i] += step[i];
                    constant[i] -= change[i];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn an_even_change_is_found_at_once_and_a_slope_in_the_middle() {
        for (width, height) in [(1, 1), (3, 2), (37, 21), (64, 64)] {
            let bands = |width, height| Bands::new(width, height, NonZeroUsize::MIN);
            let mut light = Light::new(width, height, bands);
            let mut constant = Plane::new(width, height);
            for y in 0..height {
                light.error.row_mut(y).fill(2.5);
                constant.row_mut(y).fill(2.5);
            }
            light.update(&mut constant, &Gaussian::new(2.0), &bands(width, height));
            for y in 0..height {
                assert!(light.change.row(y).iter().all(|w| (w - 2.5).abs() < 1e-5));
                assert!(constant.row(y).iter().all(|c| c.abs() < 1e-5));
            }
        }
        let bands = |width, height| Bands::new(width, height, NonZeroUsize::MIN);
        let mut light = Light::new(96, 8, bands);
        for y in 0..8 {
            for (x, error) in light.error.row_mut(y).iter_mut().enumerate() {
                *error = 0.1 * x as f32;
            }
        }
        light.update(&mut Plane::new(96, 8), &Gaussian::new(2.0), &bands(96, 8));
        for x in 30..66 {
            assert!((light.change.row(5)[x] - 0.1 * x as f32).abs() < 1e-4, "{x}");
        }
    }
}
