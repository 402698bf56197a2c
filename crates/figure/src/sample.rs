//! Draws the inputs of both networks at one time step of a video.

use flow::{FlowField, UNKNOWN_FLOW, flow_to_rgb8};

use super::colour::{QUIET, WHITE, signed_grey};
use super::raster::Raster;
use super::svg::{Drawing, HEAD, MARGIN, Style, WIDTH};
use super::{Result, check};

const WHAT: &str = "a sample";
/// Maximum width and height of the frame and the flow on the page.
const PANEL: (f64, f64) = (330.0, 260.0);
/// Diameter of the colour wheel that explains the flow's colours.
const WHEEL: usize = 96;
/// Width of the column for the letters x and y.
const GUTTER: f64 = 20.0;
/// Maximum side of a tile of the stack.
const TILE: f64 = 160.0;
/// Quantile of the magnitudes beyond which values are clipped, so that one bad
/// vector does not turn all others grey.
const QUANTILE: f64 = 0.995;

/// A frame: W x H pixels of interleaved RGB, row by row.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Three bytes per pixel.
    pub rgb: &'a [u8],
}

/// The temporal network's input: (2L, H, W), row-major, x and y of the first
/// field, then of the second, and so on.
#[derive(Clone, Copy, Debug)]
pub struct Stack<'a> {
    /// L, the number of fields.
    pub fields: usize,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// The values that the network receives, after mean subtraction and scaling.
    pub values: &'a [f32],
}

/// One time step of a video, as both networks see it.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Name of the video and the time step.
    pub title: &'a str,
    /// The frame.
    pub frame: Frame<'a>,
    /// Its flow to the next frame.
    pub flow: &'a FlowField,
    /// Length, in pixels per frame, with full colour saturation; `None` takes the
    /// longest known vector of the field.
    pub full_scale: Option<f32>,
    /// The stack that begins at this frame.
    pub stack: Stack<'a>,
}

/// Draws one time step: the frame, its flow in Middlebury's colours with a colour
/// wheel, and below it the stack, x above y, one column per field, in greys about
/// zero.
///
/// # Errors
/// [`FigureError::Shape`] for buffers that do not match their stated size,
/// [`FigureError::Value`] for an input that is not finite,
/// [`FigureError::TooLarge`], and [`FigureError::Flow`].
pub fn sample_input(sample: &Sample<'_>) -> Result<Drawing> {
    let Sample { title, frame, flow, stack, .. } = *sample;
    check::sized(WHAT, "pixels of RGB", &[frame.width, frame.height, 3], frame.rgb.len())?;
    let sides = [stack.width, stack.height, stack.fields.saturating_mul(2)];
    check::sized(WHAT, "values of a stack", &sides, stack.values.len())?;
    let hint = "check the flow that the stack was made from";
    check::each(WHAT, stack.values, |value| value.is_finite(), "a finite input", hint)?;
    let full_scale = sample.full_scale.unwrap_or_else(|| longest(flow));
    let colours = flow_to_rgb8(flow, Some(full_scale))?;

    // Both panels have the size of the frame, so that pixels can be compared.
    let panel = fitted(frame.width, frame.height, PANEL);
    let panel_top = HEAD + 20.0;
    let stack_top = panel_top + panel.1 + 62.0;
    let room = WIDTH - 2.0 * MARGIN - GUTTER;
    let tile =
        fitted(stack.width, stack.height, ((room / stack.fields as f64 - 3.0).clamp(16.0, TILE), TILE));
    let width = (2.0 * MARGIN + GUTTER + stack.fields as f64 * (tile.0 + 3.0)).max(WIDTH);
    let mut svg = Drawing::new(width, stack_top + 2.0 * (tile.1 + 3.0) + 44.0);
    svg.head(title, "inputs of the two networks at one time step");

    let heading = Style::new(12.0).bold();
    let left = MARGIN + GUTTER;
    svg.text(left, panel_top - 8.0, heading, "frame");
    picture(&mut svg, (left, panel_top), panel, (frame.width, frame.height), |x, y| {
        pixel(frame.rgb, y * frame.width + x)
    })?;
    let left = left + panel.0 + 20.0;
    svg.text(left, panel_top - 8.0, heading, "flow to the next frame");
    picture(&mut svg, (left, panel_top), panel, (flow.width, flow.height), |x, y| {
        pixel(&colours, y * flow.width + x)
    })?;
    wheel(&mut svg, (left + panel.0 + 20.0, panel_top), full_scale)?;

    let full = bulk(stack.values);
    svg.text(MARGIN + GUTTER, stack_top - 24.0, heading, "stack of the temporal network");
    let quiet = Style::new(11.0).fill(QUIET);
    for field in 0..stack.fields {
        let x = MARGIN + GUTTER + field as f64 * (tile.0 + 3.0);
        svg.text(x + tile.0 / 2.0, stack_top - 6.0, quiet.middle(), &(field + 1).to_string());
        for component in 0..2 {
            let y = stack_top + component as f64 * (tile.1 + 3.0);
            let plane = &stack.values[(2 * field + component) * stack.width * stack.height..];
            picture(&mut svg, (x, y), tile, (stack.width, stack.height), |x, y| {
                [signed_grey(plane[y * stack.width + x], full); 3]
            })?;
            if field == 0 {
                let name = ["x", "y"][component];
                svg.text(x - 8.0, y + tile.1 / 2.0 + 4.0, quiet.end(), name);
            }
        }
    }
    let fields = if stack.fields == 1 { "field 1".into() } else { format!("fields 1 to {}", stack.fields) };
    let says = format!(
        "{fields}; x above y; grey is 0, white is +{full:.2} and above, black \u{2212}{full:.2} and below"
    );
    svg.text(MARGIN + GUTTER, stack_top + 2.0 * (tile.1 + 3.0) + 18.0, quiet, &says);
    let description = format!(
        "Left: a frame of {} x {} pixels. Middle: its optical flow, hue for direction and saturation for length, full at \
         {full_scale:.2} pixels per frame. Below: the {} channels of the temporal network's input, {} x {} values each.",
        frame.width,
        frame.height,
        2 * stack.fields,
        stack.width,
        stack.height
    );
    Ok(svg.described(description))
}

/// Returns the largest size with the same aspect ratio that fits in `room`.
fn fitted(width: usize, height: usize, room: (f64, f64)) -> (f64, f64) {
    let (width, height) = (width as f64, height as f64);
    let scale = (room.0 / width).min(room.1 / height);
    ((width * scale).max(1.0), (height * scale).max(1.0))
}

/// Draws a picture of `from` pixels at `at` with the given `size` on the page. Small
/// pictures are magnified to squares; those above twice the page's size are averaged.
fn picture(
    svg: &mut Drawing,
    at: (f64, f64),
    size: (f64, f64),
    from: (usize, usize),
    colour: impl Fn(usize, usize) -> [u8; 3],
) -> Result<()> {
    let zoom = ((size.0 / from.0 as f64).ceil() as usize).clamp(1, 16);
    let mut raster = Raster::filled(WHAT, from.0.saturating_mul(zoom), from.1.saturating_mul(zoom), WHITE)?;
    raster.paint((0, 0), from, zoom, colour);
    let factor = (from.0 as f64 / (2.0 * size.0)).round() as usize;
    svg.image(at.0, at.1, size.0, size.1, raster.shrunk(factor).address()?);
    Ok(())
}

fn pixel(rgb: &[u8], index: usize) -> [u8; 3] {
    [rgb[3 * index], rgb[3 * index + 1], rgb[3 * index + 2]]
}

/// Draws a disc in which each point has the colour of the vector from the centre
/// to it.
fn wheel(svg: &mut Drawing, at: (f64, f64), full_scale: f32) -> Result<()> {
    let centre = (WHEEL as f32 - 1.0) / 2.0;
    let offset = |i: usize| (i as f32 - centre) / (WHEEL as f32 / 2.0);
    let places = || (0..WHEEL * WHEEL).map(|i| (offset(i % WHEEL), offset(i / WHEEL)));
    let (u, v) = places().unzip();
    let colours = flow_to_rgb8(&FlowField::new(WHEEL, WHEEL, u, v)?, Some(1.0))?;
    let side = WHEEL as f64;
    picture(svg, at, (side, side), (WHEEL, WHEEL), |x, y| {
        // Outside the disc the picture has the colour of the page.
        if offset(x).hypot(offset(y)) <= 1.0 { pixel(&colours, y * WHEEL + x) } else { WHITE }
    })?;
    let quiet = Style::new(11.0).fill(QUIET);
    for (line, text) in ["white: still", "full colour:"].into_iter().enumerate() {
        svg.text(at.0, at.1 + side + 18.0 + line as f64 * 15.0, quiet, text);
    }
    svg.text(at.0, at.1 + side + 48.0, quiet, &format!("{full_scale:.2} px/frame"));
    Ok(())
}

/// Returns the length of the longest known vector, or 1 if nothing moves.
fn longest(flow: &FlowField) -> f32 {
    let known = |u: f32, v: f32| u.abs() <= UNKNOWN_FLOW && v.abs() <= UNKNOWN_FLOW;
    let lengths = flow.u.iter().zip(&flow.v).filter(|&(&u, &v)| known(u, v)).map(|(u, v)| u.hypot(*v));
    let longest = lengths.fold(0.0, f32::max);
    if longest > 0.0 { longest } else { 1.0 }
}

/// Returns the magnitude that nearly all values stay below, the largest one if
/// most values are 0, or 1 if all are.
fn bulk(values: &[f32]) -> f32 {
    let mut sizes: Vec<f32> = values.iter().map(|value| value.abs()).collect();
    sizes.sort_by(f32::total_cmp);
    let last = sizes.len() - 1;
    let at = sizes[(last as f64 * QUANTILE).round() as usize];
    [at, sizes[last], 1.0].into_iter().find(|&size| size > 0.0).unwrap_or(1.0)
}

#[cfg(test)]
mod tests {
    use super::super::raster::tests::embedded;
    use super::*;

    /// Draws a frame of 4 x 2 and a stack of three fields of 2 x 2.
    fn draw(rgb: &[u8], values: &[f32]) -> Result<String> {
        let flow = FlowField::new(4, 2, vec![0.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2e9], vec![0.0; 8]).unwrap();
        let drawing = sample_input(&Sample {
            title: "<v_01> at 0",
            frame: Frame { width: 4, height: 2, rgb },
            flow: &flow,
            full_scale: None,
            stack: Stack { fields: 3, width: 2, height: 2, values },
        })?;
        Ok(drawing.file())
    }

    #[test]
    fn frame_flow_and_every_channel_are_in_their_place() {
        let mut rgb = vec![0; 24];
        rgb[3 * 5..3 * 6].copy_from_slice(&[200, 100, 50]);
        let mut values = vec![0.0; 24];
        // The upper right value of y in the second field.
        values[3 * 4 + 1] = -0.5;
        let svg = draw(&rgb, &values).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let pictures = embedded(&svg);
        assert_eq!(pictures.len(), 3 + 6);
        let at = |picture: &image::RgbImage, x: u32, y: u32, sides: (u32, u32)| {
            let (zoom_x, zoom_y) = (picture.width() / sides.0, picture.height() / sides.1);
            picture.get_pixel(x * zoom_x + zoom_x / 2, y * zoom_y + zoom_y / 2).0
        };
        assert_eq!(at(&pictures[0], 1, 1, (4, 2)), [200, 100, 50]);
        assert_eq!(at(&pictures[0], 1, 0, (4, 2)), [0; 3]);
        let right = at(&pictures[1], 1, 0, (4, 2));
        assert!(right[0] == 255 && right[1] < 30, "full red to the right: {right:?}");
        assert_eq!(at(&pictures[1], 3, 1, (4, 2)), [0; 3], "unknown is black");
        // The pictures come in the order of the page: x and y of each field.
        for (channel, picture) in pictures[3..].iter().enumerate() {
            for (x, y) in [(0, 0), (1, 0), (0, 1), (1, 1)] {
                let expected = if (channel, x, y) == (3, 1, 0) { 1 } else { 128 };
                assert_eq!(at(picture, x, y, (2, 2)), [expected; 3], "channel {channel} ({x}, {y})");
            }
        }
        let images: Vec<_> = document.descendants().filter(|n| n.has_tag_name("image")).collect();
        let number = |i: usize, name| images[i].attribute(name).unwrap().parse::<f64>().unwrap();
        assert!(number(4, "y") > number(3, "y") && number(4, "x") == number(3, "x"), "y lies below x");
        assert!(
            number(5, "x") > number(3, "x") && number(5, "y") == number(3, "y"),
            "time runs to the right"
        );
        assert!(svg.contains("3.00 px/frame") && svg.contains("white is +0.50"));
    }

    #[test]
    fn one_bad_vector_does_not_set_the_scale() {
        let mut values: Vec<f32> = (0..1000).map(|i| (i % 10) as f32 / 10.0).collect();
        values[7] = 1e6;
        assert_eq!(bulk(&values), 0.9);
        assert_eq!((bulk(&[0.0; 9]), bulk(&[0.0, -2.0])), (1.0, 2.0));
        let mut rare = vec![0.0; 1000];
        rare[3] = -4.0;
        assert_eq!(bulk(&rare), 4.0);
    }

    #[test]
    fn buffers_of_another_size_are_refused() {
        let message = |result: Result<String>| result.unwrap_err().to_string();
        assert!(message(draw(&[0; 23], &[0.0; 24])).contains("4 x 2 x 3, none of them 0, found 23 values"));
        assert!(message(draw(&[0; 24], &[0.0; 20])).contains("2 x 2 x 6"));
        let mut values = [0.0; 24];
        values[9] = f32::INFINITY;
        assert!(message(draw(&[0; 24], &values)).contains("found inf at index 9"));
    }
}
