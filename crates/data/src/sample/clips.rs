//! The time steps of one video at which a sample may be read.

use std::ops::Range;

use rand::Rng;

use super::{SampleSpec, Starts, TimeSteps};
use crate::DataError;

/// All time steps that a video offers for a [`SampleSpec`]. A time step is given by its first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clips {
    time_steps: TimeSteps,
    /// Starts of a single time step.
    single: Starts,
    /// Starts of the first of several strided time steps, by distance; ascending, at least one.
    strides: Vec<(usize, Starts)>,
    /// The time steps on a grid; at least one.
    grid: Vec<usize>,
}

impl Clips {
    /// Finds the time steps in `segments`, the video's frame ranges between hard cuts. `video` names it in the error.
    ///
    /// # Errors
    /// An invalid description; [`DataError::ShortVideo`] when no segment is long enough.
    pub fn new(video: &str, segments: &[Range<usize>], spec: &SampleSpec) -> Result<Self, DataError> {
        spec.validate()?;
        let single = Starts::new(video, segments, spec.span())?;
        let mut strides = Vec::new();
        if let TimeSteps::Strided { count, from, to } = spec.time_steps {
            let span = |stride: usize| (count - 1).saturating_mul(stride).saturating_add(spec.span());
            let longest = segments.iter().map(ExactSizeIterator::len).max().unwrap_or(0);
            // The largest distance that fits.
            let room = longest.saturating_sub(spec.span());
            let most = if count == 1 { from } else { (room / (count - 1)).min(to) };
            for stride in from.min(most)..=most {
                strides.push((stride, Starts::new(video, segments, span(stride))?));
            }
        }
        let mut grid = Vec::new();
        if let TimeSteps::Grid { every } = spec.time_steps {
            grid.extend(single.iter().filter(|start| start % every == 0));
            if grid.is_empty() {
                grid.push(single.nth(0));
            }
        }
        Ok(Self { time_steps: spec.time_steps, single, strides, grid })
    }

    /// Draws the time steps of a training sample into `out`.
    pub fn draw(&self, rng: &mut impl Rng, out: &mut Vec<usize>) {
        out.clear();
        match self.time_steps {
            TimeSteps::Single => out.push(self.single.draw(rng)),
            TimeSteps::Strided { count, .. } => {
                let (stride, starts) = &self.strides[rng.random_range(0..self.strides.len() as u64) as usize];
                let first = starts.draw(rng);
                out.extend((0..count).map(|k| first + k * stride));
            }
            TimeSteps::Segments { count } => out.extend((0..count).map(|k| {
                let part = self.part(k, count);
                self.single.nth(rng.random_range(part.start as u64..part.end as u64) as usize)
            })),
            TimeSteps::Spread { count } => out.extend(self.single.spread(count)),
            TimeSteps::Grid { .. } => {
                out.push(self.grid[rng.random_range(0..self.grid.len() as u64) as usize]);
            }
        }
    }

    /// Up to `n` clips at equal temporal spacing for a test, each with its T time steps; their first
    /// time steps are spaced as by [`Starts::spaced`]. With time steps by segments, the j-th of n clips
    /// takes from each part the start at (2j + 1) / 2n of it; there are no more clips than a part
    /// has starts. Spread time steps make one clip, and a grid gives all of its time steps, whatever n.
    pub fn spaced(&self, n: usize) -> Vec<Vec<usize>> {
        match self.time_steps {
            TimeSteps::Single => self.single.spaced(n).into_iter().map(|start| vec![start]).collect(),
            TimeSteps::Strided { count, from, to } => {
                let middle = from + (to - from) / 2;
                let nearest = self.strides.iter().min_by_key(|(stride, _)| stride.abs_diff(middle));
                nearest.map_or_else(Vec::new, |(stride, starts)| {
                    let clip = |first| (0..count).map(|k| first + k * stride).collect();
                    starts.spaced(n).into_iter().map(clip).collect()
                })
            }
            TimeSteps::Segments { count } => {
                let n = n.min(self.single.count().div_ceil(count));
                let time_step = |j: usize, k| {
                    let part = self.part(k, count);
                    self.single.nth(part.start + (2 * j + 1) * part.len() / (2 * n))
                };
                (0..n).map(|j| (0..count).map(|k| time_step(j, k)).collect()).collect()
            }
            TimeSteps::Spread { count } => vec![self.single.spread(count).collect()],
            TimeSteps::Grid { .. } => self.grid.iter().map(|&start| vec![start]).collect(),
        }
    }

    /// Returns `true` if all of these time steps are valid in the video.
    pub fn hold(&self, time_steps: &[usize]) -> bool {
        time_steps.iter().all(|&time_step| self.single.contains(time_step))
    }

    /// Numbers of the starts in part k of `count` equal parts; never empty.
    fn part(&self, k: usize, count: usize) -> Range<usize> {
        let starts = self.single.count();
        let (from, to) = (k * starts / count, (k + 1) * starts / count);
        from..to.max(from + 1)
    }
}
