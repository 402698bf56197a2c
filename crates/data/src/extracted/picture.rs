//! One JPEG file of an extracted folder.

use super::ExtractedProblem;
use crate::error::DataError;
use image::codecs::jpeg::JpegDecoder;
use image::{ColorType, ImageDecoder};
use std::io::Cursor;
use std::path::Path;

/// Largest file in bytes: larger than any picture within [`MAX_SIDE`] that an extractor writes. Bounds the memory that a
/// hostile file takes.
const MAX_BYTES: u64 = 64 << 20;
/// Largest width and height.
const MAX_SIDE: u32 = 8192;

/// A decoded picture together with the file's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// Columns, W.
    pub width: usize,
    /// Rows, H.
    pub height: usize,
    /// H x W x 3 bytes of RGB, or H x W bytes of grey.
    pub pixels: Vec<u8>,
    /// The JPEG file.
    pub jpeg: Vec<u8>,
}

/// Decodes a frame: a JPEG with three components. `file` names it in errors.
///
/// # Errors
/// [`ExtractedProblem::Unreadable`], [`ExtractedProblem::Colour`].
pub fn decode_colour(file: &str, jpeg: Vec<u8>) -> Result<Picture, ExtractedProblem> {
    decode(file, jpeg, ColorType::Rgb8, "colour")
}

/// Decodes a flow component: a JPEG with one component. A colour JPEG is refused, because a conversion to grey would
/// change values unnoticed.
///
/// # Errors
/// The errors of [`decode_colour`].
pub fn decode_grey(file: &str, jpeg: Vec<u8>) -> Result<Picture, ExtractedProblem> {
    decode(file, jpeg, ColorType::L8, "grey")
}

fn decode(
    file: &str,
    jpeg: Vec<u8>,
    colour: ColorType,
    expected: &'static str,
) -> Result<Picture, ExtractedProblem> {
    let unreadable = |found: String| ExtractedProblem::Unreadable { file: file.to_owned(), found };
    // The decoder fills missing data with grey, so the end is checked first.
    if !jpeg.starts_with(&[0xff, 0xd8]) {
        return Err(unreadable("a file that begins with other bytes".to_owned()));
    }
    let end = jpeg.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    if !jpeg[..end].ends_with(&[0xff, 0xd9]) {
        return Err(unreadable(format!("a file of {} bytes that ends early", jpeg.len())));
    }
    let decoder = JpegDecoder::new(Cursor::new(&jpeg)).map_err(|e| unreadable(e.to_string()))?;
    let (w, h) = decoder.dimensions();
    if !(1..=MAX_SIDE).contains(&w) || !(1..=MAX_SIDE).contains(&h) {
        return Err(unreadable(format!("{w}x{h} pixels instead of 1 to {MAX_SIDE} on each side")));
    }
    let found = decoder.color_type();
    if found != colour {
        let found = match found {
            ColorType::L8 => "grey".to_owned(),
            ColorType::Rgb8 => "colour".to_owned(),
            other => format!("{other:?}"),
        };
        return Err(ExtractedProblem::Colour { file: file.to_owned(), expected, found });
    }
    let (width, height) = (w as usize, h as usize);
    let mut pixels = vec![0; width * height * usize::from(colour.channel_count())];
    decoder.read_image(&mut pixels).map_err(|e| unreadable(e.to_string()))?;
    Ok(Picture { width, height, pixels, jpeg })
}

/// Reads a file of at most [`MAX_BYTES`].
pub(super) fn read(path: &Path) -> Result<Vec<u8>, DataError> {
    Ok(base::files::read(path, MAX_BYTES)?)
}
