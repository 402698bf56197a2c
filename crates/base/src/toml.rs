//! Parses TOML strictly, with errors that name the position.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::did_you_mean;

/// An error for a TOML file that does not parse or has an unknown key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct TomlError {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Description of the error, with a suggestion for a misspelt key.
    pub message: String,
    /// The unknown key, if that is the error.
    pub key: Option<String>,
}

/// Parses TOML. Uses `path` for the message, which names the position, a misspelt key and the nearest known key.
///
/// # Errors
/// [`TomlError`].
pub fn parse_toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, TomlError> {
    toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let before = text.get(..at).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let mut message = error.message().to_owned();
        let mut names = message.split('`').skip(1).step_by(2);
        let key = if message.starts_with("unknown field") { names.next().map(str::to_owned) } else { None };
        if let Some(key) = &key {
            let near = did_you_mean(key, names);
            message.push_str(&near);
        }
        TomlError {
            path: path.to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
            key,
        }
    })
}
