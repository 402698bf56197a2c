//! Draws class probabilities along a video.

use std::fmt::Write;

use base::text::percent;

use super::colour::{BORDER, GRID, QUIET, SERIES};
use super::scale::drawable;
use super::svg::{Drawing, MARGIN, Style, WIDTH, legend};
use super::{FigureError, Result};

const WHAT: &str = "probabilities over time";
const PANEL: f64 = 120.0;
const GAP: f64 = 44.0;
const SWATCH: f64 = 18.0;
const LEFT: f64 = MARGIN + 44.0;

/// Predictions of one net along a video.
#[derive(Debug, Clone)]
pub struct Track<'a> {
    /// The net.
    pub name: &'a str,
    /// Frame numbers, each with the probability of every drawn class, 0 to 1.
    pub points: Vec<(usize, Vec<f32>)>,
}

/// Draws one panel per net with one line per class; vertical dashed lines mark hard cuts.
///
/// # Errors
/// [`FigureError::Empty`] without a class, a net or a point; [`FigureError::Shape`] for more than seven classes, or a point
/// with a different number of them.
pub fn timeline(
    title: &str,
    classes: &[&str],
    tracks: &[Track<'_>],
    frames: usize,
    cuts: &[usize],
) -> Result<Drawing> {
    if classes.is_empty() || tracks.iter().all(|track| track.points.is_empty()) {
        return Err(FigureError::Empty { what: WHAT });
    }
    let points = || tracks.iter().flat_map(|track| &track.points);
    if classes.len() > SERIES.len() || points().any(|(_, scores)| scores.len() != classes.len()) {
        return Err(FigureError::Shape {
            what: WHAT,
            expected: format!("up to {} classes, as many in every point", SERIES.len()),
            found: format!("{} classes", classes.len()),
        });
    }
    let (legend, below) = legend(classes.iter().copied(), SWATCH + 20.0);
    let top = below + 26.0;
    let height = top + (PANEL + GAP) * tracks.len() as f64;
    let mut svg = Drawing::new(WIDTH, height);
    svg.head(title, "probability of the central crop, over the frames of the video");
    for (class, x, y) in legend {
        svg.line((x, y + 4.0), (x + SWATCH, y + 4.0), SERIES[class], 3.0, "");
        svg.text(x + SWATCH + 6.0, y + 8.0, Style::new(12.0), classes[class]);
    }
    let right = WIDTH - MARGIN;
    let last = frames.saturating_sub(1).max(1) as f64;
    let x = |frame: usize| LEFT + (right - LEFT) * (frame as f64 / last).min(1.0);
    for (number, track) in tracks.iter().enumerate() {
        let from = top + (PANEL + GAP) * number as f64;
        let y = |score: f32| from + PANEL * (1.0 - f64::from(score.clamp(0.0, 1.0)));
        svg.text(LEFT, from - 6.0, Style::new(12.0).bold(), track.name);
        for (share, label) in [(0.0, "0"), (0.5, "50"), (1.0, "100 %")] {
            svg.line((LEFT, y(share)), (right, y(share)), GRID, 1.0, "");
            svg.text(LEFT - 6.0, y(share) + 4.0, Style::new(11.0).fill(QUIET).end(), label);
        }
        for &cut in cuts {
            svg.line((x(cut), from), (x(cut), from + PANEL), QUIET, 1.0, "3 3");
        }
        for class in 0..classes.len() {
            let points: Vec<(f64, f64)> = track
                .points
                .iter()
                .filter(|(_, scores)| drawable(f64::from(scores[class])))
                .map(|(frame, scores)| (x(*frame), y(scores[class])))
                .collect();
            if !points.is_empty() {
                svg.path(points, SERIES[class], 2.0, "");
            }
        }
        svg.frame(LEFT, from, right - LEFT, PANEL, BORDER);
        svg.text(LEFT, from + PANEL + 15.0, Style::new(11.0).fill(QUIET), "0");
        svg.text(
            right,
            from + PANEL + 15.0,
            Style::new(11.0).fill(QUIET).end(),
            &format!("frame {}", frames.saturating_sub(1)),
        );
    }
    Ok(svg.described(description(classes, tracks)))
}

fn description(classes: &[&str], tracks: &[Track<'_>]) -> String {
    let mut text = String::new();
    for track in tracks {
        let _ = write!(text, "{}:", track.name);
        for (class, name) in classes.iter().enumerate() {
            let scores = track.points.iter().map(|(_, scores)| f64::from(scores[class]));
            let mean = scores.sum::<f64>() / track.points.len().max(1) as f64;
            let _ = write!(text, " {name} {} on average;", percent(100.0 * mean));
        }
        text.push(' ');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::num;

    fn track(points: Vec<(usize, Vec<f32>)>) -> Track<'static> {
        Track { name: "temporal <net>", points }
    }

    #[test]
    fn lines_go_where_the_numbers_are() {
        let track = track(vec![(0, vec![0.0, 1.0]), (99, vec![1.0, 0.0])]);
        let svg = timeline("A video", &["walk", "a&b"], &[track], 100, &[50]).unwrap().file();
        roxmltree::Document::parse(&svg).unwrap();
        let (left, right) = (num(LEFT), num(WIDTH - MARGIN));
        let top = crate::svg::HEAD + 20.0 + 26.0;
        assert!(svg.contains(&format!("M{left} {}L{right} {}", num(top + PANEL), num(top))), "{svg}");
        assert!(svg.contains("a&amp;b 50.0") && svg.contains("temporal &lt;net&gt;"), "{svg}");
        assert_eq!(svg.matches("stroke-dasharray").count(), 1, "one cut");
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        assert!(timeline("t", &[], &[track(vec![(0, vec![])])], 3, &[]).is_err());
        assert!(timeline("t", &["a"], &[track(vec![])], 3, &[]).is_err());
        assert!(timeline("t", &["a"], &[track(vec![(0, vec![0.1, 0.2])])], 3, &[]).is_err());
    }
}
