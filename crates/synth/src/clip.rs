//! A rendered video in memory.

/// T frames of H x W pixels in RGB, 8 bits per channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// Width W in pixels.
    pub width: usize,
    /// Height H in pixels.
    pub height: usize,
    /// T frames, each H * W * 3 bytes: rows from the top, pixels from the left, R then G then B.
    pub frames: Vec<Vec<u8>>,
}
