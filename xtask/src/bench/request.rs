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
    /// The other side, if there is one.
    pub(crate) rival: Option<Rival>,
    /// Rounds of each side that count.
    pub(crate) rounds: usize,
}

/// Who does the same.
#[derive(Debug, Clone)]
pub(crate) enum Rival {
    /// PyTorch, in a process of its own.
    Torch(Torch),
    /// `candle_nn`, played by the benchmark program itself.
    Candle,
}

/// How PyTorch is run.
#[derive(Debug, Clone)]
pub(crate) struct Torch {
    pub(crate) python: PathBuf,
    pub(crate) layout: Layout,
    /// Whether its networks are compiled.
    pub(crate) compile: bool,
}

impl Rival {
    /// For people.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Torch(_) => "PyTorch",
            Self::Candle => "candle-nn",
        }
    }

    /// Whether its networks are compiled.
    pub(crate) fn compiles(&self) -> bool {
        matches!(self, Self::Torch(torch) if torch.compile)
    }

    /// The layout of its feature maps.
    pub(crate) fn layout(&self) -> Layout {
        match self {
            Self::Torch(torch) => torch.layout,
            Self::Candle => Layout::Nchw,
        }
    }
}

/// A benchmark program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Suite {
    /// Single operations, at sizes of the papers' networks
    Kernels,
    /// Whole training steps of the papers' networks
    Steps,
    /// Our layers as modules of candle-nn, in Candle's graph
    Modules,
}

impl Suite {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kernels => "kernels",
            Self::Steps => "steps",
            Self::Modules => "modules",
        }
    }
}

/// The layout of the other side's feature maps.
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
