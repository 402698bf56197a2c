//! Resizing of frames to their working size: the short side becomes S, the aspect ratio stays.
//!
//! The types of pixels are fixed at compile time: the resizer that finds them at run time is compiled for thirteen types,
//! which took longer than the rest of this crate.

use crate::error::DataError;
use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::{F32, U8x3};
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

/// Computes width and height of a `width` x `height` frame whose short side becomes `short`; the long side
/// is rounded to the nearest pixel.
#[must_use]
pub fn target_size(width: usize, height: usize, short: usize) -> (usize, usize) {
    let scaled = |long: usize, side: usize| ((2 * long * short + side) / (2 * side)).max(short);
    if width <= height { (short, scaled(height, width)) } else { (scaled(width, height), short) }
}

/// Resizes the frames of one video, reusing its memory.
#[derive(Debug)]
pub struct FrameResizer {
    short: usize,
    resizer: Resizer,
    out: Vec<u8>,
}

impl FrameResizer {
    /// Creates a resizer to the short side `short`.
    #[must_use]
    pub fn new(short: usize) -> Self {
        Self { short, resizer: Resizer::new(), out: Vec::new() }
    }

    /// Returns the frame at its working size, as `(width, height, RGB bytes)`. A frame that already has that size
    /// is returned unchanged; others go through a Catmull-Rom filter that widens with the reduction, to avoid
    /// aliasing.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a buffer that is not H x W x 3 bytes.
    pub fn resize<'a>(
        &'a mut self,
        width: usize,
        height: usize,
        rgb: &'a [u8],
    ) -> Result<(usize, usize, &'a [u8]), DataError> {
        let invalid = |found: String| {
            DataError::invalid("frame to resize", format!("{width}x{height} RGB pixels"), found)
        };
        if width == 0 || height == 0 || rgb.len() != width * height * 3 {
            return Err(invalid(format!("{} bytes", rgb.len())));
        }
        let (to_width, to_height) = target_size(width, height, self.short);
        if (to_width, to_height) == (width, height) {
            return Ok((width, height, rgb));
        }
        self.out.resize(to_width * to_height * 3, 0);
        let side = |n: usize| u32::try_from(n).map_err(|e| invalid(e.to_string()));
        let source = TypedImageRef::<U8x3>::from_buffer(side(width)?, side(height)?, rgb)
            .map_err(|e| invalid(e.to_string()))?;
        let mut target = TypedImage::<U8x3>::from_buffer(side(to_width)?, side(to_height)?, &mut self.out)
            .map_err(|e| invalid(e.to_string()))?;
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
        self.resizer.resize_typed(&source, &mut target, &options).map_err(|e| invalid(e.to_string()))?;
        Ok((to_width, to_height, &self.out))
    }
}

/// Resizes one component of a flow field with a triangle filter that widens with the reduction. The result stays within the
/// range of the values, which are not scaled.
///
/// # Errors
/// [`DataError::Invalid`] for a buffer that does not have the size `from`, or an empty size.
pub fn resize_plane(values: &[f32], from: (usize, usize), to: (usize, usize)) -> Result<Vec<f32>, DataError> {
    let invalid =
        |found: String| DataError::invalid("flow to resize", format!("{}x{} values", from.0, from.1), found);
    if values.len() != from.0 * from.1 || values.is_empty() || to.0 * to.1 == 0 {
        return Err(invalid(format!("{} values", values.len())));
    }
    let side = |n: usize| u32::try_from(n).map_err(|e| invalid(e.to_string()));
    let pixels: Vec<F32> = values.iter().map(|&value| F32::new(value)).collect();
    let source =
        TypedImageRef::new(side(from.0)?, side(from.1)?, &pixels).map_err(|e| invalid(e.to_string()))?;
    let mut target = TypedImage::<F32>::new(side(to.0)?, side(to.1)?);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize_typed(&source, &mut target, &options).map_err(|e| invalid(e.to_string()))?;
    Ok(target.pixels().iter().map(|pixel| pixel.0).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_side_is_exact_and_the_aspect_stays() {
        assert_eq!(target_size(180, 144, 64), (80, 64));
        assert_eq!(target_size(320, 240, 256), (341, 256));
        assert_eq!(target_size(320, 568, 64), (64, 114));
        assert_eq!(target_size(64, 64, 64), (64, 64));
        assert_eq!(target_size(1, 8000, 64), (64, 512_000));
    }

    #[test]
    fn a_frame_of_the_right_size_is_untouched() {
        let rgb: Vec<u8> = (0..6 * 4 * 3).map(|i| i as u8).collect();
        assert_eq!(FrameResizer::new(4).resize(6, 4, &rgb).unwrap(), (6, 4, rgb.as_slice()));
    }

    #[test]
    fn fine_stripes_become_grey_instead_of_aliasing() {
        let rgb: Vec<u8> = (0..64 * 64).flat_map(|i| [if i % 2 == 0 { 0 } else { 255 }; 3]).collect();
        let mut resizer = FrameResizer::new(16);
        let (_, _, small) = resizer.resize(64, 64, &rgb).unwrap();
        let inner = |i: &usize| (4..12).contains(&(i / 3 % 16));
        let off = (0..small.len()).filter(inner).map(|i| small[i].abs_diff(127)).max().unwrap();
        assert!(off <= 3, "differs from grey by {off}");
    }

    #[test]
    fn a_plane_keeps_its_values_and_its_places() {
        assert!(resize_plane(&[-3.5; 60], (10, 6), (5, 3)).unwrap().iter().all(|v| (v + 3.5).abs() < 1e-6));
        let ramp: Vec<f32> = (0..40 * 20).map(|i| (i % 40) as f32).collect();
        let small = resize_plane(&ramp, (40, 20), (20, 10)).unwrap();
        let worst = (2..18).map(|x| (small[5 * 20 + x] - (2 * x) as f32 - 0.5).abs()).fold(0.0, f32::max);
        assert!(worst < 1e-4, "{worst}");
    }

    #[test]
    fn a_buffer_of_another_size_is_refused() {
        assert!(resize_plane(&[0.0; 5], (2, 3), (1, 1)).is_err());
        assert!(FrameResizer::new(4).resize(6, 4, &[0; 10]).is_err());
    }
}
