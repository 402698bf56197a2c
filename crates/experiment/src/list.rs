//! `list`: every table, and what has been run on what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::claim::Verdict;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::table::{self, Claim};
use base::text::signed_within;
use plan::spec::Spec;
use plan::{Request, RunName, TablePlan, Workspace};

/// The judged claims of a run, beside its records.
pub const VERDICTS: &str = "claims.json";

/// A table, and what has been run of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Listed {
    /// Its full name.
    pub table: String,
    /// The paper's title of it.
    pub title: String,
    /// Rows.
    pub rows: usize,
    /// Claims.
    pub claims: usize,
    /// Its runs of which a row is recorded.
    pub runs: Vec<ListedRun>,
}

/// A run of a table.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedRun {
    /// Its name, such as `synth-mini`.
    pub name: String,
    /// Rows that are recorded.
    pub rows: usize,
    /// Claims by verdict.
    pub verdicts: BTreeMap<String, usize>,
}

/// Every table: rows, claims, and of each recorded run how many rows it has and how the claims came out.
///
/// # Errors
/// Specs that cannot be read.
pub fn listed(workspace: &Workspace) -> Result<Vec<Listed>> {
    let of_run = |spec: &Spec, run: &PathBuf| {
        let is_there = |id: &str| Record::if_whole(&run.join(format!("{id}.json"))).is_some();
        let rows = spec.row.iter().filter(|row| is_there(&row.id)).count();
        let mut counts = BTreeMap::new();
        for claim in verdicts(run) {
            *counts.entry(claim.verdict.to_string()).or_default() += 1;
        }
        (rows > 0).then(|| ListedRun { name: name(run), rows, verdicts: counts })
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

/// [`listed`], for a terminal.
///
/// # Errors
/// As there.
pub fn tables(workspace: &Workspace) -> Result<String> {
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
    Ok(table::plain(lines, 9))
}

/// A claim with its verdicts by run.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ListedClaim {
    /// The table's full name.
    pub table: String,
    /// The claim as its runs have judged it, by the run's name.
    pub runs: BTreeMap<String, Claim>,
}

/// Every claim that a run has judged, with its verdicts in each of the given runs (all recorded ones where none is named).
///
/// # Errors
/// As [`claims`].
pub fn listed_claims(workspace: &Workspace, runs: &[String]) -> Result<Vec<ListedClaim>> {
    let tables = recorded(workspace)?;
    let columns = asked(&tables, runs)?;
    let mut listed = Vec::new();
    for (spec, folders) in &tables {
        for claim in &spec.claim {
            let of_run = |folder: &PathBuf| {
                let is_same = |judged: &Claim| judged.id == claim.id && judged.rule == claim.holds;
                Some((name(folder), verdicts(folder).into_iter().find(is_same)?))
            };
            let wanted = folders.iter().filter(|folder| columns.contains(&name(folder)));
            listed.push(ListedClaim { table: spec.name(), runs: wanted.filter_map(of_run).collect() });
        }
    }
    listed.retain(|claim| !claim.runs.is_empty());
    Ok(listed)
}

/// Every claim with its verdict in each of the given runs (all recorded ones where none is named, such as `synth-mini`), as
/// Markdown, and how many of each verdict there are.
///
/// # Errors
/// Specs that cannot be read; [`Error::Usage`] for a run that no table has.
pub fn claims(workspace: &Workspace, runs: &[String]) -> Result<String> {
    let tables = recorded(workspace)?;
    let columns = &asked(&tables, runs)?;

    let mut lines = vec![["table", "claim"].map(str::to_owned).to_vec()];
    lines[0].extend(columns.iter().cloned());
    let mut counts: BTreeMap<(&str, String), usize> = BTreeMap::new();
    for (spec, folders) in &tables {
        let of_run = |run: &String| {
            folders.iter().find(|folder| name(folder) == *run).map_or(Vec::new(), |folder| verdicts(folder))
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
                        format!("{} {}", judged.verdict, signed_within(m.value, m.low, m.high))
                    }
                    _ => "-".into(),
                });
            }
            lines.push(line);
        }
    }
    let mut text = table::markdown(lines, 9);
    for run in columns {
        let of_run = counts.iter().filter(|((name, _), _)| *name == run.as_str());
        let parts: Vec<String> = of_run.map(|((_, verdict), count)| format!("{count} {verdict}")).collect();
        text.push_str(&format!("\n\n{run}: {}", parts.join(", ")));
    }
    Ok(text)
}

/// The names of the runs that are asked for; all where none is named.
fn asked(tables: &[(Spec, Vec<PathBuf>)], runs: &[String]) -> Result<Vec<String>> {
    let mut known: Vec<String> =
        tables.iter().flat_map(|(_, folders)| folders).map(|run| name(run)).collect();
    known.sort_unstable();
    known.dedup();
    match runs.iter().find(|run| !known.contains(run)) {
        Some(unknown) => Err(Error::Usage(format!(
            "no table has been run as `{unknown}`; there are: {}",
            known.join(", ")
        ))),
        None if runs.is_empty() => Ok(known),
        None => Ok(runs.to_vec()),
    }
}

/// Every spec with the folders of its recorded runs.
///
/// # Errors
/// Those of listing and reading the specs.
pub fn recorded(workspace: &Workspace) -> Result<Vec<(Spec, Vec<PathBuf>)>> {
    let mut all = Vec::new();
    for table in workspace.tables()? {
        let (spec, _) = workspace.spec(&table)?;
        let folder = workspace.results.join(spec.name());
        let mut runs = base::files::list(&folder).unwrap_or_default();
        runs.retain(|run| run.is_dir());
        all.push((spec, runs));
    }
    Ok(all)
}

/// The plan that led to a run's folder, and what was asked; `None` where no question leads to a folder of that name any more.
pub fn planned(workspace: &Workspace, spec: &Spec, run: &str) -> Option<(TablePlan, Request)> {
    let request = run.parse::<RunName>().ok()?.request();
    let (spec, file) = workspace.spec(&spec.name()).ok()?;
    let plan = TablePlan::resolve(spec, file, &request, workspace).ok()?;
    (plan.results.file_name().is_some_and(|name| name == run)).then_some((plan, request))
}

/// The claims of a run; none where its file is missing or of another form.
fn verdicts(run: &Path) -> Vec<Claim> {
    let text = base::files::read(&run.join(VERDICTS), base::files::TEXT).ok();
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

/// The name of the run that a folder holds.
pub fn name(run: &Path) -> String {
    run.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
