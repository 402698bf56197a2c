//! What the rest of the crate reads flow from: one interface, [`FlowSource`].
//!
//! Letters: T frames, H height, W width, L stack length. A video of T frames has T - 1 frame
//! pairs and so T - 1 flow fields in each direction.

use crate::error::DataError;
use std::ops::Range;

/// Which way a flow field points in time.
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

/// A video seen as flow fields. Fields are read one at a time and in any order, so an
/// implementation may keep them on disk.
pub trait FlowSource {
    /// `(width, height)` of every field, in pixels.
    fn size(&self) -> (usize, usize);

    /// Number of fields in each direction: frames less one.
    fn fields(&self) -> usize;

    /// Ranges of *frames* between hard cuts, in order, covering `0..frames`. Field `t` is
    /// meaningful only if frames `t` and `t + 1` lie in one range; across a cut it is zero.
    fn segments(&self) -> &[Range<usize>];

    /// Field `t`, `t` in `0..fields()`.
    ///
    /// # Errors
    /// [`DataError::NoSuchEntry`] for `t` out of range, [`DataError::NotPrepared`] for a
    /// direction that was not computed, [`DataError::CorruptCache`] for a damaged cache file.
    fn field(&self, direction: Direction, t: usize) -> Result<Field, DataError>;
}
