//! Small raster pictures made of tiles, magnified without smoothing, as PNG.

use base64::Engine;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder};

use super::colour::Rgb;
use super::{FigureError, Result};

/// Maximum number of pixels of a picture: four times the need of any net of the papers.
const MOST_PIXELS: usize = 1 << 25;

/// W x H pixels of RGB, row by row.
pub(super) struct Raster {
    width: usize,
    height: usize,
    rgb: Vec<u8>,
}

impl Raster {
    /// Creates a picture of one colour.
    ///
    /// # Errors
    /// [`FigureError::TooLarge`].
    pub(super) fn filled(what: &'static str, width: usize, height: usize, colour: Rgb) -> Result<Self> {
        let pixels = width.checked_mul(height).filter(|&pixels| pixels <= MOST_PIXELS);
        let too_large = FigureError::TooLarge { what, width, height, most: MOST_PIXELS };
        let rgb = colour.repeat(pixels.ok_or(too_large)?);
        Ok(Self { width, height, rgb })
    }

    /// Paints a tile of `size` (width, height) at `at` (x, y), with `zoom` x `zoom`
    /// pixels for each of its values. Parts outside the picture are cut off.
    pub(super) fn paint(
        &mut self,
        at: (usize, usize),
        size: (usize, usize),
        zoom: usize,
        colour: impl Fn(usize, usize) -> Rgb,
    ) {
        let (right, bottom) = (at.0 + size.0 * zoom, at.1 + size.1 * zoom);
        for y in at.1..bottom.min(self.height) {
            for x in at.0..right.min(self.width) {
                let pixel = colour((x - at.0) / zoom, (y - at.1) / zoom);
                self.rgb[(y * self.width + x) * 3..][..3].copy_from_slice(&pixel);
            }
        }
    }

    /// Shrinks the picture by averaging squares of `factor` x `factor` pixels; those
    /// at the right and lower edges may be smaller.
    pub(super) fn shrunk(self, factor: usize) -> Self {
        if factor <= 1 {
            return self;
        }
        let (width, height) = (self.width.div_ceil(factor), self.height.div_ceil(factor));
        let mut rgb = Vec::with_capacity(width * height * 3);
        for top in (0..self.height).step_by(factor) {
            for left in (0..self.width).step_by(factor) {
                let rows = top..(top + factor).min(self.height);
                let columns = left..(left + factor).min(self.width);
                let count = rows.len() * columns.len();
                for channel in 0..3 {
                    let at = |y: usize, x: usize| usize::from(self.rgb[(y * self.width + x) * 3 + channel]);
                    let sum: usize =
                        rows.clone().map(|y| columns.clone().map(|x| at(y, x)).sum::<usize>()).sum();
                    rgb.push(((sum + count / 2) / count) as u8);
                }
            }
        }
        Self { width, height, rgb }
    }

    /// Encodes the picture as PNG.
    ///
    /// # Errors
    /// The encoder's error, for a picture without pixels.
    pub(super) fn png(&self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Best, FilterType::Adaptive);
        encoder.write_image(&self.rgb, self.width as u32, self.height as u32, ExtendedColorType::Rgb8)?;
        Ok(bytes)
    }

    /// Encodes the picture as a PNG in a `data:` URL, for an SVG.
    ///
    /// # Errors
    /// As for [`Raster::png`].
    pub(super) fn address(&self) -> Result<String> {
        let text = base64::engine::general_purpose::STANDARD.encode(self.png()?);
        Ok(format!("data:image/png;base64,{text}"))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Decodes a picture from PNG bytes.
    pub(crate) fn decoded(png: &[u8]) -> image::RgbImage {
        image::load_from_memory_with_format(png, image::ImageFormat::Png).unwrap().to_rgb8()
    }

    /// Decodes the pictures embedded in an SVG, in order.
    pub(crate) fn embedded(svg: &str) -> Vec<image::RgbImage> {
        let addresses = svg.split("data:image/png;base64,").skip(1);
        let texts = addresses.map(|rest| rest.split('"').next().unwrap());
        texts.map(|t| decoded(&base64::engine::general_purpose::STANDARD.decode(t).unwrap())).collect()
    }

    #[test]
    fn a_tile_lies_where_it_was_painted() {
        let mut raster = Raster::filled("a test", 7, 5, [9; 3]).unwrap();
        raster.paint((1, 2), (2, 1), 2, |x, y| [x as u8 + 1, y as u8 + 1, 0]);
        let picture = decoded(&raster.png().unwrap());
        assert_eq!(picture.dimensions(), (7, 5));
        for (x, y, pixel) in picture.enumerate_pixels() {
            let expected = match (x, y) {
                (1..=2, 2..=3) => [1, 1, 0],
                (3..=4, 2..=3) => [2, 1, 0],
                _ => [9; 3],
            };
            assert_eq!(pixel.0, expected, "({x}, {y})");
        }
    }

    #[test]
    fn shrinking_takes_means_and_keeps_the_rest_at_the_edges() {
        let mut raster = Raster::filled("a test", 3, 3, [0; 3]).unwrap();
        raster.paint((0, 0), (3, 3), 1, |x, y| [(10 * x + y) as u8; 3]);
        let small = raster.shrunk(2);
        assert_eq!((small.width, small.height), (2, 2));
        let values: Vec<u8> = small.rgb.iter().step_by(3).copied().collect();
        assert_eq!(values, [6, 21, 7, 22]);
    }

    #[test]
    fn a_picture_that_nobody_could_open_is_refused() {
        for (width, height) in [(usize::MAX, 2), (1 << 20, 1 << 20)] {
            let refused = Raster::filled("a test", width, height, [0; 3]);
            assert!(matches!(refused, Err(FigureError::TooLarge { .. })));
        }
    }
}
