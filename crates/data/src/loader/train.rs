//! Training batches: videos by a sampler, random time steps, crops, flips and colours.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use base::Modality;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

use super::fill::{InputBatch, Inputs, Sample};
use super::prefetch::{Prefetch, Stop};
use crate::augment::Augmentation;
use crate::dataset::View;
use crate::inputs::{InputError, Scratch};
use crate::sample::{ClassBalanced, Clips, SampleInput, SampleSpec, Sampler, Together, draw_rng};
use crate::{DataError, VideoReader};

/// A video to train on.
#[derive(Clone)]
pub struct LabelledVideo {
    /// Its id, for errors.
    pub id: String,
    /// Its class.
    pub label: u32,
    /// Event and camera view, in a set of several views.
    pub view: Option<View>,
    /// Its frames and displacement fields.
    pub source: Arc<dyn VideoReader + Send + Sync>,
}

/// Configuration of training batches.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainConfig {
    /// Description of the sample that is made of each video.
    pub sample: SampleSpec,
    /// Width and height of the inputs, pixels.
    pub size: (usize, usize),
    /// Number of places of a batch, 256 in the paper. With a [`ClassBalanced`] sampler a place is a sample.
    pub batch: usize,
    /// Places that are made, for a rank that learns from a share of each batch; all if `None`. A place is the same
    /// whichever others are made.
    pub places: Option<Range<usize>>,
    /// Augmentation of the samples.
    pub augmentation: Augmentation,
    /// The run's seed: fixes every draw of every batch.
    pub seed: u64,
    /// Number of batches that may be begun or waiting ahead of the one in use; bounds the memory.
    pub depth: usize,
    /// Number of threads that make samples. They share the work of each batch.
    pub workers: usize,
}

impl TrainConfig {
    fn places(&self) -> Range<usize> {
        self.places.clone().unwrap_or(0..self.batch)
    }
}

/// One training batch of B samples: the places that are made times the sampler's group.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The iteration it belongs to.
    pub iteration: u64,
    /// The inputs.
    pub inputs: Inputs,
    /// Class of each sample, B.
    pub labels: Vec<u32>,
    /// Index of each sample's video in the list given to the loader, B.
    pub videos: Vec<usize>,
    /// First frame of each sample's time steps, (B, T).
    pub time_steps: Vec<usize>,
    /// Relation in time of the samples of each place; for pairs, it tells which are similar.
    pub together: Vec<Together>,
}

/// The training batches of a range of iterations, in order, made by threads ahead of use.
///
/// Batch i depends on the configuration and i alone. A loader that starts at
/// iteration k therefore gives what one that started at 0 gives from k on. The
/// iterator ends after the last iteration or after the first error; the batches
/// before the error are handed out first. Dropping it stops its threads within
/// the time of one sample.
///
/// A batch can be large: 256 stacks of 224x224x20 are 1 GiB. Its memory can be reused, see
/// [`TrainLoader::recycle`].
pub struct TrainLoader {
    batches: Prefetch<Batch>,
    shapes: Shapes,
    spare: Arc<Spare>,
}

impl TrainLoader {
    /// Checks configuration and videos and starts the threads; videos are drawn uniformly across the
    /// classes.
    ///
    /// # Errors
    /// The errors of [`TrainLoader::with_sampler`].
    pub fn new(
        videos: Vec<LabelledVideo>,
        config: &TrainConfig,
        iterations: Range<u64>,
    ) -> Result<Self, DataError> {
        config.sample.validate()?;
        let sampler = ClassBalanced::new(videos.iter().map(|video| video.label))?;
        Self::with_sampler(videos, Box::new(sampler), config, iterations)
    }

    /// Like [`TrainLoader::new`], but draws videos with the given sampler.
    ///
    /// # Errors
    /// An invalid sample or augmentation, a batch, group, depth or number of workers of 0, no videos, a
    /// video too short for the sample or smaller than its crop, places outside the batch, and a thread that the system
    /// refuses.
    pub fn with_sampler(
        videos: Vec<LabelledVideo>,
        sampler: Box<dyn Sampler>,
        config: &TrainConfig,
        iterations: Range<u64>,
    ) -> Result<Self, DataError> {
        config.sample.validate()?;
        config.augmentation.validate()?;
        for (name, value) in [
            ("the batch size", config.batch),
            ("the number of places of a batch that are made", config.places().len()),
            ("the sampler's group", sampler.group()),
            ("the prefetch depth", config.depth),
            ("the number of loader threads", config.workers),
        ] {
            if value == 0 {
                return Err(InputError::Zero { name }.into());
            }
        }
        if config.places().end > config.batch {
            return Err(InputError::Places { places: config.places(), batch: config.batch }.into());
        }
        if videos.is_empty() {
            return Err(InputError::NoVideos.into());
        }
        let mut clips = Vec::with_capacity(videos.len());
        for video in &videos {
            let fits = config.augmentation.check(video.source.size(), config.size);
            fits.map_err(|error| DataError::from(error).of_video(&video.id))?;
            clips.push(Clips::new(&video.id, video.source.segments(), &config.sample)?);
        }
        let samples = config.places().len() * sampler.group();
        let shapes = config.sample.shapes(config.size).into_iter();
        let shapes: Shapes =
            shapes.map(|(modality, [t, c, h, w])| (modality, [samples, t, c, h, w])).collect();
        let pool = ThreadPoolBuilder::new()
            .num_threads(config.workers)
            .thread_name(|worker| format!("loader-{worker}"))
            .build()
            .map_err(|e| InputError::Spawn { worker: 0, source: std::io::Error::other(e) })?;
        // Batches in progress at once: a second one for the threads that find nothing left to do in the
        // first, more if there are more threads than places.
        let under_way = config.depth.min(1 + config.workers.div_ceil(config.places().len()));
        let spare = Arc::new(Spare::default());
        let maker = Maker {
            videos,
            clips,
            sampler,
            config: config.clone(),
            shapes: shapes.clone(),
            pool,
            scratch: Mutex::default(),
            spare: Arc::clone(&spare),
        };
        let batches = Prefetch::new(iterations, config.depth, under_way, move |iteration, stop| {
            maker.batch(iteration, stop)
        })?;
        Ok(Self { batches, shapes, spare })
    }

    /// B, T, C, H, W of each input of every batch.
    #[must_use]
    pub fn shapes(&self) -> &BTreeMap<Modality, [usize; 5]> {
        &self.shapes
    }

    /// Takes back a batch whose values are no longer needed, so that a later one is written into the same
    /// memory. The system provides fresh memory page by page, which takes about as long as filling it.
    pub fn recycle(&self, batch: Batch) {
        let fits = batch.inputs.len() == self.shapes.len()
            && batch.inputs.iter().all(|(modality, input)| {
                self.shapes.get(modality) == Some(&input.shape)
                    && input.data.len() == input.shape.iter().product::<usize>()
            });
        if fits {
            self.spare.lock().push(batch.inputs);
        }
    }
}

impl Iterator for TrainLoader {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batches.next()
    }
}

/// B, T, C, H, W of each input.
type Shapes = BTreeMap<Modality, [usize; 5]>;

/// The memory of batches that were given back.
#[derive(Default)]
struct Spare(Mutex<Vec<Inputs>>);

impl Spare {
    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Inputs>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Everything needed to make any batch.
struct Maker {
    videos: Vec<LabelledVideo>,
    clips: Vec<Clips>,
    sampler: Box<dyn Sampler>,
    config: TrainConfig,
    shapes: Shapes,
    pool: ThreadPool,
    /// One for each thread, once it has made a sample.
    scratch: Mutex<Vec<Scratch>>,
    spare: Arc<Spare>,
}

/// A group's part of a batch.
struct Place<'a> {
    /// Buffers (T, C, H, W) of each input, for each sample of the group.
    outs: Vec<Vec<(&'a SampleInput, &'a mut [f32])>>,
    labels: &'a mut [u32],
    videos: &'a mut [usize],
    time_steps: &'a mut [usize],
    together: &'a mut Together,
}

impl Maker {
    fn batch(&self, iteration: u64, stop: &Stop) -> Result<Batch, DataError> {
        let spare = self.spare.lock().pop();
        let mut inputs = spare.unwrap_or_else(|| {
            let fresh = |shape: [usize; 5]| InputBatch { data: vec![0.0; shape.iter().product()], shape };
            self.shapes.iter().map(|(&modality, &shape)| (modality, fresh(shape))).collect()
        });
        let (group, count) = (self.sampler.group(), self.config.sample.time_steps.count());
        let made = self.config.places();
        let samples = made.len() * group;
        let (mut labels, mut videos) = (vec![0; samples], vec![0; samples]);
        let mut time_steps = vec![0; samples * count];
        let mut together = vec![Together::Apart; made.len()];

        let placed =
            |modality| self.config.sample.inputs.iter().find(move |i| i.input.modality() == modality);
        let mut values: Vec<_> = inputs
            .iter_mut()
            .filter_map(|(&modality, input)| {
                Some((placed(modality)?, input.data.chunks_exact_mut(input.shape[1..].iter().product())))
            })
            .collect();
        let mut next = || values.iter_mut().filter_map(|(input, out)| Some((*input, out.next()?))).collect();
        let places: Vec<Place> = labels
            .chunks_exact_mut(group)
            .zip(videos.chunks_exact_mut(group))
            .zip(time_steps.chunks_exact_mut(group * count))
            .zip(&mut together)
            .map(|(((labels, videos), time_steps), together)| Place {
                outs: (0..group).map(|_| next()).collect(),
                labels,
                videos,
                time_steps,
                together,
            })
            .collect();
        let made: Vec<Result<(), DataError>> = self.pool.install(|| {
            let places = made.into_par_iter().zip(places).with_max_len(1);
            places.map(|(index, place)| self.place(iteration, index, place, stop)).collect()
        });
        // The first error in the batch's order, whichever happened first.
        made.into_iter().collect::<Result<(), _>>()?;
        Ok(Batch { iteration, inputs, labels, videos, time_steps, together })
    }

    fn place(&self, iteration: u64, index: usize, place: Place<'_>, stop: &Stop) -> Result<(), DataError> {
        let Place { outs, labels, videos, time_steps, together } = place;
        let mut rng = draw_rng(self.config.seed, iteration, index);
        let drawn = |what| InputError::Drawn { what, count: self.videos.len() };
        let number = iteration.wrapping_mul(self.config.batch as u64).wrapping_add(index as u64);
        *together = self.sampler.draw(&mut rng, number, videos);
        if let Some(&outside) = videos.iter().find(|&&video| video >= self.videos.len()) {
            return Err(drawn(format!("video {outside} does not exist")).into());
        }
        let mut scratch =
            self.scratch.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        let mut at = Vec::new();
        let members = outs.into_iter().zip(labels).zip(&*videos);
        let members = members.zip(time_steps.chunks_exact_mut(self.config.sample.time_steps.count()));
        for (member, (((outs, label), &video), time_steps)) in members.enumerate() {
            stop.check()?;
            let labelled = &self.videos[video];
            if *together == Together::Apart {
                self.clips[video].draw(&mut rng, &mut at);
            } else if member == 0 {
                // Drawn from the shortest video: one view of an event may end a few frames before another.
                let shortest = videos.iter().min_by_key(|&&video| self.videos[video].source.frames());
                self.clips[*shortest.unwrap_or(&video)].draw(&mut rng, &mut at);
            }
            if !self.clips[video].hold(&at) {
                return Err(drawn(format!("time steps {at:?} are not valid in `{}`", labelled.id)).into());
            }
            let config = &self.config;
            let variation = config.augmentation.draw(labelled.source.size(), config.size, &mut rng);
            let variation = variation.map_err(|error| DataError::from(error).of_video(&labelled.id))?;
            let sample = Sample {
                spec: &config.sample,
                video: &*labelled.source,
                time_steps: &at,
                size: config.size,
                colour: variation.colour,
            };
            for (input, out) in outs {
                let filled = sample.fill(input, &[variation.crop], out, &mut scratch);
                filled.map_err(|error| error.of_video(&labelled.id))?;
            }
            *label = labelled.label;
            time_steps.copy_from_slice(&at);
        }
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        Ok(())
    }
}
