//! Training batches: class-balanced videos, random starts, crops and flips.

use std::ops::Range;
use std::sync::Arc;

use super::prefetch::{Prefetch, Stop};
use crate::augment::Crop;
use crate::inputs::{FlowStack, InputError};
use crate::sample::{ClassBalanced, Starts, draw_rng};
use crate::{DataError, FlowSource};

/// A video to train on.
#[derive(Clone)]
pub struct LabelledVideo {
    /// Its id, for errors.
    pub id: String,
    /// Its class.
    pub label: u32,
    /// Its displacement fields.
    pub source: Arc<dyn FlowSource + Send + Sync>,
}

/// What a training batch is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainConfig {
    /// The input made of each sample.
    pub stack: FlowStack,
    /// Width and height of the crop, pixels.
    pub crop: (usize, usize),
    /// B, samples of a batch; the paper's 256.
    pub batch: usize,
    /// Whether crops are mirrored with probability 1/2.
    pub flip: bool,
    /// The run's seed: fixes every draw of every batch.
    pub seed: u64,
    /// Batches that may be begun or wait ahead of the one in use; bounds the memory.
    pub depth: usize,
    /// Threads that make them.
    pub workers: usize,
}

/// One training batch.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The iteration it belongs to.
    pub iteration: u64,
    /// Inputs, (B, 2L, H, W) in row-major order.
    pub data: Vec<f32>,
    /// B, 2L, H, W.
    pub shape: [usize; 4],
    /// Class of each sample.
    pub labels: Vec<u32>,
    /// Index of each sample's video in the list given to the loader.
    pub videos: Vec<usize>,
}

/// The training batches of a range of iterations, in order, made by threads ahead of use.
///
/// Batch i depends on the configuration and i alone. A loader that starts at
/// iteration k therefore gives what one that started at 0 gives from k on. The
/// iterator ends after the last iteration or after the first error; the batches
/// before the error are handed out first. Dropping it stops its threads within
/// the time of one sample.
pub struct TrainLoader {
    batches: Prefetch<Batch>,
    shape: [usize; 4],
}

impl TrainLoader {
    /// Checks configuration and videos and starts the threads.
    ///
    /// # Errors
    /// An invalid stack, a batch, depth or number of workers of 0, no videos, a
    /// video too short for the stack or smaller than the crop, and a thread
    /// that the system refuses.
    pub fn new(
        videos: Vec<LabelledVideo>,
        config: &TrainConfig,
        iterations: Range<u64>,
    ) -> Result<Self, DataError> {
        config.stack.validate()?;
        for (name, value) in [
            ("the batch size", config.batch),
            ("the prefetch depth", config.depth),
            ("the number of loader threads", config.workers),
        ] {
            if value == 0 {
                return Err(InputError::Zero { name }.into());
            }
        }
        let mut starts = Vec::with_capacity(videos.len());
        for video in &videos {
            Crop::center(video.source.size(), config.crop)?;
            starts.push(Starts::new(&video.id, video.source.segments(), config.stack.span())?);
        }
        let classes = ClassBalanced::new(videos.iter().map(|video| video.label))?;
        let shape = [config.batch, config.stack.channels(), config.crop.1, config.crop.0];
        let maker = Maker { videos, starts, classes, config: *config, shape };
        let batches = Prefetch::new(iterations, config.depth, config.workers, move |iteration, stop| {
            maker.batch(iteration, stop)
        })?;
        Ok(Self { batches, shape })
    }

    /// B, 2L, H, W of every batch.
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        self.shape
    }
}

impl Iterator for TrainLoader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

/// All that a thread needs to make any batch.
struct Maker {
    videos: Vec<LabelledVideo>,
    starts: Vec<Starts>,
    classes: ClassBalanced,
    config: TrainConfig,
    shape: [usize; 4],
}

impl Maker {
    fn batch(&self, iteration: u64, stop: &Stop) -> Result<Batch, DataError> {
        let sample: usize = self.shape[1..].iter().product();
        let mut data = vec![0.0; self.config.batch * sample];
        let mut labels = Vec::with_capacity(self.config.batch);
        let mut videos = Vec::with_capacity(self.config.batch);
        for (index, out) in data.chunks_exact_mut(sample).enumerate() {
            stop.check()?;
            let mut rng = draw_rng(self.config.seed, iteration, index);
            let video = self.classes.draw(&mut rng);
            let LabelledVideo { label, source, .. } = &self.videos[video];
            let start = self.starts[video].draw(&mut rng);
            let crop = Crop::random(source.size(), self.config.crop, self.config.flip, &mut rng)?;
            self.config.stack.fill(&**source, start, &crop, out)?;
            labels.push(*label);
            videos.push(video);
        }
        Ok(Batch { iteration, data, shape: self.shape, labels, videos })
    }
}
