//! What ranks do together.

use std::fmt::Debug;

use crate::Result;

/// What ranks do together. All of them call the same methods in the same order, with as many values.
pub trait Collective: Debug + Send + Sync {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// The number of ranks.
    fn size(&self) -> usize;

    /// Writes the sums of `mine` over all ranks to `all`, the same bits on every rank.
    ///
    /// # Errors
    /// [`crate::Error::Ranks`] if another rank has ended or does something else.
    fn sum_f32(&self, mine: &[f32], all: &mut [f32]) -> Result<()>;

    /// As [`Collective::sum_f32`].
    ///
    /// # Errors
    /// As there.
    fn sum_f64(&self, mine: &[f64], all: &mut [f64]) -> Result<()>;

    /// The bytes that rank 0 passes, on every rank; what the others pass is not looked at.
    ///
    /// # Errors
    /// As [`Collective::sum_f32`].
    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;

    /// Sends a message to another rank, which [`Collective::listen`]s for it now or later.
    ///
    /// # Errors
    /// If that rank has ended.
    fn tell(&self, rank: usize, message: &[u8]) -> Result<()>;

    /// Waits for the next message of rank 0, without taking a core for it.
    ///
    /// # Errors
    /// If rank 0 has ended.
    fn listen(&self) -> Result<Vec<u8>>;

    /// Ends all ranks, with this exit code where they are processes: then it does not return.
    fn abort(&self, code: u8);
}
