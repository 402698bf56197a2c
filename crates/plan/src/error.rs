//! Errors of a request, found before anything runs.

use std::path::PathBuf;

use base::{FileError, TomlError};

/// Result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error in a request, a spec or the files that they name.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A table name that matches no spec, or several.
    #[error("{0}")]
    UnknownTable(String),

    /// A row name that the table does not have.
    #[error("table {table} has no row `{row}`{hint}; its rows are: {known}")]
    UnknownRow {
        /// The table, as `paper/name`.
        table: String,
        /// The requested name.
        row: String,
        /// `" (did you mean ...?)"`, or empty.
        hint: String,
        /// Ids of all rows of the table, separated by commas.
        known: String,
    },

    /// A row that contradicts itself or its profile.
    #[error("{file}: row `{row}`: {message}")]
    Contradiction {
        /// The spec's path.
        file: String,
        /// The row's id.
        row: String,
        /// The contradiction, and how to resolve it.
        message: String,
    },

    /// A spec that parses but is not consistent.
    #[error("{file}: {message}")]
    Spec {
        /// The spec's path.
        file: String,
        /// The problem, and how to fix it.
        message: String,
    },

    /// A flag whose value cannot be used.
    #[error("{0}")]
    Usage(String),

    /// An error from the data crate.
    #[error(transparent)]
    Data(Box<data::DataError>),

    /// A network that cannot be described.
    #[error("describing the network: {0}")]
    Model(#[from] models::Error),

    /// A file or folder that could not be read.
    #[error(transparent)]
    File(#[from] FileError),

    /// A TOML file that does not parse or has an unknown key.
    #[error(transparent)]
    Toml(#[from] TomlError),
}

impl Error {
    /// Returns the exit code of the process: 2 for a wrong request, 3 for wrong data, 1 for anything else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::UnknownTable(_)
            | Self::UnknownRow { .. }
            | Self::Contradiction { .. }
            | Self::Spec { .. }
            | Self::Toml(_)
            | Self::Usage(_) => 2,
            Self::Data(error) => exit_code_of_data(error),
            Self::File(_) | Self::Model(_) => 1,
        }
    }

    /// Returns a function for `map_err` that makes an [`Error::File`].
    pub(crate) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| FileError::io(action, path, source).into()
    }
}

impl From<data::DataError> for Error {
    fn from(error: data::DataError) -> Self {
        Self::Data(Box::new(error))
    }
}

/// Returns the exit code of an error from the data crate.
pub fn exit_code_of_data(error: &data::DataError) -> u8 {
    match error {
        // A data-set file or a spec that cannot be read counts as a wrong request.
        data::DataError::Toml(_) | data::DataError::Spec { .. } => 2,
        data::DataError::File(file) if file.is_of_writing() => 1,
        data::DataError::Of { cause, .. } => exit_code_of_data(cause),
        _ => 3,
    }
}
