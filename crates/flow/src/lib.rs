//! Dense optical flow: the displacement of every pixel between two pictures.
//!
//! - [`Estimator`] estimates a [`FlowField`] between two [`GrayImage`]s by a
//!   [`Method`], and its [`Stream`] the fields along a video.
//! - [`Method::TvL1`] is the method of coarse-to-fine TV-L1 (Zach, Pock and Bischof
//!   2007, with the median filter, the blended gradient and the projected dual
//!   step of Wedel et al. 2009, and an estimate of the change of illumination).
//!   Its two presets are [`TvL1Params::fast`] and [`TvL1Params::accurate`].
//! - [`Method::Brox`] is that of Brox et al. 2004: constancy of brightness and of its
//!   gradient under a robust function, with warping. Its two presets are
//!   [`BroxParams::fast`] and [`BroxParams::accurate`].
//! - [`Method::Dis`] is that of Kroeger et al. 2016: patches that search for their displacement, for large motions and
//!   short times, and a refinement. Its presets are [`DisParams::fast`], [`DisParams::balanced`] and
//!   [`DisParams::accurate`].
//! - [`Batched`] is the interface of an estimator of many pairs at once, implemented by other crates.
//! - [`read_flo`] and [`write_flo`] read and write the Middlebury `.flo` format.
//! - [`endpoint_error`] and [`angular_error`] compare a field with the true one.
//! - [`flow_to_rgb8`] paints a field with the Middlebury colour wheel.
//!
//! The crate is independent of data sets. A pair is computed on the calling thread,
//! with scratch memory that the caller may keep in a [`Workspace`], so that a program
//! can run one video per core; only [`Estimator::with_threads`] divides a pair over
//! rayon's pool. A field is bit for bit the same in all cases.
//!
//! ```
//! use flow::{Estimator, GrayImage, Method, TvL1Params};
//!
//! let picture = GrayImage::new(8, 8, (0..64).map(|i| i as f32).collect())?;
//! let estimator = Estimator::new(Method::TvL1(TvL1Params::fast()))?;
//! let mut workspace = estimator.workspace();
//! let field = estimator.compute_with(&mut workspace, &picture, &picture)?;
//! assert!(field.u.iter().chain(&field.v).all(|&d| d == 0.0));
//! # Ok::<(), flow::FlowError>(())
//! ```
//!
//! Letters: H height, W width. Fields and pictures are row-major; u is the
//! displacement to the right and v the displacement downwards, in pixels per
//! frame.

mod bands;
mod batched;
mod brox;
mod coarse_to_fine;
mod colour;
mod dis;
mod eight;
mod error;
mod estimator;
mod field;
mod flo;
mod light;
mod median;
mod metrics;
mod params;
mod plane;
mod pyramid;
mod search;
mod solver;
mod tvl1;
mod warp;

pub use batched::{Batched, check_pairs};
pub use brox::BroxParams;
pub use colour::flow_to_rgb8;
pub use dis::DisParams;
pub use error::{FloProblem, FlowError};
pub use estimator::{Estimator, Method, Stream, Workspace};
pub use field::{FlowField, GrayImage, UNKNOWN_FLOW};
pub use flo::{encode_flo, parse_flo, read_flo, write_flo};
pub use metrics::{angular_error, endpoint_error};
pub use params::{MedianFilter, TvL1Params};
