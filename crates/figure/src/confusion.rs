//! Which class was taken for which.

use super::colour::{GRID, INK, QUIET, VOID, readable_on, shade};
use super::svg::{HEAD, MARGIN, Style, Svg, percent, widest};
use super::{FigureError, Result};

const WHAT: &str = "a confusion matrix";
/// Most classes: a matrix has the square of them.
const MOST: usize = 1000;
/// Longest name of a class in pixels; longer ones are cut.
const NAME: f64 = 200.0;
/// Least width of a picture: the line under the title must fit.
const LEAST: f64 = 660.0;
/// The least shade of a cell that is not empty, so that one video is seen.
const FAINTEST: f64 = 0.04;

/// The confusion matrix as a heat map: a row a true class, a column a predicted
/// one, shades the share of the row's videos. What a cell counts is its tip,
/// and stands in it in percent where there is room.
///
/// `labels` and `predictions` are the true and the predicted class of each
/// video, as places in `names`.
///
/// # Errors
/// [`FigureError::Empty`] without classes or videos; [`FigureError::Shape`] for
/// lists of different lengths or more than 1000 classes; [`FigureError::Value`]
/// for a label or a prediction that has no name.
pub fn confusion(labels: &[usize], predictions: &[usize], names: &[&str], title: &str) -> Result<String> {
    let counts = count(labels, predictions, names.len())?;
    let classes = names.len();
    let totals: Vec<usize> = counts.chunks(classes).map(|row| row.iter().sum()).collect();
    let correct: usize = (0..classes).map(|class| counts[class * classes + class]).sum();

    let grid = Grid::new(names);
    let mut svg = Svg::new(grid.width(), grid.height());
    let accuracy = percent(100.0 * correct as f64 / labels.len() as f64);
    svg.head(
        title,
        &format!(
            "rows: true class; columns: predicted class; accuracy {accuracy} ({correct} of {} videos)",
            labels.len()
        ),
    );
    grid.ground(&mut svg, names, &totals);
    for (row, &total) in totals.iter().enumerate() {
        for (column, &videos) in
            counts[row * classes..][..classes].iter().enumerate().filter(|cell| *cell.1 > 0)
        {
            let share = videos as f64 / total as f64;
            let tip = format!(
                "{} taken for {}: {videos} of {total} videos, {}",
                names[row],
                names[column],
                percent(100.0 * share)
            );
            grid.cell(&mut svg, row, column, share, &tip);
        }
    }
    grid.lines(&mut svg);
    grid.key(&mut svg);
    let worst = worst(&counts, &totals, names);
    let description = format!(
        "Heat map of {classes} true classes (rows) by {classes} predicted classes (columns), each row in shares of its \
         videos. Accuracy {accuracy}, {correct} of {} videos.{worst}",
        labels.len()
    );
    Ok(svg.finish(title, &description))
}

/// Videos of each pair of classes, row by row.
fn count(labels: &[usize], predictions: &[usize], classes: usize) -> Result<Vec<usize>> {
    if classes == 0 || labels.is_empty() {
        return Err(FigureError::Empty { what: WHAT });
    }
    if labels.len() != predictions.len() || classes > MOST {
        return Err(FigureError::Shape {
            what: WHAT,
            expected: format!("as many predictions as labels, of at most {MOST} classes"),
            found: format!("{} labels, {} predictions, {classes} classes", labels.len(), predictions.len()),
        });
    }
    let mut counts = vec![0; classes * classes];
    for (index, (&label, &prediction)) in labels.iter().zip(predictions).enumerate() {
        if label >= classes || prediction >= classes {
            return Err(FigureError::Value {
                what: WHAT,
                expected: format!("classes below {classes}"),
                found: format!("label {label}, prediction {prediction}"),
                index,
                hint: "give the names of all classes that the net was trained on",
            });
        }
        counts[label * classes + prediction] += 1;
    }
    Ok(counts)
}

/// The largest confusion in words, the first of equals.
fn worst(counts: &[usize], totals: &[usize], names: &[&str]) -> String {
    let classes = names.len();
    let mut worst: Option<(f64, usize)> = None;
    for (cell, &videos) in counts.iter().enumerate().filter(|(cell, _)| cell / classes != cell % classes) {
        let share = videos as f64 / totals[cell / classes].max(1) as f64;
        if share > worst.map_or(0.0, |(most, _)| most) {
            worst = Some((share, cell));
        }
    }
    worst.map_or(String::new(), |(share, cell)| {
        let (row, column) = (names[cell / classes], names[cell % classes]);
        format!(" Most confused: {row} taken for {column}, {}.", percent(100.0 * share))
    })
}

/// Where the cells and names of a matrix lie.
struct Grid {
    classes: usize,
    cell: f64,
    style: Style,
    left: f64,
    top: f64,
    /// How far slanting names reach beyond the last column.
    overhang: f64,
}

impl Grid {
    fn new(names: &[&str]) -> Self {
        let classes = names.len();
        let (cell, size) = match classes {
            0..=12 => (42.0, 12.0),
            13..=20 => (34.0, 12.0),
            21..=40 => (20.0, 11.0),
            _ => (13.0, 11.0),
        };
        let name = widest(names.iter().copied(), size).min(NAME);
        let left = MARGIN + name + 8.0;
        // Names slant where columns are wide, and stand upright where they are narrow.
        let (rise, overhang) =
            if classes <= 20 { (name * 0.71 + 12.0, name * 0.71) } else { (name + 8.0, 0.0) };
        Self { classes, cell, style: Style::new(size), left, top: HEAD + rise, overhang }
    }

    fn side(&self) -> f64 {
        self.classes as f64 * self.cell
    }

    fn width(&self) -> f64 {
        (self.left + self.side() + self.overhang.max(52.0) + MARGIN).max(LEAST)
    }

    fn height(&self) -> f64 {
        self.top + self.side() + 74.0
    }

    fn place(&self, row: usize, column: usize) -> (f64, f64) {
        (self.left + column as f64 * self.cell, self.top + row as f64 * self.cell)
    }

    fn ground(&self, svg: &mut Svg, names: &[&str], totals: &[usize]) {
        svg.rect(self.left, self.top, self.side(), self.side(), VOID);
        let right = self.left + self.side() + 8.0;
        for (class, name) in names.iter().enumerate() {
            let (x, y) = self.place(class, class);
            let middle = self.cell / 2.0;
            svg.text_within(self.left - 8.0, y + middle + 4.0, self.style.end(), name, NAME);
            if self.classes <= 20 {
                let style = self.style.turn(-45.0);
                svg.text_within(x + middle, self.top - 8.0, style, name, NAME);
            } else {
                svg.text_within(x + middle + 4.0, self.top - 6.0, self.style.turn(-90.0), name, NAME);
            }
            let total = totals[class];
            let text = if total == 0 { "none".into() } else { total.to_string() };
            svg.text(right, y + middle + 4.0, self.style.fill(QUIET), &text);
            if total == 0 {
                svg.rect_with_tip(
                    self.left,
                    y,
                    self.side(),
                    self.cell,
                    GRID,
                    &format!("{name}: no test videos"),
                );
            }
        }
        svg.text(right, self.top + self.side() + 18.0, Style::new(11.0).fill(QUIET), "videos");
    }

    fn cell(&self, svg: &mut Svg, row: usize, column: usize, share: f64, tip: &str) {
        let (x, y) = self.place(row, column);
        let fill = shade(FAINTEST + (1.0 - FAINTEST) * share);
        svg.rect_with_tip(x, y, self.cell, self.cell, fill, tip);
        if self.classes <= 20 {
            let style = self.style.fill(readable_on(fill)).middle();
            svg.text(x + self.cell / 2.0, y + self.cell / 2.0 + 4.0, style, &format!("{:.0}", 100.0 * share));
        }
    }

    /// Lines between the cells, or between every five of a large matrix.
    fn lines(&self, svg: &mut Svg) {
        let every = if self.classes <= 40 { 1 } else { 5 };
        for class in (every..self.classes).step_by(every) {
            let (x, y) = self.place(class, class);
            svg.line((x, self.top), (x, self.top + self.side()), GRID, 1.0, "");
            svg.line((self.left, y), (self.left + self.side(), y), GRID, 1.0, "");
        }
        svg.frame(self.left, self.top, self.side(), self.side(), QUIET);
    }

    /// What the shades mean.
    fn key(&self, svg: &mut Svg) {
        let (y, steps, step) = (self.top + self.side() + 30.0, 20, 9.0);
        for i in 0..steps {
            let share = f64::from(i) / f64::from(steps - 1);
            svg.rect(
                self.left + f64::from(i) * step,
                y,
                step,
                12.0,
                shade(FAINTEST + (1.0 - FAINTEST) * share),
            );
        }
        let width = f64::from(steps) * step;
        svg.text(self.left, y + 26.0, Style::new(11.0).fill(INK), "above 0");
        svg.text(self.left + width, y + 26.0, Style::new(11.0).fill(INK).end(), "100\u{a0}%");
        svg.text(
            self.left + width + 12.0,
            y + 10.0,
            Style::new(11.0).fill(QUIET),
            "share of the true class\u{2019}s videos",
        );
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 3] = ["run", "walk", "<wave>"];

    #[test]
    fn a_cell_lies_in_the_row_of_its_label_and_the_column_of_its_prediction() {
        let svg = confusion(&[0, 0, 0, 0, 1], &[0, 2, 2, 2, 1], &NAMES, "T").unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let tip = "run taken for <wave>: 3 of 4 videos, 75.0\u{a0}%";
        let cell = document.descendants().find(|n| n.has_tag_name("title") && n.text() == Some(tip)).unwrap();
        let number = |name| cell.parent().unwrap().attribute(name).unwrap().parse::<f64>().unwrap();
        let grid = Grid::new(&NAMES);
        let (x, y) = grid.place(0, 2);
        assert!((number("x") - x).abs() < 0.01 && (number("y") - y).abs() < 0.01);
        let fill = cell.parent().unwrap().attribute("fill").unwrap();
        assert_eq!(fill, super::super::colour::hex(shade(0.04 + 0.96 * 0.75)));
        for text in [
            "accuracy 40.0\u{a0}% (2 of 5 videos)",
            "Most confused: run taken for &lt;wave&gt;, 75.0",
            "&lt;wave&gt;: no test videos",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches(" taken for ").count(), 4, "three cells and the description");
    }

    #[test]
    fn what_is_no_matrix_is_refused() {
        assert!(matches!(confusion(&[], &[], &NAMES, ""), Err(FigureError::Empty { .. })));
        assert!(matches!(confusion(&[0], &[0], &[], ""), Err(FigureError::Empty { .. })));
        assert!(matches!(confusion(&[0, 1], &[0], &NAMES, ""), Err(FigureError::Shape { .. })));
        let message = confusion(&[0, 1], &[0, 3], &NAMES, "").unwrap_err().to_string();
        assert!(message.contains("classes below 3, found label 1, prediction 3 at index 1"), "{message}");
    }

    proptest! {
        #[test]
        fn counts_of_any_predictions_add_up(pairs in prop::collection::vec((0..45usize, 0..45usize), 1..300)) {
            let names: Vec<String> = (0..45).map(|i| format!("class{i}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let (labels, predictions): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            let svg = confusion(&labels, &predictions, &names, "T").unwrap();
            let document = roxmltree::Document::parse(&svg).unwrap();
            let tips = document.descendants().filter(|n| n.has_tag_name("title")).filter_map(|n| n.text());
            let counts = tips.filter_map(|tip| tip.split_once(": ")?.1.split_once(" of ")?.0.parse::<usize>().ok());
            prop_assert_eq!(counts.sum::<usize>(), pairs.len());
        }
    }
}
