//! What can be wrong with a request, before anything is run.

use std::path::PathBuf;

use base::{FileError, TomlError};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can be wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A table name that no spec carries, or that several do.
    #[error("{0}")]
    UnknownTable(String),

    /// A row name that the table does not have.
    #[error("table {table} has no row `{row}`{hint}; its rows are: {known}")]
    UnknownRow {
        /// The table, as `paper/name`.
        table: String,
        /// The name that was asked for.
        row: String,
        /// `" (did you mean ...?)"`, or empty.
        hint: String,
        /// All rows of the table.
        known: String,
    },

    /// A row that contradicts itself or its profile.
    #[error("{file}: row `{row}`: {message}")]
    Contradiction {
        /// The spec's path.
        file: String,
        /// The row's id.
        row: String,
        /// What contradicts what, and what to do.
        message: String,
    },

    /// A spec that parses but does not make sense.
    #[error("{file}: {message}")]
    Spec {
        /// The spec's path.
        file: String,
        /// What is wrong, and what to do.
        message: String,
    },

    /// A flag whose value cannot be used.
    #[error("{0}")]
    Usage(String),

    /// Anything from the data crate.
    #[error(transparent)]
    Data(Box<data::DataError>),

    /// A network that cannot be described.
    #[error("describing the network: {0}")]
    Model(#[from] models::Error),

    /// A file or folder that could not be read.
    #[error(transparent)]
    File(#[from] FileError),

    /// A TOML file that does not parse or has a key that nothing understands.
    #[error(transparent)]
    Toml(#[from] TomlError),
}

impl Error {
    /// The process's exit code: 2 the request is wrong, 3 the data are, 1 anything else.
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

    /// An [`Error::File`] for `map_err`.
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

/// The exit code of an error of the data.
pub fn exit_code_of_data(error: &data::DataError) -> u8 {
    match error {
        // A data-set file or a spec that cannot be read is a matter of the request.
        data::DataError::Toml(_) | data::DataError::Spec { .. } => 2,
        data::DataError::File(file) if file.is_of_writing() => 1,
        _ => 3,
    }
}
