//! Description of one sample of a video: inputs, and the time steps at which they are read.

use std::collections::BTreeMap;

use base::Modality;
use serde::{Deserialize, Serialize};

use crate::inputs::{Input, InputError};

/// Largest number of time steps of a sample.
const MOST: usize = 1 << 16;

/// A sample: one or more inputs of a network, read at one or more time steps of one video.
///
/// A batch of B samples holds for the input of modality m the array (B, T_m, C_m, H, W): T_m is the number of time steps,
/// or 1 for an input that is read at the middle time step alone.
///
/// | network | inputs | time steps |
/// |---|---|---|
/// | one stream of Two-Stream ConvNets | flow, or RGB | single |
/// | both at once | RGB and flow | single |
/// | ST-ResNet | RGB and flow, every time step | strided, 5 time steps 5..=15 frames apart |
/// | the pyramid network | RGB at the middle time step, flow at every one | strided, 3 time steps 1..=10 frames apart |
/// | Temporal Segment Networks | RGB or flow | segments, 3 |
/// | multiple dynamic images | dynamic | windows, 10, 6 frames apart |
/// | the Siamese network | RGB | grid, every tenth frame |
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SampleSpec {
    /// Inputs that are read; at least one, each of a different modality.
    pub inputs: Vec<SampleInput>,
    /// Alignment in time of the inputs of one time step.
    pub align: Align,
    /// Number of time steps, and their distances.
    #[serde(rename = "moments")]
    pub time_steps: TimeSteps,
}

/// One input of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SampleInput {
    /// The input that is read.
    pub input: Input,
    /// Time steps at which it is read.
    pub at: At,
}

/// Time steps of a sample at which an input is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum At {
    /// All T of them.
    Every,
    /// Only number (T - 1) / 2, counted from 0 and rounded down.
    Middle,
}

/// Alignment in time of the inputs of one time step, which may take different numbers of frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Align {
    /// All begin at the same frame.
    Start,
    /// All have the same middle frame: see [`crate::inputs::Kind::middle`].
    Center,
}

/// Time steps at which a sample's inputs are read.
///
/// The frames of one time step always lie between two hard cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum TimeSteps {
    /// One, anywhere in the video.
    Single,
    /// `count` of them at equal distances, all between the same two cuts. The distance is drawn once per
    /// sample, uniformly over those of `from..=to` frames for which the video is long enough. If the video is
    /// too short for `from`, the distance is the largest that fits; if not even a distance of one frame
    /// fits, all time steps coincide. A test takes the distance nearest to (from + to) / 2, the smaller
    /// of two equally near.
    Strided {
        /// T, the number of time steps.
        count: usize,
        /// Least distance, frames; at least 1.
        from: usize,
        /// Largest distance, frames.
        to: usize,
    },
    /// `count` of them, one in each of as many equal parts of the video (Temporal Segment Networks); cuts may lie between
    /// two time steps. A snippet lies in its own part, as in the authors' Caffe code. If it is longer than a part, the
    /// video's valid starts are divided instead, as in their PyTorch code. With fewer starts than parts, starts are repeated.
    Segments {
        /// T, the number of time steps.
        count: usize,
    },
    /// `count` of the windows that begin every `stride` frames from each cut on (dynamic images). Of more windows than
    /// `count`, training takes neighbours or any, one as often as the other; a test takes them at equal distances, the first and
    /// the last among them. Fewer windows are repeated, in order.
    Windows {
        /// T, the number of time steps.
        count: usize,
        /// Distance between the starts of two windows, frames; at least 1.
        stride: usize,
    },
    /// `count` of them at equal distances from the video's first valid start to its last, as a test
    /// chooses its frames; cuts may lie between two. They are the only clip of a video, for a network that is
    /// tested on the whole video at once. With fewer starts than time steps, starts are repeated.
    Spread {
        /// T, the number of time steps.
        count: usize,
    },
    /// One, at a frame whose number is a multiple of `every`, counted from 0. A test takes all of them. If no such frame is
    /// a valid start, the first valid start is taken.
    Grid {
        /// Distance between frames of the grid; at least 1.
        every: usize,
    },
}

impl TimeSteps {
    /// T, the number of time steps.
    #[must_use]
    pub fn count(&self) -> usize {
        match *self {
            Self::Single | Self::Grid { .. } => 1,
            Self::Strided { count, .. }
            | Self::Segments { count }
            | Self::Windows { count, .. }
            | Self::Spread { count } => count,
        }
    }
}

impl SampleSpec {
    /// One input at one time step.
    #[must_use]
    pub fn single(input: impl Into<Input>) -> Self {
        let inputs = vec![SampleInput { input: input.into(), at: At::Every }];
        Self { inputs, align: Align::Start, time_steps: TimeSteps::Single }
    }

    /// Checks that the description is valid.
    ///
    /// # Errors
    /// No input, an invalid one, two of one modality, no time step, distances of 0 or in the wrong order.
    pub fn validate(&self) -> Result<(), InputError> {
        if self.inputs.is_empty() {
            return Err(InputError::Zero { name: "the number of a sample's inputs" });
        }
        self.inputs.iter().try_for_each(|input| input.input.validate())?;
        for (index, SampleInput { input, .. }) in self.inputs.iter().enumerate() {
            if self.inputs[..index].iter().any(|other| other.input.modality() == input.modality()) {
                return Err(InputError::Spec {
                    name: "the inputs of a sample",
                    expected: "one of each modality",
                    found: format!("two of {}", input.modality()),
                });
            }
        }
        if self.time_steps.count() == 0 {
            return Err(InputError::Zero { name: "the number of time steps" });
        }
        if self.time_steps.count() > MOST {
            return Err(InputError::Spec {
                name: "the number of time steps",
                expected: "at most 65536",
                found: self.time_steps.count().to_string(),
            });
        }
        if let TimeSteps::Strided { from, to, .. } = self.time_steps
            && !(1..=to).contains(&from)
        {
            return Err(InputError::Spec {
                name: "the distance of time steps",
                expected: "`from` of at least 1 and `to` of at least `from`",
                found: format!("from {from} to {to}"),
            });
        }
        if matches!(self.time_steps, TimeSteps::Grid { every: 0 } | TimeSteps::Windows { stride: 0, .. }) {
            return Err(InputError::Zero { name: "the distance of time steps" });
        }
        Ok(())
    }

    /// T, C, H, W of each input, given the views' `size` (width, height).
    #[must_use]
    pub fn shapes(&self, size: (usize, usize)) -> BTreeMap<Modality, [usize; 4]> {
        let shape = |i: &SampleInput| [self.read_at(i).len(), i.input.channels(), size.1, size.0];
        self.inputs.iter().map(|input| (input.input.modality(), shape(input))).collect()
    }

    /// Number of frames that all inputs of one time step take together.
    #[must_use]
    pub fn span(&self) -> usize {
        let lead = self.lead();
        let end = |i: &SampleInput| lead - self.lead_of(i) + i.input.span();
        self.inputs.iter().map(end).max().unwrap_or(0)
    }

    /// The time steps, by number, at which an input is read.
    pub(crate) fn read_at(&self, input: &SampleInput) -> std::ops::Range<usize> {
        let count = self.time_steps.count();
        match input.at {
            At::Every => 0..count,
            At::Middle => count.saturating_sub(1) / 2..count.saturating_sub(1) / 2 + 1,
        }
    }

    /// Offset of an input from the first frame of its time step, in frames.
    pub(crate) fn offset(&self, input: &SampleInput) -> usize {
        self.lead() - self.lead_of(input)
    }

    /// Number of frames of an input before the frame on which all inputs are aligned.
    fn lead_of(&self, input: &SampleInput) -> usize {
        match self.align {
            Align::Start => 0,
            Align::Center => input.input.middle(),
        }
    }

    fn lead(&self) -> usize {
        self.inputs.iter().map(|input| self.lead_of(input)).max().unwrap_or(0)
    }
}
