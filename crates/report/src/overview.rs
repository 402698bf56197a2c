//! Overview of all runs, and of missing results.

use std::collections::{BTreeMap, BTreeSet};

use base::text::counted;
use maud::{Markup, html};

use super::album::Album;
use super::book::{Book, Line};
use super::claims::{self, VERDICTS, bar, counts};
use super::html::{Column, NONE, joined, link, number, table};
use experiment::table::State;
use plan::spec::ProfileName;

/// Renders a table of all runs of all tables with their verdicts.
pub(super) fn section(book: &Book) -> Markup {
    let runs = || book.runs().map(|(_, run)| run);
    let recorded: usize = runs().map(|run| run.recorded().count()).sum();
    let totals = VERDICTS.map(|verdict| runs().map(|run| run.table.verdicts(verdict)).sum::<usize>());
    let judged: usize = totals[..3].iter().sum();
    let columns = [
        Column::words("Table"),
        Column::words("Run"),
        Column::number("Rows"),
        Column::mark("Claims"),
        Column::number("Hold"),
        Column::number("Undecided"),
        Column::number("Contradicted"),
        Column::number("Not run"),
    ];
    let body = html! {
        @for (of, run) in book.runs() {
            @let rows = run.recorded().count();
            tr {
                th scope="row" { (link(&of.anchor(), &of.spec.name())) }
                td { (link(&run.anchor(of), &run.name)) }
                (number(Some(rows as f64), &format!("{rows} of {}", run.table.rows.len())))
                td { (bar(&run.table)) }
                @for count in counts(&run.table) {
                    @let none = run.table.claims.is_empty();
                    (number(Some(count as f64), &if none { NONE.to_owned() } else { count.to_string() }))
                }
            }
            "\n"
        }
    };
    let caption = html! { "All runs of all tables, with verdicts on the paper\u{2019}s claims" };
    let tiles = [
        ("Papers", book.papers.len()),
        ("Tables", book.tables().count()),
        ("Runs", runs().count()),
        ("Rows recorded", recorded),
        ("Claims judged", judged),
    ];
    html! {
        dl.tiles { @for (what, count) in tiles { div { dt { (what) } dd { (count) } } } }
        ul.verdicts aria-label="Claims by verdict, over all runs" {
            @for (verdict, count) in VERDICTS.into_iter().zip(totals) {
                li { (claims::badge(verdict)) " " b { (count) } }
            }
        }
        (table("~runs", "runs", &caption, &columns, &body))
    }
}

/// Lists everything that was not run, is missing, damaged, out of date or not drawn.
pub(super) fn not_run(book: &Book, album: &Album) -> Markup {
    let mut items: Vec<Markup> = Vec::new();
    let records = || book.runs().flat_map(|(_, run)| run.recorded()).map(|(_, record)| record);
    let profiles: BTreeSet<ProfileName> = records().map(|record| record.profile).collect();
    if !profiles.contains(&ProfileName::Paper) {
        let at: Vec<Markup> =
            profiles.iter().map(|profile| html! { code { (profile.to_string()) } }).collect();
        items.push(html! {
            "No row was run at the papers\u{2019} own scale (" code { "--profile paper" } ")."
            @if !at.is_empty() { " All records use the profile " (joined(&at, " or ")) "." }
        });
    }
    // Tables grouped by the data sets on which they could be run but were not.
    let mut lacking: BTreeMap<Vec<&str>, Vec<Markup>> = BTreeMap::new();
    for table in book.tables() {
        let name = link(&table.anchor(), &table.spec.name());
        if table.runs.is_empty() {
            items.push(html! { "No row of " (name) " was run." });
            continue;
        }
        let was_run = |set: &&str| table.runs.iter().any(|run| run.dataset.as_deref() == Some(*set));
        let sets: Vec<&str> =
            table.spec.data.keys().map(String::as_str).filter(|set| !was_run(set)).collect();
        if !sets.is_empty() {
            lacking.entry(sets).or_default().push(name);
        }
    }
    for (sets, tables) in lacking {
        let sets: Vec<Markup> = sets.iter().map(|set| html! { code { (set) } }).collect();
        items.push(html! { "Not run on " (joined(&sets, ", ")) ": " (joined(&tables, ", ")) "." });
    }
    for (table, run) in book.runs() {
        type IsSo = fn(&Line<'_>) -> bool;
        let mut parts = Vec::new();
        let states: [(&str, IsSo); 4] = [
            ("not run", |line| matches!(line.row.state, State::NotRun)),
            ("not available on these data", |line| matches!(line.row.state, State::Unavailable { .. })),
            ("damaged", |line| matches!(line.row.state, State::Failed { .. })),
            ("not what the spec now asks for", |line| !line.beside.caveats.is_empty()),
        ];
        for (what, is_so) in states {
            let rows: Vec<Markup> =
                run.rows().filter(is_so).map(|line| link(&line.beside.anchor, &line.row.id)).collect();
            if !rows.is_empty() {
                parts.push(html! { (what) ": " (joined(&rows, ", ")) });
            }
        }
        if !run.problems.is_empty() {
            parts.push(html! { (counted(run.problems.len(), "problem")) " named there" });
        }
        if !parts.is_empty() {
            let name = format!("{} on {}", table.spec.name(), run.name);
            items.push(html! { (link(&run.anchor(table), &name)) ": " (joined(&parts, "; ")) "." });
        }
    }
    let quoted: usize = book.tables().map(|table| table.spec.quoted.len()).sum();
    if quoted > 0 {
        items.push(html! {
            (counted(quoted, "number")) " of other work are quoted from the papers and were never run here."
        });
    }
    let undrawn = book.runs().filter(|(_, run)| !album.has(run) && run.recorded().count() > 0).count();
    if undrawn > 0 {
        items.push(html! {
            "Pictures of inputs and learnt features have not been drawn for " (counted(undrawn, "run"))
            "; each run names the command that draws them."
        });
    }
    if album.left_out() > 0 {
        items.push(html! {
            (counted(album.left_out(), "picture"))
            " left out to keep the page under 5 MB; each is named where it belongs."
        });
    }
    html! { ul { @for item in items { li { (item) } "\n" } } }
}
