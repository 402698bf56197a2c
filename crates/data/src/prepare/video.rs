//! A prepared video: single frames and fields from the cache.

use crate::container::{Container, Messages};
use crate::cuts::segments;
use crate::error::DataError;
use crate::source::{Direction, Field, FieldWindow, Frame, FrameWindow, VideoReader, Window};
use std::ops::Range;
use std::sync::Arc;

/// The verified cache files of one video.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) frames: Container,
    pub(super) forward: Option<Container>,
    pub(super) backward: Option<Container>,
}

impl Files {
    pub(super) fn bytes(&self) -> u64 {
        self.frames.file_bytes() + self.flow().map(Container::file_bytes).sum::<u64>()
    }

    /// The files of forward and backward flow, as far as they were requested.
    pub(super) fn flow(&self) -> impl Iterator<Item = &Container> {
        [self.forward.as_ref(), self.backward.as_ref()].into_iter().flatten()
    }
}

/// The content that a video is read from.
#[derive(Debug, Clone)]
pub(super) enum Content {
    /// Cache files.
    Cached(Box<Files>),
    /// Rendered frames of a generated still picture; there is at most one, so there is no flow.
    Stills(Arc<[Frame]>),
}

impl Content {
    /// Bytes in the cache.
    pub(super) fn bytes(&self) -> u64 {
        if let Self::Cached(files) = self { files.bytes() } else { 0 }
    }

    /// The cache files of the flow.
    pub(super) fn flow(&self) -> impl Iterator<Item = &Container> {
        self.files().into_iter().flat_map(Files::flow)
    }

    fn files(&self) -> Option<&Files> {
        if let Self::Cached(files) = self { Some(files) } else { None }
    }
}

/// A video whose frames and flow lie in the cache, or a rendered picture. A video is cheap to keep: it holds no frame and no
/// open file. A picture holds its pixels, which its clones share.
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
    /// Number of frame pairs that show the same picture up to coding noise.
    pub repeated: usize,
    /// For extracted flow: `true` if it was compared with the frames and fits, `false` if too little moves for that.
    /// `None` if it was computed here or the comparison was switched off.
    pub judged: Option<bool>,
    /// The messages of ffmpeg with which its frames were accepted.
    pub messages: Option<Messages>,
    content: Content,
}

impl PreparedVideo {
    pub(super) fn new(id: String, label: usize, content: Content) -> Self {
        let (size, segments, repeated, judged, messages) = match &content {
            Content::Cached(files) => {
                let header = files.frames.header();
                let judged = files.forward.as_ref().and_then(|flow| flow.header().facts.judged);
                let size = (header.count, header.width, header.height);
                let messages = header.facts.messages.clone();
                (size, header.segments.clone(), header.facts.repeated.unwrap_or(0), judged, messages)
            }
            Content::Stills(frames) => {
                let (width, height) = frames.first().map_or((1, 1), |frame| (frame.width, frame.height));
                ((frames.len(), width, height), segments(frames.len(), &[]), 0, None, None)
            }
        };
        let (frames, width, height) = size;
        Self { id, label, frames, width, height, segments, repeated, judged, messages, content }
    }

    /// The cache files that this video reads: frames, and flow as far as it was requested. Empty for a rendered picture.
    pub fn cache_files(&self) -> impl Iterator<Item = &Container> {
        self.content.files().into_iter().flat_map(|files| [&files.frames].into_iter().chain(files.flow()))
    }

    /// Returns `true` if there is a file of flow. For a video of one frame that file holds no field.
    pub fn has_flow(&self) -> bool {
        self.content.flow().next().is_some()
    }

    /// The file that holds field `t`.
    fn flow_file(&self, direction: Direction, t: usize) -> Result<&Container, DataError> {
        self.check("flow field", t, self.fields())?;
        let files = self.content.files();
        let file = files.and_then(|files| match direction {
            Direction::Forward => files.forward.as_ref(),
            Direction::Backward => files.backward.as_ref(),
        });
        file.ok_or_else(|| DataError::NotPrepared { id: self.id.clone() })
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
        match &self.content {
            Content::Cached(files) => {
                Ok(Frame { width: self.width, height: self.height, rgb: files.frames.frame(t)? })
            }
            Content::Stills(frames) => Ok(frames[t].clone()),
        }
    }

    fn field(&self, direction: Direction, t: usize) -> Result<Field, DataError> {
        self.flow_file(direction, t)?.field(t)
    }

    fn frame_window(&self, t: usize, window: Window, out: &mut FrameWindow) -> Result<(), DataError> {
        self.check("frame", t, self.frames)?;
        match &self.content {
            Content::Cached(files) => files.frames.frame_window(t, window, out),
            Content::Stills(frames) => {
                window.check(self.size())?;
                (out.frame.width, out.frame.height) = (window.width, window.height);
                window.cut(&frames[t].rgb, self.width, 3, &mut out.frame.rgb);
                Ok(())
            }
        }
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
