//! Compares the recall of each class across all rows of a run.

use std::collections::BTreeMap;

use base::text::whole;
use figure::shade;
use maud::{Markup, html};

use super::book::{Ran, Tabled};
use super::html::{Column, details, link, table};

/// Number of classes above which only each row's extremes are listed.
const MOST: usize = 30;

/// A row's anchor on the page, its name, and its recall of each class.
type Recalls<'a> = (&'a str, &'a str, &'a BTreeMap<String, f64>);

/// Renders one table for each set of classes, since rows may be tested on different classes.
pub(super) fn section(of: &Tabled, run: &Ran) -> Markup {
    let mut groups: BTreeMap<Vec<&str>, Vec<Recalls<'_>>> = BTreeMap::new();
    for (line, record) in run.recorded().filter(|(_, record)| !record.recall.is_empty()) {
        let classes = record.recall.keys().map(String::as_str).collect();
        groups.entry(classes).or_default().push((&line.beside.anchor, &line.row.id, &record.recall));
    }
    if groups.is_empty() {
        let pairs = run.recorded().next().is_some();
        let why = if pairs { "Pairs of views have no classes." } else { "No row was run." };
        return html! { p.quiet { "Recall of each class: none. " (why) } };
    }
    let id = format!("{}/~recall", run.anchor(of));
    let body = html! {
        @for (number, (classes, rows)) in groups.iter().enumerate() {
            @let id = format!("{id}{}", number + 1);
            @if classes.len() > MOST { (extremes(&id, run, rows)) } @else { (shaded(&id, run, classes, rows)) }
        }
    };
    details(&id, "part", false, &html! { "Recall of each class, row by row" }, &body)
}

fn shaded(id: &str, run: &Ran, classes: &[&str], rows: &[Recalls<'_>]) -> Markup {
    let body = html! {
        @for (anchor, row, recall) in rows {
            tr {
                th scope="row" { (link(anchor, row)) }
                @for class in classes {
                    @let value = recall.get(*class).copied().unwrap_or(0.0);
                    td class={ "h" (shade(value / 100.0)) } { (whole(value)) }
                }
            }
            "\n"
        }
    };
    let mut columns = vec![Column::words("Row")];
    columns.extend(classes.iter().map(|class| Column::upright(class)));
    let caption = html! { "Recall of each class on " (run.name) ", in percent of its test videos" };
    table(id, "heat", &caption, &columns, &body)
}

fn extremes(id: &str, run: &Ran, rows: &[Recalls<'_>]) -> Markup {
    let words = |part: &[(&String, &f64)]| {
        let named: Vec<String> =
            part.iter().map(|(class, value)| format!("{class} {}", whole(**value))).collect();
        named.join(", ")
    };
    let body = html! {
        @for (anchor, row, recall) in rows {
            @let order = best_first(recall);
            tr {
                th scope="row" { (link(anchor, row)) }
                td { (words(&order[..order.len().min(5)])) }
                td { (words(&order[order.len().saturating_sub(5)..])) }
            }
            "\n"
        }
    };
    let columns = [Column::words("Row"), Column::words("Best recalled"), Column::words("Worst recalled")];
    let caption = html! { "Recall of classes on " (run.name) ", in percent: each row\u{2019}s extremes" };
    table(id, "plain", &caption, &columns, &body)
}

fn best_first(recall: &BTreeMap<String, f64>) -> Vec<(&String, &f64)> {
    let mut order: Vec<(&String, &f64)> = recall.iter().collect();
    order.sort_by(|a, b| b.1.total_cmp(a.1).then_with(|| a.0.cmp(b.0)));
    order
}
