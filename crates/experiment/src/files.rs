//! Files that are there whole or not at all, with this crate's errors.

use std::path::Path;

use serde::Serialize;

use crate::error::Result;

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
