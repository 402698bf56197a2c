//! Sums of tensors over ranks.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::Ranks;
use crate::{Error, Result};

/// Values copied by one task.
const CHUNK: usize = 1 << 16;

/// The sum of each tensor over all ranks, where the tensors are. All ranks pass tensors of the same shapes in the same
/// order.
///
/// # Errors
/// If another rank has ended or sums something else, or a tensor is not `f32`.
pub(crate) fn sum_tensors(ranks: &Ranks, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
    #[cfg(feature = "nccl")]
    if tensors.first().is_some_and(|tensor| tensor.device().is_cuda()) {
        return ranks.summed_on_gpus(tensors);
    }
    // One message: of hundreds of small ones each would take the time of its way.
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

/// The values of all tensors, one after the other.
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
            return Err(Error::Ranks { problem: "a tensor that was brought to the CPU is not there".into() });
        };
        let values = &storage.as_slice::<f32>()?[layout.start_offset()..][..own.len()];
        own.par_chunks_mut(CHUNK)
            .zip(values.par_chunks(CHUNK))
            .for_each(|(own, values)| own.copy_from_slice(values));
    }
    Ok(all)
}
