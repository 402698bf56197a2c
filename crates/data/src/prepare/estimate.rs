//! Estimation of flow from the frames of a video as they are read back from the cache.

use super::work::Work;
use crate::batched::{fields, frames_at_once};
use crate::container::{Builder, Container, Header};
use crate::error::DataError;
use crate::source::Direction;
use flow::{Batched, Estimator, FlowField, GrayImage, Stream, TvL1Params};
use rayon::prelude::*;
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};

/// Number of pairs of a stretch. Its first frame is also the last of another stretch, so the work for that frame alone is done
/// twice.
const STRETCH: usize = 16;

impl Work<'_> {
    /// Computes the flow of a video in one direction. Across a cut there is no motion; a zero field keeps the numbering.
    pub(super) fn build_flow(
        &self,
        estimator: &Estimator,
        direction: Direction,
        frames: &Container,
        key: &str,
        path: &Path,
    ) -> Result<(), DataError> {
        let Header { width, height, segments, source, .. } = frames.header();
        let mut builder =
            Builder::new(direction.into(), self.config.flow_codec, key.to_owned(), self.cache_dir)
                .with_bound(self.config.flow_bound);
        match self.config.batched() {
            Some((batched, params)) => self.at_once(batched, params, direction, frames, &mut builder)?,
            None => self.pair_by_pair(estimator, direction, frames, &mut builder)?,
        }
        builder.write(path, source.clone(), segments.clone(), (*width, *height))
    }

    /// Divides the pairs into stretches, which threads take that have nothing else to do: all of them for a single video, few
    /// while there are more videos than threads. The division does not change a field.
    fn pair_by_pair(
        &self,
        estimator: &Estimator,
        direction: Direction,
        frames: &Container,
        builder: &mut Builder,
    ) -> Result<(), DataError> {
        let pairs = frames.header().count.saturating_sub(1);
        let spare = Mutex::new(Vec::new());
        let at_once = rayon::current_num_threads() * STRETCH;
        for first in (0..pairs).step_by(at_once) {
            let end = pairs.min(first + at_once);
            let stretches = (first..end).into_par_iter().step_by(STRETCH).with_max_len(1);
            let fields: Result<Vec<Vec<FlowField>>, DataError> = stretches
                .map(|first| {
                    let spare = || spare.lock().unwrap_or_else(PoisonError::into_inner);
                    let mut stream = spare().pop().unwrap_or_else(|| estimator.stream());
                    let fields = self.along(&mut stream, direction, frames, first..end.min(first + STRETCH));
                    spare().push(stream);
                    fields
                })
                .collect();
            for field in fields?.iter().flatten() {
                builder.push_field(field)?;
            }
        }
        Ok(())
    }

    /// Computes the flow of consecutive pairs. A pair has the number of its earlier frame.
    fn along(
        &self,
        stream: &mut Stream,
        direction: Direction,
        frames: &Container,
        pairs: Range<usize>,
    ) -> Result<Vec<FlowField>, DataError> {
        stream.restart();
        stream.push(&self.grey(frames, pairs.start)?)?;
        let mut fields = Vec::with_capacity(pairs.len());
        for t in pairs.start + 1..pairs.end + 1 {
            if after_cut(frames, t) {
                stream.restart();
                fields.push(zero(frames)?);
            }
            let frame = self.grey(frames, t)?;
            let field = match direction {
                Direction::Forward => stream.push(&frame)?,
                Direction::Backward => stream.push_back(&frame)?,
            };
            fields.extend(field);
        }
        Ok(fields)
    }

    /// Does the same with an estimator of many pairs. Neighbouring stretches of the video that it is given share a frame.
    fn at_once(
        &self,
        batched: &dyn Batched,
        params: &TvL1Params,
        direction: Direction,
        frames: &Container,
        builder: &mut Builder,
    ) -> Result<(), DataError> {
        let Header { width, height, count, .. } = frames.header();
        let room = frames_at_once(batched, *width, *height);
        let mut waiting: Vec<GrayImage> = Vec::with_capacity(room.min(*count));
        for t in 0..*count {
            waiting.push(self.grey(frames, t)?);
            if waiting.len() < room && t + 1 < *count {
                continue;
            }
            // Number in the video of the first waiting frame.
            let first = t + 1 - waiting.len();
            let later: Vec<usize> = (1..waiting.len()).filter(|at| !after_cut(frames, first + at)).collect();
            let pair = |&at: &usize| match direction {
                Direction::Forward => (at - 1, at),
                Direction::Backward => (at, at - 1),
            };
            let pairs: Vec<(usize, usize)> = later.iter().map(pair).collect();
            let mut found = later.iter().zip(fields(batched, params, &waiting, &pairs)?).peekable();
            for at in 1..waiting.len() {
                match found.next_if(|(later, _)| **later == at) {
                    Some((_, field)) => builder.push_field(&field)?,
                    None => builder.push_field(&zero(frames)?)?,
                }
            }
            waiting.drain(..waiting.len() - 1);
        }
        Ok(())
    }

    /// Reads a frame of the cache in grey, unless the caller asked to stop.
    fn grey(&self, frames: &Container, t: usize) -> Result<GrayImage, DataError> {
        if self.stop.load(Ordering::Relaxed) {
            return Err(DataError::Interrupted);
        }
        let Header { width, height, .. } = frames.header();
        Ok(GrayImage::from_rgb8(*width, *height, &frames.frame(t)?)?)
    }
}

/// Returns `true` if a cut lies between a frame and the one before it.
fn after_cut(frames: &Container, t: usize) -> bool {
    t > 0 && frames.header().segments.iter().any(|segment| segment.start == t)
}

fn zero(frames: &Container) -> Result<FlowField, DataError> {
    let Header { width, height, .. } = frames.header();
    let zero = vec![0.0; width * height];
    Ok(FlowField::new(*width, *height, zero.clone(), zero)?)
}
