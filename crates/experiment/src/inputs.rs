//! Turns the batches of a loader into the inputs of a network.

use candle_core::{Device, Tensor};
use data::loader::{InputBatch, Inputs as Batch};
use models::Inputs;

/// Copies a batch to the device, as inputs by modality.
pub(crate) fn inputs_of(batch: Batch, device: &Device) -> candle_core::Result<Inputs> {
    let tensor =
        |(modality, InputBatch { data, shape })| Ok((modality, Tensor::from_vec(data, &shape[..], device)?));
    batch.into_iter().map(tensor).collect()
}
