//! Drawings small enough for a line of a table, which shows the same numbers beside them.

use super::colour::{GRID, GROUND, Paint, QUIET, SERIES};
use super::svg::{Drawing, num};

const WIDTH: f64 = 112.0;
const HEIGHT: f64 = 16.0;
const MIDDLE: f64 = HEIGHT / 2.0;
/// Ends of the line on which values lie.
const ENDS: (f64, f64) = (4.0, 108.0);

/// Draws a value with its interval on a line from 0 to 100, and the paper's value.
pub fn interval(value: f64, low: f64, high: f64, paper: Option<f64>) -> Drawing {
    let at = |value: f64| ENDS.0 + value.clamp(0.0, 100.0) / 100.0 * (ENDS.1 - ENDS.0);
    let mut svg = lined();
    if let Some(paper) = paper.filter(|value| value.is_finite()) {
        diamond(&mut svg, at(paper));
    }
    whisker(&mut svg, at(value), at(low), at(high), SERIES[0]);
    svg
}

/// Draws a margin with its interval on a line from -`reach` to `reach`, in the colour of its context on the page.
pub fn margin(value: f64, low: f64, high: f64, reach: f64) -> Drawing {
    let at = |value: f64| WIDTH / 2.0 + (value / reach).clamp(-1.0, 1.0) * 50.0;
    let mut svg = lined();
    svg.line((WIDTH / 2.0, 1.0), (WIDTH / 2.0, HEIGHT - 1.0), QUIET, 1.0, "");
    whisker(&mut svg, at(value), at(low), at(high), Paint::Context);
    svg
}

/// Draws the shares of a whole, each part in the colour of its class; `None` if the whole is 0.
pub fn shares(parts: &[(&'static str, usize)]) -> Option<Drawing> {
    let total: usize = parts.iter().map(|part| part.1).sum();
    let mut svg = Drawing::new(100.0, 10.0);
    let mut x = 0.0;
    for (class, count) in parts.iter().filter(|part| part.1 > 0) {
        let width = 100.0 * *count as f64 / total as f64;
        svg.open(class, None, "");
        svg.rect(x, 0.0, (width - 1.0).max(0.5), 10.0, Paint::Context);
        svg.close();
        x += width;
    }
    (total > 0).then_some(svg)
}

/// Draws the sign of the paper's value in [`interval`], for a legend.
pub fn paper_sign() -> Drawing {
    let mut svg = Drawing::new(10.0, HEIGHT);
    diamond(&mut svg, 5.0);
    svg
}

/// Draws the sign of a value with its interval, for a legend.
pub fn value_sign() -> Drawing {
    let mut svg = Drawing::new(22.0, HEIGHT);
    whisker(&mut svg, 11.0, 1.0, 21.0, SERIES[0]);
    svg
}

fn lined() -> Drawing {
    let mut svg = Drawing::new(WIDTH, HEIGHT);
    svg.line((ENDS.0, MIDDLE), (ENDS.1, MIDDLE), GRID, 1.5, "");
    svg
}

fn diamond(svg: &mut Drawing, x: f64) {
    svg.shape(format!("M{} {}l4 5-4 5-4-5z", num(x), num(MIDDLE - 5.0)), GROUND, QUIET, "");
}

fn whisker(svg: &mut Drawing, value: f64, low: f64, high: f64, paint: Paint) {
    svg.line((low, MIDDLE), (high, MIDDLE), paint, 2.5, "");
    svg.dot(value, MIDDLE, 3.5, paint);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_value_is_it_lies_on_the_line() {
        for value in [f64::NEG_INFINITY, -7.0, 0.0, 61.7, 1e300] {
            for svg in [interval(value, value, value, Some(value)), margin(value, value, value, 5.0)] {
                let page = svg.inline("w");
                let x =
                    page.split_once("cx=\"").unwrap().1.split_once('"').unwrap().0.parse::<f64>().unwrap();
                assert!((ENDS.0..=ENDS.1).contains(&x), "{page}");
                assert!(page.contains("aria-hidden"), "{page}");
            }
        }
        assert!(!interval(1.0, 0.0, 2.0, Some(f64::NAN)).inline("").contains("NaN"));
    }

    #[test]
    fn shares_fill_the_whole() {
        let page = shares(&[("holds", 3), ("undecided", 0), ("missing", 1)]).unwrap().inline("");
        assert!(
            page.contains("<g class=\"holds\"><rect class=\"cx\" x=\"0\" y=\"0\" width=\"74\""),
            "{page}"
        );
        assert!(
            page.contains("<g class=\"missing\"><rect class=\"cx\" x=\"75\"") && !page.contains("undecided")
        );
        assert!(shares(&[("holds", 0)]).is_none());
    }
}
