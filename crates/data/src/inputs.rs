//! What a network sees of a video: displacement fields or frames, stacked as channels.
//!
//! | input | channels | frames read from its start s |
//! |---|---|---|
//! | [`FlowStack`] | 2L: x and y of each field in turn | s ..= s + L |
//! | [`FrameStack`] | 3 a frame: R, G, B of each frame in turn | s, s + stride, ... |
//!
//! An input is painted into [`View`]s: crops of it, each with its place in a batch. A view that is
//! larger or smaller than its crop is interpolated bilinearly: pixel centres on pixel centres, the
//! border repeated, no smoothing before a reduction. Displacements are not rescaled with the
//! picture, as in Temporal Segment Networks: they stay in pixels of the prepared frame.

mod flow;
mod paint;
mod resample;
mod rgb;

use serde::{Deserialize, Serialize};

pub use self::flow::{FlowStack, Sampling};
pub use self::rgb::FrameStack;
use crate::augment::Crop;
pub use crate::error::InputError;
use crate::source::{FieldWindow, FrameWindow, Window};
use crate::{DataError, VideoReader};

/// One input of a network.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// Displacement fields.
    Flow(FlowStack),
    /// Frames.
    Rgb(FrameStack),
}

impl From<FlowStack> for Input {
    fn from(stack: FlowStack) -> Self {
        Self::Flow(stack)
    }
}

impl From<FrameStack> for Input {
    fn from(stack: FrameStack) -> Self {
        Self::Rgb(stack)
    }
}

impl Input {
    /// Checks that the configuration describes an input.
    ///
    /// # Errors
    /// As [`FlowStack::validate`] and [`FrameStack::validate`].
    pub fn validate(&self) -> Result<(), InputError> {
        match self {
            Self::Flow(stack) => stack.validate(),
            Self::Rgb(stack) => stack.validate(),
        }
    }

    /// Channels of the input, C.
    #[must_use]
    pub fn channels(&self) -> usize {
        match self {
            Self::Flow(stack) => stack.channels(),
            Self::Rgb(stack) => stack.channels(),
        }
    }

    /// Consecutive frames that the input is made from.
    #[must_use]
    pub fn span(&self) -> usize {
        match self {
            Self::Flow(stack) => stack.span(),
            Self::Rgb(stack) => stack.span(),
        }
    }

    /// Paints the input that starts at frame `start` into all `views`, reading each frame or field once.
    /// That no cut lies inside the input is the caller's care, see [`crate::sample::Clips`].
    ///
    /// # Errors
    /// An invalid configuration, a view that is empty, does not fit the frame or whose buffer has
    /// the wrong size, no view, an input that reaches past the video's end, and whatever the source
    /// reports on reading.
    pub fn paint(
        &self,
        video: &dyn VideoReader,
        start: usize,
        views: &mut [View<'_>],
        scratch: &mut Scratch,
    ) -> Result<(), DataError> {
        match self {
            Self::Flow(stack) => stack.paint(video, start, views, scratch),
            Self::Rgb(stack) => stack.paint(video, start, views, scratch),
        }
    }
}

/// One crop of an input and where it goes.
#[derive(Debug)]
pub struct View<'a> {
    /// The part of the frame.
    pub crop: Crop,
    /// Width and height that it is brought to, pixels.
    pub size: (usize, usize),
    /// What is added to R, G and B before mean and scale; flow does not look at it.
    pub colour: [f32; 3],
    /// (C, H, W) values, all of which are written.
    pub out: &'a mut [f32],
}

/// Memory that painting uses again and again; each thread has its own.
#[derive(Debug, Default)]
pub struct Scratch {
    field: FieldWindow,
    frame: FrameWindow,
    grid: paint::Grid,
    row: Vec<f32>,
}

/// The window that holds all crops, after checking the views.
fn check_views(views: &[View<'_>], channels: usize, frame: (usize, usize)) -> Result<Window, InputError> {
    let mut all: Option<Window> = None;
    for View { crop, size, out, .. } in views {
        crop.check(frame)?;
        if size.0 == 0 || size.1 == 0 {
            return Err(InputError::Zero { name: "the width or height of an input" });
        }
        let expected = channels * size.0 * size.1;
        if out.len() != expected {
            return Err(InputError::Output { expected, found: out.len() });
        }
        let window = crop.window();
        all = Some(all.map_or(window, |all| all.join(window)));
    }
    all.ok_or(InputError::UnequalCrops)
}
