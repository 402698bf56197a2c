//! Encoding of frames and flow fields as bytes, and decoding, whole or in part.
//!
//! Flow is stored as in Two-Stream ConvNets, Sect. 5: each component is mapped linearly to 0..255 over its
//! own range in that field, the range is stored, and reading restores the values. Alternatively, as in later data sets of
//! flow, the range is a bound that is the same everywhere; values beyond it are clipped and counted. Without JPEG the error
//! of a value that is not clipped is at most `range / 510` per component; JPEG adds its own. [`Codec::Float32`] has none.

mod flow;
mod jpeg;

use crate::source::Window;
use serde::{Deserialize, Serialize};

pub(crate) use flow::{ValueRange, mean, quantise, restore};

/// Storage of the values of a frame or field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Codec {
    /// 8 bits per value: 3 bytes per pixel of a frame, which is lossless, and 2 per pixel of a field.
    /// Fastest to read.
    Raw8,
    /// JPEG, as in the paper; about a tenth of the size of `Raw8`.
    Jpeg {
        /// Quality, 1 to 100.
        quality: u8,
    },
    /// Flow only: its exact values, 8 bytes per pixel.
    Float32,
}

impl Codec {
    /// Encodes a picture with 1 or 3 channels of 8 bits; `Err` holds the encoder's message.
    pub(crate) fn encode(
        self,
        width: usize,
        height: usize,
        channels: usize,
        data: &[u8],
    ) -> Result<Vec<u8>, String> {
        if data.len() != width * height * channels || data.is_empty() {
            return Err(format!("{} bytes instead of {width}x{height}x{channels}", data.len()));
        }
        match self {
            Self::Raw8 => Ok(data.to_vec()),
            Self::Jpeg { quality } => jpeg::encode(width, height, channels, data, quality),
            Self::Float32 => Err("frames in float32; store them as raw8 or jpeg".to_owned()),
        }
    }

    /// Decodes a window of such a picture and overwrites `out` with it. The window must lie within the picture. `Err` says
    /// how the bytes differ from a picture of this size, which is checked before anything is allocated.
    pub(crate) fn decode(
        self,
        (width, height): (usize, usize),
        channels: usize,
        bytes: &[u8],
        window: Window,
        out: &mut Vec<u8>,
    ) -> Result<(), String> {
        let expected = width * height * channels;
        match self {
            Self::Raw8 if bytes.len() == expected => {
                window.cut(bytes, width, channels, out);
                Ok(())
            }
            Self::Raw8 => Err(format!("{} bytes instead of {expected}", bytes.len())),
            Self::Jpeg { .. } => jpeg::decode((width, height), channels, bytes, window, out),
            Self::Float32 => Err("floating-point numbers instead of a picture".to_owned()),
        }
    }
}

/// Encodes values as they are stored in a file, little endian.
pub(crate) fn float_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

/// Reads a window of the values that [`float_bytes`] wrote and appends it to `out`.
pub(crate) fn floats(
    (width, height): (usize, usize),
    bytes: &[u8],
    window: Window,
    out: &mut Vec<f32>,
) -> Result<(), String> {
    let (values, []) = bytes.as_chunks() else { return Err(format!("{} bytes", bytes.len())) };
    if values.len() != width * height {
        return Err(format!("{} values instead of {}", values.len(), width * height));
    }
    let rows = values.chunks_exact(width).skip(window.y).take(window.height);
    let inside = rows.flat_map(|row| &row[window.x..][..window.width]);
    out.extend(inside.map(|value| f32::from_le_bytes(*value)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jpeg_of_another_size_is_refused() {
        let codec = Codec::Jpeg { quality: 90 };
        let bytes = codec.encode(16, 8, 1, &[7; 128]).unwrap();
        let decode = |size: (usize, usize), channels| {
            codec.decode(size, channels, &bytes, Window::whole(size), &mut Vec::new())
        };
        assert!(decode((16, 8), 1).is_ok());
        assert!(decode((8, 16), 1).is_err());
        assert!(decode((16, 8), 3).is_err());
    }
}
