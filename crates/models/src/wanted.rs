//! Requirements of a plan on a network.

use base::Modality;

use crate::consensus::Consensus;
use crate::layer::BatchStatistics;
use crate::levels::Levels;
use crate::pooling::Pooling;
use crate::{Channels, Error, Result};

/// Requirements on a network of any architecture. Each architecture makes its configuration from them, and refuses those
/// that it cannot meet.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// Inputs at each time step.
    pub inputs: &'a [Channels],
    /// Number of time steps T for a network of clips, or of segments; otherwise 1.
    pub time_steps: usize,
    /// Side of the square input, in pixels.
    pub side: usize,
    /// Number of classes of each task.
    pub classes: &'a [usize],
    /// Probability that dropout zeroes a value, at the paper's width.
    pub dropout: f64,
    /// The probability in the second layer with dropout, if it is another.
    pub later_dropout: Option<f64>,
    /// True if dropout keeps as many values as in the paper (or all, if the narrower layer has fewer), instead of the same
    /// share.
    pub keeps_units: bool,
    /// Factor on the width of every layer, above 0.
    pub width: f64,
    /// Factor on the number of residual units of each stage, above 0; for networks that have them.
    pub depth: f64,
    /// True if the first convolutions are those for small frames.
    pub small_stem: bool,
    /// Layers that use the statistics of the batch in training. Default: the paper's.
    pub batch_statistics: Option<BatchStatistics>,
    /// Levels of a pyramid over the network.
    pub levels: Option<Levels>,
    /// Consensus of the network over the segments of a video.
    pub consensus: Option<Consensus>,
    /// Poolings over time at layers of the network; none for a network without.
    pub poolings: &'a [Pooling],
}

impl Wanted<'_> {
    /// Makes the error for requirements that cannot be met.
    pub fn refused(problem: impl Into<String>) -> Error {
        Error::Wanted { problem: problem.into() }
    }

    /// Returns the only input.
    ///
    /// # Errors
    /// If there are several inputs or time steps.
    pub fn one_input(&self) -> Result<Channels> {
        match (self.inputs, self.time_steps) {
            (&[input], 1) => Ok(input),
            _ => Err(Self::refused("its network sees one input at one time step, not a clip")),
        }
    }

    /// Returns the number of channels of an input, if it is required.
    pub(crate) fn channels_of(&self, modality: Modality) -> Option<usize> {
        self.inputs.iter().find(|input| input.modality == modality).map(|input| input.count)
    }

    /// Returns the number of classes of the only softmax layer.
    ///
    /// # Errors
    /// If there are several tasks.
    pub fn one_task(&self) -> Result<usize> {
        match *self.classes {
            [classes] => Ok(classes),
            _ => {
                Err(Self::refused("its network has one task; also = { ..., as = \"task\" } needs CNN-M-2048"))
            }
        }
    }

    /// Scales a width of the paper; at least 1.
    pub fn wide(&self, paper: usize) -> usize {
        scaled(paper, self.width)
    }

    /// Scales the residual units of each stage; at least 2, because the second one is spatiotemporal in ST-ResNet.
    pub fn units(&self, paper: [usize; 4]) -> [usize; 4] {
        paper.map(|units| scaled(units, self.depth).max(2))
    }

    /// Selects the paper's first layers, or those for small frames.
    pub fn stem<T>(&self, paper: T, small: T) -> T {
        if self.small_stem { small } else { paper }
    }

    /// Returns the layers that use the statistics of the batch.
    pub fn statistics(&self) -> BatchStatistics {
        self.batch_statistics.unwrap_or(BatchStatistics::All)
    }

    /// Returns the dropout probability at the required width.
    ///
    /// # Errors
    /// If another one is required for a second layer.
    pub fn dropped(&self) -> Result<f64> {
        match self.later_dropout {
            None => Ok(self.at_width(self.dropout)),
            Some(_) => Err(Self::refused("its network has dropout in one layer; give dropout as one number")),
        }
    }

    /// Returns the dropout probabilities of two layers at the required width; the second only if it is another.
    pub fn dropped_by_layer(&self) -> (f64, Option<f64>) {
        (self.at_width(self.dropout), self.later_dropout.map(|dropout| self.at_width(dropout)))
    }

    fn at_width(&self, dropout: f64) -> f64 {
        if !self.keeps_units {
            return dropout;
        }
        let keep = ((1.0 - dropout) / self.width).min(1.0);
        // Rounds off the last bits of the division.
        ((1.0 - keep) * 1e6).round() / 1e6
    }
}

fn scaled(value: usize, factor: f64) -> usize {
    ((value as f64 * factor).round() as usize).max(1)
}
