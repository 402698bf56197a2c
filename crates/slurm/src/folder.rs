//! Files of a submission: `slurm/<run>/` in the cache, shared by all machines of the cluster.
//!
//! | file | holds |
//! |---|---|
//! | `arrays/<n>.json` | the tasks of an array ([`Manifest`]), written before it is submitted |
//! | `arrays/<n>.sh` | its script |
//! | `logs/<n>-<task>.log` | output of the task, all attempts one after the other |
//! | `notes/<n>-<task>.start`, `.end`, `.progress`, `.out`, `.error` | node, exit code, progress and output of the task |
//! | `xtask-<hash>` | the program as it was when the jobs were submitted |

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use experiment::console::Progress;
use experiment::run::Task;
use experiment::store::{self, Lock};
use experiment::{Console, Error, Interrupt, Result};

/// The tasks of an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Manifest {
    /// The version of the program that wrote it.
    pub version: String,
    /// The command that the user gave, without the program's name.
    pub command: Vec<String>,
    /// Tasks by their index in the array.
    pub tasks: BTreeMap<u32, Entry>,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Entry {
    /// The unit's name.
    pub unit: String,
    /// Title shown to the user.
    pub title: String,
    /// The work of the task.
    pub task: Task,
}

/// Start of a task: its job and its node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Start {
    pub(super) job: String,
    pub(super) node: String,
}

/// End of a task: its job, its node and its exit code.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct End {
    pub(super) job: String,
    pub(super) node: String,
    pub(super) code: i32,
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub(super) struct RunFolder {
    path: PathBuf,
}

/// Splits the name of a job into the name of its run and the number of its array.
pub(super) fn parse_name(name: &str) -> Option<(&str, usize)> {
    let (run, number) = name.rsplit_once('.')?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let run = (!run.is_empty() && run.chars().all(plain)).then_some(run)?;
    Some((run, number.parse().ok()?))
}

impl RunFolder {
    /// Names the folder of a run without creating it.
    pub(super) fn new(cache: &Path, run: &str) -> Self {
        Self { path: cache.join("slurm").join(run) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the name of the run, with which the names of all its jobs begin.
    pub(super) fn name(&self) -> String {
        self.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Creates the folders and locks out other submissions of the same run.
    pub(super) fn lock(&self, console: &Console, interrupt: &Interrupt) -> Result<Lock> {
        for part in ["arrays", "logs", "notes"] {
            let folder = self.path.join(part);
            std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
        }
        store::lock(&self.path.join("lock"), &format!("the submission {}", self.name()), console, interrupt)
    }

    pub(super) fn manifest_path(&self, number: usize) -> PathBuf {
        self.path.join("arrays").join(format!("{number}.json"))
    }

    pub(super) fn script_path(&self, number: usize) -> PathBuf {
        self.path.join("arrays").join(format!("{number}.sh"))
    }

    pub(super) fn log(&self, number: usize, index: u32) -> PathBuf {
        self.path.join("logs").join(format!("{number}-{index}.log"))
    }

    /// Returns the path `notes/<n>-<task>.<kind>`.
    pub(super) fn note(&self, number: usize, index: u32, kind: &str) -> PathBuf {
        note_of(&self.manifest_path(number), index, kind)
    }

    /// Returns the number of the next array.
    pub(super) fn next_number(&self) -> Result<usize> {
        let files = base::files::list(&self.path.join("arrays"))?;
        let numbers = files.iter().filter_map(|file| file.file_stem()?.to_str()?.parse::<usize>().ok());
        Ok(numbers.max().unwrap_or(0) + 1)
    }

    /// Reads the manifest of an array.
    pub(super) fn manifest(&self, number: usize) -> Result<Manifest> {
        Manifest::read(&self.manifest_path(number))
    }

    pub(super) fn start(&self, number: usize, index: u32) -> Option<Start> {
        read_note(&self.note(number, index, "start"))
    }

    pub(super) fn end(&self, number: usize, index: u32) -> Option<End> {
        read_note(&self.note(number, index, "end"))
    }

    pub(super) fn progress(&self, number: usize, index: u32) -> Option<Progress> {
        read_note(&self.note(number, index, "progress"))
    }

    /// Reads a note that is plain text.
    pub(super) fn text(&self, number: usize, index: u32, kind: &str) -> Option<String> {
        base::files::read_text(&self.note(number, index, kind)).ok()
    }
}

/// Reads a note, or returns `None` if it cannot be read: scripts on other machines write notes, so none can be relied on.
fn read_note<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&base::files::read(path, base::files::TEXT).ok()?).ok()
}

impl Manifest {
    /// Reads a manifest from its file.
    ///
    /// # Errors
    /// [`Error::File`], [`Error::Damaged`].
    pub fn read(path: &Path) -> Result<Self> {
        store::read_json(path)
    }
}

/// Returns the path of a note of the given kind beside a manifest, in which a task reports progress or an error.
pub fn note_of(manifest: &Path, index: u32, kind: &str) -> PathBuf {
    let number = manifest.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let run = manifest.parent().and_then(Path::parent).unwrap_or(Path::new("."));
    run.join("notes").join(format!("{number}-{index}.{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_jobs_lead_to_folders_of_ours_and_nowhere_else() {
        assert_eq!(parse_name("table1b-synth-mini-0a1b.12"), Some(("table1b-synth-mini-0a1b", 12)));
        for wrong in ["", ".", "x", "x.", ".1", "x.y", "../x.1", "a/b.1", "x y.1"] {
            assert_eq!(parse_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn arrays_are_numbered_on() {
        let cache = tempfile::tempdir().unwrap();
        let folder = RunFolder::new(cache.path(), "run");
        assert_eq!(folder.next_number().unwrap(), 1);
        let _lock = folder.lock(&Console::silent(), &Interrupt::never()).unwrap();
        for name in ["1.json", "1.sh", "12.json", "notes"] {
            std::fs::write(folder.path().join("arrays").join(name), "").unwrap();
        }
        assert_eq!(folder.next_number().unwrap(), 13);
        assert_eq!(folder.note(3, 4, "end"), folder.path().join("notes/3-4.end"));
    }

    #[test]
    fn a_manifest_comes_back_and_a_damaged_one_is_named() {
        let cache = tempfile::tempdir().unwrap();
        let path = cache.path().join("1.json");
        let entry = Entry { unit: "finish".into(), title: "the table".into(), task: Task::Finish };
        let manifest = Manifest {
            version: "1".into(),
            command: vec!["run".into()],
            tasks: BTreeMap::from([(0, entry)]),
        };
        store::write_json(&path, &manifest).unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), manifest);
        std::fs::write(&path, "{\"version\": 1}").unwrap();
        assert!(Manifest::read(&path).unwrap_err().to_string().contains("1.json is damaged"));
    }
}
