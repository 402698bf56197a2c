//! Data sets, decoding, the frame and flow cache, sampling, augmentation, loading.
//!
//! The crate knows no model. Data takes this path: a [`dataset::Dataset`] lists videos and splits,
//! [`prepare::prepare`] decodes (or renders) them and computes flow into a cache of one file per video
//! and kind, and a [`prepare::PreparedVideo`] reads single frames and fields from it.
//!
//! Letters used throughout: B batch, C channels, T frames, H height, W width, L stack length,
//! S snippets or frames per sample.

pub mod augment;
mod batched;
pub mod codec;
pub mod container;
pub mod cuts;
pub mod dataset;
pub mod decode;
pub mod error;
pub mod extracted;
pub mod inputs;
pub mod loader;
pub mod picture;
pub mod prepare;
pub mod resize;
pub mod sample;
mod schema;
pub mod source;
pub mod split;
pub mod video_flow;

pub use error::DataError;
pub use source::{Direction, Field, VideoReader};
