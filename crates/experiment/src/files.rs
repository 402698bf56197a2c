//! Files that are there whole or not at all, with this crate's errors.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Writes a file.
///
/// # Errors
/// [`crate::Error::File`] naming the file, or a full disk; the file that was there stays as it was.
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

/// Reads a value that was written as JSON.
///
/// # Errors
/// [`Error::File`] if there is no such file; [`Error::Damaged`] if it holds something else.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = base::files::read(path, base::files::TEXT)?;
    serde_json::from_slice(&text).map_err(Error::damaged(path))
}

/// The longest file that is read whole: the weights and the velocities of the largest network, in bytes.
pub(crate) const LARGEST: u64 = 64 << 30;
