//! What several tests need: the workspace's files, the real clips, small data sets.

use std::fs;
use std::path::{Path, PathBuf};

/// The workspace root.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file of `datasets/`.
pub(crate) fn dataset_file(name: &str) -> PathBuf {
    workspace().join("datasets").join(name)
}

/// The folder of real clips, or `None` after saying so.
pub(crate) fn real_data() -> Option<PathBuf> {
    let folder =
        std::env::var_os("VAR_REAL_DATA").map_or_else(|| workspace().join("../shared/real"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: the real clips are not at {} (set VAR_REAL_DATA)", folder.display());
    None
}

/// Writes a file and the folders above it.
pub(crate) fn put(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A data-set file of two classes and two actors, without cut search.
pub(crate) const GRID: &str = r#"
kind = "video-folders"
title = "Four clips"
clips = 4
classes = ["run", "walk"]
groups = ["ann", "bob"]
clip-name = "{group}_{class}"
extensions = ["avi"]

[[split]]
name = "1"
test = ["bob"]
"#;
