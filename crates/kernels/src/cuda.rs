//! The operations on an NVIDIA GPU.
//!
//! An operation's half here is an implementation of [`CudaOp`] beside those of its kind (`cuda/pool.rs` for
//! `pool/`); it checks shapes by the same functions as the CPU's. Products are cuBLAS's and, with the feature `cudnn`,
//! convolutions cuDNN's; everything else is a kernel of ours in `cuda/source/`, compiled by NVRTC for the GPU at hand
//! when the program first needs it, so that a build needs no CUDA compiler of its own for them.
//!
//! **One stream.** All work of a device goes through one stream, in order; only batches on their way to the device use
//! a second one ([`Upload`]). So nothing here waits for anything, and cudarc's own tracking of what uses what is
//! switched off.
//!
//! **Same bits.** No kernel uses an atomic, and the algorithms of cuBLAS and cuDNN are chosen by the shapes among those
//! that are deterministic: a seed gives the same numbers on the same GPU and libraries. They differ from the CPU's by
//! rounding; `cargo xtask verify` measures by how much.
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
mod moments;
#[cfg(feature = "nccl")]
pub mod nccl;
mod normalise;
mod pool;
mod product;
mod rows;
mod sgd;
mod signature;
mod statistics;
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

/// The half of an operation that runs on an NVIDIA GPU; everything as [`crate::Op`] says.
pub trait CudaOp {
    /// The output and its shape.
    ///
    /// # Errors
    /// If the inputs do not fit, or the GPU's memory does not suffice.
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)>;

    /// The gradients of the inputs, from the gradient of the output.
    ///
    /// # Errors
    /// If the forward pass has not run, or the GPU's memory does not suffice.
    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>>;
}
