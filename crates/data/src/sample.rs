//! Sampling of videos and of their frames (Two-Stream ConvNets, Sect. 5).
//!
//! A [`Sampler`] chooses videos, [`Clips`] the time steps within one, as a [`SampleSpec`] says.
//!
//! A draw depends only on the run's seed, the iteration and the place in
//! the batch ([`draw_rng`]). Any batch can therefore be made alone, and a run
//! that continues from a checkpoint has no generator state to restore.

mod clips;
mod pairs;
mod sampler;
mod spec;
mod spelled;

use std::ops::Range;

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

pub use self::clips::Clips;
pub use self::pairs::Pairs;
pub use self::sampler::{ClassBalanced, Sampler, Together};
pub use self::spec::{Align, At, SampleInput, SampleSpec, TimeSteps};
pub use self::spelled::{SpelledClip, SpelledOne, SpelledSample, SpelledSnippets, SpelledWindows};
use crate::DataError;
use crate::error::InputError;

/// Creates the random number generator of one training sample.
#[must_use]
pub fn draw_rng(seed: u64, iteration: u64, index: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&iteration.to_le_bytes());
    key[16..24].copy_from_slice(&(index as u64).to_le_bytes());
    // Keeps these draws apart from any other use of the same seed.
    key[24..].copy_from_slice(b"training");
    ChaCha8Rng::from_seed(key)
}

/// The frames at which an input of a video may start: those from which `span`
/// frames follow without a hard cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Starts {
    /// Valid starts, ascending, one run for each segment that is long enough.
    runs: Vec<Range<usize>>,
    count: usize,
}

impl Starts {
    /// The valid starts in `segments`, the video's frame ranges between hard
    /// cuts. `video` names it in the error.
    ///
    /// # Errors
    /// [`DataError::ShortVideo`] when no segment has `span` frames; `span` 0 is refused.
    pub fn new(video: &str, segments: &[Range<usize>], span: usize) -> Result<Self, DataError> {
        if span == 0 {
            return Err(InputError::Zero { name: "the number of frames of an input" }.into());
        }
        let runs: Vec<_> = segments
            .iter()
            .filter(|segment| segment.len() >= span)
            .map(|segment| segment.start..segment.end - span + 1)
            .collect();
        if runs.is_empty() {
            return Err(DataError::ShortVideo {
                id: video.to_owned(),
                longest: segments.iter().map(ExactSizeIterator::len).max().unwrap_or(0),
                needed: span,
            });
        }
        let count = runs.iter().map(ExactSizeIterator::len).sum();
        Ok(Self { runs, count })
    }

    /// Returns `true` if `start` is a valid start.
    #[must_use]
    pub fn contains(&self, start: usize) -> bool {
        self.runs.iter().any(|run| run.contains(&start))
    }

    /// Number of valid starts; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// All valid starts, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> {
        self.runs.iter().cloned().flatten()
    }

    /// Draws a valid start uniformly.
    pub fn draw(&self, rng: &mut impl Rng) -> usize {
        self.nth(rng.random_range(0..self.count as u64) as usize)
    }

    /// `n` starts at equal temporal spacing for a test, ascending.
    ///
    /// With m valid starts, the i-th of n is number i (m - 1) / (n - 1), rounded
    /// half up, so that the first and the last are always among them; n = 1 takes
    /// the middle one. With fewer than n valid starts, each is taken once.
    #[must_use]
    pub fn spaced(&self, n: usize) -> Vec<usize> {
        if n >= self.count && n != 1 { self.iter().collect() } else { self.spread(n).collect() }
    }

    /// `n` starts spaced as by [`Starts::spaced`]; with fewer than n valid starts, some are repeated.
    pub fn spread(&self, n: usize) -> impl Iterator<Item = usize> {
        (0..n).map(move |i| self.nth(spread_index(self.count, n, i)))
    }

    /// Every `stride`-th start of each run, from its first on.
    fn every(&self, stride: usize) -> impl Iterator<Item = usize> {
        self.runs.iter().flat_map(move |run| run.clone().step_by(stride.max(1)))
    }

    /// The starts with indices `first..first + count`, counting over all runs; the last index is below [`Starts::count`].
    fn numbered(&self, first: usize, count: usize) -> Self {
        let (mut skip, mut left) = (first, count);
        let mut runs = Vec::new();
        for run in &self.runs {
            let skipped = skip.min(run.len());
            let taken = left.min(run.len() - skipped);
            if taken > 0 {
                runs.push(run.start + skipped..run.start + skipped + taken);
            }
            (skip, left) = (skip - skipped, left - taken);
        }
        Self { runs, count }
    }

    /// The start with this index, counting over all runs; the index is below [`Starts::count`].
    fn nth(&self, index: usize) -> usize {
        let mut left = index;
        for run in &self.runs {
            if left < run.len() {
                return run.start + left;
            }
            left -= run.len();
        }
        unreachable!("index {index} of {} starts", self.count)
    }
}

/// Index of the `i`-th of `n` places at equal distances among `count`, the first and the last among them; the middle one if n
/// is 1.
fn spread_index(count: usize, n: usize, i: usize) -> usize {
    let last = count - 1;
    match n {
        1 => last / 2,
        _ => (2 * i * last + n - 1) / (2 * (n - 1)),
    }
}
