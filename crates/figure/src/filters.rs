//! Draws first-layer filters (Two-Stream ConvNets, Figs. 3 and 4).

use super::colour::{QUIET, WHITE, signed_grey};
use super::raster::Raster;
use super::svg::{Drawing, HEAD, MARGIN, Style, WIDTH};
use super::{FigureError, Result, check};

/// Pixels between the filters of the spatial net, and around them.
const GAP: usize = 6;
/// Approximate width in pixels to which the spatial net's mosaic is magnified.
const MOSAIC: usize = 720;

/// Width of the column for a filter's number and the letters x and y.
const GUTTER: f64 = 44.0;
/// Space between two blocks, horizontally and vertically.
const BLOCK_GAP: f64 = 18.0;
/// Height of the line with the numbers of the time steps.
const STEPS: f64 = 18.0;
/// Size of the smallest texts.
const SMALL: f64 = 11.0;

/// Draws the filters of a net with RGB input as a mosaic in PNG.
///
/// `weights` have PyTorch's layout: (out, 3, kh, kw), row-major. Each filter has
/// its own scale, symmetric about zero: middle grey (128) is 0, and the largest
/// magnitude of its three channels is black or white in its channel.
///
/// # Errors
/// [`FigureError::Empty`], [`FigureError::Shape`], [`FigureError::Value`] for
/// a weight that is not finite, [`FigureError::TooLarge`].
pub fn filters_rgb(weights: &[f32], shape: [usize; 4]) -> Result<Vec<u8>> {
    const WHAT: &str = "first-layer filters of RGB";
    let bank = Bank::new(WHAT, weights, shape)?;
    if bank.channels != 3 {
        return Err(bank.refuse(WHAT, "(out, 3, kh, kw)".into()));
    }
    let columns = columns_of(bank.filters);
    let rows = bank.filters.div_ceil(columns);
    let room = (MOSAIC / columns).saturating_sub(GAP).clamp(24, 96);
    let zoom = (room / bank.width.max(bank.height)).max(1);
    let (tile_w, tile_h) = (bank.width.saturating_mul(zoom), bank.height.saturating_mul(zoom));
    let side = |count: usize, tile: usize| count.saturating_mul(tile.saturating_add(GAP)).saturating_add(GAP);
    let mut mosaic = Raster::filled(WHAT, side(columns, tile_w), side(rows, tile_h), WHITE)?;
    for filter in 0..bank.filters {
        let full = bank.largest(filter);
        let at = |count: usize, tile: usize| GAP + count * (tile + GAP);
        let corner = (at(filter % columns, tile_w), at(filter / columns, tile_h));
        mosaic.paint(corner, (bank.width, bank.height), zoom, |x, y| {
            std::array::from_fn(|channel| signed_grey(bank.weight(filter, channel, y, x), full))
        });
    }
    mosaic.png()
}

/// Draws the filters of a net with a flow stack as input: for each filter the
/// x components above the y components, one column per time step.
///
/// `weights` have PyTorch's layout: (out, 2L, kh, kw), row-major, with the
/// channels in the order x, y of the first field, x, y of the second, and so on.
/// Each filter has its own scale, symmetric about zero and the same for all its
/// 2L parts: middle grey (128) is 0, white its largest magnitude, black minus that.
///
/// # Errors
/// [`FigureError::Empty`], [`FigureError::Shape`], [`FigureError::Value`] for
/// a weight that is not finite, [`FigureError::TooLarge`].
pub fn filters_flow(weights: &[f32], shape: [usize; 4], title: &str) -> Result<Drawing> {
    const WHAT: &str = "first-layer filters of flow";
    let bank = Bank::new(WHAT, weights, shape)?;
    if !bank.channels.is_multiple_of(2) {
        return Err(bank.refuse(WHAT, "(out, 2L, kh, kw), x and y of L fields".into()));
    }
    let steps = bank.channels / 2;
    // Two-digit numbers must fit above a tile; with few steps tiles can be larger.
    let room = if steps < 5 { 48 } else { 22 };
    let zoom = (room / bank.width.max(bank.height)).max(1);
    let block = (
        steps.saturating_mul(bank.width.saturating_mul(zoom).saturating_add(1)),
        2 * (bank.height * zoom + 1),
    );
    let pitch = (GUTTER + block.0 as f64 + BLOCK_GAP, block.1 as f64 + BLOCK_GAP);

    let most = (((WIDTH - 2.0 * MARGIN + BLOCK_GAP) / pitch.0) as usize).max(1);
    let columns = bank.filters.min(most);
    let rows = bank.filters.div_ceil(columns);
    let width = (2.0 * MARGIN + columns as f64 * pitch.0 - BLOCK_GAP).max(600.0);
    let top = HEAD + STEPS + 4.0;
    let mut svg = Drawing::new(width, top + rows as f64 * pitch.1 - BLOCK_GAP + MARGIN);
    svg.head(title, "x above y, time to the right; grey is 0, white and black are \u{b1} the filter\u{2019}s largest weight");

    let small = Style::new(SMALL);
    let tile = (bank.width * zoom + 1) as f64;
    for column in 0..columns {
        let left = MARGIN + column as f64 * pitch.0 + GUTTER;
        svg.text(left - 6.0, top - 8.0, small.fill(QUIET).end(), "time");
        // Above narrow tiles only every n-th number fits.
        let every = (20.0 / tile).ceil().max(1.0) as usize;
        for step in (0..steps).step_by(every) {
            let x = left + (step as f64 + 0.5) * tile - 0.5;
            svg.text(x, top - 8.0, small.fill(QUIET).middle(), &(step + 1).to_string());
        }
    }
    for filter in 0..bank.filters {
        let left = MARGIN + (filter % columns) as f64 * pitch.0;
        let y = top + (filter / columns) as f64 * pitch.1;
        let row = block.1 as f64 / 2.0;
        svg.text(left, y + row + 4.0, small.bold(), &(filter + 1).to_string());
        for (component, name) in ["x", "y"].into_iter().enumerate() {
            let middle = y + (component as f64 + 0.5) * row;
            svg.text(left + GUTTER - 6.0, middle + 4.0, small.fill(QUIET).end(), name);
        }
        let address = flow_block(WHAT, &bank, filter, zoom, block)?.address()?;
        svg.image(left + GUTTER, y, block.0 as f64, block.1 as f64, address);
    }
    let description = format!(
        "{} filters of {} x {} weights over {steps} time steps. Each block shows one filter: the x components in \
         the upper row, the y components in the lower row, one column per time step. Middle grey is zero.",
        bank.filters, bank.width, bank.height
    );
    Ok(svg.described(description))
}

/// Draws one filter: x above y, one column per time step, a white pixel after each tile.
fn flow_block(
    what: &'static str,
    bank: &Bank<'_>,
    filter: usize,
    zoom: usize,
    size: (usize, usize),
) -> Result<Raster> {
    let mut block = Raster::filled(what, size.0, size.1, WHITE)?;
    let full = bank.largest(filter);
    for channel in 0..bank.channels {
        let at = (channel / 2 * (bank.width * zoom + 1), channel % 2 * (bank.height * zoom + 1));
        block.paint(at, (bank.width, bank.height), zoom, |x, y| {
            [signed_grey(bank.weight(filter, channel, y, x), full); 3]
        });
    }
    Ok(block)
}

/// Returns the number of columns for `count` pictures: between square and half
/// as wide again, with a full last row if possible.
fn columns_of(count: usize) -> usize {
    let root = (count as f64).sqrt();
    let (least, most) = (root.ceil() as usize, (root * 1.5).ceil() as usize);
    (least..=most).find(|&columns| count.is_multiple_of(columns)).unwrap_or(most.max(1))
}

/// The weights of a layer, after checks.
struct Bank<'a> {
    weights: &'a [f32],
    filters: usize,
    channels: usize,
    height: usize,
    width: usize,
}

impl<'a> Bank<'a> {
    fn new(what: &'static str, weights: &'a [f32], shape: [usize; 4]) -> Result<Self> {
        let [filters, channels, height, width] = shape;
        if shape.contains(&0) {
            return Err(FigureError::Empty { what });
        }
        let bank = Self { weights, filters, channels, height, width };
        let product = shape.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
        if product != Some(weights.len()) {
            return Err(bank.refuse(what, format!("as many weights as shape {shape:?} has")));
        }
        let hint = "the training diverged; check its loss curve";
        check::each(what, weights, |weight| weight.is_finite(), "a finite weight", hint)?;
        Ok(bank)
    }

    fn refuse(&self, what: &'static str, expected: String) -> FigureError {
        let Self { filters, channels, height, width, .. } = self;
        let shape = format!("({filters}, {channels}, {height}, {width})");
        let found = format!("{} weights of shape {shape}", self.weights.len());
        FigureError::Shape { what, expected, found }
    }

    fn weight(&self, filter: usize, channel: usize, y: usize, x: usize) -> f32 {
        self.weights[((filter * self.channels + channel) * self.height + y) * self.width + x]
    }

    /// Returns the largest magnitude of a filter.
    fn largest(&self, filter: usize) -> f32 {
        let size = self.channels * self.height * self.width;
        self.weights[filter * size..][..size].iter().fold(0.0, |largest, w| w.abs().max(largest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::raster::tests::{decoded, embedded};
    use super::*;

    #[test]
    fn every_weight_of_rgb_is_where_its_filter_is() {
        // Two filters of 1 x 2, so that mistaking columns for rows shows.
        let weights = [1.0, 0.0, -1.0, 0.5, 0.0, 0.0, /* second */ 0.0, 0.0, 0.0, 0.0, 0.02, -0.01];
        let picture = decoded(&filters_rgb(&weights, [2, 3, 1, 2]).unwrap());
        // Two columns; 96 pixels for a tile of 2 x 1 give a zoom of 48.
        let zoom = 48;
        assert_eq!(picture.dimensions(), (2 * (2 * zoom + 6) + 6, zoom + 12));
        let centre = |filter: u32, x: u32| {
            picture.get_pixel(6 + filter * (2 * zoom + 6) + x * zoom + zoom / 2, 6 + zoom / 2).0
        };
        assert_eq!(centre(0, 0), [255, 1, 128]);
        assert_eq!(centre(0, 1), [128, 192, 128]);
        // Scaled to its own range.
        assert_eq!(centre(1, 0), [128, 128, 255]);
        assert_eq!(centre(1, 1), [128, 128, 65]);
        assert_eq!(picture.get_pixel(6 + 2 * zoom + 3, 20).0, [255; 3], "the gap is white");
    }

    #[test]
    fn components_are_rows_and_time_steps_are_columns() {
        // One weight of filter 2 (of 3), y of the third field (of 10), at row 1, column 4.
        let shape = [3, 20, 5, 5];
        let mut weights = vec![0.0; shape.iter().product()];
        weights[((20 + 2 * 2 + 1) * 5 + 1) * 5 + 4] = -0.3;
        let svg = filters_flow(&weights, shape, "Filters").unwrap().file();
        let blocks = embedded(&svg);
        assert_eq!(blocks.len(), 3);
        let zoom = 4;
        let (left, top) = (2 * (5 * zoom + 1) + 4 * zoom, (5 * zoom + 1) + zoom);
        let mut dark = 0;
        for (x, y, pixel) in blocks[1].enumerate_pixels() {
            if pixel.0 == [1; 3] {
                assert!((left..left + zoom).contains(&x) && (top..top + zoom).contains(&y), "({x}, {y})");
                dark += 1;
            }
        }
        assert_eq!(dark, zoom * zoom);
        for still in [&blocks[0], &blocks[2]] {
            assert!(still.pixels().all(|p| p.0 == [128; 3] || p.0 == [255; 3]));
        }
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> =
            document.descendants().filter(|n| n.has_tag_name("text")).filter_map(|n| n.text()).collect();
        let count = |wanted: &str| texts.iter().filter(|&&text| text == wanted).count();
        assert_eq!((count("x"), count("y"), count("10"), count("time")), (3, 3, 3, 3));
    }

    #[test]
    fn any_number_of_filters_and_steps_is_drawn() {
        for (filters, channels, side) in [(1, 2, 1), (96, 20, 7), (7, 50, 3), (5, 2, 64), (13, 4, 5)] {
            let weights = vec![0.1; filters * channels * side * side];
            let svg = filters_flow(&weights, [filters, channels, side, side], "<&>").unwrap().file();
            roxmltree::Document::parse(&svg).unwrap();
            assert_eq!(embedded(&svg).len(), filters);
        }
        for filters in [1, 2, 13, 64, 96] {
            assert!(filters_rgb(&vec![0.0; filters * 27], [filters, 3, 3, 3]).is_ok());
        }
        assert_eq!([1, 2, 12, 13, 64, 96].map(columns_of), [1, 2, 4, 6, 8, 12]);
    }

    #[test]
    fn weights_that_are_no_filters_are_refused() {
        let message = |result: Result<Vec<u8>>| result.unwrap_err().to_string();
        assert!(message(filters_rgb(&[], [0, 3, 5, 5])).contains("found none"));
        assert!(message(filters_rgb(&[0.0; 4], [1, 2, 1, 2])).contains("(out, 3, kh, kw)"));
        assert!(message(filters_rgb(&[0.0; 4], [1, 3, 1, 1])).contains("4 weights of shape (1, 3, 1, 1)"));
        assert!(message(filters_rgb(&[0.0; 4], [usize::MAX, 3, 2, 2])).contains("expected as many"));
        assert!(message(filters_rgb(&[0.0, f32::NAN, 0.0], [1, 3, 1, 1])).contains("found NaN at index 1"));
        assert!(filters_flow(&[0.0; 3], [1, 3, 1, 1], "").unwrap_err().to_string().contains("2L"));
    }
}
