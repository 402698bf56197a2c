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
}

/// A result with this crate's [`enum@Error`].
pub type Result<T> = std::result::Result<T, Error>;
