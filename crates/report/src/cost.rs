//! Accuracy against cost: what has been run on one data set, across tables and papers.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::book::Book;
use super::charts::{self, Axis};
use super::html::{Column, anchor, brief, counted, details, escape, interval, link, number, points, table};
use experiment::compare::gather::Entry;
use experiment::table::duration;
use figure::num;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 400.0;
/// About the width of a letter of a mark's name.
const LETTER: f64 = 6.4;

/// A row with its cost.
struct Mark<'a> {
    entry: &'a Entry,
    anchor: String,
    paper: usize,
    cost: f64,
}

/// A drawing and a table for each data set and run, and which rows have no cost; nothing where nothing is recorded.
pub(super) fn section(book: &Book, entries: &[Entry]) -> String {
    let mut groups: BTreeMap<(&str, &str), Vec<Mark<'_>>> = BTreeMap::new();
    let mut without: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in entries {
        // The tables that have it stand one after another, its own first.
        let own = entry.tables.split(", ").next().unwrap_or_default();
        let Some((paper, short)) = own.split_once('/') else { continue };
        let Some(cost) = entry.multiply_adds() else {
            *without.entry(own).or_default() += 1;
            continue;
        };
        let Some(index) = book.papers.iter().position(|known| known.name == paper) else { continue };
        let mark =
            Mark { entry, anchor: anchor([paper, short, &entry.run, &entry.record.row]), paper: index, cost };
        groups.entry((&entry.record.data[0].name, &entry.run)).or_default().push(mark);
    }
    // The most first: what is compared best.
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|(_, marks)| std::cmp::Reverse(marks.len()));
    let mut out: String = groups
        .iter()
        .enumerate()
        .map(|(index, ((dataset, run), marks))| {
            let id = format!("~cost/{}", anchor([*dataset, *run]));
            let summary = format!(
                "<h3>{} <span class=\"quiet\">as {}</span></h3> <span class=\"quiet\">{}</span>",
                escape(dataset),
                escape(run),
                counted(marks.len(), "row")
            );
            let body = format!(
                "{}{}",
                drawing(book, dataset, run, marks, &id),
                listed(dataset, run, marks, &format!("{id}/~table"))
            );
            details(&id, "run", index == 0, &summary, &body)
        })
        .collect();
    let without: Vec<String> = without
        .iter()
        .map(|(table, rows)| format!("{} of {}", counted(*rows, "row"), escape(table)))
        .collect();
    if !without.is_empty() {
        out.push_str(&format!(
            "<p>Not here, since how often their nets look at a test video is not known beforehand: {}.</p>\n",
            without.join(", ")
        ));
    }
    out
}

fn drawing(book: &Book, dataset: &str, run: &str, marks: &[Mark<'_>], id: &str) -> String {
    let x = Axis::logarithmic(marks.iter().map(|mark| mark.cost), 52.0, WIDTH - 24.0);
    let ends = marks.iter().flat_map(|mark| [mark.entry.record.top1.low, mark.entry.record.top1.high]);
    let y = Axis::linear(ends, HEIGHT - 48.0, 30.0);
    let mut svg = charts::frame(
        &x,
        &y,
        ("multiply-adds of a video\u{2019}s test, logarithmic", "top-1 accuracy, %"),
        brief,
    );
    let place = |mark: &Mark<'_>| (x.at(mark.cost), y.at(mark.entry.record.top1.value));
    let front = front(marks);
    let mut line = String::new();
    for (step, &index) in front.iter().enumerate() {
        let (at_x, at_y) = place(&marks[index]);
        let _ = if step == 0 {
            write!(line, "M{} {}", num(at_x), num(at_y))
        } else {
            write!(line, "H{}V{}", num(at_x), num(at_y))
        };
    }
    let _ = writeln!(svg, "<path class=\"front\" d=\"{line}\"/>");
    for mark in marks {
        let (at_x, at_y) = place(mark);
        let top1 = mark.entry.record.top1;
        let name = format!(
            "{} {}: {} % [{}], {} multiply-adds a video",
            mark.entry.tables,
            mark.entry.record.row,
            points(top1.value),
            interval(top1.low, top1.high),
            brief(mark.cost)
        );
        let name = escape(&name);
        let _ = writeln!(
            svg,
            "<a href=\"#{}\" class=\"mk q{}\" aria-label=\"{name}\"><title>{name}</title><path class=\"i\" d=\"M{} {}V{}\"/>\
             <path class=\"o\" d=\"{}\"/></a>",
            mark.anchor,
            mark.paper % SHAPES.len(),
            num(at_x),
            num(y.at(top1.low)),
            num(y.at(top1.high)),
            shape(mark.paper, at_x, at_y)
        );
    }
    let places: Vec<(f64, f64)> = marks.iter().map(place).collect();
    for (name, at_x, at_y) in names(marks, &front, &places) {
        let _ = write!(
            svg,
            "<text class=\"m name\" x=\"{}\" y=\"{}\">{}</text>",
            num(at_x),
            num(at_y),
            escape(name)
        );
    }
    let mut legend = String::new();
    let mut papers: Vec<usize> = marks.iter().map(|mark| mark.paper).collect();
    papers.sort_unstable();
    papers.dedup();
    for paper in papers {
        let _ = write!(
            legend,
            "<li><svg class=\"mk q{}\" width=\"14\" height=\"14\" viewBox=\"0 0 14 14\" aria-hidden=\"true\"><path class=\"o\" d=\"{}\"/></svg>{}</li>",
            paper % SHAPES.len(),
            shape(paper, 7.0, 7.0),
            escape(&book.papers[paper].title)
        );
    }
    let name = format!("Accuracy against cost on {dataset} as {run}");
    format!(
        "<figure class=\"chart\"><figcaption id=\"{id}/~drawing\">{}: each mark is a row and leads to it, whiskers are 95\u{a0}% intervals. \
         Named, along the stepped line: rows that no cheaper row equals.</figcaption>\
         <div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-label=\"{}\"><svg class=\"big\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"group\" \
         aria-labelledby=\"{id}/~drawing\">\n{svg}</svg></div><ul class=\"legend\">{legend}</ul></figure>\n",
        escape(&name),
        escape(&name)
    )
}

/// Rows that are more accurate than all that cost no more, the cheapest first.
fn front(marks: &[Mark<'_>]) -> Vec<usize> {
    let value = |index: usize| marks[index].entry.record.top1.value;
    let mut order: Vec<usize> = (0..marks.len()).collect();
    order.sort_by(|&a, &b| {
        marks[a].cost.total_cmp(&marks[b].cost).then_with(|| value(b).total_cmp(&value(a))).then(a.cmp(&b))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&index| {
        let better = value(index) > best;
        best = best.max(value(index));
        better
    });
    order
}

/// Where the names of the front's rows have room: above or below their marks, clear of other names and marks.
fn names<'a>(marks: &[Mark<'a>], front: &[usize], places: &[(f64, f64)]) -> Vec<(&'a str, f64, f64)> {
    let mut taken: Vec<[f64; 4]> = places.iter().map(|(x, y)| [x - 5.0, y - 6.0, x + 5.0, y + 6.0]).collect();
    let mut named = Vec::new();
    // The most accurate first.
    for &index in front.iter().rev() {
        let name = marks[index].entry.record.row.as_str();
        let half = name.chars().count() as f64 * LETTER / 2.0;
        let (x, y) = places[index];
        let tries = [
            (0.0, -12.0),
            (-half - 10.0, -8.0),
            (half + 10.0, 14.0),
            (0.0, 22.0),
            (-half - 10.0, 4.0),
            (half + 10.0, 4.0),
        ];
        for (dx, dy) in tries {
            let middle = (x + dx).clamp(56.0 + half, (WIDTH - 8.0 - half).max(56.0 + half));
            let area = [middle - half, y + dy - 11.0, middle + half, y + dy + 3.0];
            let free =
                taken.iter().all(|t| area[2] < t[0] || t[2] < area[0] || area[3] < t[1] || t[3] < area[1]);
            if free && area[1] > 12.0 && area[3] < HEIGHT - 44.0 {
                taken.push(area);
                named.push((name, middle, y + dy));
                break;
            }
        }
    }
    named
}

/// Papers differ by shape as well as by colour.
const SHAPES: [&str; 5] = [
    "m-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z",
    "m-4.5-4.5h9v9h-9z",
    "m0-6l6 6-6 6-6-6z",
    "m0-6l5.5 10h-11z",
    "m0 6l5.5-10h-11z",
];

fn shape(paper: usize, x: f64, y: f64) -> String {
    format!("M{} {}{}", num(x), num(y), SHAPES[paper % SHAPES.len()])
}

fn listed(dataset: &str, run: &str, marks: &[Mark<'_>], id: &str) -> String {
    let mut order: Vec<&Mark<'_>> = marks.iter().collect();
    order.sort_by(|a, b| b.entry.record.top1.value.total_cmp(&a.entry.record.top1.value));
    let dash = || "\u{2013}".to_owned();
    let mut body = String::new();
    for mark in order {
        let Entry { tables, architecture, record, .. } = mark.entry;
        let seconds = record.seconds();
        let (trained, tested) = (mark.entry.training_speed(), mark.entry.test_speed());
        body.push_str(&format!(
            "<tr><th scope=\"row\">{}<span class=\"sub\">{}</span></th><td>{}</td>{}{}{}{}{}{}{}</tr>\n",
            link(&mark.anchor, &record.row),
            escape(tables),
            escape(architecture),
            number(Some(record.top1.value), &points(record.top1.value)),
            number(Some(record.top1.low), &interval(record.top1.low, record.top1.high)),
            number(Some(mark.cost), &brief(mark.cost)),
            number(Some(record.parameters as f64), &brief(record.parameters as f64)),
            number(seconds, &seconds.map_or_else(dash, duration)),
            number(trained, &trained.map_or_else(dash, |speed| format!("{speed:.0}"))),
            number(tested, &tested.map_or_else(dash, |speed| format!("{speed:.1}"))),
        ));
    }
    let columns = [
        Column::words("Row"),
        Column::words("Architecture"),
        Column::number("Top\u{2011}1"),
        Column::number("95\u{a0}% interval"),
        Column::number("Multiply\u{2011}adds a\u{a0}video"),
        Column::number("Parameters"),
        Column::number("Training"),
        Column::number("Samples/s"),
        Column::number("Test videos/s"),
    ];
    let caption = format!(
        "Rows on {} as {}, the most accurate first; rows of several tables that are the same test stand once; speeds on the machine of the record",
        escape(dataset),
        escape(run)
    );
    table(id, "plain", &caption, &columns, &body)
}
