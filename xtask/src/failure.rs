//! The errors of the commands.

use crate::bench;

/// The error of any command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Experiment(#[from] experiment::Error),
    #[error(transparent)]
    Bench(#[from] bench::Error),
    #[error("stale: {}; update with `cargo xtask schema`", .0.join(", "))]
    Stale(Vec<String>),
    #[error("something must be fixed before every table runs here; see the table above for advice")]
    Unwell,
    #[error("{failed} of {videos} videos could not be classified; their errors are above")]
    Unclassified { failed: usize, videos: usize },
    #[error("an attempt gave a wrong result, crashed, hung or left files behind; see the table above")]
    Broken,
    #[error("a number moved beyond its noise, or a row failed; see the table above")]
    Moved,
    #[error(
        "the device differs from the CPU by more than rounding, or a check failed on it; see the table above"
    )]
    Differs,
}

impl Failure {
    /// Returns the process's exit code.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Experiment(e) => e.exit_code(),
            Self::Bench(e) => e.exit_code(),
            Self::Unclassified { .. } => 3,
            Self::Stale(_) | Self::Unwell | Self::Broken | Self::Moved | Self::Differs => 1,
        }
    }
}
