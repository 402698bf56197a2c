//! The entries of a file before it is written, while its size is not yet known. Few entries are held in memory, many in an
//! unnamed temporary file, so a long or wide video takes no more memory than any other.

use std::io::{Read, Seek, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::error::DataError;

/// Largest payload held in memory, in bytes.
const IN_MEMORY: usize = 64 << 20;

/// Largest payload, in bytes.
pub(super) const LONGEST: u64 = 4 << 30;

/// Bytes that are appended one entry after another and then read once.
#[derive(Debug)]
pub(super) struct Payload {
    bytes: SpooledTempFile,
    length: u64,
}

impl Payload {
    /// An empty payload. Bytes that do not fit in memory go to a file in `folder`, which vanishes with this value or the process.
    pub(super) fn new(folder: &Path) -> Self {
        Self { bytes: SpooledTempFile::new_in(IN_MEMORY, folder), length: 0 }
    }

    /// Number of bytes.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Appends bytes.
    pub(super) fn push(&mut self, bytes: &[u8], path: &Path) -> Result<(), DataError> {
        self.length += bytes.len() as u64;
        let needed = self.length;
        Ok(self.bytes.write_all(bytes).map_err(|error| base::FileError::of_write(path, needed, error))?)
    }

    /// Returns a reader of all bytes from the first.
    pub(super) fn into_reader(mut self, path: &Path) -> Result<impl Read, DataError> {
        self.bytes.rewind().map_err(|error| DataError::io("read", path, error))?;
        Ok(self.bytes)
    }
}
