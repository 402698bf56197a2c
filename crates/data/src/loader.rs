//! Batches of inputs, made by threads ahead of their use.
//!
//! [`TrainLoader`] makes the training batches of a range of iterations; their
//! order and content follow from the seed, whatever the number of threads, which
//! share the samples of each batch.
//! [`TestViews`] makes the views of one video for its test.

mod fill;
mod prefetch;
#[cfg(test)]
mod tests;
mod train;
mod views;

pub use self::fill::{InputBatch, Inputs};
pub use self::train::{Batch, LabelledVideo, TrainConfig, TrainLoader};
pub use self::views::{Crops, TestConfig, TestViews, ViewBatch};
