//! What a plan wants of a network.

use base::Modality;

use crate::layer::BatchStatistics;
use crate::levels::Levels;
use crate::{Channels, Error, Result};

/// What is wanted of a network, whichever it is. Every architecture makes its configuration of it, and says what it cannot
/// do.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// What is read at each time step.
    pub inputs: &'a [Channels],
    /// T, of a network of clips; else 1.
    pub time_steps: usize,
    /// The side of the square picture.
    pub side: usize,
    /// Classes of each task.
    pub classes: &'a [usize],
    /// The probability that dropout zeroes a value, at the paper's width.
    pub dropout: f64,
    /// Whether dropout leaves as many values as the paper's (or all, when the narrower layer has no more), not the same
    /// share of them.
    pub keeps_units: bool,
    /// Factor on the width of every layer, above 0.
    pub width: f64,
    /// Factor on the residual units of each stage, above 0; for networks that have them.
    pub depth: f64,
    /// Whether the first convolutions are those for small pictures.
    pub small_stem: bool,
    /// Which layers are normalised by their batch in training; those of the paper unless given.
    pub batch_statistics: Option<BatchStatistics>,
    /// The levels of a pyramid over the network.
    pub levels: Option<Levels>,
}

impl Wanted<'_> {
    /// Why it cannot be had.
    pub fn refused(problem: impl Into<String>) -> Error {
        Error::Wanted { problem: problem.into() }
    }

    /// What the one stream reads.
    ///
    /// # Errors
    /// If there are several inputs, or time steps.
    pub fn one_input(&self) -> Result<Channels> {
        match (self.inputs, self.time_steps) {
            (&[input], 1) => Ok(input),
            _ => Err(Self::refused("its network sees one input at one time step, not a clip")),
        }
    }

    /// Channels of an input, if it is read.
    pub(crate) fn channels_of(&self, modality: Modality) -> Option<usize> {
        self.inputs.iter().find(|input| input.modality == modality).map(|input| input.count)
    }

    /// Classes of the only softmax layer.
    ///
    /// # Errors
    /// If there are several tasks.
    pub fn one_task(&self) -> Result<usize> {
        match *self.classes {
            [classes] => Ok(classes),
            _ => Err(Self::refused(
                "its network has one task; also = { ..., as = \"task\" } is for CNN-M-2048",
            )),
        }
    }

    /// A width of the paper's at the profile's scale, at least 1.
    pub fn wide(&self, paper: usize) -> usize {
        scaled(paper, self.width)
    }

    /// Residual units of each stage. Two stay at least: the second of each is ST-ResNet's spatiotemporal one.
    pub fn units(&self, paper: [usize; 4]) -> [usize; 4] {
        paper.map(|units| scaled(units, self.depth).max(2))
    }

    /// The paper's first layers, or those for small pictures.
    pub fn stem<T>(&self, paper: T, small: T) -> T {
        if self.small_stem { small } else { paper }
    }

    /// Which layers are normalised by their batch.
    pub fn statistics(&self) -> BatchStatistics {
        self.batch_statistics.unwrap_or(BatchStatistics::All)
    }

    /// The probability that dropout zeroes a value of a layer as wide as wanted.
    pub fn dropped(&self) -> f64 {
        if !self.keeps_units {
            return self.dropout;
        }
        let keep = ((1.0 - self.dropout) / self.width).min(1.0);
        // Away from the last bits of a division.
        ((1.0 - keep) * 1e6).round() / 1e6
    }
}

fn scaled(value: usize, factor: f64) -> usize {
    ((value as f64 * factor).round() as usize).max(1)
}
