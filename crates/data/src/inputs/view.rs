//! The destination of an input, and the part of a video that it needs.

use crate::augment::Crop;
use crate::error::{DataError, InputError};
use crate::source::{Direction, FieldWindow, FrameWindow, VideoReader, Window};

/// One crop of an input and the buffer that it is written to.
#[derive(Debug)]
pub struct View<'a> {
    /// The part of the frame.
    pub crop: Crop,
    /// Width and height that the crop is resized to, pixels.
    pub size: (usize, usize),
    /// Offsets added to R, G and B before mean and scale; inputs that show no colour ignore them.
    pub colour: [f32; 3],
    /// (C, H, W) values, all of which are written.
    pub out: &'a mut [f32],
}

/// Checks the views and returns the window that holds all crops.
pub(super) fn check_views(
    views: &[View<'_>],
    channels: usize,
    frame: (usize, usize),
) -> Result<Window, InputError> {
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
    all.ok_or(InputError::Zero { name: "the number of views of an input" })
}

/// Checks that a video has frames `start..start + span`.
pub(super) fn check_frames(video: &dyn VideoReader, start: usize, span: usize) -> Result<(), InputError> {
    let (end, frames) = (start.saturating_add(span), video.frames());
    if end > frames { Err(InputError::OutOfFrames { start, end, frames }) } else { Ok(()) }
}

/// Reads a window of frame `index`.
pub(super) fn read_frame(
    video: &dyn VideoReader,
    index: usize,
    window: Window,
    out: &mut FrameWindow,
) -> Result<(), DataError> {
    video.frame_window(index, window, out)?;
    let (width, height, bytes) = (out.frame.width, out.frame.height, out.frame.rgb.len());
    if (width, height) != (window.width, window.height) || bytes < 3 * width * height {
        let (frame_width, frame_height) = (window.width, window.height);
        return Err(InputError::FrameSize { index, width, height, bytes, frame_width, frame_height }.into());
    }
    Ok(())
}

/// Reads a window of field `index`.
pub(super) fn read_field(
    video: &dyn VideoReader,
    direction: Direction,
    index: usize,
    window: Window,
    out: &mut FieldWindow,
) -> Result<(), DataError> {
    video.field_window(direction, index, window, out)?;
    let (width, height, values) = (out.width, out.height, out.u.len().min(out.v.len()));
    if (width, height) != (window.width, window.height) || values < width * height {
        let (frame_width, frame_height) = (window.width, window.height);
        return Err(InputError::FieldSize { index, width, height, values, frame_width, frame_height }.into());
    }
    Ok(())
}
