//! Learning curves: of all rows of a run, and of each stage of a row.

use base::text::counted;
use figure::{Curve, CurveOptions, LossScale, MOST_CURVES, loss_curves, loss_panel};
use maud::{Markup, html};

use super::book::{Ran, Tabled};
use super::html::drawing;
use experiment::record::{Record, StageRecord};

/// Draws the last stage of each row (first split and seed) in one chart, whose lines link to their rows.
pub(super) fn section(of: &Tabled, run: &Ran) -> Markup {
    let all: Vec<Curve<'_>> = run
        .recorded()
        .filter_map(|(line, record)| {
            let points = &record.runs.first()?.stages.last()?.training.loss;
            let place = Some(line.beside.anchor.as_str());
            (!points.is_empty()).then_some(Curve { name: &line.row.id, points, place })
        })
        .collect();
    let (shown, left) = all.split_at(all.len().min(MOST_CURVES));
    let options = CurveOptions { title: "Learning curves", scale: LossScale::Logarithmic, rate_steps: &[] };
    let Ok(curves) = loss_curves(shown, &options) else {
        return html! {
            p.quiet { "Learning curves: none; these rows fuse scores of nets and train no net of their own." }
        };
    };
    html! {
        figure.chart id={ (run.anchor(of)) "/~curves" } {
            figcaption {
                (curves.title) " on " (run.name) ": " (curves.subtitle)
                ", of each row\u{2019}s last stage, first split and seed."
                @if !left.is_empty() { " " (counted(left.len(), "row")) " more below, each in its own chart." }
            }
            div.scroll role="group" tabindex="0" aria-label={ (curves.title) ", " (run.anchor(of)) } {
                (drawing(&curves, "big"))
            }
        }
        "\n"
    }
}

/// Draws every stage of a row with the curves of all splits and seeds in one chart; empty if nothing was trained.
pub(super) fn stages(record: &Record) -> Markup {
    let most = record.runs.iter().map(|run| run.stages.len()).max().unwrap_or(0);
    let panels: Vec<Markup> = (0..most)
        .filter_map(|stage| {
            let of_runs: Vec<&StageRecord> =
                record.runs.iter().filter_map(|run| run.stages.get(stage)).collect();
            panel(&of_runs, stage, most)
        })
        .collect();
    html! { @if !panels.is_empty() { div.panels { @for panel in panels { (panel) } } } }
}

fn panel(runs: &[&StageRecord], stage: usize, stages: usize) -> Option<Markup> {
    let mut units: Vec<&str> = Vec::new();
    let mut once: Vec<&[(usize, f64)]> = Vec::new();
    for run in runs.iter().filter(|run| !run.training.loss.is_empty()) {
        // Splits may share a stage that was trained on a different data set.
        if !units.contains(&run.unit.as_str()) {
            units.push(&run.unit);
            once.push(&run.training.loss);
        }
    }
    let iterations = runs.first()?.training.iterations;
    let name = if stages == 1 { "training".to_owned() } else { format!("stage {} of {stages}", stage + 1) };
    let panel = loss_panel(&once, &name).ok()?;
    Some(html! {
        figure.panel {
            figcaption { (name) ": " (iterations) " iterations, " (counted(once.len(), "net")) }
            (drawing(&panel, ""))
        }
    })
}
