//! Picture files: input for an estimator, and output for the user.

use crate::error::DataError;
use flow::GrayImage;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder, ImageReader, Limits};
use std::io::BufReader;
use std::path::Path;

/// Largest width and height that is read.
const MAX_SIDE: u32 = 16_384;

/// Reads a picture (PNG or JPEG, recognised by its content) in grey, 0 to 255.
///
/// # Errors
/// [`DataError::File`] for a file that cannot be opened, [`DataError::Invalid`] for one that is not a picture or has a side
/// above 16,384 pixels.
pub fn read_grey(path: &Path) -> Result<GrayImage, DataError> {
    let invalid = |found: String| {
        DataError::invalid(format!("picture {}", path.display()), "a PNG or JPEG file", found)
    };
    let reader = ImageReader::new(BufReader::new(base::files::open(path)?));
    let mut reader = reader.with_guessed_format().map_err(|e| DataError::io("read", path, e))?;
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    let rgb = reader.decode().map_err(|e| invalid(e.to_string()))?.to_rgb8();
    Ok(GrayImage::from_rgb8(rgb.width() as usize, rgb.height() as usize, rgb.as_raw())?)
}

/// Writes H x W x 3 bytes of RGB as PNG.
///
/// # Errors
/// [`DataError::Invalid`] for a buffer of the wrong size, and the errors of [`base::files::write`].
pub fn write_png(path: &Path, width: usize, height: usize, rgb: &[u8]) -> Result<(), DataError> {
    let invalid = |found: String| {
        DataError::invalid(
            format!("picture {}", path.display()),
            format!("{width}x{height} pixels of RGB"),
            found,
        )
    };
    if Some(rgb.len()) != width.checked_mul(height).and_then(|pixels| pixels.checked_mul(3)) {
        return Err(invalid(format!("{} bytes", rgb.len())));
    }
    let side = |n: usize| u32::try_from(n).map_err(|e| invalid(e.to_string()));
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(rgb, side(width)?, side(height)?, ExtendedColorType::Rgb8)
        .map_err(|e| invalid(e.to_string()))?;
    Ok(base::files::write(path, &[&png])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_back_and_rubbish_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        write_png(&path, 2, 1, &[0, 0, 0, 255, 255, 255]).unwrap();
        let picture = read_grey(&path).unwrap();
        assert_eq!((picture.width, picture.height), (2, 1));
        assert!(picture.data[0] < 0.01 && (picture.data[1] - 255.0).abs() < 0.01);
        assert!(write_png(&path, 2, 2, &[0; 6]).is_err());
        std::fs::write(&path, b"no picture").unwrap();
        let error = read_grey(&path).unwrap_err().to_string();
        assert!(error.contains("expected a PNG or JPEG file"), "{error}");
        assert!(read_grey(&folder.path().join("none.png")).is_err());
    }
}
