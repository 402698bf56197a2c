//! The folders in which runs of tables are recorded: one's own, and the committed ones beside them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::claim::Verdict;
use crate::error::Result;
use crate::table::Claim;
use plan::spec::Spec;
use plan::{Request, RunName, Sources, TablePlan, Workspace};

/// The judged claims of a run, beside its records.
pub const VERDICTS: &str = "claims.json";

/// A run of a table. Of each file the user's own counts, or else the committed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// Its name, such as `synth-mini`.
    pub name: String,
    /// The folders, the user's own first. At least one.
    places: Vec<PathBuf>,
}

impl RunFolder {
    /// A single folder; its name is the run's.
    pub fn at(folder: PathBuf) -> Self {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { name, places: vec![folder] }
    }

    /// The folder in which this run is recorded when it is run again.
    pub fn place(&self) -> &Path {
        &self.places[0]
    }

    /// The path of a file of the run, whether or not it exists.
    pub fn file(&self, name: &str) -> PathBuf {
        let paths = || self.places.iter().map(|place| place.join(name));
        paths().find(|path| path.exists()).unwrap_or_else(|| self.places[0].join(name))
    }

    /// The path of a row's record, whether or not it exists.
    pub fn record(&self, row: &str) -> PathBuf {
        self.file(&format!("{row}.json"))
    }

    /// The paths of all files of the run, by name.
    pub fn files(&self) -> Vec<PathBuf> {
        let listed = self.places.iter().flat_map(|place| base::files::list(place).unwrap_or_default());
        let names: BTreeSet<String> = listed
            .filter(|path| !path.is_dir())
            .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
            .collect();
        names.iter().map(|name| self.file(name)).collect()
    }

    /// The judged claims. One that the user's own run could not judge, since it has not all rows, is taken from the committed
    /// run. Files that are missing or have another format count as empty; their errors are given back as text.
    pub fn claims(&self) -> (Vec<Claim>, Vec<String>) {
        let (mut claims, mut problems) = (Vec::<Claim>::new(), Vec::new());
        for place in &self.places {
            let Ok(text) = base::files::read(&place.join(VERDICTS), base::files::TEXT) else { continue };
            match serde_json::from_slice::<Vec<Claim>>(&text) {
                Ok(found) => {
                    for claim in found {
                        match claims.iter_mut().find(|known| known.id == claim.id) {
                            Some(known) if known.verdict == Verdict::NotRun => *known = claim,
                            Some(_) => {}
                            None => claims.push(claim),
                        }
                    }
                }
                Err(error) => problems.push(format!("cannot read {VERDICTS}: {error}")),
            }
        }
        (claims, problems)
    }
}

/// Returns every spec with its recorded runs, in name order.
///
/// # Errors
/// If the specs cannot be listed or read.
pub fn recorded(workspace: &Workspace) -> Result<Vec<(Spec, Vec<RunFolder>)>> {
    let mut all = Vec::new();
    for table in workspace.tables()? {
        let (spec, _) = workspace.spec(&table)?;
        let mut runs: Vec<RunFolder> = Vec::new();
        for results in workspace.all_results() {
            for place in base::files::list(&results.join(spec.name())).unwrap_or_default() {
                if !place.is_dir() {
                    continue;
                }
                let run = RunFolder::at(place);
                match runs.iter_mut().find(|known| known.name == run.name) {
                    Some(known) => known.places.extend(run.places),
                    None => runs.push(run),
                }
            }
        }
        runs.sort_by(|a, b| a.name.cmp(&b.name));
        all.push((spec, runs));
    }
    Ok(all)
}

/// Returns the plan and the request that belong to a run's folder; `None` if no request leads to a folder of this name.
/// For many runs, `sources` should be remembered ([`plan::Remembered`]): runs share their specs and data sets.
pub fn planned(sources: &dyn Sources, spec: &Spec, run: &str) -> Option<(TablePlan, Request)> {
    let request = run.parse::<RunName>().ok()?.request();
    let (spec, file) = sources.spec(&spec.name()).ok()?;
    let plan = TablePlan::resolve(spec, file, &request, sources).ok()?;
    (plan.results.file_name().is_some_and(|name| name == run)).then_some((plan, request))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_own_files_stand_before_the_committed_ones() {
        let folder = tempfile::tempdir().unwrap();
        let [own, committed] = ["runs", "results"].map(|name| folder.path().join(name));
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let workspace =
            Workspace { results: own.clone(), committed: Some(committed.clone()), ..Workspace::new(root) };
        let write = |place: &Path, name: &str, text: &str| {
            let path = place.join("two-stream/table1b/synth-mini").join(name);
            base::files::write(&path, &[text.as_bytes()]).unwrap();
            path
        };
        let claim = |id: &str, verdict: &str| {
            format!(
                r#"{{"id":"{id}","says":"","where":"","rule":"a > b","verdict":"{verdict}","margin":null}}"#
            )
        };
        let list = |claims: &[String]| format!("[{}]", claims.join(","));
        write(&own, VERDICTS, &list(&[claim("a", "holds"), claim("b", "not-run")]));
        write(&committed, VERDICTS, &list(&[claim("a", "undecided"), claim("b", "contradicted")]));
        let mine = write(&own, "single-on.json", "");
        write(&committed, "single-on.json", "");
        let theirs = write(&committed, "stack-10-on.json", "");
        let all = recorded(&workspace).unwrap();
        let (_, runs) = all.iter().find(|(spec, _)| spec.name() == "two-stream/table1b").unwrap();
        let [run] = &runs[..] else { panic!("{runs:?}") };
        assert_eq!(run.name, "synth-mini");
        assert_eq!([run.record("single-on"), run.record("stack-10-on")], [mine, theirs]);
        assert_eq!(run.files().len(), 3);
        assert_eq!(run.record("none"), own.join("two-stream/table1b/synth-mini/none.json"));
        let (claims, problems) = run.claims();
        assert_eq!(
            claims.iter().map(|claim| claim.verdict).collect::<Vec<_>>(),
            [Verdict::Holds, Verdict::Contradicted]
        );
        assert_eq!(problems, Vec::<String>::new());
    }
}
