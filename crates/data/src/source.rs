//! The interface through which the rest of the crate reads videos: [`VideoReader`].
//!
//! Letters: T frames, H height, W width, L stack length. A video of T frames has T - 1 frame
//! pairs and so T - 1 flow fields in each direction.
//!
//! Training needs a crop of a frame or field, not all of it. [`VideoReader::frame_window`] and
//! [`VideoReader::field_window`] read a [`Window`] into buffers that the caller keeps, and a field
//! may come as the bytes of its storage ([`Plane::Bytes`]): the values are then restored where they
//! are used, without a copy in between. Both have a default that reads the whole and cuts it; a
//! source overrides them if it can read less.

use crate::error::{DataError, InputError};
use std::ops::Range;

/// Direction in time of a flow field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Field `t` maps frame `t` to frame `t + 1`.
    Forward,
    /// Field `t` maps frame `t + 1` to frame `t`: the index is that of the *earlier* frame.
    Backward,
}

/// A dense flow field: for every pixel the displacement to the other frame of its pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Columns, W.
    pub width: usize,
    /// Rows, H.
    pub height: usize,
    /// Displacement to the right in pixels per frame; H x W, row by row.
    pub u: Vec<f32>,
    /// Displacement downwards in pixels per frame; H x W, row by row.
    pub v: Vec<f32>,
    /// Mean of `u` and of `v` over the whole field, taken before any quantisation. It is what
    /// "mean flow subtraction" (Two-Stream ConvNets, Sect. 3.1) subtracts.
    pub mean: [f32; 2],
}

/// One picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    /// Columns, W.
    pub width: usize,
    /// Rows, H.
    pub height: usize,
    /// H x W x 3 bytes: rows from the top, pixels from the left, R then G then B.
    pub rgb: Vec<u8>,
}

/// A rectangle of a frame or field, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Left edge.
    pub x: usize,
    /// Top edge.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
}

impl Window {
    /// The whole of a frame of `(width, height)`.
    #[must_use]
    pub fn whole((width, height): (usize, usize)) -> Self {
        Self { x: 0, y: 0, width, height }
    }

    /// Checks that the window is not empty and lies within a frame of `(width, height)`.
    ///
    /// # Errors
    /// [`InputError::Crop`] otherwise.
    pub fn check(&self, frame: (usize, usize)) -> Result<(), InputError> {
        let fits = |at: usize, length: usize, limit: usize| {
            length > 0 && at.checked_add(length).is_some_and(|end| end <= limit)
        };
        if fits(self.x, self.width, frame.0) && fits(self.y, self.height, frame.1) {
            return Ok(());
        }
        let Self { x, y, width, height } = *self;
        Err(InputError::Crop { x, y, width, height, frame_width: frame.0, frame_height: frame.1 })
    }

    /// The smallest window that holds both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let right = (self.x + self.width).max(other.x + other.width);
        let bottom = (self.y + self.height).max(other.y + other.height);
        Self { x, y, width: right - x, height: bottom - y }
    }

    /// Copies the window out of rows of `stride` pixels, with `values` values per pixel, into `out`.
    pub(crate) fn cut<T: Copy>(&self, source: &[T], stride: usize, values: usize, out: &mut Vec<T>) {
        out.clear();
        for row in self.y..self.y + self.height {
            let from = (row * stride + self.x) * values;
            out.extend_from_slice(&source[from..from + self.width * values]);
        }
    }
}

/// A window of a frame, in memory that is reused for the next one.
#[derive(Debug, Default)]
pub struct FrameWindow {
    /// The pixels; its size is that of the window.
    pub frame: Frame,
    /// Buffer for the source's own use: bytes read from its file.
    pub file: Vec<u8>,
}

/// A window of a flow field, in memory that is reused for the next one.
#[derive(Debug, Default)]
pub struct FieldWindow {
    /// Columns of the window.
    pub width: usize,
    /// Rows of the window.
    pub height: usize,
    /// Displacement to the right in pixels per frame, row by row.
    pub u: Plane,
    /// Displacement downwards in pixels per frame, row by row.
    pub v: Plane,
    /// Mean of the whole field, not of the window, see [`Field::mean`].
    pub mean: [f32; 2],
    /// Buffer for the source's own use: bytes read from its file.
    pub file: Vec<u8>,
}

/// One component of a flow field.
#[derive(Debug, Clone, PartialEq)]
pub enum Plane {
    /// Bytes as they are stored: byte `b` stands for `min + b * step`, computed in this order in `f32`.
    Bytes {
        /// One byte per pixel.
        data: Vec<u8>,
        /// Value of byte 0, pixels per frame.
        min: f32,
        /// Value of one step of a byte, pixels per frame.
        step: f32,
    },
    /// Values, one per pixel.
    Floats(Vec<f32>),
}

impl Default for Plane {
    fn default() -> Self {
        Self::Floats(Vec::new())
    }
}

impl Plane {
    /// Makes this a plane of bytes and returns its cleared buffer, to be filled with one byte per pixel.
    pub fn bytes(&mut self, min: f32, step: f32) -> &mut Vec<u8> {
        let data = match self {
            Self::Bytes { data, .. } => std::mem::take(data),
            Self::Floats(_) => Vec::new(),
        };
        *self = Self::Bytes { data, min, step };
        let Self::Bytes { data, .. } = self else { unreachable!("it was just made so") };
        data.clear();
        data
    }

    /// Makes this a plane of values and returns its cleared buffer, to be filled with one value per pixel.
    pub fn floats(&mut self) -> &mut Vec<f32> {
        if let Self::Bytes { .. } = self {
            *self = Self::default();
        }
        let Self::Floats(values) = self else { unreachable!("it was just made so") };
        values.clear();
        values
    }

    /// Number of pixels.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes { data, .. } => data.len(),
            Self::Floats(values) => values.len(),
        }
    }

    /// Returns `true` if there are no pixels.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A video seen as frames and flow fields. Both are read one at a time and in any order, so an
/// implementation may keep them on disk.
pub trait VideoReader {
    /// `(width, height)` of every frame and field, in pixels.
    fn size(&self) -> (usize, usize);

    /// Number of frames, T.
    fn frames(&self) -> usize;

    /// Number of fields in each direction: one fewer than frames.
    fn fields(&self) -> usize {
        self.frames().saturating_sub(1)
    }

    /// Ranges of *frames* between hard cuts, in order, covering `0..frames`. Field `t` is
    /// meaningful only if frames `t` and `t + 1` lie in one range; across a cut it is zero.
    fn segments(&self) -> &[Range<usize>];

    /// Frame `t`, `t` in `0..frames()`.
    ///
    /// # Errors
    /// [`DataError::NoSuchEntry`] for `t` out of range, [`DataError::CorruptCache`] for a damaged
    /// cache file.
    fn frame(&self, t: usize) -> Result<Frame, DataError>;

    /// Field `t`, `t` in `0..fields()`.
    ///
    /// # Errors
    /// The errors of [`VideoReader::frame`], and [`DataError::NotPrepared`] for a direction that was not computed.
    fn field(&self, direction: Direction, t: usize) -> Result<Field, DataError>;

    /// Reads the part of frame `t` within `window` and overwrites `out` with it.
    ///
    /// # Errors
    /// The errors of [`VideoReader::frame`]; a window that does not fit; a frame whose size differs
    /// from [`VideoReader::size`].
    fn frame_window(&self, t: usize, window: Window, out: &mut FrameWindow) -> Result<(), DataError> {
        let size = self.size();
        window.check(size)?;
        let Frame { width, height, rgb } = self.frame(t)?;
        if (width, height) != size || rgb.len() < 3 * width * height {
            let (frame_width, frame_height) = size;
            let bytes = rgb.len();
            let found = InputError::FrameSize { index: t, width, height, bytes, frame_width, frame_height };
            return Err(found.into());
        }
        (out.frame.width, out.frame.height) = (window.width, window.height);
        window.cut(&rgb, width, 3, &mut out.frame.rgb);
        Ok(())
    }

    /// Reads the part of field `t` within `window` and overwrites `out` with it. The mean stays that of
    /// the whole field.
    ///
    /// # Errors
    /// The errors of [`VideoReader::field`]; a window that does not fit; a field whose size differs
    /// from [`VideoReader::size`].
    fn field_window(
        &self,
        direction: Direction,
        t: usize,
        window: Window,
        out: &mut FieldWindow,
    ) -> Result<(), DataError> {
        let size = self.size();
        window.check(size)?;
        let Field { width, height, u, v, mean } = self.field(direction, t)?;
        let values = u.len().min(v.len());
        if (width, height) != size || values < width * height {
            let (frame_width, frame_height) = size;
            let found = InputError::FieldSize { index: t, width, height, values, frame_width, frame_height };
            return Err(found.into());
        }
        (out.width, out.height, out.mean) = (window.width, window.height, mean);
        window.cut(&u, width, 1, out.u.floats());
        window.cut(&v, width, 1, out.v.floats());
        Ok(())
    }
}
