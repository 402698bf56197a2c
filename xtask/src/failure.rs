//! What a command can fail with.

use crate::bench;

/// The error of any command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Experiment(#[from] experiment::Error),
    #[error(transparent)]
    Bench(#[from] bench::Error),
    #[error("stale: {}; write it anew with `cargo xtask schema`", .0.join(", "))]
    Stale(Vec<String>),
    #[error("this machine cannot run the default commands yet; the table above says what to do")]
    Unwell,
    #[error("something came out wrong, broke or was left behind; the table above says what")]
    Broken,
    #[error("a number has moved beyond its noise, or a row has failed; the table above says which")]
    Moved,
    #[error(
        "the device differs from the CPU by more than rounding, or something failed on it; the table above says what"
    )]
    Differs,
}

impl Failure {
    /// The process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Experiment(e) => e.exit_code(),
            Self::Bench(e) => e.exit_code(),
            Self::Stale(_) | Self::Unwell | Self::Broken | Self::Moved | Self::Differs => 1,
        }
    }
}
