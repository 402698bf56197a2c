//! Renders the rows of a run next to the paper's numbers, and the numbers of other work.

use base::text::{brief, counted, duration, reported};
use figure::spark;
use maud::{Markup, html};

use super::book::{Line, Ran, Tabled};
use super::html::{
    Column, NONE, details, drawing, interval, link, number, number_or_dash, permalink, points, signed,
    sorted, table,
};
use experiment::record::{Measure, Record};
use experiment::table::State;
use plan::cost::multiply_adds_of_a_video;

/// Renders the table of a run.
pub(super) fn section(of: &Tabled, run: &Ran) -> Markup {
    let spread = run.recorded().any(|(_, record)| record.seed_spread().is_some());
    let mut columns = vec![
        Column::words("Row"),
        Column::number("Paper"),
        Column::number("Ours"),
        Column::mark("0 to 100\u{a0}%"),
        Column::number("Difference"),
        Column::number("Parameters"),
        Column::number("Multiply\u{2011}adds per\u{a0}video"),
        Column::number("Training"),
        Column::number("Test videos"),
    ];
    if spread {
        columns.push(Column::number("SD over seeds"));
    }
    let body = html! { @for row in run.rows() { (line(of, row, spread, columns.len())) "\n" } };
    let caption = html! {
        (run.table.name) " on " (run.name)
        ": top-1 accuracy of test videos in percent with its 95\u{a0}% interval" (run.table.of_pairs()) ". "
        span.key {
            (drawing(&spark::paper_sign(), "w")) " paper " (drawing(&spark::value_sign(), "w")) " ours"
        }
    };
    table(&format!("{}/~rows", run.anchor(of)), "rows", &caption, &columns, &body)
}

fn line(of: &Tabled, Line { row, beside }: Line<'_>, spread: bool, columns: usize) -> Markup {
    let anchor = &beside.anchor;
    let title = of.spec.columns.as_ref().map_or("", |columns| columns.title.as_str());
    let (word, why) = match &row.state {
        State::Done { .. } => ("", None),
        State::Failed { message } => ("damaged", Some(message)),
        State::Unavailable { reason } => ("not available", Some(reason)),
        State::NotRun => ("not run", None),
    };
    html! {
        tr id=(anchor) {
            th scope="row" {
                @if row.state.record().is_some() { (link(&format!("{anchor}/~more"), &row.id)) } @else { (row.id) }
                " " (permalink(anchor, &format!("row {}", row.id)))
                span.sub {
                    (row.label)
                    @if let Some(column) = &row.column { " \u{b7} " @if !title.is_empty() { (title) " " } (column) }
                    @if let Some(place) = &row.place { " (" (place) ")" }
                }
                @for caveat in beside.caveats.iter().chain(why) { span.sub.warn { (caveat) } }
            }
            (number_or_dash(row.reported, reported))
            @if let Some(record) = row.state.record() {
                (numbers(record, row.reported, row.difference(), spread))
            } @else {
                td.n.none { (word) }
                @for _ in 3..columns { td {} }
            }
        }
    }
}

fn numbers(record: &Record, paper: Option<f64>, difference: Option<f64>, spread: bool) -> Markup {
    let Record { top1, parameters, measure, work, .. } = record;
    let (expected, scored) = record.videos();
    let cost = (*measure == Measure::Top1).then(|| multiply_adds_of_a_video(work)).flatten();
    let videos = if expected == scored { scored.to_string() } else { format!("{scored} of {expected}") };
    html! {
        td.n data-v=(sorted(top1.value)) {
            b { (points(top1.value)) }
            @if record.is_partial() { " (partial)" }
            span.sub { (interval(top1.low, top1.high)) }
        }
        td { (drawing(&spark::interval(top1.value, top1.low, top1.high, paper), "w")) }
        (number_or_dash(difference, signed))
        (number(Some(*parameters as f64), &brief(*parameters as f64)))
        (number_or_dash(cost, brief))
        (number_or_dash(record.seconds(), duration))
        (number(Some(scored as f64), &videos))
        @if spread { (number_or_dash(record.seed_spread(), points)) }
    }
}

/// Renders our accuracies of all runs of a table side by side; empty if there are fewer than two runs.
pub(super) fn glance(of: &Tabled) -> Markup {
    if of.runs.len() < 2 {
        return html! {};
    }
    let mut columns = vec![Column::words("Row"), Column::number("Paper")];
    columns.extend(of.runs.iter().map(|run| Column::number(&run.name)));
    let lines: Vec<Vec<Line<'_>>> = of.runs.iter().map(|run| run.rows().collect()).collect();
    let body = html! {
        @for (index, row) in of.spec.row.iter().enumerate() {
            tr {
                th scope="row" { (row.label) @if let Some(column) = &row.column { " \u{b7} " (column) } }
                (number_or_dash(row.reported, reported))
                @for Line { row, beside } in lines.iter().map(|run| run[index]) {
                    @match &row.state {
                        State::Done { record } => {
                            td.n data-v=(sorted(record.top1.value)) { (link(&beside.anchor, &points(record.top1.value))) }
                        }
                        State::Failed { .. } => { td.n.none { "damaged" } }
                        State::Unavailable { .. } => { td.n.none { "not available" } }
                        State::NotRun => { td.n.none { "not run" } }
                    }
                }
            }
            "\n"
        }
    };
    let caption = html! { (of.spec.name()) ": the paper\u{2019}s numbers and ours, for every run" };
    table(&format!("{}/~glance", of.anchor()), "plain", &caption, &columns, &body)
}

/// Renders the numbers of other work that the paper quotes.
pub(super) fn quoted(of: &Tabled) -> Markup {
    if of.spec.quoted.is_empty() {
        return html! {};
    }
    let body = html! {
        @for quote in &of.spec.quoted {
            tr {
                th scope="row" { (quote.label) }
                td { (quote.column.as_deref().unwrap_or(NONE)) }
                (number(Some(quote.top1), &reported(quote.top1)))
                td.none { "never run here" }
                td { (quote.place) }
            }
            "\n"
        }
    };
    let columns = [
        Column::words("Method"),
        Column::words("Column"),
        Column::number("Top-1, quoted"),
        Column::words("Ours"),
        Column::words("From"),
    ];
    let id = format!("{}/~quoted", of.anchor());
    let caption =
        html! { "Quoted by " (of.spec.name()) ": numbers of other work, on the papers\u{2019} own data" };
    let summary = html! {
        (counted(of.spec.quoted.len(), "number")) " of other work that the paper quotes, never run here"
    };
    details(&format!("{id}s"), "part", false, &summary, &table(&id, "plain", &caption, &columns, &body))
}
