//! One picture of a window of frames, or of a whole video (Bilen, Fernando, Gavves, Vedaldi & Gould, CVPR 2016 and PAMI 2018).
//!
//! | `by` | value of a pixel, for n frames I_1..I_n |
//! |---|---|
//! | `approximate-rank` | sum of a_t I_t with [`base::rank::approximate_rank`]: the dynamic image |
//! | `linear-rank` | the same with [`base::rank::linear_rank`] |
//! | `mean`, `maximum` | mean and maximum over the frames |
//! | `motion-history` | 255 (t - 1) / (n - 1) for the last frame t whose brightness differs by more than 32 from that of the frame before; 0 if there is none |
//!
//! With `of = "flow"` a rank pools n fields instead of n frames, to two channels: dynamic flow.
//!
//! **Range.** The values of a rank have no natural size: they grow with n and vanish where nothing moves. Each view is scaled so
//! that the mean of its squared values is `rms` squared, then cut off at `bound` and divided by the deviation of natural pictures. No
//! mean is subtracted: the weights cancel it. The authors' networks have an L2 norm of 6000 for 227x227x3 values, which is an
//! `rms` of 15.26, and a bound of 128. A view without any change is 0 everywhere. The other pictures have values of 0 to
//! 255, from which mean and deviation of natural pictures are removed, as from a frame.
//!
//! **Whole video.** Without `length` the window is all frames between the two cuts around the start.
//!
//! A flipped crop gets the picture of the mirrored video: fields change the sign of their x, frames do not.

use std::ops::Range;

use base::Modality;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{FlowUse, Kind, Spelled};
use super::paint::{Gather, Painter, Scratch, gather};
use super::rgb::{DEVIATION, MEAN};
use super::view::{View, check_frames, check_views, read_field, read_frame};
use crate::error::{DataError, InputError};
use crate::source::{Direction, VideoReader};

/// Allowed lengths of a window; a picture of one frame is that frame.
const LENGTHS: std::ops::RangeInclusive<usize> = 2..=1000;

/// L2 norm of the authors' dynamic images, over the values of their network's input.
const NORM: f32 = 6000.0;
const VALUES: f32 = 227.0 * 227.0 * 3.0;

/// Largest size of the authors' normalised values.
const BOUND: f32 = 128.0;

/// Change of brightness, of 255, from which on a motion history image counts a pixel as moving.
const THRESHOLD: f32 = 32.0;

/// Root mean square below which a picture is taken for one without change.
const STILL: f32 = 1e-3;

/// What is pooled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Summarises {
    /// Frames.
    #[default]
    Frames,
    /// Displacement fields.
    Flow,
}

/// How a window becomes one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Summary {
    /// Approximate rank pooling: the dynamic image.
    ApproximateRank,
    /// Rank pooling without running means.
    LinearRank,
    /// The mean of the frames.
    Mean,
    /// The maximum of the frames.
    Maximum,
    /// How recently each pixel changed.
    MotionHistory,
}

impl Summary {
    /// Returns the name of the picture.
    fn words(self) -> &'static str {
        match self {
            Self::ApproximateRank => "dynamic image",
            Self::LinearRank => "dynamic image with linear weights",
            Self::Mean => "mean image",
            Self::Maximum => "max image",
            Self::MotionHistory => "motion history image",
        }
    }

    /// Returns `true` if the weights of the frames cancel what does not change.
    fn is_rank(self) -> bool {
        matches!(self, Self::ApproximateRank | Self::LinearRank)
    }

    /// Returns what the picture keeps of frame `at` of `count`; the first frame is its start value.
    fn gather(self, weights: &[f64], at: usize, count: usize) -> Gather {
        match self {
            Self::ApproximateRank | Self::LinearRank | Self::Mean => Gather::Weighted(weights[at] as f32),
            Self::Maximum => Gather::Largest,
            Self::MotionHistory => {
                let last = count.saturating_sub(1).max(1) as f32;
                Gather::Changed { threshold: THRESHOLD, value: 255.0 * at as f32 / last }
            }
        }
    }

    /// Returns the weights of `count` frames; of equal value if it has none.
    fn weights(self, count: usize) -> Vec<f64> {
        match self {
            Self::ApproximateRank => base::rank::approximate_rank(count),
            Self::LinearRank => base::rank::linear_rank(count),
            Self::Mean | Self::Maximum | Self::MotionHistory => vec![1.0 / count as f64; count],
        }
    }
}

/// One picture of a window of frames or fields: 3 channels, or 2 of flow.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DynamicImage {
    /// What is pooled.
    pub of: Summarises,
    /// How the window becomes a picture.
    pub by: Summary,
    /// n, the number of frames or fields of the window; `None` for all between two cuts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// Root mean square of a view's values after a rank; others are not scaled by it.
    pub rms: f32,
    /// Largest size of a value after that scaling.
    pub bound: f32,
    /// Mean that is subtracted from R, G and B, on the scale 0..=255; not after a rank.
    pub mean: [f32; 3],
    /// Factors on R, G and B, after all of this; the first two are those of a flow's x and y.
    pub scale: [f32; 3],
}

/// One picture of a window of frames, as a spec spells it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DynamicKeys {
    /// What is pooled: `frames` (default) or `flow`. Flow has `approximate-rank` and `linear-rank` only.
    #[serde(default)]
    of: Summarises,
    /// How the window becomes one picture.
    by: Summary,
    /// n, the number of frames or fields of the window: 2 to 1000. The whole video if absent.
    #[schemars(range(min = 2, max = 1000))]
    length: Option<usize>,
}

impl Spelled for DynamicImage {
    type Keys = DynamicKeys;

    /// The scale of a picture does not depend on its size, because a rank is normalised.
    fn scaled(&DynamicKeys { of, by, length }: &DynamicKeys, _size: f64) -> Self {
        let scale = match of {
            Summarises::Frames => DEVIATION.map(|d| 1.0 / d),
            // One deviation for both directions: the mean of those of the colours.
            Summarises::Flow => [3.0 / DEVIATION.iter().sum::<f32>(); 3],
        };
        Self { of, by, length, rms: NORM / VALUES.sqrt(), bound: BOUND, mean: MEAN, scale }
    }
}

impl DynamicImage {
    /// Returns the frames or fields of a window that starts at frame `start`.
    fn window(&self, video: &dyn VideoReader, start: usize) -> Result<Range<usize>, InputError> {
        let is_flow = self.of == Summarises::Flow;
        check_frames(video, start, self.span())?;
        Ok(match self.length {
            Some(length) => start..start + length,
            None => {
                let found = video.segments().iter().find(|segment| segment.contains(&start));
                let all = found.cloned().unwrap_or(start..video.frames());
                all.start..all.end - usize::from(is_flow)
            }
        })
    }

    /// Turns the gathered values of a view into those that the network sees.
    fn finish(&self, out: &mut [f32], plane: usize, colour: [f32; 3]) {
        if self.by == Summary::MotionHistory {
            for channel in 1..out.len() / plane {
                out.copy_within(..plane, channel * plane);
            }
        }
        if self.by.is_rank() {
            let squares: f64 = out.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
            let found = (squares / out.len() as f64).sqrt() as f32;
            let factor = self.rms / found.max(STILL);
            let bound = self.bound;
            for (out, scale) in out.chunks_exact_mut(plane).zip(self.scale) {
                out.iter_mut().for_each(|value| *value = (*value * factor).clamp(-bound, bound) * scale);
            }
            return;
        }
        for (channel, out) in out.chunks_exact_mut(plane).enumerate() {
            let jitter = if self.takes_colour() { colour[channel] } else { 0.0 };
            let (shift, scale) = (jitter - self.mean[channel], self.scale[channel]);
            out.iter_mut().for_each(|value| *value = (*value + shift) * scale);
        }
    }
}

impl Kind for DynamicImage {
    /// That of what is pooled: to a network a dynamic image is a picture.
    fn modality(&self) -> Modality {
        match self.of {
            Summarises::Frames => Modality::RGB,
            Summarises::Flow => Modality::FLOW,
        }
    }

    fn stream(&self) -> &'static str {
        match self.of {
            Summarises::Frames => "dynamic",
            Summarises::Flow => "dynamic flow",
        }
    }

    fn label(&self) -> String {
        let of = match self.of {
            Summarises::Frames => "frames",
            Summarises::Flow => "fields of flow",
        };
        match self.length {
            Some(length) => format!("{} of {length} {of}", self.by.words()),
            None => format!("{} of all {of}", self.by.words()),
        }
    }

    fn content(&self) -> &'static str {
        match self.of {
            Summarises::Frames => self.by.words(),
            Summarises::Flow => "dynamic flow",
        }
    }

    /// Refuses a length outside 2 to 1000, flow with anything but a rank, and constants that are not finite or above 0.
    fn validate(&self) -> Result<(), InputError> {
        if let Some(length) = self.length.filter(|length| !LENGTHS.contains(length)) {
            return Err(InputError::Spec {
                name: "the length of a dynamic image's window",
                expected: "2 to 1000; leave it out for the whole video",
                found: length.to_string(),
            });
        }
        if self.of == Summarises::Flow && !self.by.is_rank() {
            return Err(InputError::Spec {
                name: "the picture of a window of flow",
                expected: "by = \"approximate-rank\" or \"linear-rank\"",
                found: format!("a {}", self.by.words()),
            });
        }
        if !self.mean.iter().all(|value| value.is_finite()) {
            return Err(InputError::Colour { name: "mean", found: self.mean });
        }
        let factors = [self.rms, self.bound].into_iter().chain(self.scale);
        if !factors.into_iter().all(|factor| factor.is_finite() && factor > 0.0) {
            return Err(InputError::Colour { name: "scale", found: self.scale });
        }
        Ok(())
    }

    fn channels(&self) -> usize {
        match self.of {
            Summarises::Frames => 3,
            Summarises::Flow => 2,
        }
    }

    /// n frames, or n + 1 for n fields. The whole video starts anywhere: one frame, or two.
    fn span(&self) -> usize {
        self.length.unwrap_or(1) + usize::from(self.of == Summarises::Flow)
    }

    fn is_whole(&self) -> bool {
        self.length.is_none()
    }

    fn flow(&self) -> Option<FlowUse> {
        // The values that the network sees are normalised, so they are not pixels a frame.
        let reads = self.of == Summarises::Flow;
        reads.then_some(FlowUse { directions: &[Direction::Forward], scale: 1.0 })
    }

    fn takes_colour(&self) -> bool {
        self.of == Summarises::Frames && matches!(self.by, Summary::Mean | Summary::Maximum)
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
        let cut = check_views(views, self.channels(), size)?;
        let window = self.window(video, start)?;
        let weights = self.by.weights(window.len());
        let mut painters: Vec<Painter> =
            views.iter().map(|view| Painter::new(view, cut, size, 1.0, false)).collect();
        let Scratch { field, frame, grid, row, planes, earlier } = scratch;
        earlier.clear();
        earlier.resize(views.iter().map(|view| view.out.len()).sum(), 0.0);
        let count = window.len();
        for (at, index) in window.enumerate() {
            match self.of {
                Summarises::Frames => read_frame(video, index, cut, frame)?,
                Summarises::Flow => read_field(video, Direction::Forward, index, cut, field)?,
            }
            let mut rest = &mut earlier[..];
            for (painter, view) in painters.iter_mut().zip(views.iter_mut()) {
                let (own, later) = rest.split_at_mut(view.out.len());
                rest = later;
                planes.resize(view.out.len(), 0.0);
                match self.of {
                    Summarises::Frames => {
                        painter.paint_frame(&frame.frame, [0.0; 3], [1.0; 3], row, planes);
                    }
                    Summarises::Flow => {
                        let (x, y) = planes.split_at_mut(view.size.0 * view.size.1);
                        painter.paint(field, grid, [0.0; 2], row, x, y);
                    }
                }
                if at == 0 {
                    own.copy_from_slice(planes);
                    match self.by {
                        // The weights of a mean have the sum 1.
                        Summary::Mean | Summary::Maximum => view.out.copy_from_slice(planes),
                        _ => view.out.fill(0.0),
                    }
                    continue;
                }
                gather(self.by.gather(&weights, at, count), planes, own, view.out);
                if self.by == Summary::MotionHistory {
                    own.copy_from_slice(planes);
                }
            }
        }
        for view in views.iter_mut() {
            self.finish(view.out, view.size.0 * view.size.1, view.colour);
        }
        Ok(())
    }
}
