//! What can go wrong in a benchmark.

use std::path::PathBuf;
use std::process::ExitStatus;

/// The result of everything in [`crate::bench`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Usage(String),

    #[error("cannot start {program}: {source}")]
    Start { program: String, source: std::io::Error },

    #[error(
        "cannot start {}: {source}; --against-torch takes the path of a Python interpreter that has torch, \
         such as venv/bin/python",
        python.display()
    )]
    NoPython { python: PathBuf, source: std::io::Error },

    #[error("{}: {message}", python.display())]
    NoTorch { python: PathBuf, message: String },

    #[error("cargo cannot build the benchmark program `{name}` ({status}); its messages are above")]
    Build { name: &'static str, status: ExitStatus },

    #[error("cargo built no benchmark program `{0}`; look at the [[bench]] sections of its crate")]
    NoProgram(&'static str),

    #[error("no case is named like {}; there are: {known}", quoted(patterns))]
    NoCase { patterns: Vec<String>, known: String },

    #[error("{who} ended unexpectedly ({status}) while it had to {doing}; its own message, if any, is above")]
    Ended { who: String, doing: String, status: String },

    #[error("{who} could not {doing}: {message}")]
    Refused { who: String, doing: String, message: String },

    #[error("{who} was to {doing} and answered `{line}`, which is not understood: {problem}")]
    Talk { who: String, doing: String, line: String, problem: String },

    #[error(
        "the two sides compute on different devices: the benchmark program on {}, the other side on {}; make one GPU alone \
         visible by CUDA_VISIBLE_DEVICES",
        named(ours),
        named(theirs)
    )]
    TwoDevices { ours: Option<String>, theirs: Option<String> },

    #[error("{who} runs on {found} threads, not on the {wanted} that it was given")]
    Threads { who: String, found: usize, wanted: usize },

    #[error(
        "case {case}: the two sides do not do the same work: sizes {ours:?} here, {theirs:?} in {rival} \
         (of inputs and output, or parameters and multiply-adds); make that side agree with the benchmark \
         program (PyTorch's is xtask/src/bench/torch_peer.py)"
    )]
    Unlike { case: String, rival: &'static str, ours: Vec<u64>, theirs: Vec<u64> },

    #[error("criterion ended with {0}; its messages are above")]
    Criterion(ExitStatus),

    #[error("{}: {problem}; this is where criterion leaves its figures", path.display())]
    Estimates { path: PathBuf, problem: String },

    #[error("interrupted; a benchmark starts over when it is run again")]
    Interrupted,
}

impl Error {
    /// 2 the request is wrong, 130 interrupted, 1 anything else.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) | Self::NoPython { .. } | Self::NoTorch { .. } | Self::NoCase { .. } => 2,
            Self::Interrupted => 130,
            _ => 1,
        }
    }
}

fn named(gpu: &Option<String>) -> &str {
    gpu.as_deref().unwrap_or("the CPU")
}

fn quoted(patterns: &[String]) -> String {
    patterns.iter().map(|pattern| format!("`{pattern}`")).collect::<Vec<_>>().join(" or ")
}
