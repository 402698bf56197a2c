//! How a frame and a flow field become bytes, and back.
//!
//! Flow is stored as in Two-Stream ConvNets, Sect. 5: each component is mapped linearly to 0..255 over its
//! own range in that field, the range is kept, and reading restores the values. Without JPEG the error is at
//! most `range / 510` per component; JPEG adds its own.

use image::codecs::jpeg::{JpegDecoder, JpegEncoder};
use image::{ColorType, ExtendedColorType, ImageDecoder};
use serde::{Deserialize, Serialize};
use std::io::Cursor;

/// How the 8-bit values of a frame or field are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Codec {
    /// As they are: 3 bytes per pixel of a frame, 2 per pixel of a field. Fastest to read.
    Raw8,
    /// JPEG, as in the paper; about a tenth of that.
    Jpeg {
        /// 1 to 100.
        quality: u8,
    },
}

impl Codec {
    /// Bytes of the codec for a picture with 1 or 3 channels; `Err` says what the encoder said.
    pub(crate) fn encode(
        self,
        width: usize,
        height: usize,
        channels: usize,
        data: &[u8],
    ) -> Result<Vec<u8>, String> {
        if data.len() != width * height * channels {
            return Err(format!("expected {width}x{height}x{channels} bytes, found {}", data.len()));
        }
        match self {
            Self::Raw8 => Ok(data.to_vec()),
            Self::Jpeg { quality } => {
                let colour = if channels == 3 { ExtendedColorType::Rgb8 } else { ExtendedColorType::L8 };
                let side = |n: usize| u32::try_from(n).map_err(|e| e.to_string());
                let mut out = Vec::new();
                JpegEncoder::new_with_quality(&mut out, quality)
                    .encode(data, side(width)?, side(height)?, colour)
                    .map_err(|e| e.to_string())?;
                Ok(out)
            }
        }
    }

    /// The picture back; `Err` says how the bytes differ from a picture of this size. The size is checked
    /// before anything is allocated.
    pub(crate) fn decode(
        self,
        width: usize,
        height: usize,
        channels: usize,
        bytes: &[u8],
    ) -> Result<Vec<u8>, String> {
        let expected = width * height * channels;
        match self {
            Self::Raw8 if bytes.len() == expected => Ok(bytes.to_vec()),
            Self::Raw8 => Err(format!("{} bytes instead of {expected}", bytes.len())),
            Self::Jpeg { .. } => {
                let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
                let colour = if channels == 3 { ColorType::Rgb8 } else { ColorType::L8 };
                let (w, h) = decoder.dimensions();
                if (w as usize, h as usize, decoder.color_type()) != (width, height, colour) {
                    return Err(format!("a JPEG of {w}x{h} {:?}", decoder.color_type()));
                }
                let mut data = vec![0; expected];
                decoder.read_image(&mut data).map_err(|e| e.to_string())?;
                Ok(data)
            }
        }
    }
}

/// Smallest and largest value of one flow component.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ValueRange {
    pub(crate) min: f32,
    pub(crate) max: f32,
}

impl ValueRange {
    /// What one step of a byte stands for.
    pub(crate) fn step(self) -> f32 {
        (self.max - self.min) / 255.0
    }
}

/// Maps a component to bytes over its own range; `None` if a value is not finite.
pub(crate) fn quantise(values: &[f32]) -> Option<(Vec<u8>, ValueRange)> {
    let mut range = ValueRange { min: f32::INFINITY, max: f32::NEG_INFINITY };
    for &value in values {
        if !value.is_finite() {
            return None;
        }
        range.min = range.min.min(value);
        range.max = range.max.max(value);
    }
    if values.is_empty() {
        return None;
    }
    let width = range.max - range.min;
    if !width.is_finite() {
        return None;
    }
    let scale = if width > 0.0 { 255.0 / width } else { 0.0 };
    let bytes = values.iter().map(|&value| ((value - range.min) * scale + 0.5) as u8).collect();
    Some((bytes, range))
}

/// The values back from their bytes.
pub(crate) fn restore(bytes: &[u8], range: ValueRange) -> Vec<f32> {
    let step = range.step();
    let mut values = vec![0.0; bytes.len()];
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (value, &byte) in values.iter_mut().zip(bytes) {
                *value = range.min + f32::from(byte) * step;
            }
        },
    );
    values
}

/// Mean of a component, summed in double precision.
pub(crate) fn mean(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    (sum / values.len().max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantisation_stays_within_half_a_step(values in prop::collection::vec(-80.0f32..80.0, 1..300)) {
            let (bytes, range) = quantise(&values).unwrap();
            let back = restore(&bytes, range);
            let bound = (range.max - range.min) / 510.0 * 1.001 + 1e-5;
            for (a, b) in values.iter().zip(back) {
                prop_assert!((a - b).abs() <= bound, "{a} came back as {b}, bound {bound}");
            }
        }
    }

    #[test]
    fn a_constant_component_comes_back_exactly() {
        let (bytes, range) = quantise(&[-3.7; 10]).unwrap();
        assert_eq!(restore(&bytes, range), [-3.7; 10]);
    }

    #[test]
    fn values_that_are_not_finite_are_refused() {
        assert!(quantise(&[1.0, f32::NAN]).is_none());
        assert!(quantise(&[1.0, f32::INFINITY]).is_none());
        assert!(quantise(&[f32::MIN, f32::MAX]).is_none());
    }

    #[test]
    fn jpeg_of_another_size_is_refused() {
        let codec = Codec::Jpeg { quality: 90 };
        let bytes = codec.encode(16, 8, 1, &[7; 128]).unwrap();
        assert!(codec.decode(16, 8, 1, &bytes).is_ok());
        assert!(codec.decode(8, 16, 1, &bytes).is_err());
        assert!(codec.decode(16, 8, 3, &bytes).is_err());
    }
}
