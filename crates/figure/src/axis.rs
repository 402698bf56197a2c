//! Numeric axes, and the frame of a chart with two of them.

use super::colour::{GRID, INK, QUIET};
use super::scale::{drawable, linear, logarithmic, mark};
use super::svg::{Drawing, MARGIN, Style, widest};

/// A numeric axis, in pixels of the picture.
pub(super) struct Axis {
    marks: Vec<f64>,
    low: f64,
    high: f64,
    logarithmic: bool,
    /// Position of the least value.
    pub from: f64,
    /// Position of the largest value.
    pub to: f64,
}

impl Axis {
    /// Creates a linear axis that covers all values that can be drawn, and ends at round values.
    pub(super) fn linear(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = range(values.filter(|&value| drawable(value))).unwrap_or((0.0, 1.0));
        Self::of_marks(linear(low, high), false)
    }

    /// Creates a logarithmic axis likewise; values of 0 and below lie at its end.
    pub(super) fn logarithmic(values: impl Iterator<Item = f64>) -> Self {
        // Smaller values cannot be drawn.
        let (low, high) = range(values.filter(|&v| drawable(v) && v > 1e-30)).unwrap_or((0.1, 1.0));
        Self::of_marks(logarithmic(low, high), true)
    }

    /// Creates an axis from 0 to the last iteration, with whole numbers as marks.
    pub(super) fn iterations(last: usize) -> Self {
        let high = last.max(1) as f64;
        let mut marks = linear(0.0, high);
        marks.retain(|&iteration| iteration <= high && iteration.fract() == 0.0);
        Self { marks, low: 0.0, high, logarithmic: false, from: 0.0, to: 1.0 }
    }

    fn of_marks(marks: Vec<f64>, logarithmic: bool) -> Self {
        Self { low: marks[0], high: marks[marks.len() - 1], marks, logarithmic, from: 0.0, to: 1.0 }
    }

    /// Places the axis between two positions.
    pub(super) fn between(self, from: f64, to: f64) -> Self {
        Self { from, to, ..self }
    }

    /// Returns the marks, at round values.
    pub(super) fn marks(&self) -> &[f64] {
        &self.marks
    }

    /// Returns the last value.
    pub(super) fn high(&self) -> f64 {
        self.high
    }

    /// Returns the position of a value; values beyond the axis lie at its end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = if self.logarithmic {
            (value.max(self.low) / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self.from + share * (self.to - self.from)
    }
}

fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// Returns the left edge of a frame whose vertical axis has these marks, with room for the axis title and the numbers.
pub(super) fn left_of(marks: &[f64]) -> f64 {
    let names: Vec<String> = marks.iter().map(|&value| mark(value)).collect();
    MARGIN + 20.0 + widest(names.iter().map(String::as_str), 11.0) + 8.0
}

/// Draws lines and numbers of the vertical axis, numbers of the horizontal axis as formatted by `write_x`, and both titles.
pub(super) fn frame(svg: &mut Drawing, x: &Axis, y: &Axis, names: (&str, &str), write_x: fn(f64) -> String) {
    let style = Style::new(11.0).fill(QUIET);
    for &value in y.marks() {
        let at = y.at(value);
        svg.line((x.from, at), (x.to, at), GRID, 1.0, "");
        svg.text(x.from - 8.0, at + 4.0, style.end(), &mark(value));
    }
    for &value in x.marks() {
        let at = x.at(value);
        svg.line((at, y.from), (at, y.from + 5.0), QUIET, 1.0, "");
        svg.text(at, y.from + 18.0, style.middle(), &write_x(value));
    }
    svg.line((x.from, y.from), (x.to, y.from), QUIET, 1.0, "");
    let (middle, centre) = ((x.from + x.to) / 2.0, (y.from + y.to) / 2.0);
    let style = Style::new(12.0).fill(INK).middle();
    svg.text(middle, y.from + 38.0, style, names.0);
    svg.text(MARGIN + 10.0, centre, style.turn(-90.0), names.1);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_axis_holds_whatever_it_is_given() {
        for values in [vec![], vec![f64::NAN], vec![f64::INFINITY, 3.0], vec![0.0], vec![1e-300, 1e300, -5.0]]
        {
            for axis in [Axis::linear(values.iter().copied()), Axis::logarithmic(values.iter().copied())] {
                let axis = axis.between(0.0, 10.0);
                for &value in values.iter().chain(&[f64::NEG_INFINITY, f64::NAN, 1e308]) {
                    assert!((0.0..=10.0).contains(&axis.at(value)), "{values:?} {value}");
                }
            }
        }
    }

    #[test]
    fn a_logarithmic_axis_spaces_by_ratio_and_holds_zero() {
        let axis = Axis::logarithmic([10.0, 1.0, 0.1, 0.0, -1.0].into_iter()).between(300.0, 0.0);
        let places = [10.0, 1.0, 0.1, 0.0, -1.0].map(|value| axis.at(value));
        assert!((places[1] - places[0] - (places[2] - places[1])).abs() < 1e-9, "{places:?}");
        assert_eq!(places[2..], [axis.from; 3]);
    }
}
