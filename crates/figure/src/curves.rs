//! Loss over iterations.

use std::fmt::Write;

use super::colour::{GRID, INK, QUIET, Rgb, SERIES};
use super::scale::{self, drawable};
use super::svg::{HEAD, MARGIN, Style, Svg, WIDTH, num, text_width, widest};
use super::{FigureError, Result};

const WHAT: &str = "loss curves";
/// Most curves: colours times patterns of dashes.
const MOST: usize = SERIES.len() * DASHES.len();
const DASHES: [&str; 4] = ["", "7 3", "2 3", "9 3 2 3"];
const HEIGHT: f64 = 330.0;
const LINE: f64 = 20.0;

/// How losses are laid out on their axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LossScale {
    /// From 0, or from the least loss where that is negative.
    #[default]
    Linear,
    /// By powers of ten. A loss of 0 or below is drawn at the lower edge.
    Logarithmic,
}

/// What else a picture of loss curves shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct CurveOptions<'a> {
    /// The title.
    pub title: &'a str,
    /// The axis of losses.
    pub scale: LossScale,
    /// Iterations at which the learning rate is lowered: broken lines.
    pub rate_steps: &'a [usize],
}

/// Loss curves as lines of different colours and dashes with a legend.
///
/// A curve is its name and its points, (iteration, loss), in any order. A loss
/// that is not finite leaves a gap in its line, with a cross at the upper edge where
/// the gap begins.
///
/// # Errors
/// [`FigureError::Empty`] without a curve or a point; [`FigureError::Shape`]
/// for more than 28 curves.
pub fn loss_curves(curves: &[(&str, Vec<(usize, f64)>)], options: &CurveOptions<'_>) -> Result<String> {
    if curves.iter().all(|curve| curve.1.is_empty()) {
        return Err(FigureError::Empty { what: WHAT });
    }
    if curves.len() > MOST {
        let (expected, found) = (format!("at most {MOST} curves"), format!("{} curves", curves.len()));
        return Err(FigureError::Shape { what: WHAT, expected, found });
    }
    let broken = curves.iter().flat_map(|curve| &curve.1).any(|point| !drawable(point.1));
    let legend = Legend::new(curves, !options.rate_steps.is_empty(), broken);
    let axes = Axes::new(curves, options.scale, HEAD + legend.height() + 8.0);
    let mut svg = Svg::new(WIDTH, axes.bottom + 52.0);
    let scale = if options.scale == LossScale::Logarithmic { ", logarithmic" } else { "" };
    svg.head(options.title, &format!("training loss{scale}, over iterations"));
    legend.draw(&mut svg);
    axes.draw(&mut svg);
    for &step in options.rate_steps {
        let x = axes.x(step as f64);
        if step as f64 <= axes.end {
            svg.line((x, axes.top), (x, axes.bottom), QUIET, 1.0, "3 3");
        }
    }
    for (i, (_, points)) in curves.iter().enumerate() {
        axes.curve(&mut svg, points, colour(i), DASHES[i / SERIES.len()]);
    }
    Ok(svg.finish(options.title, &description(curves)))
}

fn description(curves: &[(&str, Vec<(usize, f64)>)]) -> String {
    let mut text = format!("Lines of {} curves.", curves.len());
    for (name, points) in curves {
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

fn colour(curve: usize) -> Rgb {
    SERIES[curve % SERIES.len()]
}

/// The frame that curves are drawn in.
struct Axes {
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// The last iteration.
    end: f64,
    iterations: Vec<f64>,
    losses: Vec<f64>,
    scale: LossScale,
}

impl Axes {
    fn new(curves: &[(&str, Vec<(usize, f64)>)], scale: LossScale, top: f64) -> Self {
        let points = || curves.iter().flat_map(|curve| &curve.1);
        let last = points().map(|point| point.0).max().unwrap_or(1);
        let losses = || points().map(|point| point.1).filter(|&loss| drawable(loss));
        let high = losses().fold(f64::NEG_INFINITY, f64::max);
        let losses = match scale {
            LossScale::Linear if high.is_finite() => {
                scale::linear(losses().fold(0.0, f64::min), high.max(0.0))
            }
            LossScale::Logarithmic if high > 0.0 => {
                // The least number that an axis can be drawn for.
                let low = losses().filter(|&loss| loss > 0.0).fold(high, f64::min).max(1e-30);
                scale::logarithmic(low, high.max(1e-30))
            }
            LossScale::Linear => scale::linear(0.0, 1.0),
            LossScale::Logarithmic => scale::logarithmic(0.1, 1.0),
        };
        let names: Vec<String> = losses.iter().map(|&loss| scale::mark(loss)).collect();
        let left = MARGIN + 20.0 + widest(names.iter().map(String::as_str), 11.0) + 8.0;
        // The last number of the lower axis reaches beyond its line.
        let right = WIDTH - MARGIN - 16.0;
        let end = last.max(1) as f64;
        let mut iterations = scale::linear(0.0, end);
        iterations.retain(|&iteration| iteration <= end && iteration.fract() == 0.0);
        Self { left, right, top, bottom: top + HEIGHT, end, iterations, losses, scale }
    }

    fn x(&self, iteration: f64) -> f64 {
        self.left + iteration / self.end * (self.right - self.left)
    }

    fn y(&self, loss: f64) -> f64 {
        let (low, high) = (self.losses[0], self.losses[self.losses.len() - 1]);
        let share = match self.scale {
            LossScale::Linear => (loss - low) / (high - low),
            LossScale::Logarithmic => (loss.max(low) / low).ln() / (high / low).ln(),
        };
        self.bottom - share.clamp(0.0, 1.0) * (self.bottom - self.top)
    }

    fn draw(&self, svg: &mut Svg) {
        let style = Style::new(11.0).fill(QUIET);
        for &loss in &self.losses {
            let y = self.y(loss);
            svg.line((self.left, y), (self.right, y), GRID, 1.0, "");
            svg.text(self.left - 8.0, y + 4.0, style.end(), &scale::mark(loss));
        }
        for &iteration in &self.iterations {
            let x = self.x(iteration);
            svg.line((x, self.bottom), (x, self.bottom + 5.0), QUIET, 1.0, "");
            svg.text(x, self.bottom + 18.0, style.middle(), &scale::mark(iteration));
        }
        svg.line((self.left, self.bottom), (self.right, self.bottom), QUIET, 1.0, "");
        let (middle, centre) = ((self.left + self.right) / 2.0, (self.top + self.bottom) / 2.0);
        let style = Style::new(12.0).fill(INK).middle();
        svg.text(middle, self.bottom + 38.0, style, "iteration");
        svg.text(MARGIN + 10.0, centre, style.turn(-90.0), "loss");
    }

    fn curve(&self, svg: &mut Svg, points: &[(usize, f64)], colour: Rgb, dash: &str) {
        let mut points = points.to_vec();
        points.sort_by_key(|point| point.0);
        for run in points.chunk_by(|a, b| drawable(a.1) == drawable(b.1)) {
            let place = |&(iteration, loss): &(usize, f64)| (self.x(iteration as f64), self.y(loss));
            let (x, y) = place(&run[0]);
            if !drawable(run[0].1) {
                cross(svg, x, self.top, colour);
            } else if run.len() == 1 {
                svg.dot(x, y, 3.0, colour);
            } else {
                let places = run.iter().map(place).map(|(x, y)| format!("{} {}", num(x), num(y)));
                svg.path(&format!("M{}", places.collect::<Vec<_>>().join("L")), colour, 2.0, dash);
            }
        }
    }
}

/// The mark of a loss that is not finite.
fn cross(svg: &mut Svg, x: f64, y: f64, colour: Rgb) {
    svg.line((x - 4.0, y - 4.0), (x + 4.0, y + 4.0), colour, 2.0, "");
    svg.line((x - 4.0, y + 4.0), (x + 4.0, y - 4.0), colour, 2.0, "");
}

/// What stands before a text of the legend.
enum Sign {
    Curve(usize),
    RateStep,
    Cross,
}

struct Legend<'a> {
    /// Sign, text, place.
    entries: Vec<(Sign, &'a str, (f64, f64))>,
    lines: usize,
}

impl<'a> Legend<'a> {
    fn new(curves: &[(&'a str, Vec<(usize, f64)>)], steps: bool, broken: bool) -> Self {
        let named = curves.iter().enumerate().map(|(i, curve)| (Sign::Curve(i), curve.0));
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
            // Below one another where there are several lines.
            x += if lines > 1 { widest } else { width(text) };
        }
        Self { entries: placed, lines }
    }

    fn height(&self) -> f64 {
        self.lines as f64 * LINE
    }

    fn draw(&self, svg: &mut Svg) {
        for (sign, text, (x, y)) in &self.entries {
            let (x, y) = (*x, *y);
            match sign {
                Sign::Curve(i) => {
                    svg.line((x, y), (x + 26.0, y), colour(*i), 2.5, DASHES[i / SERIES.len()]);
                }
                Sign::RateStep => svg.line((x + 13.0, y - 8.0), (x + 13.0, y + 8.0), QUIET, 1.0, "3 3"),
                Sign::Cross => cross(svg, x + 13.0, y, INK),
            }
            svg.text_within(x + 34.0, y + 4.0, Style::new(12.0), text, WIDTH - 2.0 * MARGIN - 34.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths<'a>(svg: &'a str, colour: &str) -> Vec<&'a str> {
        let wanted = format!("stroke=\"{colour}\"");
        let lines = svg.lines().filter(|line| line.contains(&wanted) && line.contains("stroke-width=\"2\""));
        lines.map(|line| line.split('"').nth(1).unwrap()).collect()
    }

    #[test]
    fn points_lie_where_their_iteration_and_loss_say() {
        let curves = [("a", vec![(50, 1.0), (0, 2.0), (100, 0.0)])];
        let svg = loss_curves(&curves, &CurveOptions::default()).unwrap();
        let axes = Axes::new(&curves, LossScale::Linear, HEAD + LINE + 8.0);
        let (middle, centre) = ((axes.left + axes.right) / 2.0, (axes.top + axes.bottom) / 2.0);
        let expected = format!(
            "M{} {}L{} {}L{} {}",
            num(axes.left),
            num(axes.top),
            num(middle),
            num(centre),
            num(axes.right),
            num(axes.bottom)
        );
        assert_eq!(paths(&svg, "#0072b2"), [expected]);
        assert!(svg.contains("a: 0.0000 at iteration 100."));
        roxmltree::Document::parse(&svg).unwrap();
    }

    #[test]
    fn a_logarithmic_axis_spaces_by_ratio_and_holds_a_loss_of_zero() {
        let curves = [("a", vec![(0, 10.0), (1, 1.0), (2, 0.1), (3, 0.0), (4, -1.0)])];
        let axes = Axes::new(&curves, LossScale::Logarithmic, 0.0);
        let places: Vec<f64> = curves[0].1.iter().map(|point| axes.y(point.1)).collect();
        assert!((places[1] - places[0] - (places[2] - places[1])).abs() < 1e-9, "{places:?}");
        assert_eq!(places[2..], [axes.bottom; 3]);
    }

    #[test]
    fn a_loss_that_is_not_finite_leaves_a_gap_and_a_cross() {
        let points =
            vec![(0, 2.0), (1, 1.0), (2, f64::NAN), (3, 1.0), (4, 1.0), (5, f64::INFINITY), (6, 1e300)];
        let curves = [("a", points), ("none", vec![]), ("one", vec![(2, 0.5)])];
        let svg = loss_curves(&curves, &CurveOptions::default()).unwrap();
        // Two runs of the line, and two strokes for the cross of each of two gaps.
        assert_eq!(paths(&svg, "#0072b2").len(), 2 + 4);
        assert!(svg.contains("not finite at iteration 6") && svg.contains("none: no points"));
        assert_eq!(svg.matches("<circle").count(), 1, "a single point is a dot");
        for scale in [LossScale::Linear, LossScale::Logarithmic] {
            let options = CurveOptions { scale, rate_steps: &[3, 10_000], ..CurveOptions::default() };
            for loss in [f64::NAN, f64::NEG_INFINITY, 0.0, -3.0, 1e-300, 1e99, -1e99] {
                let svg = loss_curves(&[("a", vec![(0, loss), (usize::MAX, loss)])], &options).unwrap();
                roxmltree::Document::parse(&svg).unwrap();
                assert!(!svg.contains("NaN") && !svg.contains("\"inf"), "{loss}: {svg}");
            }
        }
    }

    #[test]
    fn steps_of_the_rate_are_drawn_within_the_axis() {
        let curves = [("a", vec![(0, 2.0), (100, 1.0)])];
        let options = CurveOptions { rate_steps: &[50, 75, 5000], ..CurveOptions::default() };
        let svg = loss_curves(&curves, &options).unwrap();
        assert_eq!(svg.matches("stroke-dasharray=\"3 3\"").count(), 2 + 1, "two steps and the legend");
        assert!(svg.contains("learning rate lowered"));
    }

    #[test]
    fn nothing_and_too_much_are_refused() {
        let options = CurveOptions::default();
        assert!(matches!(loss_curves(&[], &options), Err(FigureError::Empty { .. })));
        assert!(matches!(loss_curves(&[("a", vec![])], &options), Err(FigureError::Empty { .. })));
        let many = vec![("a", vec![(1, 1.0)]); 29];
        assert!(
            loss_curves(&many, &options).unwrap_err().to_string().contains("at most 28 curves, found 29")
        );
    }
}
