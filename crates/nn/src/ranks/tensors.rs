//! Sums of tensors over ranks.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::Ranks;
use crate::{Error, Result};

/// Number of values that one task copies.
const CHUNK: usize = 1 << 16;

/// Returns the sum of each tensor over all ranks, on the device of the tensors. All ranks pass tensors of the same shapes in
/// the same order.
///
/// # Errors
/// If another rank has ended or sums other values, or a tensor is not `f32`.
pub(crate) fn sum_tensors(ranks: &Ranks, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    #[cfg(feature = "nccl")]
    if tensors.first().is_some_and(|tensor| tensor.device().is_cuda()) {
        return ranks.summed_on_gpus(tensors);
    }
    // A single message avoids the latency of hundreds of small ones.
    let values = ranks.summed(flattened(tensors)?)?;
    let mut sums = Vec::with_capacity(tensors.len());
    let mut rest = &values[..];
    for tensor in tensors {
        let (own, others) = rest.split_at(tensor.elem_count());
        rest = others;
        sums.push(Tensor::from_slice(own, tensor.shape(), tensor.device())?);
    }
    Ok(sums)
}

/// Concatenates the values of all tensors.
fn flattened(tensors: &[Tensor]) -> Result<Vec<f32>> {
    let tensors = tensors.iter().map(|tensor| Ok(tensor.to_device(&Device::Cpu)?.contiguous()?));
    let tensors = tensors.collect::<Result<Vec<_>>>()?;
    let mut all = vec![0f32; tensors.iter().map(Tensor::elem_count).sum()];
    let mut rest = &mut all[..];
    for tensor in &tensors {
        let (own, others) = rest.split_at_mut(tensor.elem_count());
        rest = others;
        let (storage, layout) = tensor.storage_and_layout();
        let candle_core::Storage::Cpu(storage) = &*storage else {
            return Err(Error::Ranks { problem: "a tensor copied to the CPU is not in its memory".into() });
        };
        let values = &storage.as_slice::<f32>()?[layout.start_offset()..][..own.len()];
        own.par_chunks_mut(CHUNK)
            .zip(values.par_chunks(CHUNK))
            .for_each(|(own, values)| own.copy_from_slice(values));
    }
    Ok(all)
}
