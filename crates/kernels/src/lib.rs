//! Operations with exact gradients for training convolutional networks, on the CPU and, with the feature `cuda`, on an
//! NVIDIA GPU.
//!
//! Candle lacks some operations that the networks of this workspace need (overlapping,
//! padded, ceil-mode pooling with gradients; groups, a stride and a padding per axis;
//! local response normalisation; batch statistics; momentum). The backward passes of the
//! others are several times slower than the arithmetic allows.
//!
//! **An operation is a value that implements [`Op`].** It computes on plain `f32` slices:
//! the output from the inputs, and the gradients of the inputs from the gradient of the
//! output. Two engines apply it to tensors. [`forward`] and [`backward`] run the two passes
//! directly, for a caller that keeps its own record; [`apply`] makes the operation part of
//! Candle's graph. Shapes are checked in the forward pass, and errors name the expected
//! shape.
//!
//! **Feature maps are channels last, (B, H, W, C).** A vector then holds the channels of
//! one position, so that every operation is a loop over contiguous values for any
//! window, stride or padding. [`ToChannelsLast`] and [`ToChannelsFirst`] convert. Weights
//! keep PyTorch's order: (O, C / groups, KH, KW) and (O, I).
//!
//! **Vector instructions are chosen at run time**, see [`mod@simd`].
//!
//! **Bits do not depend on threads.** The division of work depends only on the shapes, never
//! on the number of threads, and partial sums are added in a fixed order; a run gives the
//! same bits on one thread and on sixty-four.
//!
//! **Safety.** This is the only crate of the workspace with `unsafe`; every block states in a
//! `SAFETY` comment why it is sound. Everything public is safe.
//!
//! Letters: B batch, C channels, O output channels, H height, W width, K kernel or classes.

#![expect(
    unsafe_code,
    reason = "inner loops, parallel writes to one buffer, memory not zeroed; every block states why it is sound"
)]

mod activation;
mod allocator;
mod array;
mod attention;
mod batch_norm;
mod check;
mod compact_bilinear;
mod contrastive;
mod conv;
mod cross_entropy;
#[cfg(feature = "cuda")]
pub mod cuda;
mod disjoint;
mod elementwise;
mod engine;
mod extent;
mod graph;
mod lanes;
mod layout;
mod linear;
mod lrn;
mod memory;
mod normalise;
mod op;
mod pool;
mod precision;
mod ranks;
mod sgd;
#[cfg(all(test, not(feature = "cuda")))]
#[path = "cuda/signature.rs"]
mod signature;
pub mod simd;
mod time_steps;
pub mod verify;

pub use allocator::{ReusingAllocator, release_kept_buffers};
pub use array::{Array, Backward, Gradient};
pub use attention::{PositionSoftmax, WeightedPool};
pub use batch_norm::{BatchNorm, FrozenBatchNorm};
pub use compact_bilinear::{CompactBilinear, Fourier, Sketch};
pub use contrastive::{ContrastiveLoss, PairDistance};
pub use conv::Conv2d;
pub use cross_entropy::{SoftmaxCrossEntropy, softmax};
pub use elementwise::{Add, Mask, Relu, add_to};
pub use engine::{backward, forward, share_memory};
pub use extent::TooLarge;
pub use graph::{apply, apply_shared};
pub use layout::{Concat, ToChannelsFirst, ToChannelsLast};
pub use linear::Linear;
pub use lrn::{LocalResponseNorm, Lrn};
pub use normalise::{RmsNorm, SignedSqrt};
pub use op::{CudaOp, Op};
pub use pool::{AvgPool2d, GlobalAvgPool, MaxPool2d, Pool2d};
pub use precision::Precision;
pub use ranks::SumOverRanks;
pub use sgd::{SgdStep, running_average, sgd_step, sum_of_squares};
pub use time_steps::{JoinTimeSteps, SumTimeSteps};
