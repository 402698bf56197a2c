//! `list`: every table with its recorded runs.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

use crate::claim::Verdict;
use crate::error::{Error, Result};
use crate::grid::{Grid, Screen};
use crate::record::Record;
use crate::run_folder::{RunFolder, recorded};
use crate::table::Claim;
use base::text::{short, signed_within};
use plan::Workspace;
use plan::spec::Spec;

/// A table with its recorded runs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listed {
    /// Its full name.
    pub table: String,
    /// The table's title in the paper.
    pub title: String,
    /// Number of rows.
    pub rows: usize,
    /// Number of claims.
    pub claims: usize,
    /// Its runs with at least one recorded row.
    pub runs: Vec<ListedRun>,
}

/// A run of a table.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedRun {
    /// Its name, such as `synth-mini`.
    pub name: String,
    /// Number of recorded rows.
    pub rows: usize,
    /// Number of claims by verdict.
    pub verdicts: BTreeMap<String, usize>,
}

/// Lists every table with its rows and claims, and for each recorded run the number of rows and the verdicts.
///
/// # Errors
/// Specs that cannot be read.
pub fn listed(workspace: &Workspace) -> Result<Vec<Listed>> {
    let of_run = |spec: &Spec, run: &RunFolder| {
        let is_there = |id: &str| Record::if_whole(&run.record(id)).is_some();
        let rows = spec.row.iter().filter(|row| is_there(&row.id)).count();
        let mut counts = BTreeMap::new();
        for claim in run.claims().0 {
            *counts.entry(claim.verdict.to_string()).or_default() += 1;
        }
        (rows > 0).then(|| ListedRun { name: run.name.clone(), rows, verdicts: counts })
    };
    let tables = recorded(workspace)?.into_iter().map(|(spec, runs)| Listed {
        table: spec.name(),
        title: spec.title.clone(),
        rows: spec.row.len(),
        claims: spec.claim.len(),
        runs: runs.iter().filter_map(|run| of_run(&spec, run)).collect(),
    });
    Ok(tables.collect())
}

/// Formats [`listed`] for a terminal.
///
/// # Errors
/// Those of [`listed`].
pub fn tables(workspace: &Workspace, screen: Screen) -> Result<String> {
    let mut lines = vec![["table", "title", "rows", "claims", "recorded"].map(str::to_owned).to_vec()];
    for Listed { table, title, rows, claims, runs } in listed(workspace)? {
        let words = |run: &ListedRun| {
            let holds = run.verdicts.get(&Verdict::Holds.to_string()).copied().unwrap_or(0);
            format!("{}: {} of {rows} rows, {holds} claims hold", run.name, run.rows)
        };
        let recorded: Vec<String> = runs.iter().map(words).collect();
        let recorded = if recorded.is_empty() { "nothing yet".into() } else { recorded.join("\n") };
        lines.push(vec![table, title, rows.to_string(), claims.to_string(), recorded]);
    }
    Ok(Grid::new(lines, 9).dispensable(&["rows", "claims"]).terminal(screen))
}

/// A claim with its verdicts by run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedClaim {
    /// The table's full name.
    pub table: String,
    /// The claim as judged in each run, by the run's name.
    pub runs: BTreeMap<String, Claim>,
}

/// Lists every judged claim with its verdict in each of the given runs (in all recorded ones if none is given).
///
/// # Errors
/// Those of [`claims`].
pub fn listed_claims(workspace: &Workspace, runs: &[String]) -> Result<Vec<ListedClaim>> {
    let tables = recorded(workspace)?;
    let columns: BTreeSet<String> = asked(&tables, runs)?.into_iter().collect();
    let mut listed = Vec::new();
    for (spec, folders) in &tables {
        // Each run's file is read once, whatever the number of claims.
        let wanted = folders.iter().filter(|folder| columns.contains(&folder.name));
        let judged: Vec<(&str, Vec<Claim>)> =
            wanted.map(|folder| (&*folder.name, folder.claims().0)).collect();
        for claim in &spec.claim {
            let of_run = |(run, judged): &(&str, Vec<Claim>)| {
                let is_same = |judged: &&Claim| judged.id == claim.id && judged.rule == claim.holds;
                Some(((*run).to_owned(), judged.iter().find(is_same)?.clone()))
            };
            listed.push(ListedClaim { table: spec.name(), runs: judged.iter().filter_map(of_run).collect() });
        }
    }
    listed.retain(|claim| !claim.runs.is_empty());
    Ok(listed)
}

/// Formats every claim with its verdict in each of the given runs, such as `synth-mini`, as Markdown, and counts the
/// verdicts. Without given runs, all recorded ones are shown.
///
/// # Errors
/// Specs that cannot be read; [`Error::Usage`] for an unknown run.
pub fn claims(workspace: &Workspace, runs: &[String]) -> Result<String> {
    let tables = recorded(workspace)?;
    let columns = &asked(&tables, runs)?;

    let mut lines = vec![["table", "claim"].map(str::to_owned).to_vec()];
    lines[0].extend(columns.iter().cloned());
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (spec, folders) in &tables {
        let of_run = |run: &String| {
            folders.iter().find(|folder| folder.name == *run).map_or(Vec::new(), |folder| folder.claims().0)
        };
        let judged: Vec<Vec<Claim>> = columns.iter().map(of_run).collect();
        for claim in &spec.claim {
            let mut line = vec![spec.name(), claim.says.clone()];
            for (run, judged) in columns.iter().zip(&judged) {
                let found = judged.iter().find(|judged| judged.id == claim.id && judged.rule == claim.holds);
                let margin = found.and_then(|judged| judged.margin);
                if let Some(judged) = found {
                    *counts.entry((run, judged.verdict.to_string())).or_default() += 1;
                }
                line.push(match (found, margin) {
                    (Some(judged), Some(m)) => {
                        let needs = judged.videos_to_decide().map_or(String::new(), needs);
                        format!("{} {}{needs}", judged.verdict, signed_within(m.value, m.low, m.high))
                    }
                    _ => "-".into(),
                });
            }
            lines.push(line);
        }
    }
    let mut text = Grid::new(lines, 9).markdown();
    text.push_str(
        "\n\nundecided, x N: N times as many test videos would decide it, if the margin stayed as it is",
    );
    for run in columns {
        let of_run = counts.iter().filter(|((name, _), _)| *name == run.as_str());
        let parts: Vec<String> = of_run.map(|((_, verdict), count)| format!("{count} {verdict}")).collect();
        text.push_str(&format!("\n\n{run}: {}", parts.join(", ")));
    }
    Ok(text)
}

/// Says how many times as many test videos would decide a claim.
fn needs(times: f64) -> String {
    if times < 1000.0 { format!(", x {}", short(times, 1)) } else { ", x 1000 or more".into() }
}

/// Returns the names of the requested runs, or all if none is given.
fn asked(tables: &[(Spec, Vec<RunFolder>)], runs: &[String]) -> Result<Vec<String>> {
    let mut known: Vec<String> =
        tables.iter().flat_map(|(_, folders)| folders).map(|run| run.name.clone()).collect();
    known.sort_unstable();
    known.dedup();
    match runs.iter().find(|run| !known.contains(run)) {
        Some(unknown) => Err(Error::Usage(format!(
            "no recorded run has the name `{unknown}`; there are: {}",
            known.join(", ")
        ))),
        None if runs.is_empty() => Ok(known),
        None => Ok(runs.to_vec()),
    }
}
