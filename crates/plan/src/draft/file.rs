//! A file that does not exist yet.

use std::path::PathBuf;

/// A file that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The path to write it to.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it was made from, in words.
    pub found: String,
}
