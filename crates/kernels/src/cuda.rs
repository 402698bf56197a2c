//! The operations on an NVIDIA GPU.
//!
//! The GPU part of an operation is an implementation of [`CudaOp`] next to those of its kind (`cuda/pool.rs` for
//! `pool/`); it checks shapes with the same functions as the CPU part. cuBLAS computes products and, with the feature
//! `cudnn`, cuDNN computes convolutions. Everything else is a kernel in `cuda/source/`, which NVRTC compiles for the GPU
//! when the program first needs it, so that a build needs no CUDA compiler.
//!
//! **One stream.** All work of a device goes through one stream, in order; only the upload of batches uses a second one
//! ([`Upload`]). So nothing has to wait, and cudarc's own event tracking is switched off.
//!
//! **Same bits.** No kernel uses atomics, and the algorithms of cuBLAS and cuDNN are chosen by the shapes from the
//! deterministic ones: a seed gives the same numbers on the same GPU and libraries. They differ from the CPU's by
//! rounding; `cargo xtask verify` measures the differences.
mod attention;
mod batch_norm;
mod compact_bilinear;
mod contrastive;
mod conv;
mod cross_entropy;
#[cfg(feature = "cudnn")]
mod cudnn;
mod elementwise;
mod engine;
mod gpu;
mod launch;
mod layout;
mod linear;
mod lock;
mod lrn;
mod memory;
#[cfg(feature = "nccl")]
pub mod nccl;
mod normalise;
mod pool;
mod product;
mod rows;
mod sgd;
mod signature;
mod statistics;
mod time_steps;
pub mod tvl1;
mod upload;

use candle_core::Result;

pub use gpu::{Gpu, device, libraries};
pub use memory::{Buffer, DeviceArray};
pub use upload::{OnTheWay, Upload};

pub(crate) use engine::{backward, forward, forward_storage};
pub(crate) use sgd::{running_average, sgd_step, sum_of_squares};
pub(crate) use statistics::DeviceStatistics;

use crate::array::{Backward, Gradient};

/// [`Backward`] on a GPU.
pub type DeviceBackward<'a> = Backward<'a, DeviceArray<'a>>;

/// The part of an operation that runs on an NVIDIA GPU, with the same contract as [`crate::Op`].
pub trait CudaOp {
    /// Computes the output and its shape.
    ///
    /// # Errors
    /// If the inputs do not fit, or the GPU's memory is insufficient.
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)>;

    /// Computes the gradients of the inputs from the gradient of the output.
    ///
    /// # Errors
    /// If the forward pass has not run, or the GPU's memory is insufficient.
    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>>;
}
