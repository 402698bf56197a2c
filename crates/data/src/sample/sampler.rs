//! Choice of the videos of a batch.

use std::collections::BTreeMap;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::inputs::InputError;

/// Draws the videos of a batch, place by place.
///
/// A place holds a group of one or more samples: one for classification, two for the pairs of a
/// Siamese network. The samples of a group stand side by side in the batch.
pub trait Sampler: Send + Sync {
    /// Number of samples in a group.
    fn group(&self) -> usize;

    /// Draws the videos of one place into `videos`, which has room for a group: indices into the list
    /// that the loader was given. `place` counts the places of all batches, from 0. Must depend only on `rng` and `place`.
    fn draw(&self, rng: &mut ChaCha8Rng, place: u64, videos: &mut [usize]) -> Together;
}

/// Relation in time of the samples of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Together {
    /// Each has time steps of its own.
    Apart,
    /// All have the time steps drawn for the first: views of one event at one time.
    SameTimeSteps,
}

/// Draws videos uniformly across the classes: a class first, then one of its
/// videos, so that a class with few videos is seen as often as any other.
#[derive(Clone, Debug)]
pub struct ClassBalanced {
    /// Indices of the videos, by class; classes without a video are left out.
    classes: Vec<Vec<usize>>,
}

impl ClassBalanced {
    /// Creates a sampler over videos 0..n, given their labels in order.
    ///
    /// # Errors
    /// [`InputError::NoVideos`] if there is no video.
    pub fn new(labels: impl IntoIterator<Item = u32>) -> Result<Self, InputError> {
        let mut classes = BTreeMap::<u32, Vec<usize>>::new();
        for (video, label) in labels.into_iter().enumerate() {
            classes.entry(label).or_default().push(video);
        }
        if classes.is_empty() {
            return Err(InputError::NoVideos);
        }
        Ok(Self { classes: classes.into_values().collect() })
    }

    /// Draws the index of a video.
    pub fn draw(&self, rng: &mut impl Rng) -> usize {
        let class = &self.classes[rng.random_range(0..self.classes.len() as u64) as usize];
        class[rng.random_range(0..class.len() as u64) as usize]
    }
}

impl Sampler for ClassBalanced {
    fn group(&self) -> usize {
        1
    }

    fn draw(&self, rng: &mut ChaCha8Rng, _place: u64, videos: &mut [usize]) -> Together {
        videos.fill_with(|| Self::draw(self, rng));
        Together::Apart
    }
}
