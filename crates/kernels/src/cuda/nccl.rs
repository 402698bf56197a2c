//! Sums of tensors over the GPUs of several processes, by NCCL.
//!
//! The sums are part of the device's one stream, so only later work waits for them. Every process has its own GPU.

use std::sync::{Arc, Mutex};

use candle_core::cuda_backend::cudarc::nccl::result::NcclError;
use candle_core::cuda_backend::cudarc::nccl::{Comm, Id, ReduceOp, group_end, group_start};
use candle_core::{Device, Result, Storage, Tensor, bail};

use super::Gpu;
use super::engine::tensor;
use super::lock::lock;

/// A group of GPUs that sum tensors, one of each process.
pub struct Gpus {
    gpu: Arc<Gpu>,
    comm: Mutex<Joined>,
}

/// A communicator, used by one thread at a time.
struct Joined(Comm);

// SAFETY: NCCL lets any thread use a communicator as long as one does at a time, which the lock around it sees to.
unsafe impl Send for Joined {}

impl std::fmt::Debug for Gpus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gpus").finish_non_exhaustive()
    }
}

/// Creates an id for one group of processes: the first process creates it and sends it to the others.
///
/// # Errors
/// If NCCL fails.
pub fn unique_id() -> Result<Vec<u8>> {
    let id = Id::new().map_err(|error| failed("creating an id", &error))?;
    Ok(id.internal().iter().flat_map(|byte| byte.to_ne_bytes()).collect())
}

impl Gpus {
    /// Joins the group of `size` processes as number `rank`; waits for the others.
    ///
    /// # Errors
    /// If the device is not a GPU of [`super::device`], the id is not one of [`unique_id`], or NCCL cannot connect the GPUs,
    /// for example because two processes use the same one.
    pub fn join(device: &Device, id: &[u8], rank: usize, size: usize) -> Result<Self> {
        let Device::Cuda(device) = device else { bail!("sums over GPUs need a GPU") };
        let gpu = Gpu::of(device)?;
        let Ok(id) = <[u8; 128]>::try_from(id) else { bail!("an NCCL id has 128 bytes, found {}", id.len()) };
        let id = Id::uninit(id.map(|byte| std::ffi::c_char::from_ne_bytes([byte])));
        gpu.wrap(gpu.stream().context().bind_to_thread())?;
        let comm = Comm::from_rank(Arc::clone(gpu.stream()), rank, size, id);
        let comm = comm.map_err(|error| failed("joining the GPUs of the other ranks", &error))?;
        Ok(Self { gpu, comm: Mutex::new(Joined(comm)) })
    }

    /// Computes the sum of each tensor over all processes, which pass tensors of the same shapes in the same order.
    ///
    /// # Errors
    /// If a tensor is not `f32` or on another device, or NCCL fails.
    pub fn sum(&self, tensors: &[Tensor]) -> Result<Vec<Tensor>> {
        let tensors = tensors.iter().map(Tensor::contiguous).collect::<Result<Vec<_>>>()?;
        let comm = lock(&self.comm);
        let mut sums = Vec::with_capacity(tensors.len());
        for tensor in &tensors {
            // SAFETY: NCCL writes every value, in the order of the stream.
            sums.push(unsafe { self.gpu.unwritten::<f32>(tensor.elem_count()) }?);
        }
        // One launch for all tensors.
        group_start().map_err(|error| failed("beginning a sum", &error))?;
        for (own, sum) in tensors.iter().zip(&mut sums) {
            let (storage, layout) = own.storage_and_layout();
            let Storage::Cuda(storage) = &*storage else {
                bail!("a tensor to be summed over GPUs is not on a GPU")
            };
            let values = storage.as_cuda_slice::<f32>()?;
            let from = layout.start_offset();
            let Some(values) = values.try_slice(from..from + own.elem_count()) else {
                bail!("a tensor of shape {:?} exceeds its values", own.dims())
            };
            let summed = comm.0.all_reduce(&values, sum.slice_mut(), &ReduceOp::Sum);
            summed.map_err(|error| failed("summing", &error))?;
        }
        group_end().map_err(|error| failed("summing", &error))?;
        let made = sums.into_iter().zip(&tensors);
        made.map(|(sum, own)| tensor(&self.gpu, sum, own.dims().to_vec())).collect()
    }
}

fn failed(doing: &str, NcclError(code): &NcclError) -> candle_core::Error {
    candle_core::Error::Msg(format!(
        "{doing} by NCCL: {code:?}; set NCCL_DEBUG=WARN in the environment for details"
    ))
}
