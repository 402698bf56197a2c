//! Plots accuracy against cost: single rows, or rows at several costs.

use base::text::brief;

use super::axis::{Axis, frame, left_of};
use super::colour::{GROUND, INK, Paint, QUIET, SERIES};
use super::nets::mark;
use super::svg::{Drawing, MARGIN, Style, WIDTH, legend, text_width};
use super::{FigureError, Result};

const WHAT: &str = "accuracy against cost";
const HEIGHT: f64 = 330.0;
/// Width in pixels of a legend entry in addition to its text.
const BESIDE: f64 = 34.0;
/// Number of shapes of marks, which distinguish groups in addition to colours.
const SHAPES: usize = 4;

/// A measured value and its cost.
#[derive(Clone, Debug)]
pub struct Spot<'a> {
    /// Its name, written next to the mark if there is room.
    pub name: &'a str,
    /// Tooltip with all details.
    pub tip: String,
    /// Anchor on the page to which it links.
    pub place: Option<&'a str>,
    /// Its group, as an index into the groups.
    pub group: usize,
    /// Its cost, above 0.
    pub cost: f64,
    /// The value, and the lower and upper ends of its interval.
    pub value: [f64; 3],
}

/// Draws values over their costs, each with its interval. A stepped line joins those better than everything that costs no
/// more, and they are named. Each group has a colour and a shape.
///
/// # Errors
/// [`FigureError::Empty`]; [`FigureError::Shape`] for a group without a name.
pub fn scatter(spots: &[Spot<'_>], groups: &[&str], axes: (&str, &str), title: &str) -> Result<Drawing> {
    let plot = Plot::new(spots, groups, axes)?;
    let about = "marks with their intervals; named along the stepped line: better than anything cheaper";
    let mut svg = plot.begin(title, about);
    let front = front(spots);
    let mut steps: Vec<(f64, f64)> = Vec::new();
    for &index in &front {
        let (at_x, at_y) = plot.place(index);
        steps.extend(steps.last().map(|&(_, last)| (at_x, last)));
        steps.push((at_x, at_y));
    }
    svg.path(steps, QUIET, 1.0, "2 3");
    plot.marks(&mut svg);
    let places: Vec<(f64, f64)> = (0..spots.len()).map(|index| plot.place(index)).collect();
    for (name, at) in named(spots, &front, &places, plot.area()) {
        svg.text(at.0, at.1, Style::new(12.0).fill(INK).middle(), name);
    }
    let best: Vec<&str> = front.iter().map(|&index| spots[index].name).collect();
    Ok(svg.described(format!(
        "{} marks. The most accurate at their cost or less, cheapest first: {}.",
        spots.len(),
        best.join(", ")
    )))
}

/// Draws how the value of each group changes with its cost: a line through the group's marks, each with its interval.
///
/// # Errors
/// Those of [`scatter`].
pub fn growth(spots: &[Spot<'_>], groups: &[&str], axes: (&str, &str), title: &str) -> Result<Drawing> {
    let plot = Plot::new(spots, groups, axes)?;
    let mut svg = plot.begin(title, "marks with their intervals, joined from the least cost to the largest");
    for &group in &plot.here {
        let mut of_group: Vec<usize> =
            (0..spots.len()).filter(|&index| spots[index].group == group).collect();
        of_group.sort_by(|&a, &b| spots[a].cost.total_cmp(&spots[b].cost));
        svg.path(of_group.into_iter().map(|index| plot.place(index)).collect(), paint(group), 1.5, "");
    }
    plot.marks(&mut svg);
    Ok(svg.described(format!("{} marks of {} lines.", spots.len(), plot.here.len())))
}

/// Axes, legend and marks.
struct Plot<'a> {
    spots: &'a [Spot<'a>],
    groups: &'a [&'a str],
    names: (&'a str, &'a str),
    /// Groups that have a mark.
    here: Vec<usize>,
    x: Axis,
    y: Axis,
}

impl<'a> Plot<'a> {
    fn new(spots: &'a [Spot<'a>], groups: &'a [&'a str], names: (&'a str, &'a str)) -> Result<Self> {
        if spots.is_empty() {
            return Err(FigureError::Empty { what: WHAT });
        }
        if let Some(spot) = spots.iter().find(|spot| spot.group >= groups.len()) {
            let (expected, found) =
                (format!("groups below {}", groups.len()), format!("group {}", spot.group));
            return Err(FigureError::Shape { what: WHAT, expected, found });
        }
        // Groups without a mark have no entry.
        let here: Vec<usize> =
            (0..groups.len()).filter(|group| spots.iter().any(|spot| spot.group == *group)).collect();
        let (_, below) = legend(here.iter().map(|&group| groups[group]), BESIDE);
        let top = below + 8.0;
        let y = Axis::linear(spots.iter().flat_map(|spot| spot.value)).between(top + HEIGHT, top);
        let x = Axis::logarithmic(spots.iter().map(|spot| spot.cost));
        let x = x.between(left_of(y.marks()), WIDTH - MARGIN - 16.0);
        Ok(Self { spots, groups, names, here, x, y })
    }

    /// Begins the picture with title, legend and frame.
    fn begin(&self, title: &str, about: &str) -> Drawing {
        let mut svg = Drawing::new(WIDTH, self.y.from + 52.0);
        svg.head(title, about);
        let (legend, _) = legend(self.here.iter().map(|&group| self.groups[group]), BESIDE);
        for (entry, at, y) in legend {
            let group = self.here[entry];
            svg.shape(shape(group, at + 6.0, y + 4.0), paint(group), GROUND, "");
            svg.text(at + 16.0, y + 8.0, Style::new(12.0), self.groups[group]);
        }
        frame(&mut svg, &self.x, &self.y, self.names, brief);
        svg
    }

    fn place(&self, index: usize) -> (f64, f64) {
        let spot = &self.spots[index];
        (self.x.at(spot.cost), self.y.at(spot.value[0]))
    }

    /// Left, top, right and bottom of the area in which names may be written.
    fn area(&self) -> [f64; 4] {
        [self.x.from, self.y.to, WIDTH - MARGIN, self.y.from]
    }

    fn marks(&self, svg: &mut Drawing) {
        for (index, spot) in self.spots.iter().enumerate() {
            let (at_x, at_y) = self.place(index);
            svg.open("mk", spot.place, &spot.tip);
            let ends = [spot.value[1], spot.value[2]].map(|value| (at_x, self.y.at(value)));
            svg.line(ends[0], ends[1], paint(spot.group), 1.5, "");
            svg.shape(shape(spot.group, at_x, at_y), paint(spot.group), GROUND, &spot.tip);
            svg.close();
        }
    }
}

fn paint(group: usize) -> Paint {
    SERIES[group % SERIES.len()]
}

fn shape(group: usize, x: f64, y: f64) -> String {
    mark(x, y, SHAPES - 1 - group % SHAPES, SHAPES - 1)
}

/// Returns the spots with a higher value than all others that cost no more, cheapest first.
fn front(spots: &[Spot<'_>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..spots.len()).collect();
    let key = |index: usize| (spots[index].cost, spots[index].value[0]);
    order.sort_by(|&a, &b| {
        let ((cost_a, value_a), (cost_b, value_b)) = (key(a), key(b));
        cost_a.total_cmp(&cost_b).then_with(|| value_b.total_cmp(&value_a)).then(a.cmp(&b))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&index| {
        let better = spots[index].value[0] > best;
        best = best.max(spots[index].value[0]);
        better
    });
    order
}

/// Places the names of the front above or below their marks, inside the frame and clear of other names and marks.
fn named<'a>(
    spots: &[Spot<'a>],
    front: &[usize],
    places: &[(f64, f64)],
    [left, top, right, bottom]: [f64; 4],
) -> Vec<(&'a str, (f64, f64))> {
    let mut taken: Vec<[f64; 4]> = places.iter().map(|(x, y)| [x - 5.0, y - 6.0, x + 5.0, y + 6.0]).collect();
    let mut named = Vec::new();
    // The most accurate spots are placed first.
    for &index in front.iter().rev() {
        let half = text_width(spots[index].name, 12.0) / 2.0;
        let (x, y) = places[index];
        let tries = [
            (0.0, -12.0),
            (-half - 10.0, -8.0),
            (half + 10.0, 14.0),
            (0.0, 22.0),
            (-half - 10.0, 4.0),
            (half + 10.0, 4.0),
        ];
        for (dx, dy) in tries {
            let least = left + 4.0 + half;
            let middle = (x + dx).clamp(least, (right - half).max(least));
            let area = [middle - half, y + dy - 11.0, middle + half, y + dy + 3.0];
            let free =
                taken.iter().all(|t| area[2] < t[0] || t[2] < area[0] || area[3] < t[1] || t[3] < area[1]);
            if free && area[1] > top - 16.0 && area[3] < bottom + 2.0 {
                taken.push(area);
                named.push((spots[index].name, (middle, y + dy)));
                break;
            }
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::svg::num;

    fn spot(name: &'static str, cost: f64, value: f64) -> Spot<'static> {
        Spot {
            name,
            tip: format!("{name}: {value}"),
            place: Some("there"),
            group: 0,
            cost,
            value: [value, value - 2.0, value + 2.0],
        }
    }

    #[test]
    fn the_front_is_what_nothing_cheaper_equals() {
        let spots = [
            spot("dear", 4.0, 70.0),
            spot("best", 2.0, 70.0),
            spot("cheap", 1.0, 50.0),
            spot("worse", 2.0, 60.0),
        ];
        assert_eq!(front(&spots), [2, 1]);
        let drawing = scatter(&spots, &["<paper>", "none"], ("cost", "accuracy"), "T").unwrap();
        assert!(drawing.description.ends_with("cheapest first: cheap, best."), "{}", drawing.description);
        let page = drawing.inline("");
        assert_eq!(page.matches("<a class=\"mk\" href=\"#there\"").count(), 4);
        assert!(page.contains(">best</text>") && !page.contains(">dear</text>"), "{page}");
        assert!(page.contains("&lt;paper&gt;") && !page.contains(">none<"), "{page}");
        roxmltree::Document::parse(&drawing.file()).unwrap();
    }

    #[test]
    fn a_line_joins_the_marks_of_a_group_by_their_cost() {
        let other = |cost, value| Spot { group: 1, ..spot("b", cost, value) };
        let spots = [spot("a", 4.0, 70.0), other(3.0, 20.0), spot("a", 1.0, 50.0), spot("a", 2.0, 40.0)];
        let file = growth(&spots, &["a", "b"], ("cost", "accuracy"), "T").unwrap().file();
        let plot = Plot::new(&spots, &["a", "b"], ("cost", "accuracy")).unwrap();
        let line: Vec<String> = [2, 3, 0]
            .map(|index| plot.place(index))
            .iter()
            .map(|(x, y)| format!("{} {}", num(*x), num(*y)))
            .collect();
        assert!(file.contains(&format!("M{}", line.join("L"))), "{file}");
        roxmltree::Document::parse(&file).unwrap();
    }

    #[test]
    fn what_cannot_be_placed_is_refused_or_drawn_at_the_edge() {
        assert!(matches!(scatter(&[], &[], ("", ""), ""), Err(FigureError::Empty { .. })));
        let other = Spot { group: 1, ..spot("a", 1.0, 1.0) };
        assert!(matches!(scatter(&[other], &["a"], ("", ""), ""), Err(FigureError::Shape { .. })));
        let odd = [spot("a", 0.0, f64::NAN), spot("b", f64::INFINITY, 1e300)];
        let file = scatter(&odd, &["a"], ("", ""), "").unwrap().file();
        assert!(!file.contains("NaN\"") && !file.contains("inf"), "{file}");
    }
}
