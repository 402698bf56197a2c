//! Strict TOML whose errors name the place.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

use crate::did_you_mean;

/// A TOML file that does not parse or has a key that nothing understands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{line}:{column}: {message}", path.display())]
pub struct TomlError {
    /// The file.
    pub path: PathBuf,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong, with a suggestion for a misspelt key.
    pub message: String,
    /// The key that is not known, where that is the fault.
    pub key: Option<String>,
}

/// Parses TOML; `path` is for the message, which names the place, a misspelt key and the nearest right one.
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
