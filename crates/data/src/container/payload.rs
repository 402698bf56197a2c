//! The entries of a file before it is written, when its size is not known yet: in memory while they are few, in a file
//! without a name when they are many. A long or wide video takes no more memory than another.

use std::io::{Read, Seek, Write};
use std::path::Path;

use tempfile::SpooledTempFile;

use crate::error::DataError;

/// What is kept in memory, in bytes.
const IN_MEMORY: usize = 64 << 20;

/// The longest payload, in bytes.
pub(super) const LONGEST: u64 = 4 << 30;

/// Bytes that are appended, and read once.
#[derive(Debug)]
pub(super) struct Payload {
    bytes: SpooledTempFile,
    length: u64,
}

impl Payload {
    /// None yet. What has no room in memory goes into `folder`, and is gone when this is, or the process.
    pub(super) fn new(folder: &Path) -> Self {
        Self { bytes: SpooledTempFile::new_in(IN_MEMORY, folder), length: 0 }
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.length
    }

    /// Appends some.
    pub(super) fn push(&mut self, bytes: &[u8], path: &Path) -> Result<(), DataError> {
        self.length += bytes.len() as u64;
        let needed = self.length;
        Ok(self.bytes.write_all(bytes).map_err(|error| base::FileError::of_write(path, needed, error))?)
    }

    /// All of them, from the first.
    pub(super) fn into_reader(mut self, path: &Path) -> Result<impl Read, DataError> {
        self.bytes.rewind().map_err(|error| DataError::io("read", path, error))?;
        Ok(self.bytes)
    }
}
