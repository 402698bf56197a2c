//! The time steps of one video at which a sample may be read.

use std::ops::Range;

use rand::Rng;

use super::{SampleSpec, Starts, TimeSteps, spread_index};
use crate::DataError;

/// All time steps that a video offers for a [`SampleSpec`]. A time step is given by its first frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clips {
    time_steps: TimeSteps,
    /// Starts of a single time step.
    single: Starts,
    /// Starts of the first of several strided time steps, by distance; ascending, at least one.
    strides: Vec<(usize, Starts)>,
    /// Starts of each time step of a sample in segments, one part of the video each.
    parts: Vec<Starts>,
    /// The time steps on a grid; at least one.
    grid: Vec<usize>,
    /// The starts of windows at a fixed distance; at least one.
    windows: Vec<usize>,
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
        let parts = match spec.time_steps {
            TimeSteps::Segments { count } => parts(segments, &single, spec, count),
            _ => Vec::new(),
        };
        let mut grid = Vec::new();
        if let TimeSteps::Grid { every } = spec.time_steps {
            grid.extend(single.iter().filter(|start| start % every == 0));
            if grid.is_empty() {
                grid.push(single.nth(0));
            }
        }
        let windows = match spec.time_steps {
            TimeSteps::Windows { stride, .. } => single.every(stride).collect(),
            _ => Vec::new(),
        };
        Ok(Self { time_steps: spec.time_steps, single, strides, parts, grid, windows })
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
            TimeSteps::Segments { .. } => out.extend(self.parts.iter().map(|part| part.draw(rng))),
            TimeSteps::Windows { count, .. } => draw_windows(&self.windows, count, rng, out),
            TimeSteps::Spread { count } => out.extend(self.single.spread(count)),
            TimeSteps::Grid { .. } => {
                out.push(self.grid[rng.random_range(0..self.grid.len() as u64) as usize]);
            }
        }
    }

    /// Up to `n` clips at equal temporal spacing for a test, each with its T time steps; their first
    /// time steps are spaced as by [`Starts::spaced`]. With time steps by segments, the j-th of n clips
    /// takes from each part the start at (2j + 1) / 2n of it; there are no more clips than the largest part
    /// has starts. Windows and spread time steps make one clip, and a grid gives all of its time steps, whatever n.
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
            TimeSteps::Segments { .. } => {
                let n = n.min(self.parts.iter().map(Starts::count).max().unwrap_or(0));
                let time_step = |j: usize, part: &Starts| part.nth((2 * j + 1) * part.count() / (2 * n));
                (0..n).map(|j| self.parts.iter().map(|part| time_step(j, part)).collect()).collect()
            }
            TimeSteps::Windows { count, .. } => vec![spread(&self.windows, count).collect()],
            TimeSteps::Spread { count } => vec![self.single.spread(count).collect()],
            TimeSteps::Grid { .. } => self.grid.iter().map(|&start| vec![start]).collect(),
        }
    }

    /// Returns `true` if all of these time steps are valid in the video.
    pub fn hold(&self, time_steps: &[usize]) -> bool {
        time_steps.iter().all(|&time_step| self.single.contains(time_step))
    }
}

/// Takes `count` windows at equal distances; fewer are repeated, in order.
fn spread(windows: &[usize], count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |i| windows[spread_index(windows.len(), count, i)])
}

/// Draws `count` windows, ascending: neighbours or any, one as often as the other.
fn draw_windows(windows: &[usize], count: usize, rng: &mut impl Rng, out: &mut Vec<usize>) {
    if windows.len() <= count {
        out.extend(spread(windows, count));
        return;
    }
    if rng.random_range(0..2u64) == 0 {
        let first = rng.random_range(0..=(windows.len() - count) as u64) as usize;
        out.extend(&windows[first..first + count]);
        return;
    }
    let mut needed = count;
    for (at, &window) in windows.iter().enumerate() {
        let left = (windows.len() - at) as u64;
        if rng.random_range(0..left) < needed as u64 {
            out.push(window);
            needed -= 1;
        }
    }
}

/// The starts of each of `count` time steps by segments: those whose snippet lies in its own part of the video.
///
/// All parts have a = floor(n / count) of the n frames of the video, or of its n - 1 fields if nothing else is read; what
/// remains at the end is not drawn from. Where no snippet fits into its part, its starts are number k b up to (k + 1) b of
/// the video's valid starts, b = floor(starts / count), and it may reach into the next part. With fewer starts than parts,
/// the k-th start is number floor(k starts / count), so that some are repeated.
fn parts(segments: &[Range<usize>], single: &Starts, spec: &SampleSpec, count: usize) -> Vec<Starts> {
    // A field lies between two frames, and the last frame of a part is the first of the next.
    let shared = usize::from(spec.inputs.iter().all(|input| input.input.flow().is_some()));
    let frames = segments.last().map_or(0, |segment| segment.end);
    let (a, b) = (frames.saturating_sub(shared) / count, single.count() / count);
    let own = |k: usize| {
        let part = k * a..(k + 1) * a + shared;
        let inside = |segment: &Range<usize>| segment.start.max(part.start)..segment.end.min(part.end);
        let inside: Vec<_> = segments.iter().map(inside).filter(|segment| !segment.is_empty()).collect();
        Starts::new("", &inside, spec.span()).ok()
    };
    let by_number = |k: usize| match b {
        0 => single.numbered(k * single.count() / count, 1),
        b => single.numbered(k * b, b),
    };
    (0..count).map(|k| own(k).unwrap_or_else(|| by_number(k))).collect()
}
