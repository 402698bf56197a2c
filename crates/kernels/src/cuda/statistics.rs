//! What batch normalisation keeps from its forward pass.

use candle_core::Tensor;

use super::Buffer;

/// What a forward pass leaves for the backward pass and for running averages.
#[derive(Debug)]
pub(crate) struct DeviceStatistics {
    /// Mean and variance of every channel.
    pub(super) statistics: Buffer<f64>,
    /// Mean, factor and shift of every channel.
    pub(super) affine: Buffer,
    /// Rows that they are of: of all ranks, where the batch is spread over several.
    pub(super) rows: usize,
    /// Mean and unbiased variance of every channel, until they are asked for.
    pub(super) observed: Option<[Tensor; 2]>,
}

impl DeviceStatistics {
    pub(crate) fn take_observed(&mut self) -> Option<[Tensor; 2]> {
        self.observed.take()
    }
}
