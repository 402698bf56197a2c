//! Lists the content of a folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::error::FileError;

/// Returns the paths in a folder, sorted; empty if there is no such folder.
///
/// # Errors
/// [`FileError::Io`] if it cannot be listed.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let io = |error| FileError::io("list", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(io)?.path());
    }
    paths.sort();
    Ok(paths)
}
