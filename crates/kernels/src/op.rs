//! The interface of operations.

use candle_core::Result;

use crate::array::{Array, Backward, Gradient};
#[cfg(feature = "cuda")]
pub use crate::cuda::CudaOp;

/// The part of an operation that runs on an NVIDIA GPU; empty without the feature `cuda`.
#[cfg(not(feature = "cuda"))]
pub trait CudaOp {}

#[cfg(not(feature = "cuda"))]
impl<O> CudaOp for O {}

/// An operation on `f32` arrays with an exact gradient.
///
/// A value represents one application: it may keep results of the forward pass that the
/// backward pass needs (the mask of a dropout, the statistics of a batch). Shapes are
/// checked in the forward pass.
pub trait Op: CudaOp + std::fmt::Debug + Send + Sync + 'static {
    /// Returns the name for messages.
    fn name(&self) -> &'static str;

    /// Computes the output and its shape.
    ///
    /// # Errors
    /// If the inputs do not fit.
    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)>;

    /// Computes the gradients of the inputs from the gradient of the output, but only
    /// those that are requested.
    ///
    /// # Errors
    /// If the forward pass has not run.
    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>>;
}
