//! What is asked.

use std::path::PathBuf;

use experiment::{DeviceChoice, Precision};

/// A wish to measure a suite.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) suite: Suite,
    /// Only cases with one of these in their names; all when empty.
    pub(crate) only: Vec<String>,
    /// Threads of each side; all cores unless said.
    pub(crate) threads: Option<usize>,
    /// Where both sides compute.
    pub(crate) device: DeviceChoice,
    /// How a GPU computes products.
    pub(crate) precision: Option<Precision>,
    /// The peer.
    pub(crate) torch: Option<Torch>,
}

/// How PyTorch is run.
#[derive(Debug, Clone)]
pub(crate) struct Torch {
    pub(crate) python: PathBuf,
    pub(crate) layout: Layout,
    /// Whether its networks are compiled.
    pub(crate) compile: bool,
    /// Rounds that count.
    pub(crate) rounds: usize,
}

/// A benchmark program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Suite {
    /// Single operations, at sizes of the papers' networks
    Kernels,
    /// Whole training steps of the papers' networks
    Steps,
}

impl Suite {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kernels => "kernels",
            Self::Steps => "steps",
        }
    }
}

/// The layout of PyTorch's feature maps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// PyTorch's default.
    Nchw,
    ChannelsLast,
}

impl Layout {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nchw => "nchw",
            Self::ChannelsLast => "channels-last",
        }
    }
}
