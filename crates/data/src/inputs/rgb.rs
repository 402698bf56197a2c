//! Frames stacked as channels: one for a spatial network (Two-Stream ConvNets, Sect. 2), several in a
//! row for slow fusion, which the paper compares with: 11 frames, 33 channels.
//!
//! Channels 3k, 3k + 1, 3k + 2 are R, G, B of frame s + k stride, k = 0..length: all of one frame, then
//! all of the next, so that neighbouring frames are neighbouring channels.
//! A value is `(byte + jitter - mean) * scale`, byte in 0..=255, mean and scale by channel.

use base::Modality;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Kind, Spelled};
use super::paint::{Painter, Scratch};
use super::view::{View, check_frames, check_views, read_frame};
use crate::error::{DataError, InputError};
use crate::source::VideoReader;

/// Mean and standard deviation of natural pictures, in 0..=255 (ImageNet's, as torchvision's models expect them).
pub(super) const MEAN: [f32; 3] = [123.675, 116.28, 103.53];
pub(super) const DEVIATION: [f32; 3] = [58.395, 57.12, 57.375];

/// Largest number of frames of an input; more is a typing error.
const MOST: usize = 1000;

/// One RGB input: `length` frames as `3 length` channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FrameStack {
    /// Number of frames.
    pub length: usize,
    /// Distance between frames; 1 for consecutive ones.
    pub stride: usize,
    /// Mean that is subtracted from R, G and B, on the scale 0..=255; none if `None`.
    pub mean: Option<[f32; 3]>,
    /// Factors on R, G and B, after the mean is subtracted.
    pub scale: [f32; 3],
}

/// Consecutive frames, 3 channels each, as a spec spells them.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FrameKeys {
    /// Number of frames.
    frames: usize,
    /// Reads only time steps whose frame number is a multiple of this, in training and in testing; a test then takes all of
    /// them. Any time step if absent.
    every: Option<usize>,
}

impl Spelled for FrameStack {
    type Keys = FrameKeys;

    fn scaled(keys: &FrameKeys, _size: f64) -> Self {
        Self::consecutive(keys.frames)
    }

    fn every(keys: &FrameKeys) -> Option<usize> {
        keys.every
    }
}

impl FrameStack {
    /// Consecutive frames, normalised with the mean and deviation of natural pictures.
    #[must_use]
    pub fn consecutive(length: usize) -> Self {
        Self { length, stride: 1, mean: Some(MEAN), scale: DEVIATION.map(|d| 1.0 / d) }
    }
}

impl Kind for FrameStack {
    fn modality(&self) -> Modality {
        Modality::RGB
    }

    fn stream(&self) -> &'static str {
        "spatial"
    }

    fn label(&self) -> String {
        if self.length == 1 { "a frame".into() } else { format!("{} frames", self.length) }
    }

    fn content(&self) -> &'static str {
        "RGB"
    }

    /// Refuses a length or stride of 0, a length above 1000, constants that are not finite and a scale that is not above 0.
    fn validate(&self) -> Result<(), InputError> {
        for (name, value, most, expected) in [
            ("the number of frames", self.length, MOST, "at most 1000"),
            ("the stride of frames", self.stride, MOST * MOST, "at most a million"),
        ] {
            if value == 0 {
                return Err(InputError::Zero { name });
            }
            if value > most {
                return Err(InputError::Spec { name, expected, found: value.to_string() });
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

    fn channels(&self) -> usize {
        self.length.saturating_mul(3)
    }

    fn span(&self) -> usize {
        self.length.saturating_sub(1).saturating_mul(self.stride).saturating_add(1)
    }

    fn takes_colour(&self) -> bool {
        true
    }

    fn colours(&self, values: &[f32]) -> Option<Vec<u8>> {
        let mean = self.mean.unwrap_or_default();
        let pixels = values.len() / self.channels();
        let colour = |i: usize| {
            let (pixel, channel) = (i / 3, i % 3);
            values[channel * pixels + pixel] / self.scale[channel] + mean[channel]
        };
        Some((0..3 * pixels).map(|i| colour(i).round().clamp(0.0, 255.0) as u8).collect())
    }

    fn paint(
        &self,
        video: &dyn VideoReader,
        start: usize,
        views: &mut [View<'_>],
        scratch: &mut Scratch,
    ) -> Result<(), DataError> {
        self.validate()?;
        let size = video.size();
        let window = check_views(views, self.channels(), size)?;
        check_frames(video, start, self.span())?;
        let painters: Vec<Painter> =
            views.iter().map(|view| Painter::new(view, window, size, 1.0, false)).collect();
        let mean = self.mean.unwrap_or([0.0; 3]);
        let Scratch { frame, row, .. } = scratch;
        for k in 0..self.length {
            read_frame(video, start + k * self.stride, window, frame)?;
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
