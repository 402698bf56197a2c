//! Rectangles of a frame.

use rand::Rng;

use crate::inputs::InputError;
use crate::source::Window;

/// Draws whether to mirror: `true` with probability 1/2 if `flip` is set, otherwise `false`.
pub(super) fn draw_flip(flip: bool, rng: &mut impl Rng) -> bool {
    flip && rng.random_range(0..2u32) == 1
}

/// A rectangle of a frame, in pixels, which may be mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Crop {
    /// Left edge.
    pub x: usize,
    /// Top edge.
    pub y: usize,
    /// Width.
    pub width: usize,
    /// Height.
    pub height: usize,
    /// Mirrors the cut-out left to right.
    pub flip: bool,
}

impl Crop {
    /// Draws a crop of `size` (width, height), uniformly over the places in the
    /// whole `frame`; with `flip` it is mirrored with probability 1/2.
    ///
    /// # Errors
    /// [`InputError::Crop`] if `size` is empty or larger than the frame.
    pub fn random(
        frame: (usize, usize),
        size: (usize, usize),
        flip: bool,
        rng: &mut impl Rng,
    ) -> Result<Self, InputError> {
        let (slack_x, slack_y) = slack(frame, size)?;
        let x = rng.random_range(0..=slack_x as u64) as usize;
        let y = rng.random_range(0..=slack_y as u64) as usize;
        Ok(Self { x, y, width: size.0, height: size.1, flip: draw_flip(flip, rng) })
    }

    /// The crop of `size` in the middle of `frame`, not mirrored. If a margin is odd,
    /// its larger part lies on the right or at the bottom.
    ///
    /// # Errors
    /// [`InputError::Crop`] if `size` is empty or larger than the frame.
    pub fn center(frame: (usize, usize), size: (usize, usize)) -> Result<Self, InputError> {
        let (slack_x, slack_y) = slack(frame, size)?;
        Ok(Self { x: slack_x / 2, y: slack_y / 2, width: size.0, height: size.1, flip: false })
    }

    /// The ten crops of a test, in this order: upper left, upper right, lower
    /// left, lower right, centre, then the mirror images of these five.
    ///
    /// # Errors
    /// [`InputError::Crop`] if `size` is empty or larger than the frame.
    pub fn ten(frame: (usize, usize), size: (usize, usize)) -> Result<[Self; 10], InputError> {
        let (right, bottom) = slack(frame, size)?;
        let center = Self::center(frame, size)?;
        let corners = [(0, 0), (right, 0), (0, bottom), (right, bottom), (center.x, center.y)];
        Ok(std::array::from_fn(|i| {
            let (x, y) = corners[i % corners.len()];
            Self { x, y, flip: i >= corners.len(), ..center }
        }))
    }

    /// The rectangle without its flip.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { x: self.x, y: self.y, width: self.width, height: self.height }
    }

    /// Checks that the crop is not empty and lies within `frame` (width, height).
    ///
    /// # Errors
    /// [`InputError::Crop`] otherwise.
    pub fn check(&self, frame: (usize, usize)) -> Result<(), InputError> {
        self.window().check(frame)
    }
}

/// Distances that a crop of `size` can move right and down within `frame`, in pixels.
pub(super) fn slack(frame: (usize, usize), size: (usize, usize)) -> Result<(usize, usize), InputError> {
    Crop { x: 0, y: 0, width: size.0, height: size.1, flip: false }.check(frame)?;
    Ok((frame.0 - size.0, frame.1 - size.1))
}
