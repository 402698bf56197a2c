//! Finds the committed records that can be checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::request::CheckRequest;
use crate::record::Record;
use crate::run_folder::{RunFolder, recorded};
use crate::{Error, Result};
use base::there_are;
use plan::spec::Spec;
use plan::{RunName, Workspace};

/// The records of a run of a table.
pub(super) struct Baseline {
    /// The table's full name.
    pub(super) table: String,
    pub(super) run: RunName,
    pub(super) folder: PathBuf,
    /// Records by row, including rows that the table no longer has.
    pub(super) records: BTreeMap<String, Record>,
    /// Rows of the table with damaged records, each with its error.
    pub(super) damaged: BTreeMap<String, String>,
    /// The rows of the table.
    known: Vec<String>,
}

impl Baseline {
    /// Counts the rows to compare.
    pub(super) fn rows(&self, request: &CheckRequest) -> usize {
        let asked = |row: &&String| request.rows.is_empty() || request.rows.contains(row);
        self.known.iter().filter(asked).filter(|row| self.records.contains_key(*row)).count().max(1)
    }

    /// Returns the committed rows that the table no longer has.
    pub(super) fn gone(&self, request: &CheckRequest) -> impl Iterator<Item = &str> {
        let all = request.rows.is_empty();
        self.records.keys().filter(move |row| all && !self.known.contains(row)).map(String::as_str)
    }

    /// Describes the programs and processors that made the records.
    pub(super) fn origins(&self) -> Vec<String> {
        let mut origins: Vec<String> = Vec::new();
        for record in self.records.values() {
            let here = &record.environment;
            let origin = format!(
                "version {}, commit {}, {} threads of {}",
                here.version,
                here.commit.as_deref().unwrap_or("unknown"),
                here.threads,
                here.processor.as_deref().unwrap_or("an unknown processor")
            );
            if !origins.contains(&origin) {
                origins.push(origin);
            }
        }
        origins
    }
}

/// Finds the requested baselines, in the order of the tables.
pub(super) fn find(workspace: &Workspace, request: &CheckRequest) -> Result<Vec<Baseline>> {
    let tables = workspace.full_names(&request.tables)?;
    let mut found = Vec::new();
    let mut runs: Vec<String> = Vec::new();
    let committed =
        Workspace { results: workspace.baseline().to_owned(), committed: None, ..workspace.clone() };
    for (spec, folders) in recorded(&committed)? {
        if !tables.is_empty() && !tables.contains(&spec.name()) {
            continue;
        }
        let mut all: Vec<Baseline> = folders.into_iter().filter_map(|folder| read(&spec, folder)).collect();
        runs.extend(all.iter().map(|baseline| baseline.run.to_string()));
        if request.runs.is_empty() {
            let usual = |run: &RunName| {
                let own = &spec.profile.get(request.profile).dataset;
                run.profile == request.profile && run.dataset == *own
            };
            all.retain(|baseline| usual(&baseline.run));
            // The profile's default run, or the first other one.
            all.truncate(1);
        } else {
            all.retain(|baseline| request.runs.contains(&baseline.run.to_string()));
        }
        if all.is_empty() && !tables.is_empty() && request.runs.is_empty() {
            return Err(Error::Usage(format!(
                "no results of {} at the profile {} are committed; run `cargo xtask run {} --profile {}` and commit its results",
                spec.name(),
                request.profile,
                spec.name(),
                request.profile
            )));
        }
        found.extend(all);
    }
    if let Some(run) = request.runs.iter().find(|run| !runs.contains(run)) {
        runs.sort_unstable();
        runs.dedup();
        return Err(Error::Usage(format!(
            "no results are committed as `{run}`{}",
            there_are(run, runs.iter().map(String::as_str))
        )));
    }
    if found.is_empty() {
        return Err(Error::Usage(format!(
            "no results at the profile {} are committed, so there is nothing to compare with; commit those of a run first",
            request.profile
        )));
    }
    Ok(found)
}

/// Reads the records in a folder; `None` if it is not a run, or has no records.
fn read(spec: &Spec, folder: RunFolder) -> Option<Baseline> {
    // Rows of exported nets cannot be trained again here.
    let run: RunName = folder.name.parse().ok().filter(|run: &RunName| run.from.is_none())?;
    let known: Vec<String> = spec.row.iter().map(|row| row.id.clone()).collect();
    let (mut records, mut damaged) = (BTreeMap::new(), BTreeMap::new());
    for path in folder.files() {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match Record::read(&path) {
            Ok(record) => _ = records.insert(record.row.clone(), record),
            // Damaged record of a row; other files are skipped.
            Err(error)
                if known.contains(&name) && path.extension().is_some_and(|ending| ending == "json") =>
            {
                damaged.insert(name, error.to_string());
            }
            Err(_) => {}
        }
    }
    let any = !records.is_empty() || !damaged.is_empty();
    let folder = folder.place().to_owned();
    any.then(|| Baseline { table: spec.name(), run, folder, records, damaged, known })
}
