//! The errors of a benchmark.

use std::path::PathBuf;
use std::process::ExitStatus;

/// The result type of [`crate::bench`].
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of a benchmark.
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

    #[error("cargo failed to build the benchmark program `{name}` ({status}); see its messages above")]
    Build { name: &'static str, status: ExitStatus },

    #[error("cargo did not build a benchmark program `{0}`; check the [[bench]] sections of its crate")]
    NoProgram(&'static str),

    #[error("no case name contains {}; there are: {known}", quoted(patterns))]
    NoCase { patterns: Vec<String>, known: String },

    #[error("{who} exited unexpectedly ({status}) when asked to {doing}; its own message, if any, is above")]
    Ended { who: String, doing: String, status: String },

    #[error("{who} could not {doing}: {message}")]
    Refused { who: String, doing: String, message: String },

    #[error("{who} was asked to {doing} and gave the invalid answer `{line}`: {problem}")]
    Talk { who: String, doing: String, line: String, problem: String },

    #[error(
        "the two sides compute on different devices: the benchmark program on {}, the other side on {}; make a single GPU \
         visible with CUDA_VISIBLE_DEVICES",
        named(ours),
        named(theirs)
    )]
    TwoDevices { ours: Option<String>, theirs: Option<String> },

    #[error("{who} runs on {found} threads; expected {wanted}")]
    Threads { who: String, found: usize, wanted: usize },

    #[error(
        "case {case}: the two sides do different work: sizes {ours:?} here, {theirs:?} in {rival} \
         (of inputs and output, or parameters and multiply-adds); correct that side to match the benchmark \
         program (PyTorch's is xtask/src/bench/torch_peer.py)"
    )]
    Unlike { case: String, rival: &'static str, ours: Vec<u64>, theirs: Vec<u64> },

    #[error("criterion failed ({0}); see its messages above")]
    Criterion(ExitStatus),

    #[error("{}: {problem}; criterion should have written its estimates there", path.display())]
    Estimates { path: PathBuf, problem: String },

    #[error("interrupted; run the command again to start the benchmark over")]
    Interrupted,
}

impl Error {
    /// Returns the process's exit code: 2 for a wrong request, 130 for an interrupt, 1 for anything else.
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
