//! The errors of this crate.

/// An error of a network: the problem, the expected value, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer refused its input or its settings.
    #[error(transparent)]
    Layer(#[from] nn::Error),
    /// A tensor operation refused its arguments.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A layer does not fit its input size.
    #[error("{model}, layer {layer}: {problem}")]
    Shape {
        /// The architecture.
        model: &'static str,
        /// The layer's name.
        layer: String,
        /// The problem, with the expected and the found value.
        problem: String,
    },
    /// A setting is out of range.
    #[error("{model}: {what} is {found}, expected {expected}")]
    Setting {
        /// The architecture.
        model: &'static str,
        /// Name of the setting.
        what: &'static str,
        /// Its value.
        found: String,
        /// Allowed values.
        expected: &'static str,
    },
    /// No architecture has this name.
    #[error("unknown architecture `{name}`{hint}; there are: {known}")]
    UnknownName {
        /// The unknown name.
        name: String,
        /// Suggestion of a similar name, or empty.
        hint: String,
        /// All known names.
        known: String,
    },
    /// The architecture cannot meet the requirements.
    #[error("{problem}")]
    Wanted {
        /// The requirement that it cannot meet, and what it supports.
        problem: String,
    },
    /// An input is missing or has the wrong shape.
    #[error("{model} reads {expected}, found {found}")]
    Input {
        /// The architecture.
        model: &'static str,
        /// The expected input and its shape.
        expected: String,
        /// The shape found.
        found: String,
    },
    /// A network cannot start from the weights of another.
    #[error("{model} cannot start from these weights: {problem}")]
    Start {
        /// The architecture.
        model: &'static str,
        /// The difference between the networks.
        problem: String,
    },
    /// The architecture has no published weights with such names.
    #[error("names = \"{names}\" is not supported by {model}; expected one of: {known}")]
    NoNames {
        /// The architecture.
        model: &'static str,
        /// The requested naming scheme.
        names: &'static str,
        /// The supported naming schemes.
        known: String,
    },
    /// Two stored tensors map to the same parameter.
    #[error("stored tensors `{first}` and `{second}` both map to `{name}`; remove one of them")]
    SameName {
        /// Name of the parameter.
        name: String,
        /// Name of one tensor in the store.
        first: String,
        /// Name of the other tensor in the store.
        second: String,
    },
}

impl From<Error> for candle_core::Error {
    /// Converts to Candle's error, for callers that use Candle.
    fn from(error: Error) -> Self {
        match error {
            Error::Layer(error) => error.into(),
            Error::Tensor(error) => error,
            error => Self::wrap(error),
        }
    }
}

/// A result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
