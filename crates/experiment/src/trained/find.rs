//! Finds the record that a name refers to, and the training units of its nets.

use crate::record::{Record, StageRecord};
use crate::run_folder::{RunFolder, recorded};
use crate::store::recorded_unit;
use crate::train::WEIGHTS;
use crate::{Error, Result};
use base::did_you_mean;
use plan::spec::ProfileName;
use plan::{RunName, Work, Workspace};

/// Finds the record of `TABLE/ROW` or `TABLE/RUN/ROW`, and its full name.
pub(super) fn record(workspace: &Workspace, name: &str) -> Result<(String, RunName, Record)> {
    let plain = name
        .trim_start_matches("./")
        .trim_start_matches("results/")
        .trim_start_matches("runs/")
        .trim_end_matches(".json");
    let mut parts: Vec<&str> = plain.split('/').collect();
    let usage = || {
        Error::Usage(format!(
            "`{name}` is not the name of a row; expected TABLE/ROW or TABLE/RUN/ROW, such as table3/average or \
             two-stream/table3/synth-mini/average, or an exported folder"
        ))
    };
    let row = parts.pop().ok_or_else(usage)?;
    let run = parts.last().and_then(|part| part.parse::<RunName>().ok());
    if run.is_some() {
        parts.pop();
    }
    if parts.is_empty() || row.is_empty() {
        return Err(usage());
    }
    let table = workspace.full_names(&[parts.join("/")])?.remove(0);
    let (spec, runs) =
        recorded(workspace)?.into_iter().find(|(spec, _)| spec.name() == table).ok_or_else(usage)?;
    if !spec.row.iter().any(|known| known.id == row) {
        let known = || spec.row.iter().map(|row| row.id.as_str());
        return Err(plan::Error::UnknownRow {
            table,
            row: row.to_owned(),
            hint: did_you_mean(row, known()),
            known: known().collect::<Vec<_>>().join(", "),
        }
        .into());
    }
    let mut found: Vec<(String, RunName, Record)> = Vec::new();
    for folder in &runs {
        let Ok(question) = folder.name.parse::<RunName>() else { continue };
        if run.as_ref().is_some_and(|run| *run != question) {
            continue;
        }
        if let Some(record) = Record::if_whole(&folder.record(row)) {
            found.push((format!("{table}/{question}/{row}"), question, record));
        }
    }
    // Without a run's name, a run whose weights are in the cache.
    let here = |(_, _, record): &(String, RunName, Record)| {
        units(workspace, record, row).is_ok_and(|stages| {
            let unit = |stage: &StageRecord| recorded_unit(&workspace.units(), &stage.unit);
            stages.iter().all(|stage| unit(stage).is_some_and(|unit| unit.path(WEIGHTS).exists()))
        })
    };
    if found.is_empty() {
        let flags = run
            .as_ref()
            .map_or(String::new(), |run| format!(" --dataset {} --profile {}", run.dataset, run.profile));
        return Err(Error::Usage(format!(
            "row {row} of {table} has not been run{}; use `cargo xtask run {table} --row {row}{flags}`",
            run.map_or(String::new(), |run| format!(" as {run}"))
        )));
    }
    let with_weights: Vec<usize> = (0..found.len()).filter(|&at| here(&found[at])).collect();
    // The run that `run TABLE` without flags makes comes first.
    let rank = |at: usize| {
        let run = &found[at].1;
        let profile = [ProfileName::Mini, ProfileName::Paper, ProfileName::Smoke];
        let usual = spec.profile.get(ProfileName::Mini).dataset == run.dataset;
        (!usual, profile.iter().position(|known| *known == run.profile))
    };
    let best = with_weights.iter().copied().map(rank).min();
    let best: Vec<usize> = with_weights.into_iter().filter(|&at| Some(rank(at)) == best).collect();
    if best.len() > 1 {
        let names: Vec<&str> = best.iter().map(|&at| found[at].0.as_str()).collect();
        return Err(Error::Usage(format!("several runs have this row; name one: {}", names.join(", "))));
    }
    Ok(found.swap_remove(best.first().copied().unwrap_or(0)))
}

/// Returns the training of each net of a record, in its first run.
pub(super) fn units(workspace: &Workspace, record: &Record, name: &str) -> Result<Vec<StageRecord>> {
    let run = record.runs.first().ok_or_else(|| {
        Error::Usage(format!("the record of {name} has no runs; run the row again with --fresh"))
    })?;
    match &record.work {
        Work::Fusion(_) => {
            // The records of the streams name their training units.
            let trained = trainings(workspace, &run.test.streams)?;
            let of = |stream: &String| {
                let found = trained.iter().find(|(test, _)| test == stream);
                found.map(|(_, stage)| stage.clone()).ok_or_else(|| {
                    Error::Usage(format!(
                        "{name} fuses nets whose records are missing; run the rows of its streams again"
                    ))
                })
            };
            run.test.streams.iter().map(of).collect()
        }
        Work::Net(_) | Work::Unavailable { .. } => Ok(run.stages.last().cloned().into_iter().collect()),
    }
}

/// Searches all records for the trainings behind these test units.
fn trainings(workspace: &Workspace, tests: &[String]) -> Result<Vec<(String, StageRecord)>> {
    let mut found = Vec::new();
    for (_, folders) in recorded(workspace)? {
        for path in folders.iter().flat_map(RunFolder::files) {
            let Ok(record) = Record::read(&path) else { continue };
            for run in record.runs {
                if let Some(stage) = run.stages.last().filter(|_| tests.contains(&run.test_unit)) {
                    found.push((run.test_unit, stage.clone()));
                }
            }
        }
        if tests.iter().all(|test| found.iter().any(|(known, _)| known == test)) {
            break;
        }
    }
    Ok(found)
}
