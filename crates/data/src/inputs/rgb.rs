//! Frames stacked as channels: one for a spatial network (Two-Stream ConvNets, Sect. 2), several in a
//! row for slow fusion, which the paper compares with: 11 frames, 33 channels.
//!
//! Channels 3k, 3k + 1, 3k + 2 are R, G, B of frame s + k stride, k = 0..length: all of one frame, then
//! all of the next, so that a layer that looks at neighbouring frames looks at neighbouring channels.
//! A value is `(byte + jitter - mean) * scale`, byte in 0..=255, mean and scale by channel.

use serde::{Deserialize, Serialize};

use super::paint::Painter;
use super::{InputError, Scratch, View, check_views};
use crate::{DataError, VideoReader};

/// One RGB input: `length` frames as `3 length` channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FrameStack {
    /// Number of frames.
    pub length: usize,
    /// Frames from one to the next; 1 for consecutive ones.
    pub stride: usize,
    /// What is subtracted from R, G and B, in 0..=255; nothing if absent.
    pub mean: Option<[f32; 3]>,
    /// Factors on R, G and B, after the mean is subtracted.
    pub scale: [f32; 3],
}

impl FrameStack {
    /// The colours of a frame (3, H, W) of this input, three bytes a pixel, row by row.
    #[must_use]
    pub fn colours(&self, values: &[f32]) -> Vec<u8> {
        let mean = self.mean.unwrap_or_default();
        let pixels = values.len() / 3;
        let colour = |i: usize| {
            let (pixel, channel) = (i / 3, i % 3);
            values[channel * pixels + pixel] / self.scale[channel] + mean[channel]
        };
        (0..3 * pixels).map(|i| colour(i).round().clamp(0.0, 255.0) as u8).collect()
    }

    /// Checks that the configuration describes an input.
    ///
    /// # Errors
    /// A length or stride of 0, constants that are not finite, a scale that is not above 0.
    pub fn validate(&self) -> Result<(), InputError> {
        for (name, value) in [("the number of frames", self.length), ("the stride of frames", self.stride)] {
            if value == 0 {
                return Err(InputError::Zero { name });
            }
        }
        if let Some(found) = self.mean.filter(|mean| !mean.iter().all(|value| value.is_finite())) {
            return Err(InputError::Colour { name: "mean", found });
        }
        if !self.scale.iter().all(|&scale| scale.is_finite() && scale > 0.0) {
            return Err(InputError::Colour { name: "scale", found: self.scale });
        }
        Ok(())
    }

    /// Channels of the input, three a frame.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.length.saturating_mul(3)
    }

    /// Frames from the first to the last, both included.
    #[must_use]
    pub fn span(&self) -> usize {
        self.length.saturating_sub(1).saturating_mul(self.stride).saturating_add(1)
    }

    /// As [`super::Input::paint`].
    pub(super) fn paint(
        &self,
        video: &dyn VideoReader,
        start: usize,
        views: &mut [View<'_>],
        scratch: &mut Scratch,
    ) -> Result<(), DataError> {
        self.validate()?;
        let size = video.size();
        let window = check_views(views, self.channels(), size)?;
        let end = start.saturating_add(self.span());
        if end > video.frames() {
            return Err(InputError::OutOfFrames { start, end, frames: video.frames() }.into());
        }
        let painters: Vec<Painter> =
            views.iter().map(|view| Painter::new(view, window, size, 1.0, false)).collect();
        let mean = self.mean.unwrap_or([0.0; 3]);
        let Scratch { frame, row, .. } = scratch;
        for k in 0..self.length {
            let index = start + k * self.stride;
            video.frame_window(index, window, frame)?;
            let (width, height, bytes) = (frame.frame.width, frame.frame.height, frame.frame.rgb.len());
            if (width, height) != (window.width, window.height) || bytes < 3 * width * height {
                let (frame_width, frame_height) = (window.width, window.height);
                let found = InputError::FrameSize { index, width, height, bytes, frame_width, frame_height };
                return Err(found.into());
            }
            for (painter, view) in painters.iter().zip(views.iter_mut()) {
                let shift = std::array::from_fn(|channel| view.colour[channel] - mean[channel]);
                let values = 3 * view.size.0 * view.size.1;
                let out = &mut view.out[k * values..][..values];
                painter.paint_frame(&frame.frame, shift, self.scale, row, out);
            }
        }
        Ok(())
    }
}
