//! Atomic reading and writing of files, with this crate's errors.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Writes a file, atomically.
///
/// # Errors
/// [`crate::Error::File`] with the file's name, or for a full disk; an existing file stays unchanged.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    Ok(base::files::write(path, &[bytes])?)
}

/// Writes a value as indented JSON with a final newline.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    Ok(base::files::write_json(path, value)?)
}

/// Reads a value from a JSON file.
///
/// # Errors
/// [`Error::File`] if the file cannot be read; [`Error::Damaged`] if it is not such a value.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = base::files::read(path, base::files::TEXT)?;
    serde_json::from_slice(&text).map_err(Error::damaged(path))
}

/// Maximum size of a file that is read at once, in bytes: weights and velocities of the largest network.
pub(crate) const LARGEST: u64 = 64 << 30;
