//! Interface between an operation and the ranks that compute one batch together.

use std::fmt::Debug;

use candle_core::Result;

/// Sums over the ranks of a job, each of which holds some samples of a batch.
///
/// An operation whose output depends on the whole batch takes one (see [`crate::BatchNorm::over`]).
pub trait SumOverRanks: Debug + Send + Sync {
    /// Replaces every value by its sum over all ranks. All ranks call it at the same point of their work with the same
    /// number of values, and all get the same bits.
    ///
    /// # Errors
    /// If another rank has ended, or calls with a different number of values.
    fn sum(&self, values: &mut [f64]) -> Result<()>;
}
