//! Crops, flips and colours: how one video gives many training samples.
//!
//! Two-Stream ConvNets (Sect. 5) cuts a crop from anywhere in the whole frame, mirrors it with
//! probability 1/2 and jitters the colours; a test reads the four corners, the centre and their
//! mirror images. Temporal Segment Networks, whose protocol the later papers follow, cut at the
//! corners and the centre with sides of several lengths ([`MultiScale`]). What a flip means for the
//! values is the input's affair: a mirrored flow also changes the sign of its x component, see
//! [`crate::inputs::FlowStack::fill`].

mod colour;
mod multi_scale;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

pub use self::colour::PcaJitter;
pub use self::multi_scale::{MultiScale, Places};
use crate::error::InputError;
use crate::source::Window;

/// How training samples are varied. All inputs and moments of a sample are varied alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Augmentation {
    /// Which part of the frame is seen.
    pub crop: CropRule,
    /// Whether it is mirrored with probability 1/2.
    pub flip: bool,
    /// How the colours of RGB inputs vary; not at all if absent.
    pub colour: Option<PcaJitter>,
}

/// Which part of the frame a training sample shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CropRule {
    /// Of the input's size, anywhere in the frame (Two-Stream ConvNets).
    Random,
    /// Of the input's size, in the middle.
    Center,
    /// Of several sizes, at fixed places, resized to the input's (Temporal Segment Networks).
    MultiScale(MultiScale),
}

/// How one sample is varied.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variation {
    /// The part of the frame, and whether it is mirrored.
    pub crop: Crop,
    /// What is added to R, G and B, in 0..=255.
    pub colour: [f32; 3],
}

impl Augmentation {
    /// Random crops, mirrored or not, in their own colours.
    #[must_use]
    pub fn random_crops(flip: bool) -> Self {
        Self { crop: CropRule::Random, flip, colour: None }
    }

    /// Checks the values that do not depend on a video.
    ///
    /// # Errors
    /// Scales or jitter outside their range.
    pub fn validate(&self) -> Result<(), InputError> {
        if let CropRule::MultiScale(rule) = &self.crop {
            rule.validate()?;
        }
        self.colour.as_ref().map_or(Ok(()), PcaJitter::validate)
    }

    /// Checks that frames of `frame` (width, height) can be cut for inputs of `size`.
    ///
    /// # Errors
    /// When a crop would be empty or larger than the frame.
    pub fn check(&self, frame: (usize, usize), size: (usize, usize)) -> Result<(), InputError> {
        match &self.crop {
            CropRule::Random | CropRule::Center => Crop::center(frame, size).map(|_| ()),
            CropRule::MultiScale(rule) => rule.check(frame, size),
        }
    }

    /// Draws how a sample is varied: place, flip and colour, in this order.
    ///
    /// # Errors
    /// As [`Augmentation::check`].
    pub fn draw(
        &self,
        frame: (usize, usize),
        size: (usize, usize),
        rng: &mut impl Rng,
    ) -> Result<Variation, InputError> {
        let crop = match &self.crop {
            CropRule::Random => Crop::random(frame, size, self.flip, rng)?,
            CropRule::Center => Crop { flip: draw_flip(self.flip, rng), ..Crop::center(frame, size)? },
            CropRule::MultiScale(rule) => {
                let crop = rule.draw(frame, size, rng)?;
                Crop { flip: draw_flip(self.flip, rng), ..crop }
            }
        };
        let colour = self.colour.as_ref().map_or([0.0; 3], |jitter| jitter.draw(rng));
        Ok(Variation { crop, colour })
    }
}

/// One of the two with equal probability, if flips are wanted.
fn draw_flip(flip: bool, rng: &mut impl Rng) -> bool {
    flip && rng.random_range(0..2u32) == 1
}

/// A rectangle of a frame, in pixels, and whether it is mirrored left to right.
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
    /// Whether the cut-out is mirrored, left for right.
    pub flip: bool,
}

impl Crop {
    /// Draws a crop of `size` (width, height), uniformly over the places in the
    /// whole `frame`; with `flip` it is mirrored with probability 1/2.
    ///
    /// # Errors
    /// When `size` is larger than the frame or empty.
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

    /// The crop of `size` in the middle of `frame`, not mirrored; of an odd
    /// margin the larger part lies right and below.
    ///
    /// # Errors
    /// When `size` is larger than the frame or empty.
    pub fn center(frame: (usize, usize), size: (usize, usize)) -> Result<Self, InputError> {
        let (slack_x, slack_y) = slack(frame, size)?;
        Ok(Self { x: slack_x / 2, y: slack_y / 2, width: size.0, height: size.1, flip: false })
    }

    /// The ten crops of a test, in this order: upper left, upper right, lower
    /// left, lower right, centre, then the mirror images of these five.
    ///
    /// # Errors
    /// When `size` is larger than the frame or empty.
    pub fn ten(frame: (usize, usize), size: (usize, usize)) -> Result<[Self; 10], InputError> {
        let (right, bottom) = slack(frame, size)?;
        let center = Self::center(frame, size)?;
        let corners = [(0, 0), (right, 0), (0, bottom), (right, bottom), (center.x, center.y)];
        Ok(std::array::from_fn(|i| {
            let (x, y) = corners[i % corners.len()];
            Self { x, y, flip: i >= corners.len(), ..center }
        }))
    }

    /// The rectangle, mirrored or not.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { x: self.x, y: self.y, width: self.width, height: self.height }
    }

    /// Checks that the crop is not empty and lies within `frame` (width, height).
    ///
    /// # Errors
    /// When it does not.
    pub fn check(&self, frame: (usize, usize)) -> Result<(), InputError> {
        self.window().check(frame)
    }
}

/// How far a crop of `size` can move right and down within `frame`.
fn slack(frame: (usize, usize), size: (usize, usize)) -> Result<(usize, usize), InputError> {
    Crop { x: 0, y: 0, width: size.0, height: size.1, flip: false }.check(frame)?;
    Ok((frame.0 - size.0, frame.1 - size.1))
}
