//! Plots accuracy against cost for all rows run on one data set, across tables and papers.

use std::collections::BTreeMap;

use base::text::{brief, counted, duration, whole};
use figure::{Spot, scatter};
use maud::{Markup, html};

use super::book::Book;
use super::html::{Column, anchor, details, drawing, interval, link, number, number_or_dash, points, table};
use experiment::compare::gather::Entry;

/// A row with its costs.
struct Mark<'a> {
    entry: &'a Entry,
    anchor: String,
    paper: usize,
    /// Multiply-adds to test a video.
    cost: f64,
    /// Multiply-adds of the training.
    training: Option<f64>,
}

/// What accuracy is drawn against.
struct Against {
    title: &'static str,
    axis: &'static str,
    /// The cost in words, after its number.
    unit: &'static str,
    cost: fn(&Mark<'_>) -> Option<f64>,
}

const COSTS: [Against; 2] = [
    Against {
        title: "Accuracy against cost",
        axis: "multiply-adds to test a video, logarithmic",
        unit: "multiply-adds per video",
        cost: |mark| Some(mark.cost),
    },
    Against {
        title: "Accuracy against training",
        axis: "multiply-adds of the training, logarithmic",
        unit: "multiply-adds of the training",
        cost: |mark| mark.training,
    },
];

/// Renders a chart and a table for each data set and run, and lists rows without a cost. Returns `None` if nothing is
/// recorded.
pub(super) fn section(book: &Book, entries: &[Entry]) -> Option<Markup> {
    let mut groups: BTreeMap<(&str, &str), Vec<Mark<'_>>> = BTreeMap::new();
    let mut without: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        // The row's own table is the first in the list.
        let own = entry.tables.split(", ").next().unwrap_or_default();
        let Some((paper, short)) = own.split_once('/') else { continue };
        let Some(cost) = entry.multiply_adds() else {
            *without.entry(own).or_default() += 1;
            continue;
        };
        let Some(index) = book.papers.iter().position(|known| known.name == paper) else { continue };
        let place = anchor([paper, short, &entry.run, &entry.record.row]);
        let training = entry.training().map(|training| training.multiply_adds);
        let mark = Mark { entry, anchor: place, paper: index, cost, training };
        groups.entry((&entry.record.data[0].name, &entry.run)).or_default().push(mark);
    }
    // The largest group comes first, since it compares the most rows.
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, marks)| std::cmp::Reverse(marks.len()));
    let without: Vec<String> =
        without.iter().map(|(table, rows)| format!("{} of {table}", counted(*rows, "row"))).collect();
    (!groups.is_empty() || !without.is_empty()).then(|| {
        html! {
            @for (index, ((dataset, run), marks)) in groups.iter().enumerate() {
                @let id = format!("~cost/{}", anchor([*dataset, *run]));
                (details(
                    &id,
                    "run",
                    index == 0,
                    &html! {
                        h3 { (dataset) " " span.quiet { "as " (run) } } " "
                        span.quiet { (counted(marks.len(), "row")) }
                    },
                    &html! {
                        @for against in &COSTS { (chart(book, &format!("{dataset} as {run}"), marks, against)) }
                        (listed(&format!("{dataset} as {run}"), marks, &format!("{id}/~table")))
                    },
                ))
            }
            @if !without.is_empty() {
                p {
                    "Not shown, since the number of views per test video is not known in advance: "
                    (without.join(", ")) "."
                }
            }
        }
    })
}

fn chart(book: &Book, place: &str, marks: &[Mark<'_>], against: &Against) -> Markup {
    let spots: Vec<Spot<'_>> = marks
        .iter()
        .filter_map(|mark| Some((mark, (against.cost)(mark)?)))
        .map(|(Mark { entry, anchor, paper, .. }, cost)| {
            let (row, top1) = (&entry.record.row, entry.record.top1);
            let (value, ends) = (points(top1.value), interval(top1.low, top1.high));
            Spot {
                name: row,
                tip: format!("{} {row}: {value} % [{ends}], {} {}", entry.tables, brief(cost), against.unit),
                place: Some(anchor),
                group: *paper,
                cost,
                value: [top1.value, top1.low, top1.high],
            }
        })
        .collect();
    let papers: Vec<&str> = book.papers.iter().map(|paper| paper.title.as_str()).collect();
    let axes = (against.axis, "top-1 accuracy, %");
    html! {
        @if let Ok(chart) = scatter(&spots, &papers, axes, against.title) {
            figure.chart {
                figcaption {
                    (chart.title) " on " (place)
                    ": each mark is a row and links to it; whiskers are 95\u{a0}% intervals. Named along the stepped line: rows more \
                     accurate than every cheaper row."
                }
                div.scroll role="group" tabindex="0" aria-label={ (chart.title) " on " (place) } {
                    (drawing(&chart, "big"))
                }
            }
        }
    }
}

fn listed(place: &str, marks: &[Mark<'_>], id: &str) -> Markup {
    let mut order: Vec<&Mark<'_>> = marks.iter().collect();
    order.sort_by(|a, b| b.entry.record.top1.value.total_cmp(&a.entry.record.top1.value));
    let body = html! {
        @for Mark { entry, anchor, cost, .. } in order {
            @let record = &entry.record;
            tr {
                th scope="row" { (link(anchor, &record.row)) span.sub { (entry.tables) } }
                td { (entry.architecture) }
                (number(Some(record.top1.value), &points(record.top1.value)))
                (number(Some(record.top1.low), &interval(record.top1.low, record.top1.high)))
                (number(Some(*cost), &brief(*cost)))
                (number(Some(record.parameters as f64), &brief(record.parameters as f64)))
                (number_or_dash(record.seconds(), duration))
                (number_or_dash(entry.training_speed(), whole))
                (number_or_dash(entry.test_speed(), points))
            }
            "\n"
        }
    };
    let columns = [
        Column::words("Row"),
        Column::words("Architecture"),
        Column::number("Top\u{2011}1"),
        Column::number("95\u{a0}% interval"),
        Column::number("Multiply\u{2011}adds per\u{a0}video"),
        Column::number("Parameters"),
        Column::number("Training"),
        Column::number("Samples/s"),
        Column::number("Test videos/s"),
    ];
    let caption = html! {
        "Rows on " (place)
        ", most accurate first; a test that several tables share is listed once; speeds on the machine of the record"
    };
    table(id, "plain", &caption, &columns, &body)
}
