//! The errors of this crate.

use base::text::one_line;

/// What went wrong, what was expected, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation refused its arguments.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// Two parameters or buffers were given the same name.
    #[error("two parameters or buffers are named `{name}`; give the layers different prefixes")]
    DuplicateParameter {
        /// The name.
        name: String,
    },
    /// Stored weights lack parameters or buffers of the network.
    #[error("the stored weights lack {}; they belong to another network", list(.names))]
    MissingTensors {
        /// Their names.
        names: Vec<String>,
    },
    /// Stored weights hold tensors that the network does not have.
    #[error("the stored weights hold {}, which this network does not have; they belong to another network", list(.names))]
    SurplusTensors {
        /// Names of the tensors.
        names: Vec<String>,
    },
    /// A stored tensor has another shape or type than the parameter.
    #[error("stored tensor `{name}` has {found}, expected {expected}")]
    TensorMismatch {
        /// Name of the parameter.
        name: String,
        /// Type and shape of the parameter.
        expected: String,
        /// Type and shape in the store.
        found: String,
    },
    /// A file of tensors could not be read.
    #[error(transparent)]
    File(#[from] base::FileError),
    /// Stored weights hold a number that no training can have left.
    #[error(
        "stored tensor `{name}` holds {found}; expected finite numbers: train the net again, or fetch the file again"
    )]
    NotFinite {
        /// Name of the tensor.
        name: String,
        /// The first such number, and how many there are.
        found: String,
    },
    /// Bytes are not a whole safetensors file.
    #[error("not a valid safetensors file ({reason}); it may be truncated, so write or fetch it again")]
    Format {
        /// The parser's reason.
        reason: String,
    },
    /// No gradients can be had.
    #[error("no gradients: {problem}")]
    Backward {
        /// Why, and what to do.
        problem: String,
    },
    /// Ranks that train together cannot go on.
    #[error("{problem}")]
    Ranks {
        /// Why, and what to do.
        problem: String,
    },
    /// A setting is out of range.
    #[error("{what} is {found}, expected {expected}")]
    Setting {
        /// Name of the setting.
        what: String,
        /// Its value.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
}

impl Error {
    /// A setting that is out of range.
    pub(crate) fn setting(what: impl Into<String>, found: impl ToString, expected: &'static str) -> Self {
        Self::Setting { what: what.into(), found: found.to_string(), expected }
    }
}

impl From<Error> for candle_core::Error {
    /// For a caller that speaks Candle's language.
    fn from(error: Error) -> Self {
        match error {
            Error::Tensor(error) => error,
            error => Self::wrap(error),
        }
    }
}

/// A result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// The first few names, quoted, and how many follow.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{}`", one_line(name))).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
