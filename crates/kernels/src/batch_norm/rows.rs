//! The loops of the normalisations, over rows of lanes (see [`crate::lanes`]).
//!
//! Everything is inlined into the caller, which chooses the vector instructions. The last
//! row may be shorter than the others.

use crate::elementwise::{passed, rectified};

/// Number of rows added in f32 before they enter a sum in f64.
const TOGETHER: usize = 16;

/// `y = (x - mean) * factor + shift` in every lane. `shift` includes the part of the mean lost by rounding to f32.
#[derive(Debug)]
pub(super) struct Affine {
    pub(super) mean: Vec<f32>,
    pub(super) factor: Vec<f32>,
    pub(super) shift: Vec<f32>,
}

/// The coefficients of one lane.
#[derive(Clone, Copy)]
pub(super) struct Lane {
    mean: f32,
    factor: f32,
    shift: f32,
}

impl Affine {
    fn width(&self) -> usize {
        self.mean.len()
    }

    /// Returns the coefficients of the first `count` lanes by index.
    #[inline(always)]
    fn lanes(&self, count: usize) -> impl Fn(usize) -> Lane {
        let (mean, factor, shift) = (&self.mean[..count], &self.factor[..count], &self.shift[..count]);
        #[inline(always)]
        move |i| Lane { mean: mean[i], factor: factor[i], shift: shift[i] }
    }
}

impl Lane {
    /// Normalises without fused multiply-adds, so that the backward pass gets the same bits.
    #[inline(always)]
    fn normalised(self, x: f32) -> f32 {
        (x - self.mean) * self.factor + self.shift
    }
}

/// Writes `y`, plus the residual if there is one, rectified if `RELU`.
#[inline(always)]
pub(super) fn normalise<const RELU: bool>(
    affine: &Affine,
    x: &[f32],
    residual: Option<&[f32]>,
    out: &mut [f32],
) {
    let width = affine.width();
    for (row, (out, x)) in out.chunks_mut(width).zip(x.chunks(width)).enumerate() {
        let (count, lane) = (x.len(), affine.lanes(x.len()));
        let out = &mut out[..count];
        match residual {
            None => {
                for i in 0..count {
                    let y = lane(i).normalised(x[i]);
                    out[i] = if RELU { rectified(y) } else { y };
                }
            }
            Some(residual) => {
                let residual = &residual[row * width..][..count];
                for i in 0..count {
                    let y = lane(i).normalised(x[i]) + residual[i];
                    out[i] = if RELU { rectified(y) } else { y };
                }
            }
        }
    }
}

/// A term to be summed, from the gradient of the output, the input and the output.
pub(super) trait Term {
    fn of(gradient: f32, x: f32, y: f32, lane: Lane) -> f32;
}

/// The gradient if the output was not rectified.
pub(super) struct Whole;

/// The gradient before a rectification that is recomputed from the input.
pub(super) struct FromInput;

/// The gradient before a rectification, from its output.
pub(super) struct FromOutput;

/// The input's distance from the mean.
pub(super) struct Deviation;

impl Term for Whole {
    #[inline(always)]
    fn of(gradient: f32, _: f32, _: f32, _: Lane) -> f32 {
        gradient
    }
}

impl Term for FromInput {
    #[inline(always)]
    fn of(gradient: f32, x: f32, _: f32, lane: Lane) -> f32 {
        passed(gradient, lane.normalised(x))
    }
}

impl Term for FromOutput {
    #[inline(always)]
    fn of(gradient: f32, _: f32, y: f32, _: Lane) -> f32 {
        passed(gradient, y)
    }
}

impl Term for Deviation {
    #[inline(always)]
    fn of(_: f32, x: f32, _: f32, lane: Lane) -> f32 {
        x - lane.mean
    }
}

/// Slices of one length that belong together.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) gradient: &'a [f32],
    pub(super) x: &'a [f32],
    /// The output; a term that does not need it gets another slice of this length.
    pub(super) y: &'a [f32],
}

impl<'a> Part<'a> {
    #[inline(always)]
    fn range(&self, range: std::ops::Range<usize>) -> Self {
        let Self { gradient, x, y } = *self;
        Self { gradient: &gradient[range.clone()], x: &x[range.clone()], y: &y[range] }
    }

    #[inline(always)]
    pub(super) fn rows(self, width: usize) -> impl Iterator<Item = Self> {
        let count = self.x.len();
        (0..count).step_by(width).map(
            #[inline(always)]
            move |start| self.range(start..(start + width).min(count)),
        )
    }
}

/// Sums by lane: of the term, and of the term times the deviation from the mean.
pub(super) struct Sums {
    /// Sums of the last rows, and of all rows before them.
    recent: [Vec<f32>; 2],
    total: [Vec<f64>; 2],
}

impl Sums {
    pub(super) fn new(width: usize) -> Self {
        Self { recent: [vec![0.0; width], vec![0.0; width]], total: [vec![0.0; width], vec![0.0; width]] }
    }

    pub(super) fn into_total(self) -> [Vec<f64>; 2] {
        self.total
    }

    /// Adds some rows.
    #[inline(always)]
    pub(super) fn add<T: Term>(&mut self, affine: &Affine, part: Part<'_>) {
        let width = affine.width();
        for group in part.rows(TOGETHER * width) {
            for row in group.rows(width) {
                self.add_row::<T>(affine, row);
            }
            for (total, recent) in self.total.iter_mut().zip(&mut self.recent) {
                for (total, recent) in total.iter_mut().zip(recent) {
                    *total += f64::from(std::mem::take(recent));
                }
            }
        }
    }

    #[inline(always)]
    fn add_row<T: Term>(&mut self, affine: &Affine, Part { gradient, x, y }: Part<'_>) {
        let (count, lane) = (x.len(), affine.lanes(x.len()));
        let [terms, products] = &mut self.recent;
        let (terms, products) = (&mut terms[..count], &mut products[..count]);
        for i in 0..count {
            let term = T::of(gradient[i], x[i], y[i], lane(i));
            terms[i] += term;
            products[i] += term * (x[i] - lane(i).mean);
        }
    }
}

/// Writes the term itself.
#[inline(always)]
pub(super) fn copy<T: Term>(affine: &Affine, part: Part<'_>, out: &mut [f32]) {
    let width = affine.width();
    for (out, Part { gradient, x, y }) in out.chunks_mut(width).zip(part.rows(width)) {
        let (count, lane) = (x.len(), affine.lanes(x.len()));
        let out = &mut out[..count];
        for i in 0..count {
            out[i] = T::of(gradient[i], x[i], y[i], lane(i));
        }
    }
}

/// The part of the input's gradient that comes through the statistics:
/// `(x - mean) * slope + constant` is subtracted in every lane.
#[derive(Debug)]
pub(super) struct ThroughStatistics {
    pub(super) slope: Vec<f32>,
    pub(super) constant: Vec<f32>,
}

/// Writes the gradient of the input: the term times the factor, less the part through the statistics.
#[inline(always)]
pub(super) fn input_gradient<T: Term>(
    affine: &Affine,
    statistics: Option<&ThroughStatistics>,
    part: Part<'_>,
    out: &mut [f32],
) {
    let width = affine.width();
    for (out, Part { gradient, x, y }) in out.chunks_mut(width).zip(part.rows(width)) {
        let (count, lane) = (x.len(), affine.lanes(x.len()));
        let out = &mut out[..count];
        match statistics {
            None => {
                for i in 0..count {
                    out[i] = T::of(gradient[i], x[i], y[i], lane(i)) * lane(i).factor;
                }
            }
            Some(ThroughStatistics { slope, constant }) => {
                let (slope, constant) = (&slope[..count], &constant[..count]);
                for i in 0..count {
                    let direct = T::of(gradient[i], x[i], y[i], lane(i)) * lane(i).factor;
                    out[i] = direct - (x[i] - lane(i).mean) * slope[i] - constant[i];
                }
            }
        }
    }
}
