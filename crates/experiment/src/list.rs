//! `list`: every table, and what has been run on what.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::claim::Verdict;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::spec::Spec;
use crate::table::{self, Claim};
use crate::workspace::Workspace;

/// The judged claims of a run, beside its records.
pub const VERDICTS: &str = "claims.json";

/// Every table: paper, rows, claims, and of each recorded run how many rows it has and how many claims hold.
///
/// # Errors
/// Specs that cannot be read.
pub fn tables(workspace: &Workspace) -> Result<String> {
    let mut lines = vec![["table", "title", "rows", "claims", "recorded"].map(str::to_owned).to_vec()];
    for (spec, runs) in recorded(workspace)? {
        let recorded = runs.iter().filter_map(|run| {
            let is_there = |id: &str| Record::read(&run.join(format!("{id}.json"))).is_ok();
            let rows = spec.row.iter().filter(|row| is_there(&row.id)).count();
            let claims = verdicts(run);
            let holds = claims.iter().filter(|claim| claim.verdict == Verdict::Holds).count();
            let words = format!("{}: {rows} of {} rows, {holds} claims hold", name(run), spec.row.len());
            (rows > 0).then_some(words)
        });
        let recorded: Vec<String> = recorded.collect();
        lines.push(vec![
            spec.name(),
            spec.title.clone(),
            spec.row.len().to_string(),
            spec.claim.len().to_string(),
            if recorded.is_empty() { "nothing yet".into() } else { recorded.join("\n") },
        ]);
    }
    Ok(table::plain(lines, 9))
}

/// Every claim with its verdict in each of the given runs (all recorded ones where none is named, such as `synth-mini`), as
/// Markdown, and how many of each verdict there are.
///
/// # Errors
/// Specs that cannot be read; [`Error::Usage`] for a run that no table has.
pub fn claims(workspace: &Workspace, runs: &[String]) -> Result<String> {
    let tables = recorded(workspace)?;
    let known: Vec<String> = {
        let mut known: Vec<String> =
            tables.iter().flat_map(|(_, folders)| folders).map(|run| name(run)).collect();
        known.sort_unstable();
        known.dedup();
        known
    };
    if let Some(unknown) = runs.iter().find(|run| !known.contains(run)) {
        return Err(Error::Usage(format!(
            "no table has been run as `{unknown}`; there are: {}",
            known.join(", ")
        )));
    }
    let columns = if runs.is_empty() { &known } else { runs };

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
                        format!("{} {:+.1} [{:+.1}, {:+.1}]", judged.verdict, m.value, m.low, m.high)
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

/// Every spec with the folders of its recorded runs.
fn recorded(workspace: &Workspace) -> Result<Vec<(Spec, Vec<PathBuf>)>> {
    let mut all = Vec::new();
    for file in workspace.spec_files()? {
        let shown = file.strip_prefix(&workspace.root).unwrap_or(&file);
        let text = std::fs::read_to_string(&file).map_err(Error::io("read", &file))?;
        let spec = Spec::parse(&text, shown)?;
        let folder = workspace.results.join(spec.name());
        let mut runs: Vec<PathBuf> = std::fs::read_dir(&folder)
            .map(|entries| entries.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_dir()).collect())
            .unwrap_or_default();
        runs.sort();
        all.push((spec, runs));
    }
    Ok(all)
}

/// The claims of a run; none where its file is missing or of another form.
fn verdicts(run: &Path) -> Vec<Claim> {
    let text = std::fs::read(run.join(VERDICTS)).ok();
    text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn name(run: &Path) -> String {
    run.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
