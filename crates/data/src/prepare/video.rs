//! A prepared video: single frames and fields out of the cache.

use super::work::Files;
use crate::container::Container;
use crate::error::DataError;
use crate::source::{Direction, Field, FlowSource};
use std::ops::Range;

/// A video whose frames and flow lie in the cache. Cheap to keep: it holds no picture and no open file.
#[derive(Debug, Clone)]
pub struct PreparedVideo {
    /// Id within the data set.
    pub id: String,
    /// Class index.
    pub label: usize,
    /// Frames, T.
    pub frames: usize,
    /// Columns, W.
    pub width: usize,
    /// Rows, H.
    pub height: usize,
    /// Ranges of frames between hard cuts, covering `0..frames`.
    pub segments: Vec<Range<usize>>,
    /// Frame pairs that are the same picture up to coding noise.
    pub repeated: usize,
    /// Of extracted flow: whether it was compared with the frames (it fits then) or too little moves for that.
    /// `None` if it was computed here or the comparison was switched off.
    pub judged: Option<bool>,
    files: Files,
}

impl PreparedVideo {
    pub(super) fn new(id: String, label: usize, files: Files) -> Self {
        let header = files.frames.header();
        let (frames, width, height) = (header.count, header.width, header.height);
        let segments = header.segments.clone();
        let repeated = header.facts.repeated.unwrap_or(0);
        let judged = files.forward.header().facts.judged;
        Self { id, label, frames, width, height, segments, repeated, judged, files }
    }

    /// Frame `t` as RGB, H x W x 3 bytes.
    ///
    /// # Errors
    /// [`DataError::NoSuchEntry`] for `t` out of range, [`DataError::CorruptCache`] or
    /// [`DataError::Io`] if the cache was damaged since it was verified.
    pub fn frame(&self, t: usize) -> Result<Vec<u8>, DataError> {
        self.check("frame", t, self.frames)?;
        self.files.frames.frame(t)
    }

    /// The cache files that this video reads: frames, forward flow, backward flow if it was asked for.
    pub fn cache_files(&self) -> impl Iterator<Item = &Container> {
        [Some(&self.files.frames), Some(&self.files.forward), self.files.backward.as_ref()]
            .into_iter()
            .flatten()
    }

    fn check(&self, what: &'static str, index: usize, count: usize) -> Result<(), DataError> {
        if index < count {
            return Ok(());
        }
        Err(DataError::NoSuchEntry { id: self.id.clone(), what, index, count })
    }
}

impl FlowSource for PreparedVideo {
    fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn fields(&self) -> usize {
        self.frames.saturating_sub(1)
    }

    fn segments(&self) -> &[Range<usize>] {
        &self.segments
    }

    fn field(&self, direction: Direction, t: usize) -> Result<Field, DataError> {
        self.check("flow field", t, self.fields())?;
        match (direction, &self.files.backward) {
            (Direction::Forward, _) => self.files.forward.field(t),
            (Direction::Backward, Some(backward)) => backward.field(t),
            (Direction::Backward, None) => Err(DataError::NotPrepared { id: self.id.clone() }),
        }
    }
}
