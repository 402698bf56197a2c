//! Pictures and flow fields.

use crate::error::{FlowError, MAX_SIDE};

/// Displacement beyond which a vector is unknown if either component exceeds
/// it or is NaN (Middlebury's convention).
pub const UNKNOWN_FLOW: f32 = 1e9;

/// A grey picture: W x H intensities of 0 to 255, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct GrayImage {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Intensities, row by row.
    pub data: Vec<f32>,
}

impl GrayImage {
    /// Creates a picture from its intensities.
    ///
    /// # Errors
    /// If a side is 0 or over 99,999, or `data` does not hold width x height
    /// values.
    pub fn new(width: usize, height: usize, data: Vec<f32>) -> Result<Self, FlowError> {
        check_length("a grey picture", width, height, 1, data.len())?;
        Ok(Self { width, height, data })
    }

    /// Converts interleaved RGB bytes by the luma of Rec. 601:
    /// 0.299 R + 0.587 G + 0.114 B, not rounded.
    ///
    /// # Errors
    /// As for [`GrayImage::new`], with three bytes per pixel.
    pub fn from_rgb8(width: usize, height: usize, rgb: &[u8]) -> Result<Self, FlowError> {
        check_length("an RGB picture", width, height, 3, rgb.len())?;
        let data = rgb
            .as_chunks::<3>()
            .0
            .iter()
            .map(|&[r, g, b]| 0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b))
            .collect();
        Ok(Self { width, height, data })
    }

    /// Checks that the public fields agree and that all intensities are finite.
    pub(crate) fn check(&self, which: &'static str) -> Result<(), FlowError> {
        check_length("a grey picture", self.width, self.height, 1, self.data.len())?;
        match self.data.iter().position(|value| !value.is_finite()) {
            None => Ok(()),
            Some(at) => Err(FlowError::NotFinite {
                which,
                x: at % self.width,
                y: at / self.width,
                value: self.data[at],
            }),
        }
    }
}

/// A flow field: a displacement (u to the right, v downwards, in pixels) for
/// each of W x H pixels, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowField {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Displacements to the right.
    pub u: Vec<f32>,
    /// Displacements downwards.
    pub v: Vec<f32>,
}

impl FlowField {
    /// Creates a field from its components.
    ///
    /// # Errors
    /// If a side is 0 or over 99,999, or a component does not hold width x
    /// height values.
    pub fn new(width: usize, height: usize, u: Vec<f32>, v: Vec<f32>) -> Result<Self, FlowError> {
        let field = Self { width, height, u, v };
        field.check()?;
        Ok(field)
    }

    /// Checks that the public fields agree.
    pub(crate) fn check(&self) -> Result<(), FlowError> {
        check_length("u of a field", self.width, self.height, 1, self.u.len())?;
        check_length("v of a field", self.width, self.height, 1, self.v.len())
    }

    /// Returns `true` if the vector (u, v) is known: finite and not Middlebury's
    /// mark for "unknown".
    pub(crate) fn is_known(u: f32, v: f32) -> bool {
        // Comparisons with NaN are false, so NaN counts as unknown.
        u.abs() <= UNKNOWN_FLOW && v.abs() <= UNKNOWN_FLOW
    }
}

fn check_length(
    what: &'static str,
    width: usize,
    height: usize,
    channels: usize,
    found: usize,
) -> Result<(), FlowError> {
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(FlowError::Size { width, height });
    }
    let expected = width * height * channels;
    if found != expected {
        return Err(FlowError::Length { what, width, height, expected, found });
    }
    Ok(())
}
