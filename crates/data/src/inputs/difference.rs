//! Differences of consecutive frames, stacked as channels (Temporal Segment Networks, Sect. 3.1): a cheap stand-in for optical
//! flow that shows where something changes, but not in which direction it moves.
//!
//! An input of n differences reads the n + 1 frames s..=s+n. Channels 3k, 3k + 1, 3k + 2 (k = 0..n) are R, G, B of frame
//! s + k + 1 minus frame s + k, times a factor for each colour. No mean is subtracted, because it cancels in the difference.
//! For the same reason a colour that is added to all frames of a sample has no effect.
//!
//! A flipped crop is mirrored but keeps its sign: unlike a displacement, a difference of brightness has no direction.

use base::Modality;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Kind, Spelled};
use super::paint::{Painter, Scratch};
use super::rgb::DEVIATION;
use super::view::{View, check_frames, check_views, read_frame};
use crate::error::{DataError, InputError};
use crate::source::VideoReader;

/// Largest number of differences: more than any video needs, and small enough that no size computed from n overflows.
const MOST: usize = 1000;

/// One input of differences: n of them as 3n channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FrameDifferences {
    /// n, the number of differences.
    pub length: usize,
    /// Factors on the differences of R, G and B, which lie in -255..=255.
    pub scale: [f32; 3],
}

/// Differences of consecutive frames, 3 channels each, as a spec spells them.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DifferenceKeys {
    /// n, the number of differences; one frame more is read.
    length: usize,
}

impl Spelled for FrameDifferences {
    type Keys = DifferenceKeys;

    /// Scales by the deviation that frames are divided by, so that both have the same unit.
    fn scaled(keys: &DifferenceKeys, _size: f64) -> Self {
        Self { length: keys.length, scale: DEVIATION.map(|d| 1.0 / d) }
    }
}

impl Kind for FrameDifferences {
    fn modality(&self) -> Modality {
        const { Modality::new("difference") }
    }

    fn stream(&self) -> &'static str {
        "difference"
    }

    fn label(&self) -> String {
        match self.length {
            1 => "a difference of frames".into(),
            n => format!("{n} differences of frames"),
        }
    }

    fn content(&self) -> &'static str {
        "RGB difference"
    }

    /// Refuses a length of 0 or above 1000 and a scale that is not above 0.
    fn validate(&self) -> Result<(), InputError> {
        if !(1..=MOST).contains(&self.length) {
            return Err(InputError::Spec {
                name: "the number of frame differences",
                expected: "1 to 1000",
                found: self.length.to_string(),
            });
        }
        if !self.scale.iter().all(|&scale| scale.is_finite() && scale > 0.0) {
            return Err(InputError::Colour { name: "scale", found: self.scale });
        }
        Ok(())
    }

    fn channels(&self) -> usize {
        3 * self.length
    }

    fn span(&self) -> usize {
        self.length + 1
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
        let Scratch { frame, row, planes, .. } = scratch;
        for k in 0..=self.length {
            read_frame(video, start + k, window, frame)?;
            for (painter, view) in painters.iter().zip(views.iter_mut()) {
                let plane = view.size.0 * view.size.1;
                planes.resize(3 * plane, 0.0);
                painter.paint_frame(&frame.frame, [0.0; 3], [1.0; 3], row, planes);
                // The frame ends one difference and begins the next.
                if k > 0 {
                    let ended = view.out[3 * (k - 1) * plane..].chunks_exact_mut(plane);
                    for ((out, new), scale) in ended.zip(planes.chunks_exact(plane)).zip(self.scale) {
                        out.iter_mut().zip(new).for_each(|(out, new)| *out = (new - *out) * scale);
                    }
                }
                if k < self.length {
                    view.out[3 * k * plane..][..3 * plane].copy_from_slice(planes);
                }
            }
        }
        Ok(())
    }
}
