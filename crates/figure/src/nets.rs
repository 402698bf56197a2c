//! Compares the recall of each class between several nets.

use base::text::{counted, percent};

use super::colour::{BORDER, GROUND, Paint, QUIET, SERIES};
use super::recall::{Plot, WHAT, best_first, check, mean};
use super::svg::{Drawing, MARGIN, Style, WIDTH, legend, num};
use super::{FigureError, Result};

/// Maximum number of nets that the shapes of marks can distinguish.
const MOST: usize = 4;
/// Colours of the nets. The last net, with which the others are compared, has the first colour.
const COLOURS: [Paint; MOST] = [SERIES[0], SERIES[1], SERIES[2], SERIES[3]];

/// Width in pixels of a legend entry in addition to its text.
const BESIDE: f64 = 42.0;

/// Draws the recall of each class as a row of marks, one per net. Classes are
/// ordered by the last net, best first, whose number ends the row.
///
/// `nets` are the names of one to four nets, such as spatial, temporal and
/// two-stream. A class is its name and its recall with each net in percent;
/// NaN marks a class without test videos for that net.
///
/// # Errors
/// [`FigureError::Empty`]; [`FigureError::Shape`] for a wrong number of nets
/// or of recalls; [`FigureError::Value`] for a recall outside 0 to 100.
pub fn recall_of_nets(nets: &[&str], classes: &[(&str, Vec<f64>)], title: &str) -> Result<Drawing> {
    let Some(last) = nets.len().checked_sub(1) else { return Err(FigureError::Empty { what: WHAT }) };
    if last >= MOST {
        let (expected, found) = (format!("1 to {MOST} nets"), format!("{} nets", nets.len()));
        return Err(FigureError::Shape { what: WHAT, expected, found });
    }
    if let Some((name, recalls)) = classes.iter().find(|class| class.1.len() != nets.len()) {
        let expected = format!("a recall for each of {} nets", nets.len());
        return Err(FigureError::Shape {
            what: WHAT,
            expected,
            found: format!("{} of class {name}", recalls.len()),
        });
    }
    for net in 0..nets.len() {
        check(classes.iter().map(|class| class.1[net]))?;
    }
    let mut order: Vec<&(&str, Vec<f64>)> = classes.iter().collect();
    order.sort_by(|a, b| best_first(a.1[last], b.1[last]).then_with(|| a.0.cmp(b.0)));

    let means: Vec<Option<f64>> = (0..nets.len()).map(|net| mean(classes.iter().map(|c| c.1[net]))).collect();
    let entries: Vec<String> = nets.iter().zip(&means).map(|(net, mean)| with_mean(net, *mean)).collect();
    let (legend, below) = legend(entries.iter().map(String::as_str), BESIDE);
    let plot = Plot::new(classes.iter().map(|class| class.0), classes.len(), below + 26.0);
    let mut svg = Drawing::new(WIDTH, plot.bottom + 30.0);
    let order_words = format!("recall of each class, sorted by {} (with numbers)", nets[last]);
    svg.head(title, &format!("{}; {order_words}", counted(classes.len(), "class")));
    for (net, x, y) in legend {
        svg.shape(mark(x + 6.0, y + 8.0, net, last), colour(net, last), GROUND, &entries[net]);
        svg.text_within(x + 18.0, y + 12.0, Style::new(12.0), &entries[net], WIDTH - 2.0 * MARGIN - 18.0);
    }
    plot.axis(&mut svg, None);
    for (row, (name, recalls)) in order.iter().enumerate() {
        draw_row(&mut svg, &plot, row, name, recalls, nets);
    }
    let says: Vec<String> = entries.iter().map(|text| format!("{text}.")).collect();
    let description =
        format!("Marks of {} nets for {} classes. {}", nets.len(), classes.len(), says.join(" "));
    Ok(svg.described(description))
}

fn draw_row(svg: &mut Drawing, plot: &Plot, row: usize, name: &str, recalls: &[f64], nets: &[&str]) {
    plot.name(svg, row, name);
    let (y, last) = (plot.y(row), nets.len() - 1);
    let known = || recalls.iter().copied().filter(|recall| !recall.is_nan());
    let (low, high) = (known().fold(100.0, f64::min), known().fold(0.0, f64::max));
    if low < high {
        svg.line((plot.x(low), y), (plot.x(high), y), BORDER, 3.0, "");
    }
    for (net, &recall) in recalls.iter().enumerate().filter(|(_, recall)| !recall.is_nan()) {
        let tip = format!("{name}, {}: {}", nets[net], percent(recall));
        svg.shape(mark(plot.x(recall), y, net, last), colour(net, last), GROUND, &tip);
    }
    let number = if recalls[last].is_nan() { "no videos".into() } else { percent(recalls[last]) };
    svg.text(WIDTH - MARGIN, y + 4.0, plot.style.fill(QUIET).end(), &number);
}

fn with_mean(net: &str, mean: Option<f64>) -> String {
    match mean {
        Some(mean) => format!("{net}, mean {}", percent(mean)),
        None => format!("{net}, no test videos"),
    }
}

fn colour(net: usize, last: usize) -> Paint {
    COLOURS[last - net]
}

/// Returns the path of a net's mark: a circle for the last net, then a triangle,
/// a square and a cross, all centred at (x, y) and of about the same area.
pub(super) fn mark(x: f64, y: f64, net: usize, last: usize) -> String {
    let at = |dx: f64, dy: f64| format!("{} {}", num(x + dx), num(y + dy));
    let polygon = |points: &[(f64, f64)]| {
        let points: Vec<String> = points.iter().map(|&(dx, dy)| at(dx, dy)).collect();
        format!("M{}Z", points.join("L"))
    };
    match last - net {
        0 => format!("M{}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0Z", at(-5.0, 0.0)),
        1 => polygon(&[(-5.2, 4.2), (5.2, 4.2), (0.0, -5.2)]),
        2 => polygon(&[(-4.2, -4.2), (4.2, -4.2), (4.2, 4.2), (-4.2, 4.2)]),
        _ => polygon(&[(0.0, -6.0), (4.5, 0.0), (0.0, 6.0), (-4.5, 0.0)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_lie_at_their_recall_and_rows_follow_the_last_net() {
        let classes = [("a", vec![90.0, 10.0]), ("b", vec![0.0, 100.0]), ("c", vec![40.0, f64::NAN])];
        let svg = recall_of_nets(&["spatial", "temporal"], &classes, "T").unwrap().file();
        let at = |text: &str| svg.find(text).unwrap_or_else(|| panic!("no {text} in {svg}"));
        assert!(at(">b</text>") < at(">a</text>") && at(">a</text>") < at(">c</text>"));
        for tip in [
            "a, spatial: 90.0",
            "b, temporal: 100.0",
            "c, spatial: 40.0",
            "spatial, mean 43.3",
            "temporal, mean 55.0",
        ] {
            at(tip);
        }
        assert!(!svg.contains("c, temporal") && svg.contains("no videos"));
        let place = |tip: &str| {
            let path = svg.lines().find(|line| line.contains(&format!("<title>{tip}:"))).unwrap();
            path.split("d=\"M").nth(1).unwrap().split(' ').next().unwrap().parse::<f64>().unwrap()
        };
        let plot = Plot::new(["a"].into_iter(), 3, 0.0);
        // A circle begins 5 pixels to the left of its centre, a triangle 5.2.
        for (tip, recall, reach) in
            [("b, temporal", 100.0, 5.0), ("a, temporal", 10.0, 5.0), ("a, spatial", 90.0, 5.2)]
        {
            assert!((place(tip) + reach - plot.x(recall)).abs() < 0.01, "{tip}");
        }
        roxmltree::Document::parse(&svg).unwrap();
    }

    #[test]
    fn nets_and_recalls_must_agree() {
        let classes = [("a", vec![1.0, 2.0])];
        assert!(matches!(recall_of_nets(&[], &classes, ""), Err(FigureError::Empty { .. })));
        assert!(matches!(recall_of_nets(&["x", "y"], &[], ""), Err(FigureError::Empty { .. })));
        let message = recall_of_nets(&["x"], &classes, "").unwrap_err().to_string();
        assert!(message.contains("each of 1 nets, found 2 of class a"), "{message}");
        let five = [("a", vec![1.0; 5])];
        assert!(recall_of_nets(&["x"; 5], &five, "").unwrap_err().to_string().contains("1 to 4 nets"));
    }
}
