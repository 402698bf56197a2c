//! Renders everything that is known about a run of a table.

use std::collections::BTreeMap;

use base::text::counted;
use maud::{Markup, html};

use super::album::Album;
use super::book::{Ran, Tabled};
use super::depth::Depth;
use super::html::{details, permalink};
use super::{claims, curves, recall, row, rows};
use experiment::claim::Verdict;
use experiment::record::Environment;

/// Renders a run that can be opened; `open` if it is open at first.
pub(super) fn section(of: &Tabled, run: &Ran, album: &Album, depth: Depth, open: bool) -> Markup {
    let id = run.anchor(of);
    let recorded = run.recorded().count();
    let claims = run.table.claims.len();
    let summary = html! {
        h4 { (run.name) } " " span.quiet { (recorded) " of " (counted(run.table.rows.len(), "row")) }
        @if claims > 0 {
            " " (claims::bar(&run.table)) " "
            span.quiet { (run.table.verdicts(Verdict::Holds)) " of " (counted(claims, "claim")) " hold" }
        }
    };
    let body = html! {
        p { (run.table.data) "\u{a0}" (permalink(&id, &format!("{} on {}", run.table.name, run.name))) }
        @for problem in &run.problems { p.warn { (problem) } }
        (rows::section(of, run))
        (claims::section(of, run))
        (curves::section(of, run))
        (recall::section(of, run))
        (album.of_run(run))
        @if !album.has(run) && recorded > 0 {
            p.quiet {
                "Filters, inputs, attention maps and embeddings of this run have not been drawn; "
                code { "cargo xtask figures " (run.table.name) (run.flags) }
                " draws those that apply to its nets."
            }
        }
        (row::section(of, run, album, depth))
        (foot(of, run))
    };
    details(&id, "run", open, &summary, &body)
}

/// Renders the origin of a run's records and its departures from the paper.
fn foot(of: &Tabled, run: &Ran) -> Markup {
    let mut environments: BTreeMap<String, usize> = BTreeMap::new();
    for (_, record) in run.recorded() {
        *environments.entry(words(&record.environment)).or_default() += 1;
    }
    let departures = &run.table.departures;
    html! {
        @for caution in &run.table.cautions {
            p { strong { "Caution: " } (caution) "." }
        }
        @for (environment, records) in &environments {
            p.quiet {
                @if environments.len() > 1 { (counted(*records, "record")) } @else { "Records" }
                " of " (environment) "."
            }
        }
        p.quiet { "Run again with " code { "cargo xtask run " (run.table.name) (run.flags) } "." }
        @if !departures.is_empty() {
            (details(
                &format!("{}/~departures", run.anchor(of)),
                "part",
                false,
                &html! { (counted(departures.len(), "departure")) " from the paper" },
                &html! { ul { @for departure in departures { li { (departure) } } } },
            ))
        }
    }
}

fn words(environment: &Environment) -> String {
    let Environment { commit, version, candle, device, threads, processor, system } = environment;
    let commit = commit.as_ref().map_or("an unknown commit".to_owned(), |commit| format!("commit {commit}"));
    let processor = processor.as_deref().unwrap_or("an unknown processor");
    format!(
        "version {version}, {commit}, {candle}, on {device}: {processor}, {}, {system}",
        counted(*threads, "thread")
    )
}
