//! What every input says of itself.

use std::fmt::Debug;

use base::Modality;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::paint::Scratch;
use super::view::View;
use crate::error::{DataError, InputError};
use crate::source::{Direction, VideoReader};

/// A kind of input: everything that others need to know of what a network sees of a video.
pub trait Kind: Debug {
    /// Under which name a batch holds it, and a network reads it.
    fn modality(&self) -> Modality;

    /// What a network that sees nothing else is called beside others: `spatial`, `temporal`.
    fn stream(&self) -> &'static str;

    /// What it is, with its settings, in words: "stack, L = 10, mean subtraction on".
    fn label(&self) -> String;

    /// What its channels hold, in words: "optical flow".
    fn content(&self) -> &'static str;

    /// Checks that the configuration describes an input.
    ///
    /// # Errors
    /// Settings outside their range; each kind says which.
    fn validate(&self) -> Result<(), InputError>;

    /// Channels of the input, C.
    fn channels(&self) -> usize;

    /// Consecutive frames that the input is made from, the first and the last included.
    fn span(&self) -> usize;

    /// Which of these frames stands for the input's time, counted from 0. Inputs of one time step are centred on it.
    fn middle(&self) -> usize {
        self.span().saturating_sub(1) / 2
    }

    /// What it reads of the optical flow; nothing if it is made from frames alone.
    fn flow(&self) -> Option<FlowUse> {
        None
    }

    /// Whether it shows a colour that is added to all pixels of a sample, see [`View::colour`].
    fn takes_colour(&self) -> bool {
        false
    }

    /// The colours of the first frame that `values` (C, H, W) hold, three bytes a pixel, row by row; nothing if they hold no
    /// frame.
    fn colours(&self, _values: &[f32]) -> Option<Vec<u8>> {
        None
    }

    /// Paints the input that starts at frame `start` into all `views`, reading each frame or field once. Of a crop that is
    /// flipped the values are those of the mirrored video. That no cut lies inside the input is the caller's care, see
    /// [`crate::sample::Clips`].
    ///
    /// # Errors
    /// An invalid configuration, a view that is empty, does not fit the frame or whose buffer has
    /// the wrong size, no view, an input that reaches past the video's end, and whatever the source
    /// reports on reading.
    fn paint(
        &self,
        video: &dyn VideoReader,
        start: usize,
        views: &mut [View<'_>],
        scratch: &mut Scratch,
    ) -> Result<(), DataError>;
}

/// How a spec spells a kind of input: `{ kind = "flow", ... }`.
pub trait Spelled: Kind + Sized {
    /// The keys beside `kind`.
    type Keys: DeserializeOwned + JsonSchema + Debug + Clone;

    /// The input where the sides of pictures are `size` times the paper's.
    fn scaled(keys: &Self::Keys, size: f64) -> Self;

    /// Only time steps whose frame number is a multiple of this are read, in training and in testing, which then takes all of
    /// them; any time step if absent.
    fn every(_keys: &Self::Keys) -> Option<usize> {
        None
    }
}

/// What an input reads of the optical flow.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowUse {
    /// In which directions.
    pub directions: &'static [Direction],
    /// Factor on displacements in pixels of the prepared frame.
    pub scale: f32,
}
