//! What an operation is.

use candle_core::Result;

use crate::array::{Array, Backward, Gradient};
#[cfg(feature = "cuda")]
pub use crate::cuda::CudaOp;

/// The half of an operation that runs on an NVIDIA GPU. Without the feature `cuda` there is none.
#[cfg(not(feature = "cuda"))]
pub trait CudaOp {}

#[cfg(not(feature = "cuda"))]
impl<O> CudaOp for O {}

/// An operation on `f32` arrays with an exact gradient.
///
/// A value stands for one application: what the forward pass finds out and the
/// backward pass needs (the mask of a dropout, the statistics of a batch) may be kept
/// in it. Shapes are checked in the forward pass, so that wrong ones are errors.
pub trait Op: CudaOp + std::fmt::Debug + Send + Sync + 'static {
    /// For messages.
    fn name(&self) -> &'static str;

    /// The output and its shape.
    ///
    /// # Errors
    /// If the inputs do not fit.
    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)>;

    /// The gradients of the inputs, from the gradient of the output; nothing is computed
    /// for inputs that are not wanted.
    ///
    /// # Errors
    /// If the forward pass has not run.
    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>>;
}
