//! Runs the binary with its own folders and reads its records.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A place for one run's records and cache.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).args(["--results".as_ref(), self.path("results").as_os_str()]);
        command.args(["--cache".as_ref(), self.path("cache").as_os_str()]);
        command
    }

    pub(crate) fn smoke(&self, more: &[&str]) -> Output {
        let mut arguments = vec!["run", "table1b", "--profile", "smoke"];
        arguments.extend(more);
        self.command(&arguments).output().unwrap()
    }

    /// Returns every record without the values that differ between equal runs: times and memory.
    pub(crate) fn numbers(&self) -> BTreeMap<String, Value> {
        let folder = self.path("results/two-stream/table1b/synth-smoke");
        let mut records = BTreeMap::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "json") {
                let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
                strip(&mut record);
                records.insert(path.file_stem().unwrap().to_string_lossy().into_owned(), record);
            }
        }
        records
    }
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for clock in ["seconds", "samples-per-second", "peak-memory-mib", "test-seconds"] {
                map.remove(clock);
            }
            map.values_mut().for_each(strip);
        }
        Value::Array(list) => list.iter_mut().for_each(strip),
        _ => {}
    }
}

/// Converts bytes to text.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Asserts that the command succeeded.
#[track_caller]
pub(crate) fn assert_ok(output: &Output) {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}
