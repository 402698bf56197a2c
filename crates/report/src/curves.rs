//! Learning curves: of all rows of a run, and of each stage of a row.

use std::fmt::Write;

use super::book::{Ran, Tabled};
use super::charts::{self, Axis};
use super::html::{counted, escape};
use experiment::record::{Record, StageRecord};
use figure::{drawable, mark, num};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 320.0;
/// Most rows in one drawing; further ones have theirs alone.
const MOST: usize = 16;

type Points<'a> = &'a [(usize, f64)];

/// The last stage of each row, first split and seed, in one drawing with a legend.
pub(super) fn section(of: &Tabled, run: &Ran) -> String {
    let all: Vec<(&str, &str, Points<'_>)> = run
        .recorded()
        .filter_map(|(found, recorded)| {
            let loss = &recorded.record.runs.first()?.stages.last()?.training.loss;
            (!loss.is_empty()).then_some((found.anchor.as_str(), found.row.id.as_str(), loss.as_slice()))
        })
        .collect();
    if all.is_empty() {
        return "<p class=\"quiet\">Learning curves: none; these rows fuse scores of nets and train no net of their own.</p>\n"
            .into();
    }
    let curves = &all[..all.len().min(MOST)];
    let points = || curves.iter().flat_map(|curve| curve.2);
    let end = points().map(|point| point.0).max().unwrap_or(1).max(1) as f64;
    let x = iterations(end, 52.0, WIDTH - 16.0);
    let y = Axis::logarithmic(points().map(|point| point.1), HEIGHT - 48.0, 30.0);
    let mut drawing = charts::frame(&x, &y, ("iteration", "loss, logarithmic"), mark);
    let mut said = String::new();
    let mut legend = String::new();
    drawing.push_str("<g transform=\"scale(.5)\">");
    for (index, (anchor, row, points)) in curves.iter().enumerate() {
        let class = charts::line_class(index);
        let _ = write!(drawing, "<path class=\"{class}\" d=\"{}\"/>", path(points, &x, &y));
        let _ = write!(
            legend,
            "<li class=\"k{index}\"><a href=\"#{anchor}\"><svg width=\"28\" height=\"10\" viewBox=\"0 0 28 10\" aria-hidden=\"true\">\
             <path class=\"{class}\" d=\"M1 5H27\"/></svg>{}</a></li>",
            escape(row)
        );
        if let Some((_, last)) = points.last() {
            let _ = write!(said, " {row}: {last:.2}.");
        }
    }
    drawing.push_str("</g>");
    let left = all.len() - curves.len();
    let left = if left > 0 {
        format!(" {} more below, each by itself.", counted(left, "row"))
    } else {
        String::new()
    };
    let id = format!("{}/~curves", run.anchor(of));
    format!(
        "<figure class=\"chart curves\" id=\"{id}\"><figcaption>Learning curves on {}: training loss of each row\u{2019}s last stage, first \
         split and seed.{left}</figcaption><div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"Learning curves, {}\">\
         <svg class=\"big\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"Lines of training loss. Last values:{}\">\n{drawing}</svg></div>\
         <ul class=\"legend\">{legend}</ul></figure>\n",
        escape(&run.name),
        escape(&run.anchor(of)),
        escape(&said)
    )
}

/// Every stage of a row, the curves of its splits and seeds over one another.
pub(super) fn stages(record: &Record) -> String {
    let most = record.runs.iter().map(|run| run.stages.len()).max().unwrap_or(0);
    let mut out = String::new();
    for stage in 0..most {
        let of_runs: Vec<&StageRecord> = record.runs.iter().filter_map(|run| run.stages.get(stage)).collect();
        if let Some(panel) = panel(&of_runs, stage, most) {
            out.push_str(&panel);
        }
    }
    if out.is_empty() { out } else { format!("<div class=\"panels\">{out}</div>\n") }
}

fn panel(runs: &[&StageRecord], stage: usize, stages: usize) -> Option<String> {
    let mut units: Vec<&str> = Vec::new();
    let mut once: Vec<Points<'_>> = Vec::new();
    for run in runs.iter().filter(|run| !run.training.loss.is_empty()) {
        // Splits may share a stage that was trained on other data.
        if !units.contains(&run.unit.as_str()) {
            units.push(&run.unit);
            once.push(&run.training.loss);
        }
    }
    let first = runs.first()?;
    let points = || once.iter().flat_map(|points| points.iter());
    let end = points().map(|point| point.0).max()?.max(1) as f64;
    let x = iterations(end, 36.0, 232.0);
    let y = Axis::linear(points().map(|point| point.1).chain([0.0]), 104.0, 8.0);
    let mut drawing = String::new();
    // The axis and its ends are enough for so small a drawing.
    let top = *y.marks().last()?;
    for value in [0.0, top / 2.0, top] {
        let at = num(y.at(value));
        let _ = write!(drawing, "<path class=\"g\" d=\"M36 {at}H232\"/>");
        let _ = write!(
            drawing,
            "<text class=\"e\" x=\"31\" y=\"{}\">{}</text>",
            num(y.at(value) + 4.0),
            mark(value)
        );
    }
    let _ = write!(drawing, "<text class=\"e\" x=\"232\" y=\"122\">{}</text>", mark(end));
    drawing.push_str("<g transform=\"scale(.5)\">");
    for points in &once {
        let _ = write!(drawing, "<path class=\"c thin s0\" d=\"{}\"/>", path(points, &x, &y));
    }
    drawing.push_str("</g>");
    let name = if stages == 1 { "training".to_owned() } else { format!("stage {} of {stages}", stage + 1) };
    let last = once.iter().filter_map(|points| points.last()).map(|point| point.1);
    let (low, high) = last.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
    let ends = if once.len() > 1 { format!("{low:.2} to {high:.2}") } else { format!("{low:.2}") };
    Some(format!(
        "<figure class=\"panel\"><figcaption>{name}: {} iterations, {}</figcaption><svg viewBox=\"0 0 240 126\" width=\"240\" height=\"126\" \
         role=\"img\" aria-label=\"Training loss of {name}, at the end {ends}\">{drawing}</svg></figure>",
        first.training.iterations,
        counted(once.len(), "net"),
    ))
}

/// The axis of iterations: it ends where they end.
fn iterations(end: f64, from: f64, to: f64) -> Axis {
    let mut marks = figure::linear(0.0, end);
    marks.retain(|&mark| mark.fract() == 0.0 && mark <= end * 0.96);
    marks.push(end);
    Axis::of_marks(marks, from, to)
}

/// A loss that is not finite leaves a gap.
fn path(points: Points<'_>, x: &Axis, y: &Axis) -> String {
    points
        .chunk_by(|a, b| drawable(a.1) == drawable(b.1))
        .filter(|part| drawable(part[0].1))
        .map(|part| {
            let places: Vec<(f64, f64)> =
                part.iter().map(|&(iteration, loss)| (x.at(iteration as f64), y.at(loss))).collect();
            charts::path(&places)
        })
        .collect()
}
