//! From the batches of a loader to the inputs of a network.

use candle_core::{Device, Tensor};
use data::loader::{InputBatch, Inputs as Batch};
use models::Inputs;

/// The inputs of samples, under the names that a network reads them by.
pub(crate) fn inputs_of(batch: Batch, device: &Device) -> candle_core::Result<Inputs> {
    let tensor =
        |(modality, InputBatch { data, shape })| Ok((modality, Tensor::from_vec(data, &shape[..], device)?));
    batch.into_iter().map(tensor).collect()
}
