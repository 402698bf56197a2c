//! Draws attention maps over frames.

use super::colour::{QUIET, Rgb, WHITE};
use super::raster::Raster;
use super::sample::Frame;
use super::svg::{Drawing, HEAD, MARGIN, Style, WIDTH};
use super::{FigureError, Result, check};

const WHAT: &str = "attention";
/// Samples side by side.
const COLUMNS: usize = 4;
/// Side of a picture on the page.
const SIDE: f64 = 96.0;
/// Distance from one sample to the next, horizontally and vertically.
const STEP: (f64, f64) = ((WIDTH - 2.0 * MARGIN) / COLUMNS as f64, SIDE + 44.0);
/// Maximum number of pixels of a picture in the file along its longer side.
const PIXELS: usize = 224;
/// Fraction of the brightness that remains if the weight is 0.
const DARKEST: f32 = 0.2;

/// A frame with an attention weight for each spatial position.
#[derive(Clone, Copy, Debug)]
pub struct Attended<'a> {
    /// Its video or class.
    pub title: &'a str,
    /// The frame as the network sees it.
    pub frame: Frame<'a>,
    /// Columns and rows of spatial positions.
    pub grid: (usize, usize),
    /// Weights of the positions, row by row, with sum 1.
    pub weights: &'a [f32],
}

/// Draws each frame beside a copy lit by its weights: the position of the largest weight is as bright as the frame, a
/// position without weight is nearly dark. The largest weight in percent is written below.
///
/// # Errors
/// [`FigureError::Empty`]; [`FigureError::Shape`] for buffers that do not match their stated size;
/// [`FigureError::Value`] for a weight outside 0 to 1.
pub fn attention_maps(samples: &[Attended<'_>], title: &str) -> Result<Drawing> {
    let Some(first) = samples.first() else { return Err(FigureError::Empty { what: WHAT }) };
    let rows = samples.len().div_ceil(COLUMNS);
    let mut svg = Drawing::new(WIDTH, HEAD + rows as f64 * STEP.1 + 8.0);
    let even = 100.0 / (first.grid.0 * first.grid.1).max(1) as f64;
    let says = format!(
        "frames, and the same frames lit by attention; largest weight of a position in percent (uniform: {even:.1})"
    );
    svg.head(title, &says);
    for (i, sample) in samples.iter().enumerate() {
        check(sample)?;
        let (x, y) = (MARGIN + (i % COLUMNS) as f64 * STEP.0, HEAD + (i / COLUMNS) as f64 * STEP.1);
        let Frame { width, height, rgb } = sample.frame;
        let largest = sample.weights.iter().copied().fold(0.0, f32::max);
        let pixel = |x: usize, y: usize| -> Rgb { std::array::from_fn(|c| rgb[(y * width + x) * 3 + c]) };
        let lit = |x: usize, y: usize| -> Rgb {
            let (columns, rows) = sample.grid;
            let weight = sample.weights[y * rows / height * columns + x * columns / width];
            let light = DARKEST + (1.0 - DARKEST) * weight / largest.max(f32::MIN_POSITIVE);
            pixel(x, y).map(|value| (f32::from(value) * light).round() as u8)
        };
        let scale = SIDE / width.max(height) as f64;
        let (shown_width, shown_height) = (width as f64 * scale, height as f64 * scale);
        for (column, colour) in [&pixel as &dyn Fn(usize, usize) -> Rgb, &lit].into_iter().enumerate() {
            let zoom = (PIXELS / width.max(height)).max(1);
            let mut raster = Raster::filled(WHAT, width * zoom, height * zoom, WHITE)?;
            raster.paint((0, 0), (width, height), zoom, colour);
            let left = x + column as f64 * (SIDE + 4.0);
            svg.image(left, y, shown_width, shown_height, raster.address()?);
        }
        let style = Style::new(11.0);
        svg.text_within(x, y + SIDE + 15.0, style, sample.title, SIDE);
        let weight = format!("{:.0} %", 100.0 * largest);
        svg.text(x + SIDE + 4.0, y + SIDE + 15.0, style.fill(QUIET), &weight);
    }
    let description = format!(
        "{} frames, each beside a copy in which the brightness of every position follows its attention weight.",
        samples.len()
    );
    Ok(svg.described(description))
}

fn check(sample: &Attended<'_>) -> Result<()> {
    let Attended { frame, grid, weights, .. } = sample;
    check::sized(WHAT, "pixels of RGB", &[frame.width, frame.height, 3], frame.rgb.len())?;
    check::sized(WHAT, "weights of positions", &[grid.0, grid.1], weights.len())?;
    let is_share = |weight: &&f32| (0.0..=1.0).contains(*weight);
    let hint = "the weights of a frame are a softmax";
    check::each(WHAT, *weights, is_share, "a weight from 0 to 1", hint)
}

#[cfg(test)]
mod tests {
    use super::super::raster::tests::embedded;
    use super::*;

    fn draw(rgb: &[u8], grid: (usize, usize), weights: &[f32]) -> Result<String> {
        let frame = Frame { width: 4, height: 4, rgb };
        let drawing = attention_maps(&[Attended { title: "<jump>", frame, grid, weights }], "Where")?;
        Ok(drawing.file())
    }

    #[test]
    fn the_place_of_the_largest_weight_keeps_its_light() {
        let svg = draw(&[200; 48], (2, 2), &[0.0, 0.8, 0.1, 0.1]).unwrap();
        roxmltree::Document::parse(&svg).unwrap();
        assert!(
            svg.contains("80 %") && svg.contains("&lt;jump&gt;") && svg.contains("uniform: 25.0"),
            "{svg}"
        );
        let pictures = embedded(&svg);
        let corner = |picture: &image::RgbImage, x: u32, y: u32| {
            let (width, height) = picture.dimensions();
            picture.get_pixel(x * (width - 1), y * (height - 1)).0
        };
        assert_eq!(corner(&pictures[0], 0, 0), [200; 3]);
        assert_eq!(corner(&pictures[1], 1, 0), [200; 3]);
        assert_eq!(corner(&pictures[1], 0, 0), [40; 3]);
        assert_eq!(corner(&pictures[1], 0, 1), [60; 3]);
    }

    #[test]
    fn what_is_no_attention_is_refused() {
        let message = |result: Result<String>| result.unwrap_err().to_string();
        assert!(message(draw(&[0; 47], (2, 2), &[0.25; 4])).contains("47 values"));
        assert!(message(draw(&[0; 48], (2, 2), &[0.25; 3])).contains("weights of positions, 2 x 2"));
        assert!(message(draw(&[0; 48], (2, 2), &[0.0, f32::NAN, 0.5, 0.5])).contains("NaN at index 1"));
        assert!(message(attention_maps(&[], "").map(|drawing| drawing.file())).contains("none"));
    }
}
