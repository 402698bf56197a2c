//! Draws the recall of each class as bars.

use base::text::{counted, percent};

use super::colour::{GRID, GROUND, INK, Paint, QUIET, SERIES, VOID};
use super::svg::{Drawing, HEAD, MARGIN, Style, WIDTH, text_width, widest};
use super::{FigureError, Result, check};

pub(super) const WHAT: &str = "recall of classes";

/// Draws the recall of each class as horizontal bars, best first, with the mean
/// of the classes as a line.
///
/// A class is its name and its recall in percent. NaN marks a class without
/// test videos, which is listed last and does not count towards the mean.
///
/// # Errors
/// [`FigureError::Empty`]; [`FigureError::Value`] for a recall outside 0 to 100.
pub fn recall_chart(classes: &[(&str, f64)], title: &str) -> Result<Drawing> {
    check(classes.iter().map(|&(_, recall)| recall))?;
    let mut order: Vec<&(&str, f64)> = classes.iter().collect();
    order.sort_by(|a, b| best_first(a.1, b.1).then_with(|| a.0.cmp(b.0)));

    let plot = Plot::new(classes.iter().map(|class| class.0), classes.len(), HEAD + 34.0);
    let mut svg = Drawing::new(WIDTH, plot.bottom + 30.0);
    let mean = mean(classes.iter().map(|class| class.1));
    svg.head(title, &format!("{}; recall of each class, best first", counted(classes.len(), "class")));
    plot.axis(&mut svg, mean);
    for (i, (name, recall)) in order.iter().enumerate() {
        plot.name(&mut svg, i, name);
        let (top, height) = (plot.y(i) - plot.bar / 2.0, plot.bar);
        if recall.is_nan() {
            svg.rect(plot.left, top, plot.right - plot.left, height, VOID);
            svg.text(plot.left + 6.0, plot.y(i) + 4.0, plot.style.fill(QUIET), "no test videos");
        } else {
            svg.rect(plot.left, top, plot.x(*recall) - plot.left, height, SERIES[0]);
        }
    }
    if let Some(mean) = mean {
        plot.mean(&mut svg, mean, SERIES[1]);
    }
    for (i, (_, recall)) in order.iter().enumerate().filter(|(_, class)| !class.1.is_nan()) {
        let (x, number) = (plot.x(*recall) + 6.0, percent(*recall));
        let width = text_width(&number, plot.style.size);
        // A background keeps the line of the mean from crossing the number.
        if mean.is_some_and(|mean| (x - 3.0..x + width + 3.0).contains(&plot.x(mean))) {
            svg.rect(x - 3.0, plot.y(i) - plot.bar / 2.0, width + 6.0, plot.bar, GROUND);
        }
        svg.text(x, plot.y(i) + 4.0, plot.style, &number);
    }
    Ok(svg.described(description(&order, mean)))
}

fn description(order: &[&(&str, f64)], mean: Option<f64>) -> String {
    let drawn: Vec<_> = order.iter().filter(|class| !class.1.is_nan()).collect();
    let (Some(best), Some(worst), Some(mean)) = (drawn.first(), drawn.last(), mean) else {
        return format!("{} classes, none with test videos.", order.len());
    };
    format!(
        "Bars of {} classes. Best: {}, {}. Worst: {}, {}. Mean of the classes: {}.",
        order.len(),
        best.0,
        percent(best.1),
        worst.0,
        percent(worst.1),
        percent(mean)
    )
}

/// Checks that each value is a percentage from 0 to 100, or NaN.
pub(super) fn check(values: impl ExactSizeIterator<Item = f64>) -> Result<()> {
    if values.len() == 0 {
        return Err(FigureError::Empty { what: WHAT });
    }
    let is_recall = |value: &f64| value.is_nan() || (0.0..=100.0).contains(value);
    let expected = "percent, 0 to 100, or NaN for a class without videos";
    check::each(WHAT, values, is_recall, expected, "give recall in percent")
}

/// Orders values from large to small, with NaN last.
pub(super) fn best_first(a: f64, b: f64) -> std::cmp::Ordering {
    a.is_nan().cmp(&b.is_nan()).then_with(|| b.total_cmp(&a))
}

/// Returns the mean of all values except NaN.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) =
        values.filter(|v| !v.is_nan()).fold((0.0, 0usize), |(sum, count), v| (sum + v, count + 1));
    (count > 0).then(|| sum / count as f64)
}

/// Layout of the rows and the axis in a chart of classes.
pub(super) struct Plot {
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
    /// Thickness of a bar.
    pub bar: f64,
    pub style: Style,
    pitch: f64,
}

impl Plot {
    /// Creates the layout for classes of these names, with the first row at `top`.
    pub(super) fn new<'a>(names: impl Iterator<Item = &'a str>, rows: usize, top: f64) -> Self {
        let (pitch, bar, size) = if rows <= 24 { (24.0, 16.0, 12.0) } else { (17.0, 12.0, 11.0) };
        let left = MARGIN + widest(names, size).clamp(40.0, 220.0) + 8.0;
        // Leaves room for the number to the right of a bar of 100 %.
        let right = WIDTH - MARGIN - 56.0;
        Self { left, right, top, bottom: top + rows as f64 * pitch, bar, style: Style::new(size), pitch }
    }

    pub(super) fn x(&self, percent: f64) -> f64 {
        self.left + percent / 100.0 * (self.right - self.left)
    }

    /// Returns the middle of a row.
    pub(super) fn y(&self, row: usize) -> f64 {
        self.top + (row as f64 + 0.5) * self.pitch
    }

    pub(super) fn name(&self, svg: &mut Drawing, row: usize, name: &str) {
        let room = self.left - MARGIN - 8.0;
        svg.text_within(self.left - 8.0, self.y(row) + 4.0, self.style.end(), name, room);
    }

    /// Draws lines at quarters, with numbers above and below; leaves out a number
    /// above if the line of the `mean` passes there.
    pub(super) fn axis(&self, svg: &mut Drawing, mean: Option<f64>) {
        for quarter in 0..=4 {
            let value = f64::from(quarter) * 25.0;
            let x = self.x(value);
            let stroke = if quarter == 0 { QUIET } else { GRID };
            svg.line((x, self.top), (x, self.bottom), stroke, 1.0, "");
            let number = format!("{value}\u{a0}%");
            let style = Style::new(11.0).fill(QUIET).middle();
            if mean.is_none_or(|mean| (self.x(mean) - x).abs() > 24.0) {
                svg.text(x, self.top - 6.0, style, &number);
            }
            svg.text(x, self.bottom + 16.0, style, &number);
        }
    }

    /// Draws the mean as a dashed line with its number on top.
    pub(super) fn mean(&self, svg: &mut Drawing, mean: f64, colour: Paint) {
        let x = self.x(mean);
        svg.line((x, self.top - 20.0), (x, self.bottom), colour, 1.5, "5 4");
        let style = Style::new(12.0).fill(INK);
        // The number goes to the side that has room for it.
        let (x, style) = if mean > 50.0 { (x - 6.0, style.end()) } else { (x + 6.0, style) };
        svg.text(x, self.top - 20.0, style, &format!("mean of the classes {}", percent(mean)));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn bars(svg: &str) -> Vec<(f64, f64)> {
        let document = roxmltree::Document::parse(svg).unwrap();
        let blue = document.descendants().filter(|n| n.attribute("fill") == Some("#0072b2"));
        let number = |n: &roxmltree::Node<'_, '_>, name| n.attribute(name).unwrap().parse::<f64>().unwrap();
        blue.map(|n| (number(&n, "y"), number(&n, "width"))).collect()
    }

    #[test]
    fn bars_are_as_long_as_their_recall_and_sorted() {
        let svg = recall_chart(&[("half", 50.0), ("none", 0.0), ("all", 100.0), ("missing", f64::NAN)], "T")
            .unwrap()
            .file();
        let bars = bars(&svg);
        let widths: Vec<f64> = bars.iter().map(|bar| bar.1).collect();
        assert_eq!(widths.len(), 3);
        assert!((widths[1] - widths[0] / 2.0).abs() < 0.02 && widths[2] == 0.0, "{widths:?}");
        assert!(bars.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let at = |text: &str| svg.find(&format!(">{text}<")).unwrap_or_else(|| panic!("no {text}"));
        assert!(at("all") < at("half") && at("half") < at("none") && at("none") < at("missing"));
        assert!(at("missing") < at("no test videos"));
        assert!(
            svg.contains("mean of the classes 50.0\u{a0}%"),
            "a class without videos has no part in the mean"
        );
        assert!(svg.contains("Worst: none, 0.0"), "{svg}");
    }

    #[test]
    fn values_that_are_no_recall_are_refused() {
        assert!(matches!(recall_chart(&[], ""), Err(FigureError::Empty { .. })));
        for value in [-0.1, 100.1, f64::INFINITY, f64::NEG_INFINITY] {
            let refused = recall_chart(&[("a", 1.0), ("b", value)], "");
            assert!(matches!(refused, Err(FigureError::Value { index: 1, .. })), "{value}");
        }
        assert!(recall_chart(&[("a", f64::NAN)], "").unwrap().description.contains("none with test videos"));
    }

    proptest! {
        #[test]
        fn any_names_make_a_document_with_a_row_each(
            classes in prop::collection::vec((any::<String>(), 0.0..=100.0), 1..40), title in any::<String>(),
        ) {
            let classes: Vec<(&str, f64)> = classes.iter().map(|(n, r)| (n.as_str(), *r)).collect();
            let svg = recall_chart(&classes, &title).unwrap().file();
            prop_assert!(roxmltree::Document::parse(&svg).is_ok());
            prop_assert_eq!(bars(&svg).len(), classes.len());
        }
    }
}
