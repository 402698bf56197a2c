//! Draws loss curves over iterations.

use std::fmt::Write;

use super::axis::{Axis, frame, left_of};
use super::colour::{GRID, INK, Paint, QUIET, SERIES};
use super::scale::{drawable, mark};
use super::svg::{Drawing, HEAD, MARGIN, Style, WIDTH, text_width};
use super::{FigureError, Result};

const WHAT: &str = "loss curves";
/// Maximum number of curves in one picture: colours times dash patterns.
pub const MOST_CURVES: usize = SERIES.len() * DASHES.len();
const DASHES: [&str; 4] = ["", "7 3", "2 3", "9 3 2 3"];
const HEIGHT: f64 = 330.0;
const LINE: f64 = 20.0;

/// The scale of the loss axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LossScale {
    /// Linear, from 0 or from the least loss if it is negative.
    #[default]
    Linear,
    /// Logarithmic. A loss of 0 or below is drawn at the lower edge.
    Logarithmic,
}

/// Further options of a picture of loss curves.
#[derive(Clone, Copy, Debug, Default)]
pub struct CurveOptions<'a> {
    /// The title.
    pub title: &'a str,
    /// The scale of the loss axis.
    pub scale: LossScale,
    /// Iterations at which the learning rate is lowered, drawn as dashed lines.
    pub rate_steps: &'a [usize],
}

/// The loss of a net over its training.
#[derive(Clone, Copy, Debug)]
pub struct Curve<'a> {
    /// The net.
    pub name: &'a str,
    /// Iterations, each with its loss, in any order.
    pub points: &'a [(usize, f64)],
    /// Anchor on the page to which it links.
    pub place: Option<&'a str>,
}

/// Draws loss curves as lines of different colours and dashes with a legend.
///
/// A loss that is not finite leaves a gap in its line, with a cross at the upper edge where
/// the gap begins.
///
/// # Errors
/// [`FigureError::Empty`] without a curve or a point; [`FigureError::Shape`]
/// for more than 28 curves.
pub fn loss_curves(curves: &[Curve<'_>], options: &CurveOptions<'_>) -> Result<Drawing> {
    if curves.iter().all(|curve| curve.points.is_empty()) {
        return Err(FigureError::Empty { what: WHAT });
    }
    if curves.len() > MOST_CURVES {
        let expected = format!("at most {MOST_CURVES} curves");
        return Err(FigureError::Shape { what: WHAT, expected, found: format!("{} curves", curves.len()) });
    }
    let points = || curves.iter().flat_map(|curve| curve.points);
    let broken = points().any(|point| !drawable(point.1));
    let legend = Legend::new(curves, !options.rate_steps.is_empty(), broken);
    let top = HEAD + legend.height() + 8.0;
    let (x, y) = axes(points, options.scale);
    // The last number of the horizontal axis reaches beyond its line.
    let x = x.between(left_of(y.marks()), WIDTH - MARGIN - 16.0);
    let y = y.between(top + HEIGHT, top);
    let mut svg = Drawing::new(WIDTH, y.from + 52.0);
    let scale = if options.scale == LossScale::Logarithmic { ", logarithmic" } else { "" };
    svg.head(options.title, &format!("training loss{scale}, over iterations"));
    frame(&mut svg, &x, &y, ("iteration", "loss"), mark);
    for &step in options.rate_steps.iter().filter(|step| **step as f64 <= x.high()) {
        let at = x.at(step as f64);
        svg.line((at, y.to), (at, y.from), QUIET, 1.0, "3 3");
    }
    for (sign, text, place) in &legend.entries {
        let Sign::Curve(number) = *sign else {
            entry(&mut svg, sign, text, *place);
            continue;
        };
        // The line is highlighted together with its name, and links to the same anchor.
        svg.open("k", curves[number].place, text);
        entry(&mut svg, sign, text, *place);
        curve(&mut svg, (&x, &y), curves[number].points, Pen::of(number, 2.0));
        svg.close();
    }
    Ok(svg.described(description(curves)))
}

/// Draws the losses of one stage of a row for all its splits and seeds, as a small chart without names.
///
/// # Errors
/// [`FigureError::Empty`] without a point.
pub fn loss_panel(nets: &[&[(usize, f64)]], what: &str) -> Result<Drawing> {
    let points = || nets.iter().copied().flatten();
    let ends: Vec<f64> = nets.iter().filter_map(|points| points.last()).map(|point| point.1).collect();
    let (low, high) =
        ends.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(*v), h.max(*v)));
    if ends.is_empty() {
        return Err(FigureError::Empty { what: WHAT });
    }
    let (x, y) = axes(points, LossScale::Linear);
    let (x, y) = (x.between(36.0, 232.0), y.between(104.0, 8.0));
    let mut svg = Drawing::new(240.0, 126.0);
    let style = Style::new(11.0).fill(QUIET).end();
    // For such a small drawing, the ends of the axis are enough.
    let (least, most) = (y.marks()[0], y.high());
    for value in [least, (least + most) / 2.0, most] {
        svg.line((x.from, y.at(value)), (x.to, y.at(value)), GRID, 1.0, "");
        svg.text(x.from - 5.0, y.at(value) + 4.0, style, &mark(value));
    }
    svg.text(x.to, 122.0, style, &mark(x.high()));
    for points in nets {
        curve(&mut svg, (&x, &y), points, Pen::of(0, 1.25));
    }
    let ends = if nets.len() > 1 { format!("{low:.2} to {high:.2}") } else { format!("{low:.2}") };
    Ok(svg.described(format!("Training loss of {what}, at the end {ends}")))
}

fn description(curves: &[Curve<'_>]) -> String {
    let mut text = format!("Lines of {} curves.", curves.len());
    for Curve { name, points, .. } in curves {
        let _ = match points.iter().max_by_key(|point| point.0) {
            Some((iteration, loss)) if drawable(*loss) => {
                write!(text, " {name}: {loss:.4} at iteration {iteration}.")
            }
            Some((iteration, _)) => write!(text, " {name}: not finite at iteration {iteration}."),
            None => write!(text, " {name}: no points."),
        };
    }
    text
}

/// Returns the axes of iterations and of losses.
fn axes<'a, I: Iterator<Item = &'a (usize, f64)>>(points: impl Fn() -> I, scale: LossScale) -> (Axis, Axis) {
    let last = points().map(|point| point.0).max().unwrap_or(1);
    let losses = points().map(|point| point.1);
    let losses = match scale {
        LossScale::Linear => Axis::linear(losses.chain([0.0])),
        LossScale::Logarithmic => Axis::logarithmic(losses),
    };
    (Axis::iterations(last), losses)
}

/// The style of a curve.
#[derive(Clone, Copy)]
struct Pen {
    colour: Paint,
    width: f64,
    dash: &'static str,
}

impl Pen {
    /// Returns the style of the curve with that number; once all colours are used, dashes follow.
    fn of(number: usize, width: f64) -> Self {
        let dash = DASHES[number / SERIES.len() % DASHES.len()];
        Self { colour: SERIES[number % SERIES.len()], width, dash }
    }
}

fn curve(svg: &mut Drawing, (x, y): (&Axis, &Axis), points: &[(usize, f64)], pen: Pen) {
    let mut points = points.to_vec();
    points.sort_by_key(|point| point.0);
    for run in points.chunk_by(|a, b| drawable(a.1) == drawable(b.1)) {
        let place = |&(iteration, loss): &(usize, f64)| (x.at(iteration as f64), y.at(loss));
        let at = place(&run[0]);
        if !drawable(run[0].1) {
            cross(svg, at.0, y.to, pen.colour);
        } else if run.len() == 1 {
            svg.dot(at.0, at.1, 3.0, pen.colour);
        } else {
            svg.path(run.iter().map(place).collect(), pen.colour, pen.width, pen.dash);
        }
    }
}

/// Draws the mark of a loss that is not finite.
fn cross(svg: &mut Drawing, x: f64, y: f64, colour: Paint) {
    svg.line((x - 4.0, y - 4.0), (x + 4.0, y + 4.0), colour, 2.0, "");
    svg.line((x - 4.0, y + 4.0), (x + 4.0, y - 4.0), colour, 2.0, "");
}

/// The sign before a text of the legend.
enum Sign {
    Curve(usize),
    RateStep,
    Cross,
}

struct Legend<'a> {
    /// Sign, text and position of each entry.
    entries: Vec<(Sign, &'a str, (f64, f64))>,
    lines: usize,
}

impl<'a> Legend<'a> {
    fn new(curves: &[Curve<'a>], steps: bool, broken: bool) -> Self {
        let named = curves.iter().enumerate().map(|(i, curve)| (Sign::Curve(i), curve.name));
        let steps = steps.then_some((Sign::RateStep, "learning rate lowered"));
        let broken = broken.then_some((Sign::Cross, "not finite"));
        let entries: Vec<(Sign, &str)> = named.chain(steps).chain(broken).collect();
        let room = WIDTH - 2.0 * MARGIN;
        let width = |text: &str| 34.0 + text_width(text, 12.0) + 22.0;
        let widest = entries.iter().map(|entry| width(entry.1)).fold(0.0, f64::max);
        let columns = if entries.iter().map(|entry| width(entry.1)).sum::<f64>() <= room + 22.0 {
            entries.len()
        } else {
            ((room / widest) as usize).max(1)
        };
        let lines = entries.len().div_ceil(columns);
        let mut x = MARGIN;
        let mut placed = Vec::with_capacity(entries.len());
        for (i, (sign, text)) in entries.into_iter().enumerate() {
            if i % columns == 0 {
                x = MARGIN;
            }
            placed.push((sign, text, (x, HEAD + 8.0 + (i / columns) as f64 * LINE)));
            // Entries of several lines are aligned in columns.
            x += if lines > 1 { widest } else { width(text) };
        }
        Self { entries: placed, lines }
    }

    fn height(&self) -> f64 {
        self.lines as f64 * LINE
    }
}

/// Draws an entry of the legend.
fn entry(svg: &mut Drawing, sign: &Sign, text: &str, (x, y): (f64, f64)) {
    match sign {
        Sign::Curve(number) => {
            let Pen { colour, width, dash } = Pen::of(*number, 2.5);
            svg.line((x, y), (x + 26.0, y), colour, width, dash);
        }
        Sign::RateStep => svg.line((x + 13.0, y - 8.0), (x + 13.0, y + 8.0), QUIET, 1.0, "3 3"),
        Sign::Cross => cross(svg, x + 13.0, y, INK),
    }
    svg.text_within(x + 34.0, y + 4.0, Style::new(12.0), text, WIDTH - 2.0 * MARGIN - 34.0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::num;

    type Named<'a> = (&'a str, Vec<(usize, f64)>);

    fn drawn(curves: &[Named<'_>], options: &CurveOptions<'_>) -> Result<String> {
        let curves: Vec<Curve<'_>> =
            curves.iter().map(|(name, points)| Curve { name, points, place: None }).collect();
        Ok(loss_curves(&curves, options)?.file())
    }

    fn paths<'a>(svg: &'a str, colour: &str) -> Vec<&'a str> {
        let wanted = format!("stroke=\"{colour}\"");
        let lines = svg.lines().filter(|line| line.contains(&wanted) && line.contains("stroke-width=\"2\""));
        lines.map(|line| line.split('"').nth(1).unwrap()).collect()
    }

    #[test]
    fn points_lie_where_their_iteration_and_loss_say() {
        let curves = [("a", vec![(50, 1.0), (0, 2.0), (100, 0.0)])];
        let svg = drawn(&curves, &CurveOptions::default()).unwrap();
        let (left, right, top) = (left_of(&[0.0, 0.5]), WIDTH - MARGIN - 16.0, HEAD + LINE + 8.0);
        let (middle, centre) = ((left + right) / 2.0, top + HEIGHT / 2.0);
        let [left, middle, right] = [left, middle, right].map(num);
        let [top, centre, bottom] = [top, centre, top + HEIGHT].map(num);
        let expected = format!("M{left} {top}L{middle} {centre}L{right} {bottom}");
        assert_eq!(paths(&svg, "#0072b2"), [expected]);
        assert!(svg.contains("a: 0.0000 at iteration 100."));
        roxmltree::Document::parse(&svg).unwrap();
    }

    #[test]
    fn a_loss_that_is_not_finite_leaves_a_gap_and_a_cross() {
        let points =
            vec![(0, 2.0), (1, 1.0), (2, f64::NAN), (3, 1.0), (4, 1.0), (5, f64::INFINITY), (6, 1e300)];
        let curves = [("a", points), ("none", vec![]), ("one", vec![(2, 0.5)])];
        let svg = drawn(&curves, &CurveOptions::default()).unwrap();
        // Two segments of the line, and two strokes for the cross at each of two gaps.
        assert_eq!(paths(&svg, "#0072b2").len(), 2 + 4);
        assert!(svg.contains("not finite at iteration 6") && svg.contains("none: no points"));
        assert_eq!(svg.matches("<circle").count(), 1, "a single point is a dot");
        for scale in [LossScale::Linear, LossScale::Logarithmic] {
            let options = CurveOptions { scale, rate_steps: &[3, 10_000], ..CurveOptions::default() };
            for loss in [f64::NAN, f64::NEG_INFINITY, 0.0, -3.0, 1e-300, 1e99, -1e99] {
                let svg = drawn(&[("a", vec![(0, loss), (usize::MAX, loss)])], &options).unwrap();
                roxmltree::Document::parse(&svg).unwrap();
                assert!(!svg.contains("NaN") && !svg.contains("\"inf"), "{loss}: {svg}");
            }
        }
    }

    #[test]
    fn steps_of_the_rate_are_drawn_within_the_axis() {
        let curves = [("a", vec![(0, 2.0), (100, 1.0)])];
        let options = CurveOptions { rate_steps: &[50, 75, 5000], ..CurveOptions::default() };
        let svg = drawn(&curves, &options).unwrap();
        assert_eq!(svg.matches("stroke-dasharray=\"3 3\"").count(), 2 + 1, "two steps and the legend");
        assert!(svg.contains("learning rate lowered"));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let options = CurveOptions::default();
        assert!(matches!(drawn(&[], &options), Err(FigureError::Empty { .. })));
        assert!(matches!(drawn(&[("a", vec![])], &options), Err(FigureError::Empty { .. })));
        let many = vec![("a", vec![(1, 1.0)]); 29];
        assert!(drawn(&many, &options).unwrap_err().to_string().contains("at most 28 curves, found 29"));
    }

    #[test]
    fn on_a_page_a_curve_and_its_name_are_one_link() {
        let curve = |place| Curve { name: "a", points: &[(0, 2.0), (9, 1.0)], place };
        let draw = |place| loss_curves(&[curve(place)], &CurveOptions::default()).unwrap().inline("");
        let page = draw(Some("here"));
        let (_, link) = page.split_once("<a class=\"k\" href=\"#here\" aria-label=\"a\">").unwrap();
        let (inside, _) = link.split_once("</a>").unwrap();
        assert_eq!(inside.matches("<path class=\"s0\"").count(), 2, "{inside}");
        assert!(draw(None).contains("<g class=\"k\">"));
    }

    #[test]
    fn a_panel_holds_the_curves_of_all_nets() {
        let drawing =
            loss_panel(&[&[(1, 2.0), (2, 0.5)], &[(1, 2.0), (2, f64::NAN), (3, 0.25)]], "stage 1").unwrap();
        assert_eq!(drawing.description, "Training loss of stage 1, at the end 0.25 to 0.50");
        assert_eq!(paths(&drawing.file().replace("1.25", "2"), "#0072b2").len(), 1 + 2);
        assert!(matches!(loss_panel(&[&[]], ""), Err(FigureError::Empty { .. })));
    }
}
