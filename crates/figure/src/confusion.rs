//! Draws confusion matrices.

use std::collections::{BTreeMap, BTreeSet};

use base::text::{percent, whole};

use super::colour::{GRID, INK, Paint, QUIET, SHADES, VOID, shade};
use super::svg::{Drawing, HEAD, MARGIN, Style, widest};
use super::{FigureError, Result};

const WHAT: &str = "a confusion matrix";
/// Maximum number of classes, since the number of cells is its square.
const MOST: usize = 1000;
/// Maximum width in pixels of the name of a class; longer names are cut.
const NAME: f64 = 200.0;
/// Minimum width of a picture: the line under the title must fit.
const LEAST: f64 = 660.0;
/// Number of confusions listed in the description.
const TOLD: usize = 5;

/// Number of test videos by true class and predicted class.
pub type Counts = BTreeMap<String, BTreeMap<String, usize>>;

/// Draws the confusion matrix as a heat map: one row per true class, one column
/// per predicted class, ordered by name. Shades are the share of the row's videos.
/// A cell has its count as a tooltip, and its percentage if there is room.
///
/// # Errors
/// [`FigureError::Empty`] without a video; [`FigureError::Shape`] for more than
/// 1000 classes.
pub fn confusion(counts: &Counts, title: &str) -> Result<Drawing> {
    let names: BTreeSet<&str> = counts
        .iter()
        .flat_map(|(class, taken)| std::iter::once(class).chain(taken.keys()))
        .map(String::as_str)
        .collect();
    let names: Vec<&str> = names.into_iter().collect();
    let classes = names.len();
    let none = BTreeMap::new();
    let rows: Vec<&BTreeMap<String, usize>> =
        names.iter().map(|name| counts.get(*name).unwrap_or(&none)).collect();
    let totals: Vec<usize> = rows.iter().map(|taken| taken.values().sum()).collect();
    let all: usize = totals.iter().sum();
    if all == 0 {
        return Err(FigureError::Empty { what: WHAT });
    }
    if classes > MOST {
        let (expected, found) = (format!("at most {MOST} classes"), format!("{classes} classes"));
        return Err(FigureError::Shape { what: WHAT, expected, found });
    }
    let correct: usize = rows.iter().zip(&names).filter_map(|(taken, name)| taken.get(*name)).sum();
    let accuracy = percent(100.0 * correct as f64 / all as f64);

    let grid = Grid::new(&names);
    let mut svg = Drawing::new(grid.width(), grid.height());
    let found = format!("accuracy {accuracy} ({correct} of {all} videos)");
    svg.head(title, &format!("rows: true class; columns: predicted class; {found}"));
    grid.ground(&mut svg, &names, &totals);
    // Confusions, largest share first.
    let mut wrong: Vec<(f64, &str, &str)> = Vec::new();
    for (row, (taken, &total)) in rows.iter().zip(&totals).enumerate() {
        for (column, other) in names.iter().enumerate() {
            let videos = taken.get(*other).copied().unwrap_or(0);
            if videos == 0 {
                continue;
            }
            let share = videos as f64 / total as f64;
            let name = names[row];
            let tip = format!("{name} as {other}: {videos} of {total}");
            grid.cell(&mut svg, row, column, share, &tip);
            if row != column {
                wrong.push((share, name, other));
            }
        }
    }
    grid.lines(&mut svg);
    grid.key(&mut svg);
    wrong.sort_by(|a, b| b.0.total_cmp(&a.0));
    let worst: Vec<String> = wrong
        .iter()
        .take(TOLD)
        .map(|(share, class, other)| format!("{class} taken for {other}, {}", percent(100.0 * share)))
        .collect();
    let worst =
        if worst.is_empty() { String::new() } else { format!(" Most confused: {}.", worst.join("; ")) };
    Ok(svg.described(format!(
        "Heat map of {classes} true classes (rows) by {classes} predicted classes (columns), each row in shares of its \
         videos. Accuracy {accuracy}, {correct} of {all} videos.{worst}"
    )))
}

/// Layout of the cells and names of a matrix.
struct Grid {
    classes: usize,
    cell: f64,
    style: Style,
    left: f64,
    top: f64,
    /// Distance that slanted names reach beyond the last column.
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
        // Names are slanted above wide columns, and vertical above narrow ones.
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

    fn ground(&self, svg: &mut Drawing, names: &[&str], totals: &[usize]) {
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

    fn cell(&self, svg: &mut Drawing, row: usize, column: usize, share: f64, tip: &str) {
        let (x, y) = self.place(row, column);
        let level = shade(share);
        svg.rect_with_tip(x, y, self.cell, self.cell, Paint::Shade(level), tip);
        if self.classes <= 20 {
            let style = self.style.fill(Paint::OnShade(level)).middle();
            svg.text(x + self.cell / 2.0, y + self.cell / 2.0 + 4.0, style, &whole(100.0 * share));
        }
    }

    /// Draws lines between the cells, or after every five cells of a large matrix.
    fn lines(&self, svg: &mut Drawing) {
        let every = if self.classes <= 40 { 1 } else { 5 };
        for class in (every..self.classes).step_by(every) {
            let (x, y) = self.place(class, class);
            svg.line((x, self.top), (x, self.top + self.side()), GRID, 1.0, "");
            svg.line((self.left, y), (self.left + self.side(), y), GRID, 1.0, "");
        }
        svg.frame(self.left, self.top, self.side(), self.side(), QUIET);
    }

    /// Draws the key of the shades.
    fn key(&self, svg: &mut Drawing) {
        let (y, step) = (self.top + self.side() + 30.0, 20.0);
        for level in 1..=SHADES {
            svg.rect(self.left + f64::from(level - 1) * step, y, step, 12.0, Paint::Shade(level));
        }
        let width = f64::from(SHADES) * step;
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

    /// Counts pairs of a true class and a predicted class.
    fn counts<T: ToString>(pairs: &[(T, T)]) -> Counts {
        let mut counts = Counts::new();
        for (class, other) in pairs {
            *counts.entry(class.to_string()).or_default().entry(other.to_string()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn a_cell_lies_in_the_row_of_its_label_and_the_column_of_its_prediction() {
        let (run, walk, wave) = ("run", "walk", "<wave>");
        let counts = counts(&[(run, run), (run, wave), (run, wave), (run, wave), (walk, walk)]);
        let svg = confusion(&counts, "T").unwrap().file();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let tip = "run as <wave>: 3 of 4";
        let cell = document.descendants().find(|n| n.has_tag_name("title") && n.text() == Some(tip)).unwrap();
        let number = |name| cell.parent().unwrap().attribute(name).unwrap().parse::<f64>().unwrap();
        // Classes are ordered by name.
        let (x, y) = Grid::new(&[wave, run, walk]).place(1, 0);
        assert!((number("x") - x).abs() < 0.01 && (number("y") - y).abs() < 0.01);
        assert_eq!(cell.parent().unwrap().attribute("fill"), Some(Paint::Shade(7).hex().as_str()));
        for text in [
            "accuracy 40.0\u{a0}% (2 of 5 videos)",
            "Most confused: run taken for &lt;wave&gt;, 75.0",
            "&lt;wave&gt;: no test videos",
        ] {
            assert!(svg.contains(text), "{text}");
        }
        assert_eq!(svg.matches(" as ").count(), 3, "a tip a cell");
    }

    #[test]
    fn what_is_no_matrix_is_refused() {
        assert!(matches!(confusion(&Counts::new(), ""), Err(FigureError::Empty { .. })));
        let many: Vec<(usize, usize)> = (0..=MOST).map(|class| (class, class)).collect();
        assert!(matches!(confusion(&counts(&many), ""), Err(FigureError::Shape { .. })));
    }

    proptest! {
        #[test]
        fn counts_of_any_predictions_add_up(pairs in prop::collection::vec((0..45usize, 0..45usize), 1..300)) {
            let svg = confusion(&counts(&pairs), "T").unwrap().file();
            let document = roxmltree::Document::parse(&svg).unwrap();
            let tips = document.descendants().filter(|n| n.has_tag_name("title")).filter_map(|n| n.text());
            let counts = tips.filter_map(|tip| tip.split_once(": ")?.1.split_once(" of ")?.0.parse::<usize>().ok());
            prop_assert_eq!(counts.sum::<usize>(), pairs.len());
        }
    }
}
