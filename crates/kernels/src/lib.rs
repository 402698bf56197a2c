//! Candle custom operations with gradients for training convolutional networks.
//!
//! Candle's own operations lack what the networks of this workspace need
//! (overlapping, padded, ceil-mode pooling with gradients; a stride and a
//! padding per axis; local response normalisation; momentum) and its backward
//! convolution is several times slower than the arithmetic allows. Each
//! operation here is a function over [`candle_core::Tensor`] that checks its
//! shapes first, runs on `f32`, and takes part in [`candle_core::Tensor::backward`].
//!
//! **Bits do not depend on threads.** Work is cut into pieces by the shapes
//! alone, never by the number of threads, and partial sums are added in a fixed
//! order; a run gives the same bits on one thread and on sixty-four.
//!
//! **Safety.** This is the only crate of the workspace with `unsafe`: in
//! [`mod@matmul`] (the call into `gemm`) and in `disjoint` (tasks that write
//! separate parts of one buffer). Everything public is safe.
//!
//! Letters: B batch, C channels, O output channels, H height, W width, K kernel.
//!
//! [`mod@reference`] holds a plain version of every operation; the tests compare the two.

#![expect(
    unsafe_code,
    reason = "the matrix product and disjoint parallel writes; every block states why it is sound"
)]

mod check;
mod conv;
mod cross_entropy;
mod disjoint;
mod elementwise;
mod linear;
mod lrn;
mod matmul;
mod pool;
pub mod reference;
mod sgd;
mod simd;

pub use conv::{Conv2d, conv2d, conv2d_relu};
pub use cross_entropy::{softmax, softmax_cross_entropy};
pub use elementwise::{masked, relu};
pub use linear::{linear, linear_relu};
pub use lrn::{Lrn, local_response_norm};
pub use pool::{Pool2d, max_pool2d};
pub use sgd::{SgdStep, sgd_step};
