//! State that batch normalisation keeps from its forward pass.

use candle_core::Tensor;

use super::Buffer;

/// Results of a forward pass for the backward pass and for running averages.
#[derive(Debug)]
pub(crate) struct DeviceStatistics {
    /// Mean and variance of every channel.
    pub(super) statistics: Buffer<f64>,
    /// Mean, factor and shift of every channel.
    pub(super) affine: Buffer,
    /// Number of rows in the statistics: those of all ranks if the batch is divided over several.
    pub(super) rows: usize,
    /// Mean and unbiased variance of every channel, until they are taken.
    pub(super) observed: Option<[Tensor; 2]>,
}

impl DeviceStatistics {
    pub(crate) fn take_observed(&mut self) -> Option<[Tensor; 2]> {
        self.observed.take()
    }
}
