//! The errors of this crate.

/// What went wrong, what was expected, and what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A layer refused its input or its settings.
    #[error(transparent)]
    Layer(#[from] nn::Error),
    /// A tensor operation refused its arguments.
    #[error(transparent)]
    Tensor(#[from] candle_core::Error),
    /// A layer does not fit the size that reaches it.
    #[error("{model}, layer {layer}: {problem}")]
    Shape {
        /// The architecture.
        model: &'static str,
        /// The layer's name.
        layer: String,
        /// Expected and found.
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
        /// What is allowed.
        expected: &'static str,
    },
    /// No architecture has that name.
    #[error("no architecture is named `{name}`{hint}; there are {known}")]
    UnknownName {
        /// The name that was asked for.
        name: String,
        /// A name like it.
        hint: String,
        /// All names.
        known: String,
    },
    /// The architecture cannot do what is wanted of it.
    #[error("{problem}")]
    Wanted {
        /// What it cannot do, and what it can.
        problem: String,
    },
    /// The network was not given the input that it reads.
    #[error("{model} reads {expected}, found {found}")]
    Input {
        /// The architecture.
        model: &'static str,
        /// Which input, of which shape.
        expected: String,
        /// What it was given.
        found: String,
    },
    /// A network cannot start with the weights of another.
    #[error("{model} cannot start from those weights: {problem}")]
    Start {
        /// The architecture.
        model: &'static str,
        /// What is different.
        problem: String,
    },
    /// No published weights of the architecture are named so.
    #[error("no table says what the {names} names of {model} are; there are tables for: {known}")]
    NoNames {
        /// The architecture.
        model: &'static str,
        /// The names that were asked for.
        names: &'static str,
        /// Those that there are.
        known: String,
    },
    /// Two stored tensors mean the same parameter.
    #[error("stored tensors `{first}` and `{second}` both are `{name}` here; one of them is too many")]
    SameName {
        /// Name of the parameter.
        name: String,
        /// Name in the store.
        first: String,
        /// Name in the store.
        second: String,
    },
}

impl From<Error> for candle_core::Error {
    /// For a caller that speaks Candle's language.
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
