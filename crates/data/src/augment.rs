//! Data augmentation: crops, flips and colour jitter that turn one video into many training samples.
//!
//! Two-Stream ConvNets (Sect. 5) cuts a crop from anywhere in the whole frame, mirrors it with
//! probability 1/2 and jitters the colours; a test reads the four corners, the centre and their
//! mirror images. Temporal Segment Networks, whose protocol the later papers follow, cut at the
//! corners and the centre with sides of several lengths ([`MultiScale`]). Each input defines what a
//! flip does to its values: mirrored flow also changes the sign of its x component, see
//! [`crate::inputs::Kind::paint`].

mod colour;
mod crop;
mod multi_scale;

use rand::Rng;
use serde::{Deserialize, Serialize};

pub use self::colour::PcaJitter;
pub use self::crop::Crop;
use self::crop::draw_flip;
pub use self::multi_scale::{MultiScale, Places};
use crate::error::InputError;

/// Augmentation of training samples. All inputs and time steps of a sample get the same variation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Augmentation {
    /// The part of the frame that a sample shows.
    pub crop: CropRule,
    /// Mirrors samples left to right with probability 1/2.
    pub flip: bool,
    /// Colour jitter of RGB inputs; `None` leaves the colours unchanged.
    pub colour: Option<PcaJitter>,
}

/// The part of the frame that a training sample shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CropRule {
    /// A crop of the input's size, anywhere in the frame (Two-Stream ConvNets).
    Random,
    /// A crop of the input's size, in the middle of the frame.
    Center,
    /// A crop of one of several sizes, at a fixed place, resized to the input's size (Temporal Segment Networks).
    MultiScale(MultiScale),
}

/// The variation drawn for one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variation {
    /// The part of the frame, mirrored or not.
    pub crop: Crop,
    /// Offsets added to R, G and B, on the scale 0..=255.
    pub colour: [f32; 3],
}

impl Augmentation {
    /// Random crops without colour jitter, mirrored with probability 1/2 if `flip` is set.
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
    /// [`InputError::Crop`] if a crop would be empty or larger than the frame; [`InputError::Spec`] for invalid scales.
    pub fn check(&self, frame: (usize, usize), size: (usize, usize)) -> Result<(), InputError> {
        match &self.crop {
            CropRule::Random | CropRule::Center => Crop::center(frame, size).map(|_| ()),
            CropRule::MultiScale(rule) => rule.check(frame, size),
        }
    }

    /// Draws the variation of a sample: place, flip and colour, in this order.
    ///
    /// # Errors
    /// The errors of [`Augmentation::check`].
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
