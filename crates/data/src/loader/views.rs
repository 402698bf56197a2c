//! The views of a test video: frames at equal spacing, and crops of each (Two-Stream ConvNets, Sect. 5).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fill::{InputBatch, Inputs, Sample};
use crate::augment::Crop;
use crate::inputs::{InputError, Scratch};
use crate::sample::{Clips, SampleSpec};
use crate::{DataError, VideoReader};

/// Crops of a frame that are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Crops {
    /// Four corners, centre and their mirror images.
    Ten,
    /// The centre alone.
    Center,
}

/// Configuration of a video's test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestConfig {
    /// Description of the sample that is made of each view.
    pub sample: SampleSpec,
    /// Width and height of a crop and of the inputs, pixels.
    pub size: (usize, usize),
    /// Number of clips at equal temporal spacing, 25 in the paper; fewer if the video
    /// does not have as many, see [`Clips::spaced`].
    pub frames: usize,
    /// Crops of each clip.
    pub crops: Crops,
}

/// Some views of one video.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewBatch {
    /// The inputs, each (N, T, C, H, W) for N views.
    pub inputs: Inputs,
}

/// All views of one video, in batches: clip by clip, and the crops of each clip in order.
pub struct TestViews<'a> {
    /// Names the video in errors.
    id: String,
    video: &'a dyn VideoReader,
    sample: SampleSpec,
    size: (usize, usize),
    clips: Vec<Vec<usize>>,
    crops: Vec<Crop>,
    limit: usize,
    next: usize,
    scratch: Scratch,
}

impl<'a> TestViews<'a> {
    /// Plans the views of `video`, to be made in batches of up to `limit`; `id` names it in errors.
    ///
    /// # Errors
    /// An invalid sample, a number of frames or a limit of 0, a video too short
    /// for the sample or smaller than the crop.
    pub fn new(
        id: &str,
        video: &'a dyn VideoReader,
        config: &TestConfig,
        limit: usize,
    ) -> Result<Self, DataError> {
        config.sample.validate()?;
        for (name, value) in
            [("the number of test frames", config.frames), ("the batch size of a test", limit)]
        {
            if value == 0 {
                return Err(InputError::Zero { name }.into());
            }
        }
        let clips = Clips::new(id, video.segments(), &config.sample)?.spaced(config.frames);
        let crops = match config.crops {
            Crops::Ten => Crop::ten(video.size(), config.size).map(|crops| crops.to_vec()),
            Crops::Center => Crop::center(video.size(), config.size).map(|crop| vec![crop]),
        };
        let crops = crops.map_err(|error| DataError::from(error).of_video(id))?;
        let (sample, size) = (config.sample.clone(), config.size);
        let id = id.to_owned();
        Ok(Self { id, video, sample, size, clips, crops, limit, next: 0, scratch: Scratch::default() })
    }

    /// Number of views of the video.
    #[must_use]
    pub fn views(&self) -> usize {
        self.clips.len() * self.crops.len()
    }

    /// Makes the views `from..to`, reading each field once for all crops of a clip's time step.
    fn make(&mut self, from: usize, to: usize) -> Result<ViewBatch, DataError> {
        let mut inputs = Inputs::new();
        let shapes = self.sample.shapes(self.size);
        for placed in &self.sample.inputs {
            let modality = placed.input.modality();
            let [t, c, h, w] = shapes[&modality];
            let view = t * c * h * w;
            let mut data = vec![0.0; (to - from) * view];
            let mut rest = data.as_mut_slice();
            let mut at = from;
            while at < to {
                let (clip, first) = (at / self.crops.len(), at % self.crops.len());
                let crops = &self.crops[first..self.crops.len().min(first + to - at)];
                let (out, others) = rest.split_at_mut(crops.len() * view);
                let sample = Sample {
                    spec: &self.sample,
                    video: self.video,
                    time_steps: &self.clips[clip],
                    size: self.size,
                    colour: [0.0; 3],
                };
                sample.fill(placed, crops, out, &mut self.scratch)?;
                rest = others;
                at += crops.len();
            }
            inputs.insert(modality, InputBatch { data, shape: [to - from, t, c, h, w] });
        }
        Ok(ViewBatch { inputs })
    }
}

impl Iterator for TestViews<'_> {
    type Item = Result<ViewBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.views() {
            return None;
        }
        let to = self.views().min(self.next + self.limit);
        let batch = self.make(self.next, to).map_err(|error| error.of_video(&self.id));
        self.next = if batch.is_ok() { to } else { self.views() };
        Some(batch)
    }
}
