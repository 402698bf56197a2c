//! The request for a measurement.

use std::path::PathBuf;

use experiment::{DeviceChoice, Precision};

/// A request to measure a suite.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) suite: Suite,
    /// Parts of the names of the cases to measure; all cases if empty.
    pub(crate) only: Vec<String>,
    /// Number of threads of each side; `None` means all cores.
    pub(crate) threads: Option<usize>,
    /// Device of both sides.
    pub(crate) device: DeviceChoice,
    /// Precision of products on a GPU.
    pub(crate) precision: Option<Precision>,
    /// The other side, if there is one.
    pub(crate) rival: Option<Rival>,
    /// Number of counted rounds of each side.
    pub(crate) rounds: usize,
}

/// A library that runs the same cases for comparison.
#[derive(Debug, Clone)]
pub(crate) enum Rival {
    /// PyTorch, in a process of its own.
    Torch(Torch),
    /// `candle_nn`, run by the benchmark program itself.
    Candle,
}

/// The settings of PyTorch.
#[derive(Debug, Clone)]
pub(crate) struct Torch {
    pub(crate) python: PathBuf,
    pub(crate) layout: Layout,
    /// True if its networks are compiled.
    pub(crate) compile: bool,
}

impl Rival {
    /// Returns the name for output.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Torch(_) => "PyTorch",
            Self::Candle => "candle-nn",
        }
    }

    /// Returns `true` if its networks are compiled.
    pub(crate) fn compiles(&self) -> bool {
        matches!(self, Self::Torch(torch) if torch.compile)
    }

    /// Returns the layout of its feature maps.
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
