//! The interface of all inputs.

use std::fmt::Debug;

use base::Modality;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use super::paint::Scratch;
use super::view::View;
use crate::error::{DataError, InputError};
use crate::source::{Direction, VideoReader};

/// A kind of input, with everything that other code needs to know about it.
pub trait Kind: Debug {
    /// Name under which a batch holds the input and a network reads it.
    fn modality(&self) -> Modality;

    /// Name of a stream that sees only this input, such as `spatial` or `temporal`.
    fn stream(&self) -> &'static str;

    /// Description with the settings, in words: "stack, L = 10, mean subtraction on".
    fn label(&self) -> String;

    /// Content of the channels, in words: "optical flow".
    fn content(&self) -> &'static str;

    /// Checks that the configuration describes an input.
    ///
    /// # Errors
    /// [`InputError`] for a setting outside its range; each kind documents its own.
    fn validate(&self) -> Result<(), InputError>;

    /// Channels of the input, C.
    fn channels(&self) -> usize;

    /// Consecutive frames that the input is made from, the first and the last included.
    fn span(&self) -> usize;

    /// Index, from 0, of the frame that stands for the input's time. Inputs of one time step are centred on it.
    fn middle(&self) -> usize {
        self.span().saturating_sub(1) / 2
    }

    /// Returns `true` if it reads all frames between two cuts, wherever it starts: all starts there give the same input.
    fn is_whole(&self) -> bool {
        false
    }

    /// Optical flow that the input reads; `None` if it is made from frames alone.
    fn flow(&self) -> Option<FlowUse> {
        None
    }

    /// Returns `true` if a colour that is added to all pixels of a sample affects the input, see [`View::colour`].
    fn takes_colour(&self) -> bool {
        false
    }

    /// Restores the colours of the first frame in `values` (C, H, W), three bytes per pixel, row by row; `None` if they hold
    /// no frame.
    fn colours(&self, _values: &[f32]) -> Option<Vec<u8>> {
        None
    }

    /// Paints the input that starts at frame `start` into all `views`, reading each frame or field once. A flipped crop gets
    /// the values of the mirrored video. The caller must make sure that no cut lies inside the input, see
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

/// A kind of input as a spec spells it: `{ kind = "flow", ... }`.
pub trait Spelled: Kind + Sized {
    /// The keys beside `kind`.
    type Keys: DeserializeOwned + JsonSchema + Debug + Clone;

    /// The input for pictures whose sides are `size` times the paper's.
    fn scaled(keys: &Self::Keys, size: f64) -> Self;

    /// Divisor of the frame numbers of time steps: in training and in testing only its multiples are read, and a test takes
    /// all of them. `None` allows any time step.
    fn every(_keys: &Self::Keys) -> Option<usize> {
        None
    }
}

/// The optical flow that an input reads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FlowUse {
    /// Directions of the fields.
    pub directions: &'static [Direction],
    /// Factor on displacements in pixels of the prepared frame.
    pub scale: f32,
}
