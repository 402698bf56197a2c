//! Parses TOML strictly, with errors that name the position.

mod missing;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

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
    toml::from_str(text).map_err(|error| TomlError::of(&error, &[Source { path, text, begin: 0 }]))
}

/// Like [`parse_toml`], for a type that describes itself: the error names all keys that are missing at once.
///
/// # Errors
/// [`TomlError`].
pub fn parse_described<T: DeserializeOwned + JsonSchema>(path: &Path, text: &str) -> Result<T, TomlError> {
    let source = Source { path, text, begin: 0 };
    read_described(source.table()?, &[source])
}

/// Reads a value from a table that was put together from several files.
///
/// # Errors
/// [`TomlError`] with the file that the faulty value is from; it names all keys that are missing at once.
pub fn read_described<T: DeserializeOwned + JsonSchema>(
    table: Spanned<DeTable<'_>>,
    sources: &[Source<'_>],
) -> Result<T, TomlError> {
    let whole = table.clone();
    T::deserialize(Deserializer::from(table)).map_err(|error| {
        let mut found = TomlError::of(&error, sources);
        if found.message.starts_with("missing field") {
            let keys = missing::keys::<T>(whole);
            if !keys.is_empty() {
                let named: Vec<String> = keys.iter().map(|key| format!("`{key}`")).collect();
                found.message = format!("missing {}", named.join(", "));
            }
        }
        found
    })
}

/// The text of one file among several that make one value. Positions of the value run over all of them, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The file.
    pub path: &'a Path,
    /// Its text; the first `begin` bytes are blanks and no part of the file.
    pub text: &'a str,
    /// Position of its first byte among all texts.
    pub begin: usize,
}

impl<'a> Source<'a> {
    /// Parses the text.
    ///
    /// # Errors
    /// [`TomlError`] for text that is not TOML.
    pub fn table(&self) -> Result<Spanned<DeTable<'a>>, TomlError> {
        DeTable::parse(self.text).map_err(|error| TomlError::of(&error, std::slice::from_ref(self)))
    }
}

impl TomlError {
    /// The error of a parser, with its place in one of these files (the first begins at 0).
    fn of(error: &toml::de::Error, sources: &[Source<'_>]) -> Self {
        let mut message = error.message().to_owned();
        let mut names = message.split('`').skip(1).step_by(2);
        let key = if message.starts_with("unknown field") { names.next().map(str::to_owned) } else { None };
        if let Some(key) = &key {
            let near = did_you_mean(key, names);
            message.push_str(&near);
        }
        Self { key, ..Self::at(error.span().map_or(0, |span| span.start), sources, message) }
    }

    /// An error at a position.
    #[must_use]
    pub fn at(position: usize, sources: &[Source<'_>], message: String) -> Self {
        let holds = |source: &&Source<'_>| source.begin <= position;
        let source = sources.iter().rfind(holds).or(sources.first());
        let Source { path, text, begin } =
            source.copied().unwrap_or(Source { path: Path::new(""), text: "", begin: 0 });
        let before = text.get(begin..position.min(text.len())).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            path: path.to_path_buf(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            message,
            key: None,
        }
    }
}
