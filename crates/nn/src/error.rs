//! The errors of this crate.

use base::text::one_line;

/// An error of a layer, of weights or of a device: the problem, the expected value, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A tensor operation refused its arguments.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// Two parameters or buffers have the same name.
    #[error("two parameters or buffers are named `{name}`; give the layers different prefixes")]
    DuplicateParameter {
        /// The name.
        name: String,
    },
    /// Stored weights lack parameters or buffers of the network.
    #[error("the stored weights lack {}; they belong to another network", list(.names))]
    MissingTensors {
        /// Names of the missing tensors.
        names: Vec<String>,
    },
    /// Stored weights hold tensors that the network does not have.
    #[error("the stored weights hold {}, which this network does not have; they belong to another network", list(.names))]
    SurplusTensors {
        /// Names of the surplus tensors.
        names: Vec<String>,
    },
    /// Shape or type of a stored tensor differ from those of the parameter.
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
    /// Stored weights contain an infinity or NaN.
    #[error(
        "stored tensor `{name}` holds {found}; expected finite numbers: train the net again, or download the file again"
    )]
    NotFinite {
        /// Name of the tensor.
        name: String,
        /// The first such number, and their count.
        found: String,
    },
    /// Bytes are not a whole safetensors file.
    #[error("not a valid safetensors file ({reason}); it may be truncated, so write or download it again")]
    Format {
        /// The parser's reason.
        reason: String,
    },
    /// Gradients cannot be computed.
    #[error("no gradients: {problem}")]
    Backward {
        /// The reason, and what to do.
        problem: String,
    },
    /// Ranks that train together cannot continue.
    #[error("{problem}")]
    Ranks {
        /// The reason, and what to do.
        problem: String,
    },
    /// A setting is out of range.
    #[error("{what} is {found}, expected {expected}")]
    Setting {
        /// Name of the setting.
        what: String,
        /// Its value.
        found: String,
        /// Allowed values.
        expected: &'static str,
    },
}

impl Error {
    /// Makes the error for a setting out of range.
    pub(crate) fn setting(what: impl Into<String>, found: impl ToString, expected: &'static str) -> Self {
        Self::Setting { what: what.into(), found: found.to_string(), expected }
    }
}

impl From<Error> for candle_core::Error {
    /// Converts to Candle's error, for callers that use Candle.
    fn from(error: Error) -> Self {
        match error {
            Error::Tensor(error) => error,
            error => Self::wrap(error),
        }
    }
}

/// A result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;

/// Lists the first few names, quoted, and the number of further ones.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = names.iter().take(SHOWN).map(|name| format!("`{}`", one_line(name))).collect();
    match names.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
