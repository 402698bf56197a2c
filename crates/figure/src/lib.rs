//! Draws pictures of a run's inputs, features and results from plain data.
//!
//! | picture | function |
//! |---|---|
//! | first-layer filters of the spatial net, as PNG | [`filters_rgb`] |
//! | first-layer filters of the temporal net, over time, x and y | [`filters_flow`] |
//! | recall of each class, one net or several | [`recall_chart`], [`recall_of_nets`] |
//! | confusion matrix | [`confusion`] |
//! | loss curves: several nets, or a small panel for one stage | [`loss_curves`], [`loss_panel`] |
//! | accuracy against cost; of rows at several costs | [`scatter`]; [`growth`] |
//! | frame, flow and stack of one time step | [`sample_input`] |
//! | attention maps of a net | [`attention_maps`] |
//! | features of test videos in the plane | [`embeddings`] |
//! | probabilities of classes along a video | [`timeline`] |
//! | interval, margin or shares of a whole, for a line of a table | [`spark`] |
//!
//! A picture depends only on its arguments, bit for bit. It is a [`Drawing`], written in one of two ways with the same
//! geometry. An SVG file has a white background, so that it is readable on a dark page. An inline element of a page has
//! colour classes from [`style`] and follows the reader's light or dark mode. No particular font is needed: text widths
//! are estimated from above. Lines and marks use darkened colours of Okabe and Ito, shades a ramp of steady lightness.
//! Classes are ordered by name; charts of recall have the best class first. Names are untrusted and may contain anything.

mod attention;
mod axis;
mod check;
mod colour;
mod confusion;
mod curves;
mod embedding;
mod filters;
mod nets;
mod raster;
mod recall;
mod sample;
mod scale;
mod scatter;
pub mod spark;
mod svg;
mod timeline;

pub use attention::{Attended, attention_maps};
pub use colour::{Paint, SHADES, shade, style};
pub use confusion::{Counts, confusion};
pub use curves::{Curve, CurveOptions, LossScale, MOST_CURVES, loss_curves, loss_panel};
pub use embedding::{Embedded, embeddings};
pub use filters::{filters_flow, filters_rgb};
pub use nets::recall_of_nets;
pub use recall::recall_chart;
pub use sample::{Frame, Sample, Stack, sample_input};
pub use scatter::{Spot, growth, scatter};
pub use svg::Drawing;
pub use timeline::{Track, timeline};

/// An error that prevents a picture from being drawn.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// Nothing to draw.
    #[error("a picture of {what}: expected at least one, found none; first run the rows that it shows")]
    Empty {
        /// The missing data.
        what: &'static str,
    },

    /// Sizes that the picture cannot show.
    #[error("a picture of {what}: expected {expected}, found {found}")]
    Shape {
        /// Kind of picture.
        what: &'static str,
        /// Expected sizes.
        expected: String,
        /// Given sizes.
        found: String,
    },

    /// A value that the picture cannot show.
    #[error("a picture of {what}: expected {expected}, found {found} at index {index}; {hint}")]
    Value {
        /// Kind of picture.
        what: &'static str,
        /// Expected values.
        expected: String,
        /// Given value.
        found: String,
        /// Index of the value in the list.
        index: usize,
        /// Advice to the user.
        hint: &'static str,
    },

    /// A picture that is too large for viewers.
    #[error("a picture of {what}: {width} x {height} pixels exceed the limit of {most} pixels; draw fewer")]
    TooLarge {
        /// Kind of picture.
        what: &'static str,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Maximum number of pixels.
        most: usize,
    },

    /// The PNG encoder's own error.
    #[error("a picture could not be written as PNG: {0}")]
    Png(#[from] image::ImageError),

    /// A flow field that contradicts itself.
    #[error(transparent)]
    Flow(#[from] flow::FlowError),
}

/// The result of drawing.
pub type Result<T, E = FigureError> = std::result::Result<T, E>;
