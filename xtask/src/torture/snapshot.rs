//! The contents of a place, without anything that differs between runs: times, memory and locks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use experiment::Result;
use serde_json::Value;

use super::place::Place;

/// Keys of measured values in records and outcomes.
const MEASURED: [&str; 5] = ["seconds", "samples-per-second", "peak-memory-mib", "environment", "sum"];

/// Names of ignored files: they hold times of files, a table with measured times, or only their owner's name.
const LEFT_OUT: [&str; 3] = ["sources.json", "table.md", "lock"];

/// Prefixes of temporary files, which must not remain.
const LEFTOVERS: [&str; 2] = [".tmp-", ".scratch-"];

/// The hash of every file by its path.
#[derive(Debug, Clone, Default)]
pub(super) struct Snapshot {
    files: BTreeMap<PathBuf, String>,
    /// The same hashes by device and inode, on Unix: a hard link has the hash of its file.
    linked: BTreeMap<[u64; 2], String>,
}

impl Snapshot {
    /// Takes a snapshot of a cache and results.
    pub(super) fn of(place: &Place) -> Result<Self> {
        Self::default().of_links(place)
    }

    /// Takes a snapshot of a cache and results, and reuses the hashes of files that are hard links to files of this one.
    pub(super) fn of_links(&self, place: &Place) -> Result<Self> {
        let mut snapshot = Self::default();
        snapshot.add(&place.cache, Path::new("cache"), &self.linked)?;
        snapshot.add(&place.results, Path::new("results"), &self.linked)?;
        Ok(snapshot)
    }

    fn add(&mut self, folder: &Path, shown: &Path, known: &BTreeMap<[u64; 2], String>) -> Result<()> {
        for path in base::files::list(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let shown = shown.join(&name);
            if path.is_dir() {
                self.add(&path, &shown, known)?;
            } else if !LEFT_OUT.contains(&name.as_str()) && !is_leftover(&name) {
                let link = link(&path);
                let sum = match link.and_then(|link| known.get(&link)) {
                    Some(sum) => sum.clone(),
                    None => sum(&path)?,
                };
                self.linked.extend(link.map(|link| (link, sum.clone())));
                self.files.insert(shown, sum);
            }
        }
        Ok(())
    }

    /// Describes the files that differ between two snapshots.
    pub(super) fn differences(&self, other: &Self) -> Vec<String> {
        let of = |(path, sum): (&PathBuf, &String)| match other.files.get(path) {
            None => Some(format!("{} is missing", path.display())),
            Some(other) if other != sum => Some(format!("{} differs", path.display())),
            Some(_) => None,
        };
        let surplus = other.files.keys().filter(|path| !self.files.contains_key(*path));
        let surplus = surplus.map(|path| format!("{} is unexpected", path.display()));
        self.files.iter().filter_map(of).chain(surplus).collect()
    }

    /// Returns the files of a kind.
    pub(super) fn files(&self, of_kind: impl Fn(&Path) -> bool) -> Vec<PathBuf> {
        self.files.keys().filter(|path| of_kind(path)).cloned().collect()
    }
}

/// Returns the files in a folder that killed processes have left behind.
pub(super) fn leftovers(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in base::files::list(folder)? {
        if is_leftover(&path.file_name().unwrap_or_default().to_string_lossy()) {
            found.push(path);
        } else if path.is_dir() {
            found.extend(leftovers(&path)?);
        }
    }
    Ok(found)
}

fn is_leftover(name: &str) -> bool {
    LEFTOVERS.iter().any(|prefix| name.starts_with(prefix))
}

/// Returns the device and inode of a file.
#[cfg(unix)]
fn link(path: &Path) -> Option<[u64; 2]> {
    use std::os::unix::fs::MetadataExt;
    let file = path.metadata().ok()?;
    Some([file.dev(), file.ino()])
}

#[cfg(not(unix))]
fn link(_: &Path) -> Option<[u64; 2]> {
    None
}

/// Maximum bytes of a file that is hashed; the program writes no larger ones.
const LARGEST: u64 = 1 << 30;

fn sum(path: &Path) -> Result<String> {
    let Ok(bytes) = base::files::read(path, LARGEST) else { return Ok("no file of ours".into()) };
    let json = path.extension().is_some_and(|ending| ending == "json");
    let bytes = match serde_json::from_slice::<Value>(&bytes) {
        Ok(mut value) if json => {
            unmeasured(&mut value);
            value.to_string().into_bytes()
        }
        _ => bytes,
    };
    Ok(blake3::hash(&bytes).to_hex().to_string())
}

/// Removes measured values.
fn unmeasured(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|key, _| !MEASURED.contains(&key.as_str()));
            map.values_mut().for_each(unmeasured);
        }
        Value::Array(list) => list.iter_mut().for_each(unmeasured),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_sees_every_byte_but_those_that_are_measured() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::at(folder.path());
        let write = |path: PathBuf, text: &str| base::files::write(&path, &[text.as_bytes()]).unwrap();
        write(place.cache.join("units/a/weights"), "weights");
        write(place.results.join("row.json"), r#"{"top1": 1.5, "seconds": 2.0}"#);
        write(place.cache.join("units/a/.tmp-1"), "left behind");
        let before = Snapshot::of(&place).unwrap();
        assert_eq!(leftovers(&place.cache).unwrap(), [place.cache.join("units/a/.tmp-1")]);
        write(place.results.join("row.json"), r#"{"top1": 1.5, "seconds": 3.0}"#);
        assert_eq!(before.differences(&Snapshot::of(&place).unwrap()), Vec::<String>::new());
        write(place.results.join("row.json"), r#"{"top1": 2.5, "seconds": 3.0}"#);
        write(place.cache.join("units/a/weights"), "weightz");
        write(place.cache.join("units/b/weights"), "more");
        assert_eq!(
            before.differences(&Snapshot::of(&place).unwrap()),
            [
                "cache/units/a/weights differs",
                "results/row.json differs",
                "cache/units/b/weights is unexpected"
            ]
        );
    }
}
