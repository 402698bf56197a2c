//! The rows of a run beside the paper's numbers, and the numbers of other work.

use super::book::{Found, Ran, Recorded, State, Tabled};
use super::charts;
use super::html::{
    Column, brief, counted, details, escape, interval, link, number, permalink, points, signed, table,
};
use experiment::compare::gather;
use experiment::record::{Measure, Record};
use experiment::table::{duration, reported};

const NONE: &str = "\u{2013}";

/// The table of a run.
pub(super) fn section(of: &Tabled, run: &Ran) -> String {
    let spread = run.recorded().any(|(_, recorded)| recorded.record.seed_spread().is_some());
    let mut columns = vec![
        Column::words("Row"),
        Column::number("Paper"),
        Column::number("Ours"),
        Column::mark("0 to 100\u{a0}%"),
        Column::number("Difference"),
        Column::number("Parameters"),
        Column::number("Multiply\u{2011}adds a\u{a0}video"),
        Column::number("Training"),
        Column::number("Test videos"),
    ];
    if spread {
        columns.push(Column::number("SD over seeds"));
    }
    let body: String = run.rows.iter().map(|row| line(of, row, spread, columns.len())).collect();
    let pairs = run.recorded().any(|(_, recorded)| recorded.record.measure == Measure::PairArea);
    let caption = format!(
        "{} on {}: top-1 accuracy of test videos in percent with its 95\u{a0}% interval{}. <span class=\"key\"><svg class=\"w\" width=\"10\" height=\"12\" \
         viewBox=\"0 0 10 12\" aria-hidden=\"true\"><path class=\"p\" d=\"M5 1l4 5-4 5-4-5z\"/></svg> paper <svg class=\"w\" width=\"22\" height=\"12\" \
         viewBox=\"0 0 22 12\" aria-hidden=\"true\"><path class=\"i\" d=\"M1 6H21\"/><circle class=\"o\" cx=\"11\" cy=\"6\" r=\"3.5\"/></svg> ours</span>",
        escape(&of.spec.name()),
        escape(&run.name),
        if pairs { "; of pairs the area under the ROC curve, 50 being chance" } else { "" }
    );
    table(&format!("{}/~rows", run.anchor(of)), "rows", &caption, &columns, &body)
}

fn line(of: &Tabled, found: &Found, spread: bool, columns: usize) -> String {
    let Found { row, anchor, state } = found;
    let title = of.spec.columns.as_ref().map_or("", |columns| columns.title.as_str());
    let column = row.column.as_ref().map_or(String::new(), |column| {
        if title.is_empty() { format!(" \u{b7} {column}") } else { format!(" \u{b7} {title} {column}") }
    });
    let place = row.place.as_ref().map_or(String::new(), |place| format!(" ({place})"));
    let more = match state {
        State::Recorded(_) => link(&format!("{anchor}/~more"), &row.id),
        _ => escape(&row.id),
    };
    let name = format!("row {}", row.id);
    let mut out = format!(
        "<tr id=\"{anchor}\"><th scope=\"row\">{more} {}<span class=\"sub\">{}</span>",
        permalink(anchor, &name),
        escape(&format!("{}{column}{place}", row.label))
    );
    let paper = number(row.reported, &row.reported.map_or(NONE.into(), reported));
    match state {
        State::Recorded(recorded) => {
            for caveat in &recorded.caveats {
                out.push_str(&format!("<span class=\"sub warn\">{}</span>", escape(caveat)));
            }
            out.push_str("</th>");
            out.push_str(&paper);
            out.push_str(&numbers(recorded, row.reported, spread));
        }
        state => {
            let (word, why) = match state {
                State::Damaged(message) => ("damaged", message.as_str()),
                State::Unavailable(reason) => ("not available", reason.as_str()),
                _ => ("not run", ""),
            };
            if !why.is_empty() {
                out.push_str(&format!("<span class=\"sub warn\">{}</span>", escape(why)));
            }
            out.push_str(&format!("</th>{paper}<td class=\"n none\">{word}</td>"));
            out.push_str(&"<td></td>".repeat(columns - 3));
        }
    }
    out.push_str("</tr>\n");
    out
}

fn numbers(recorded: &Recorded, paper: Option<f64>, spread: bool) -> String {
    let Record { top1, parameters, measure, work, .. } = &recorded.record;
    let (expected, scored) = recorded.record.videos();
    let cost = (*measure == Measure::Top1).then(|| gather::multiply_adds(work)).flatten();
    let seconds = recorded.record.seconds();
    let partial = if expected == scored { "" } else { " (partial)" };
    let mut out = format!(
        "<td class=\"n\" data-v=\"{}\"><b>{}</b>{partial}<span class=\"sub\">{}</span></td><td>{}</td>",
        super::html::short(top1.value),
        points(top1.value),
        interval(top1.low, top1.high),
        charts::whisker(top1.value, top1.low, top1.high, paper)
    );
    let difference = paper.map(|paper| top1.value - paper);
    out.push_str(&number(difference, &difference.map_or(NONE.into(), signed)));
    out.push_str(&number(Some(*parameters as f64), &brief(*parameters as f64)));
    out.push_str(&number(cost, &cost.map_or(NONE.into(), brief)));
    out.push_str(&number(seconds, &seconds.map_or(NONE.into(), duration)));
    let videos = if expected == scored { scored.to_string() } else { format!("{scored} of {expected}") };
    out.push_str(&number(Some(scored as f64), &videos));
    if spread {
        let sd = recorded.record.seed_spread();
        out.push_str(&number(sd, &sd.map_or(NONE.into(), points)));
    }
    out
}

/// Our accuracies of all runs of a table beside one another; nothing where there are not several.
pub(super) fn glance(of: &Tabled) -> String {
    if of.runs.len() < 2 {
        return String::new();
    }
    let mut columns = vec![Column::words("Row"), Column::number("Paper")];
    columns.extend(of.runs.iter().map(|run| Column::number(&run.name)));
    let mut body = String::new();
    for (index, row) in of.spec.row.iter().enumerate() {
        let column = row.column.as_ref().map_or(String::new(), |column| format!(" \u{b7} {column}"));
        body.push_str(&format!(
            "<tr><th scope=\"row\">{}{}</th>{}",
            escape(&row.label),
            escape(&column),
            number(row.reported, &row.reported.map_or(NONE.into(), reported))
        ));
        for run in &of.runs {
            let found = &run.rows[index];
            body.push_str(&match &found.state {
                State::Recorded(recorded) => {
                    let value = recorded.record.top1.value;
                    let shown = points(value);
                    format!(
                        "<td class=\"n\" data-v=\"{}\">{}</td>",
                        super::html::short(value),
                        link(&found.anchor, &shown)
                    )
                }
                State::Damaged(_) => "<td class=\"n none\">damaged</td>".to_owned(),
                State::Unavailable(_) => "<td class=\"n none\">not available</td>".to_owned(),
                State::NotRun => "<td class=\"n none\">not run</td>".to_owned(),
            });
        }
        body.push_str("</tr>\n");
    }
    let caption = format!("{}: the paper\u{2019}s numbers and ours, of every run", escape(&of.spec.name()));
    table(&format!("{}/~glance", of.anchor()), "plain", &caption, &columns, &body)
}

/// Numbers of other work.
pub(super) fn quoted(of: &Tabled) -> String {
    if of.spec.quoted.is_empty() {
        return String::new();
    }
    let body: String = of
        .spec
        .quoted
        .iter()
        .map(|quote| {
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td>{}<td class=\"none\">never run here</td><td>{}</td></tr>\n",
                escape(&quote.label),
                escape(quote.column.as_deref().unwrap_or(NONE)),
                number(Some(quote.top1), &reported(quote.top1)),
                escape(&quote.place)
            )
        })
        .collect();
    let columns = [
        Column::words("Method"),
        Column::words("Column"),
        Column::number("Top-1, quoted"),
        Column::words("Ours"),
        Column::words("From"),
    ];
    let id = format!("{}/~quoted", of.anchor());
    let caption = format!(
        "Quoted by {}: numbers of other work, on the papers\u{2019} own data",
        escape(&of.spec.name())
    );
    let summary = format!(
        "{} of other work that the paper quotes, never run here",
        counted(of.spec.quoted.len(), "number")
    );
    details(&format!("{id}s"), "part", false, &summary, &table(&id, "plain", &caption, &columns, &body))
}
