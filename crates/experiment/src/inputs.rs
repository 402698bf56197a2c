//! Batches as a network reads them.

use candle_core::{Device, Tensor};
use data::loader::InputBatch;
use models::{Inputs, Modality, Network};

/// The inputs of samples, each (B, T, C, H, W), under the names that the network reads them by.
pub(crate) fn inputs_of(
    network: &dyn Network,
    inputs: Vec<InputBatch>,
    device: &Device,
) -> candle_core::Result<Inputs> {
    let modalities = network.reads();
    if inputs.len() != modalities.len() {
        candle_core::bail!("a batch of {} inputs for a network of {}", inputs.len(), modalities.len());
    }
    let tensor = |(InputBatch { data, shape }, &modality): (InputBatch, &Modality)| {
        Ok((modality, Tensor::from_vec(data, &shape[..], device)?))
    };
    inputs.into_iter().zip(modalities).map(tensor).collect()
}
