//! The views of a test video: frames at equal spacing, crops of each (Sect. 5).

use serde::{Deserialize, Serialize};

use crate::augment::Crop;
use crate::inputs::{FlowStack, InputError};
use crate::sample::Starts;
use crate::{DataError, FlowSource};

/// Which crops of a frame are tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Crops {
    /// Four corners, centre and their mirror images, in the order of [`Crop::ten`].
    Ten,
    /// The centre alone.
    Center,
}

/// How a video is tested.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestConfig {
    /// The input made of each view.
    pub stack: FlowStack,
    /// Width and height of a crop, pixels.
    pub crop: (usize, usize),
    /// Starts at equal temporal spacing, the paper's 25; fewer where the video
    /// has not as many, see [`Starts::spaced`].
    pub frames: usize,
    /// Crops at each start.
    pub crops: Crops,
}

/// Some views of one video.
#[derive(Clone, Debug, PartialEq)]
pub struct ViewBatch {
    /// Inputs, (N, 2L, H, W) in row-major order.
    pub data: Vec<f32>,
    /// N, 2L, H, W.
    pub shape: [usize; 4],
}

/// All views of one video, in batches: start by start, at each the crops in their order.
pub struct TestViews<'a> {
    video: &'a dyn FlowSource,
    stack: FlowStack,
    starts: Vec<usize>,
    crops: Vec<Crop>,
    limit: usize,
    next: usize,
}

impl<'a> TestViews<'a> {
    /// Plans the views of `video`, to be made in batches of up to `limit`; `id` names it in errors.
    ///
    /// # Errors
    /// An invalid stack, a number of frames or a limit of 0, a video too short
    /// for the stack or smaller than the crop.
    pub fn new(
        id: &str,
        video: &'a dyn FlowSource,
        config: &TestConfig,
        limit: usize,
    ) -> Result<Self, DataError> {
        config.stack.validate()?;
        for (name, value) in
            [("the number of test frames", config.frames), ("the batch size of a test", limit)]
        {
            if value == 0 {
                return Err(InputError::Zero { name }.into());
            }
        }
        let starts = Starts::new(id, video.segments(), config.stack.span())?.spaced(config.frames);
        let crops = match config.crops {
            Crops::Ten => Crop::ten(video.size(), config.crop)?.to_vec(),
            Crops::Center => vec![Crop::center(video.size(), config.crop)?],
        };
        Ok(Self { video, stack: config.stack, starts, crops, limit, next: 0 })
    }

    /// Number of views of the video.
    #[must_use]
    pub fn views(&self) -> usize {
        self.starts.len() * self.crops.len()
    }

    /// Makes the views `from..to`, reading each field once for all crops of a start.
    fn make(&self, from: usize, to: usize) -> Result<ViewBatch, DataError> {
        let (width, height) = (self.crops[0].width, self.crops[0].height);
        let shape = [to - from, self.stack.channels(), height, width];
        let view: usize = shape[1..].iter().product();
        let mut data = vec![0.0; (to - from) * view];
        let mut rest = data.as_mut_slice();
        let mut at = from;
        while at < to {
            let (start, first) = (at / self.crops.len(), at % self.crops.len());
            let crops = &self.crops[first..self.crops.len().min(first + to - at)];
            let (out, others) = rest.split_at_mut(crops.len() * view);
            self.stack.fill_crops(self.video, self.starts[start], crops, out)?;
            rest = others;
            at += crops.len();
        }
        Ok(ViewBatch { data, shape })
    }
}

impl Iterator for TestViews<'_> {
    type Item = Result<ViewBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.views() {
            return None;
        }
        let to = self.views().min(self.next + self.limit);
        let batch = self.make(self.next, to);
        self.next = if batch.is_ok() { to } else { self.views() };
        Some(batch)
    }
}
