//! Collective communication between ranks.

use std::fmt::Debug;

use crate::Result;

/// Collective communication between ranks. All ranks call the same methods in the same order, with equal numbers of values.
pub trait Collective: Debug + Send + Sync {
    /// Returns the index of this rank, from 0.
    fn rank(&self) -> usize;

    /// Returns the number of ranks.
    fn size(&self) -> usize;

    /// Writes the sums of `mine` over all ranks to `all`, with the same bits on every rank.
    ///
    /// # Errors
    /// [`crate::Error::Ranks`] if another rank has ended or calls another method.
    fn sum_f32(&self, mine: &[f32], all: &mut [f32]) -> Result<()>;

    /// Does the same as [`Collective::sum_f32`], in double precision.
    ///
    /// # Errors
    /// See [`Collective::sum_f32`].
    fn sum_f64(&self, mine: &[f64], all: &mut [f64]) -> Result<()>;

    /// Returns the bytes of rank 0 on every rank; those of the other ranks are ignored.
    ///
    /// # Errors
    /// See [`Collective::sum_f32`].
    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>>;

    /// Sends a message to another rank, which receives it with [`Collective::listen`], now or later.
    ///
    /// # Errors
    /// If that rank has ended.
    fn tell(&self, rank: usize, message: &[u8]) -> Result<()>;

    /// Waits for the next message of rank 0, without using a core.
    ///
    /// # Errors
    /// If rank 0 has ended.
    fn listen(&self) -> Result<Vec<u8>>;

    /// Ends all ranks. If ranks are processes, they exit with this code, and the call does not return.
    fn abort(&self, code: u8);
}
