//! From the batches of a loader to the inputs of a network.

use base::Modality;
use candle_core::{Device, Tensor};
use data::loader::{InputBatch, Inputs as Batch};
use models::Inputs;

/// The batches of several tasks as one, one after the other.
pub(super) fn joined(mut parts: Vec<Tensor>) -> candle_core::Result<Tensor> {
    if parts.len() == 1 { Ok(parts.remove(0)) } else { Tensor::cat(&parts, 0) }
}

/// Tensors, each (B, T, C, H, W), under the names that a network reads them by.
pub(super) fn named(
    tensors: impl IntoIterator<Item = candle_core::Result<(Modality, Tensor)>>,
) -> candle_core::Result<Inputs> {
    let mut inputs = Inputs::default();
    for named in tensors {
        let (modality, tensor) = named?;
        match modality {
            Modality::RGB => inputs.rgb = Some(tensor),
            Modality::FLOW => inputs.flow = Some(tensor),
            other => candle_core::bail!("no network reads {other}"),
        }
    }
    Ok(inputs)
}

/// The inputs of samples, under those names.
pub(crate) fn inputs_of(batch: Batch, device: &Device) -> candle_core::Result<Inputs> {
    named(batch.into_iter().map(|(modality, InputBatch { data, shape })| {
        Ok((modality, Tensor::from_vec(data, &shape[..], device)?))
    }))
}
