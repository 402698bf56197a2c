//! Estimation of flow from the frames of a video as they are read back from the cache.

use super::work::Work;
use crate::batched::{fields, frames_at_once};
use crate::container::{Builder, Container, Header};
use crate::error::DataError;
use crate::source::Direction;
use flow::{Batched, Estimator, FlowField, GrayImage, TvL1Params};
use std::path::Path;
use std::sync::atomic::Ordering;

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

    fn pair_by_pair(
        &self,
        estimator: &Estimator,
        direction: Direction,
        frames: &Container,
        builder: &mut Builder,
    ) -> Result<(), DataError> {
        let mut stream = estimator.stream();
        let mut workspace = estimator.workspace();
        let mut earlier = None;
        for t in 0..frames.header().count {
            if after_cut(frames, t) {
                stream.restart();
                earlier = None;
                builder.push_field(&zero(frames)?)?;
            }
            let frame = self.grey(frames, t)?;
            let field = match (direction, &earlier) {
                (Direction::Forward, _) => stream.push(&frame)?,
                (Direction::Backward, None) => None,
                (Direction::Backward, Some(earlier)) => {
                    Some(estimator.compute_with(&mut workspace, &frame, earlier)?)
                }
            };
            if let Some(field) = field {
                builder.push_field(&field)?;
            }
            earlier = Some(frame);
        }
        Ok(())
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
