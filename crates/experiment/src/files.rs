//! Files that are there whole or not at all.

use std::path::Path;

use data::DataError;
use serde::Serialize;

use crate::error::{Error, Result};

/// Writes a file so that it is there whole or not at all.
///
/// # Errors
/// [`Error::Io`] naming the file, or a full disk; the file that was there stays as it was.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    data::atomic::write_atomically(path, &[bytes]).map_err(|e| match e {
        DataError::Io { path, source, .. } => Error::Io { action: "write", path, source },
        e => e.into(),
    })
}

/// Writes a value as indented JSON with a final newline, atomically.
///
/// # Errors
/// [`Error::Io`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).expect("records hold strings, numbers and lists only");
    text.push('\n');
    write_atomic(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_that_fails_keeps_the_old_file_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        write_json(&path, &1).unwrap();
        // A folder that is a file: refused for the superuser, too.
        let message = write_json(&path.join("inside.json"), &2).unwrap_err().to_string();
        assert!(message.contains("cannot write") && message.contains("record.json"), "{message}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "1\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_is_no_fault_of_the_data() {
        let full = DataError::DiskFull { folder: "results".into(), needed: 9 };
        let error = Error::from(full);
        assert_eq!(error.exit_code(), 1);
        assert!(error.to_string().contains("free some space"), "{error}");
    }
}
