//! Pictures of what a run saw and learned, from plain data.
//!
//! | picture | function |
//! |---|---|
//! | first-layer filters of the spatial net, as PNG | [`filters_rgb`] |
//! | first-layer filters of the temporal net, over time, x and y | [`filters_flow`] |
//! | recall of each class, one net or several | [`recall_chart`], [`recall_of_nets`] |
//! | confusion matrix | [`confusion`] |
//! | loss curves, of several nets or small of one stage | [`loss_curves`], [`loss_panel`] |
//! | accuracy against cost | [`scatter`] |
//! | frame, flow and stack of one time step | [`sample_input`] |
//! | where a net looks | [`attention_maps`] |
//! | features of test videos in the plane | [`embeddings`] |
//! | probabilities of classes along a video | [`timeline`] |
//! | an interval, a margin, shares of a whole, in a line of a table | [`spark`] |
//!
//! A picture depends on its arguments alone, to the bit. It is a [`Drawing`]: written as an SVG file, which brings its own
//! white ground, so that it reads on a dark page too; or into a page, in the same geometry, where its colours are classes of
//! [`style`] and follow the reader's light or dark. It needs no font that the reader may lack: widths of texts are estimated
//! from above. Colours are those of Okabe and Ito, darkened, for lines and marks, and a ramp of steady lightness for shades.
//! Classes stand in order of their names; charts whose length is a recall have the best first. Names are untrusted and may
//! hold anything.

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
pub use scatter::{Spot, scatter};
pub use svg::Drawing;
pub use timeline::{Track, timeline};

/// Why a picture could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum FigureError {
    /// There is nothing to draw.
    #[error(
        "a picture of {what}: expected at least one, found none; run the rows that it is drawn from first"
    )]
    Empty {
        /// What is missing.
        what: &'static str,
    },

    /// Sizes that the picture has no meaning for.
    #[error("a picture of {what}: expected {expected}, found {found}")]
    Shape {
        /// What was to be drawn.
        what: &'static str,
        /// What would have done.
        expected: String,
        /// What was given.
        found: String,
    },

    /// A value that has no place in the picture.
    #[error("a picture of {what}: expected {expected}, found {found} at index {index}; {hint}")]
    Value {
        /// What was to be drawn.
        what: &'static str,
        /// What would have done.
        expected: String,
        /// What was given.
        found: String,
        /// Where it stands in the list.
        index: usize,
        /// What to do.
        hint: &'static str,
    },

    /// A picture that no viewer would open.
    #[error("a picture of {what}: {width} x {height} pixels are too many, at most {most} in all; draw fewer")]
    TooLarge {
        /// What was to be drawn.
        what: &'static str,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// The limit.
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
