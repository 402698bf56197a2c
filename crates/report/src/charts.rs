//! What the drawings of the page have in common. Colours are classes of its style sheet, so that they follow the reader's
//! light or dark, and say nothing that a text or a shape does not say too.

use std::fmt::Write;

use super::html::escape;
use figure::{drawable, linear, logarithmic, mark, num};

/// Colours of lines; beyond them come dashes.
pub(super) const COLOURS: usize = 7;

/// The classes of the line number `index`: its own, its colour and its dashes.
pub(super) fn line_class(index: usize) -> String {
    format!("c k{index} s{} d{}", index % COLOURS, index / COLOURS % 4)
}

/// A number axis on the page.
pub(super) struct Axis {
    marks: Vec<f64>,
    logarithmic: bool,
    from: f64,
    to: f64,
}

impl Axis {
    /// From the position `from` to `to`, which holds all values that can be drawn.
    pub(super) fn linear(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = range(values.filter(|&value| drawable(value))).unwrap_or((0.0, 1.0));
        Self { marks: linear(low, high), logarithmic: false, from, to }
    }

    /// The same by powers of ten; values of 0 and below have no place.
    pub(super) fn logarithmic(values: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (low, high) = range(values.filter(|&v| drawable(v) && v > 1e-30)).unwrap_or((0.1, 1.0));
        Self { marks: logarithmic(low, high), logarithmic: true, from, to }
    }

    /// A linear one whose marks are given.
    pub(super) fn of_marks(marks: Vec<f64>, from: f64, to: f64) -> Self {
        Self { marks, logarithmic: false, from, to }
    }

    pub(super) fn marks(&self) -> &[f64] {
        &self.marks
    }

    /// Where a value lies; beyond the axis at its end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let (low, high) = (self.marks[0], self.marks[self.marks.len() - 1]);
        let share = if self.logarithmic {
            (value.max(low) / low).ln() / (high / low).ln()
        } else {
            (value - low) / (high - low)
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

/// The frame of a drawing: lines and numbers of the vertical axis, numbers of the horizontal one.
pub(super) fn frame(x: &Axis, y: &Axis, names: (&str, &str), write_x: fn(f64) -> String) -> String {
    let mut out = String::new();
    for &value in &y.marks {
        let at = num(y.at(value));
        let _ = write!(out, "<path class=\"g\" d=\"M{} {at}H{}\"/>", num(x.from), num(x.to));
        let _ = write!(
            out,
            "<text class=\"e\" x=\"{}\" y=\"{}\">{}</text>",
            num(x.from - 8.0),
            num(y.at(value) + 4.0),
            mark(value)
        );
    }
    for &value in &x.marks {
        let at = num(x.at(value));
        let _ = write!(out, "<path class=\"b\" d=\"M{at} {}v5\"/>", num(y.from));
        let _ = write!(
            out,
            "<text class=\"m\" x=\"{at}\" y=\"{}\">{}</text>",
            num(y.from + 19.0),
            write_x(value)
        );
    }
    let _ = write!(out, "<path class=\"b\" d=\"M{} {}H{}\"/>", num(x.from), num(y.from), num(x.to));
    let (name_x, name_y) = names;
    let _ = write!(
        out,
        "<text class=\"m l\" x=\"{}\" y=\"{}\">{}</text>",
        num((x.from + x.to) / 2.0),
        num(y.from + 38.0),
        escape(name_x)
    );
    let _ = writeln!(
        out,
        "<text class=\"l\" x=\"{}\" y=\"{}\">{}</text>",
        num(x.from - 30.0),
        num(y.to - 12.0),
        escape(name_y)
    );
    out
}

/// Path data through points, in halves of a pixel: small steps from point to point.
pub(super) fn path(points: &[(f64, f64)]) -> String {
    let mut out = String::new();
    let mut last = (0, 0);
    for (i, &(x, y)) in points.iter().enumerate() {
        let here = ((x * 2.0).round() as i64, (y * 2.0).round() as i64);
        let _ = match i {
            0 => write!(out, "M{} {}", here.0, here.1),
            _ => write!(
                out,
                "{}{}{}{}",
                if i == 1 { "l" } else { " " },
                here.0 - last.0,
                if here.1 < last.1 { "" } else { " " },
                here.1 - last.1
            ),
        };
        last = here;
    }
    out
}

/// A value with its interval on a line from 0 to 100, and the paper's value. What it shows stands beside it in numbers.
pub(super) fn whisker(value: f64, low: f64, high: f64, paper: Option<f64>) -> String {
    let at = |value: f64| num(4.0 + value.clamp(0.0, 100.0) * 1.04);
    let paper = paper
        .filter(|value| value.is_finite())
        .map_or(String::new(), |paper| format!("<path class=\"p\" d=\"M{} 3l4 5-4 5-4-5z\"/>", at(paper)));
    format!(
        "<svg class=\"w\" width=\"112\" height=\"16\" viewBox=\"0 0 112 16\" aria-hidden=\"true\"><path class=\"t\" d=\"M4 8H108\"/>{paper}\
         <path class=\"i\" d=\"M{} 8H{}\"/><circle class=\"o\" cx=\"{}\" cy=\"8\" r=\"3.5\"/></svg>",
        at(low),
        at(high),
        at(value)
    )
}

/// A margin with its interval about zero, on a line that reaches `reach` to either side.
pub(super) fn margin(value: f64, low: f64, high: f64, reach: f64, class: &str) -> String {
    let at = |value: f64| num(56.0 + (value / reach).clamp(-1.0, 1.0) * 50.0);
    format!(
        "<svg class=\"w {class}\" width=\"112\" height=\"16\" viewBox=\"0 0 112 16\" aria-hidden=\"true\"><path class=\"t\" d=\"M4 8H108\"/>\
         <path class=\"z\" d=\"M56 1V15\"/><path class=\"i\" d=\"M{} 8H{}\"/><circle class=\"o\" cx=\"{}\" cy=\"8\" r=\"3.5\"/></svg>",
        at(low),
        at(high),
        at(value)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_in_small_steps() {
        assert_eq!(path(&[(1.0, 2.0), (2.0, 1.0), (3.5, 4.0)]), "M2 4l2-2 3 6");
        assert_eq!(path(&[(1.0, 2.0)]), "M2 4");
    }

    #[test]
    fn an_axis_holds_whatever_it_is_given() {
        for values in [vec![], vec![f64::NAN], vec![f64::INFINITY, 3.0], vec![0.0], vec![1e-300, 1e300, -5.0]]
        {
            for axis in [
                Axis::linear(values.iter().copied(), 0.0, 10.0),
                Axis::logarithmic(values.iter().copied(), 0.0, 10.0),
            ] {
                for &value in values.iter().chain(&[f64::NEG_INFINITY, f64::NAN, 1e308]) {
                    assert!((0.0..=10.0).contains(&axis.at(value)), "{values:?} {value}");
                }
            }
        }
    }
}
