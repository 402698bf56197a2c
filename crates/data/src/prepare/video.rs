//! A prepared video: single frames and fields out of the cache.

use super::work::Files;
use crate::container::Container;
use crate::error::DataError;
use crate::source::{Direction, Field, FieldWindow, Frame, FrameWindow, VideoReader, Window};
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

    /// The cache files that this video reads: frames, forward flow, backward flow if it was asked for.
    pub fn cache_files(&self) -> impl Iterator<Item = &Container> {
        [Some(&self.files.frames), Some(&self.files.forward), self.files.backward.as_ref()]
            .into_iter()
            .flatten()
    }

    /// The file that holds field `t`.
    fn flow_file(&self, direction: Direction, t: usize) -> Result<&Container, DataError> {
        self.check("flow field", t, self.fields())?;
        match (direction, &self.files.backward) {
            (Direction::Forward, _) => Ok(&self.files.forward),
            (Direction::Backward, Some(backward)) => Ok(backward),
            (Direction::Backward, None) => Err(DataError::NotPrepared { id: self.id.clone() }),
        }
    }

    fn check(&self, what: &'static str, index: usize, count: usize) -> Result<(), DataError> {
        if index < count {
            return Ok(());
        }
        Err(DataError::NoSuchEntry { id: self.id.clone(), what, index, count })
    }
}

impl VideoReader for PreparedVideo {
    fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn frames(&self) -> usize {
        self.frames
    }

    fn segments(&self) -> &[Range<usize>] {
        &self.segments
    }

    fn frame(&self, t: usize) -> Result<Frame, DataError> {
        self.check("frame", t, self.frames)?;
        Ok(Frame { width: self.width, height: self.height, rgb: self.files.frames.frame(t)? })
    }

    fn field(&self, direction: Direction, t: usize) -> Result<Field, DataError> {
        self.flow_file(direction, t)?.field(t)
    }

    fn frame_window(&self, t: usize, window: Window, out: &mut FrameWindow) -> Result<(), DataError> {
        self.check("frame", t, self.frames)?;
        self.files.frames.frame_window(t, window, out)
    }

    fn field_window(
        &self,
        direction: Direction,
        t: usize,
        window: Window,
        out: &mut FieldWindow,
    ) -> Result<(), DataError> {
        self.flow_file(direction, t)?.field_window(t, window, out)
    }
}
