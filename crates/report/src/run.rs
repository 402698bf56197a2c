//! A run of a table: all that is known of it.

use std::collections::BTreeMap;

use super::album::Album;
use super::book::{Ran, Tabled};
use super::html::{counted, details, escape, permalink};
use super::page::Depth;
use super::{claims, curves, recall, row, rows};
use experiment::claim::Verdict;
use experiment::record::Environment;

/// A run, to be opened; `open` for the one that is so at first.
pub(super) fn section(of: &Tabled, run: &Ran, album: &Album, depth: Depth, open: bool) -> String {
    let id = run.anchor(of);
    let recorded = run.recorded().count();
    let holds = run.verdicts(Verdict::Holds);
    let judged = if run.claims.is_empty() {
        String::new()
    } else {
        format!(
            " {} <span class=\"quiet\">{holds} of {} hold</span>",
            claims::bar(claims::counts(run)),
            counted(run.claims.len(), "claim")
        )
    };
    let summary = format!(
        "<h4>{}</h4> <span class=\"quiet\">{recorded} of {}</span>{judged}",
        escape(&run.name),
        counted(run.rows.len(), "row")
    );
    let mut body = format!(
        "<p>{}\u{a0}{}</p>\n",
        escape(&run.data),
        permalink(&id, &format!("{} on {}", of.spec.name(), run.name))
    );
    for problem in &run.problems {
        body.push_str(&format!("<p class=\"warn\">{}</p>\n", escape(problem)));
    }
    body.push_str(&rows::section(of, run));
    body.push_str(&claims::section(of, run));
    body.push_str(&curves::section(of, run));
    body.push_str(&recall::section(of, run));
    body.push_str(&album.of_run(run));
    if !album.has(run) && recorded > 0 {
        body.push_str(&format!(
            "<p class=\"quiet\">Filters, inputs, attention maps and embeddings of this run have not been drawn here; \
             <code>cargo xtask figures {}{}</code> draws those that its nets have.</p>\n",
            escape(&of.spec.name()),
            escape(&run.flags)
        ));
    }
    body.push_str(&row::section(of, run, album, depth));
    body.push_str(&foot(of, run));
    details(&id, "run", open, &summary, &body)
}

/// Where its records are from, and how it departs from the paper.
fn foot(of: &Tabled, run: &Ran) -> String {
    let mut out = String::new();
    let mut environments: BTreeMap<String, usize> = BTreeMap::new();
    for (_, recorded) in run.recorded() {
        *environments.entry(words(&recorded.record.environment)).or_default() += 1;
    }
    for (environment, records) in &environments {
        let which = if environments.len() > 1 { counted(*records, "record") } else { "Records".to_owned() };
        out.push_str(&format!("<p class=\"quiet\">{which} of {}.</p>\n", escape(environment)));
    }
    out.push_str(&format!(
        "<p class=\"quiet\">Run again with <code>cargo xtask run {}{}</code>.</p>\n",
        escape(&of.spec.name()),
        escape(&run.flags)
    ));
    if !run.departures.is_empty() {
        let list: String =
            run.departures.iter().map(|departure| format!("<li>{}</li>", escape(departure))).collect();
        out.push_str(&details(
            &format!("{}/~departures", run.anchor(of)),
            "part",
            false,
            &format!("{} from the paper", counted(run.departures.len(), "departure")),
            &format!("<ul>{list}</ul>\n"),
        ));
    }
    out
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
