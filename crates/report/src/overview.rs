//! What there is and what there is not.

use std::collections::{BTreeMap, BTreeSet};

use super::album::Album;
use super::book::{Book, State};
use super::claims::{self, VERDICTS, bar, counts};
use super::html::{Column, counted, escape, link, number, table};
use plan::spec::ProfileName;

/// Every run of every table with its verdicts.
pub(super) fn section(book: &Book) -> String {
    let mut totals = [0; 4];
    let (mut recorded, mut runs) = (0, 0);
    let mut body = String::new();
    for (table, run) in book.runs() {
        let rows = run.recorded().count();
        let of_run = counts(run);
        recorded += rows;
        runs += 1;
        for (total, count) in totals.iter_mut().zip(of_run) {
            *total += count;
        }
        let [holds, undecided, contradicted, missing] = of_run.map(|count| {
            number(
                Some(count as f64),
                &if run.claims.is_empty() { "\u{2013}".to_owned() } else { count.to_string() },
            )
        });
        body.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td>{}<td>{}</td>{holds}{undecided}{contradicted}{missing}</tr>\n",
            link(&table.anchor(), &table.spec.name()),
            link(&run.anchor(table), &run.name),
            number(Some(rows as f64), &format!("{rows} of {}", run.rows.len())),
            bar(of_run),
        ));
    }
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
    let judged: usize = totals[..3].iter().sum();
    let verdicts: String = VERDICTS
        .into_iter()
        .zip(totals)
        .map(|(verdict, count)| format!("<li>{} <b>{count}</b></li>", claims::badge(verdict)))
        .collect();
    format!(
        "<dl class=\"tiles\"><div><dt>Papers</dt><dd>{}</dd></div><div><dt>Tables</dt><dd>{}</dd></div><div><dt>Runs</dt><dd>{runs}</dd></div>\
         <div><dt>Rows recorded</dt><dd>{recorded}</dd></div><div><dt>Claims judged</dt><dd>{judged}</dd></div></dl>\n\
         <ul class=\"verdicts\" aria-label=\"Claims by verdict, over all runs\">{verdicts}</ul>\n{}",
        book.papers.len(),
        book.tables().count(),
        table(
            "~runs",
            "runs",
            "Every run of every table, and how the paper\u{2019}s claims came out on it",
            &columns,
            &body
        )
    )
}

/// What was not run, is missing, damaged, old, or not drawn.
pub(super) fn not_run(book: &Book, album: &Album) -> String {
    let mut items: Vec<String> = Vec::new();
    let profiles: BTreeSet<ProfileName> = book
        .runs()
        .flat_map(|(_, run)| run.recorded())
        .map(|(_, recorded)| recorded.record.profile)
        .collect();
    if !profiles.contains(&ProfileName::Paper) {
        let at: Vec<String> = profiles.iter().map(|profile| format!("<code>{profile}</code>")).collect();
        let at = if at.is_empty() {
            String::new()
        } else {
            format!(" All records are of the profile {}.", at.join(" or "))
        };
        items.push(format!(
            "No row was run at the papers\u{2019} own scale (<code>--profile paper</code>).{at}"
        ));
    }
    // Tables by the data sets that they could be run on and were not.
    let mut lacking: BTreeMap<Vec<&str>, Vec<String>> = BTreeMap::new();
    for table in book.tables() {
        let name = link(&table.anchor(), &table.spec.name());
        if table.runs.is_empty() {
            items.push(format!("No row of {name} was run."));
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
        let sets: Vec<String> = sets.iter().map(|set| format!("<code>{}</code>", escape(set))).collect();
        items.push(format!("Not run on {}: {}.", sets.join(", "), tables.join(", ")));
    }
    for (table, run) in book.runs() {
        let mut parts = Vec::new();
        let names = |of: &dyn Fn(&State) -> bool| {
            let rows = run.rows.iter().filter(|row| of(&row.state));
            rows.map(|row| link(&row.anchor, &row.row.id)).collect::<Vec<_>>()
        };
        let states: [(&str, Vec<String>); 4] = [
            ("not run", names(&|state| matches!(state, State::NotRun))),
            ("not available on these data", names(&|state| matches!(state, State::Unavailable(_)))),
            ("damaged", names(&|state| matches!(state, State::Damaged(_)))),
            (
                "not what the spec asks for now",
                names(&|state| matches!(state, State::Recorded(r) if !r.caveats.is_empty())),
            ),
        ];
        for (what, rows) in states {
            if !rows.is_empty() {
                parts.push(format!("{what}: {}", rows.join(", ")));
            }
        }
        if !run.problems.is_empty() {
            parts.push(counted(run.problems.len(), "problem") + " named there");
        }
        if !parts.is_empty() {
            let name = format!("{} on {}", table.spec.name(), run.name);
            items.push(format!("{}: {}.", link(&run.anchor(table), &name), parts.join("; ")));
        }
    }
    let quoted: usize = book.tables().map(|table| table.spec.quoted.len()).sum();
    if quoted > 0 {
        items.push(format!(
            "{} of other work are quoted from the papers and were never run here.",
            counted(quoted, "number")
        ));
    }
    let undrawn = book.runs().filter(|(_, run)| !album.has(run) && run.recorded().count() > 0).count();
    if undrawn > 0 {
        items.push(format!(
            "Pictures of what nets saw and learnt have not been drawn here for {}; each says which command draws them.",
            counted(undrawn, "run")
        ));
    }
    if album.left_out() > 0 {
        items.push(format!(
            "{} left out to keep the page under 5 MB, each named where it belongs.",
            counted(album.left_out(), "picture")
        ));
    }
    let list: String = items.iter().map(|item| format!("<li>{item}</li>\n")).collect();
    format!("<ul>\n{list}</ul>\n")
}
