//! Copies batches to the GPU while it computes.

use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{CudaEvent, CudaStream, PinnedHostSlice};
use candle_core::{CudaDevice, Result, Tensor, bail};
use rayon::prelude::*;

use super::engine::tensor;
use super::{Buffer, Gpu};

/// Number of values copied by one task.
const CHUNK: usize = 1 << 18;

/// Copies batches to a GPU on a separate stream, through page-locked memory, the only kind that the hardware copies from
/// while kernels run. Memory is kept from batch to batch.
#[derive(Debug)]
pub struct Upload {
    gpu: Arc<Gpu>,
    stream: Arc<CudaStream>,
    free: Vec<Slot>,
}

/// A batch that was sent but not yet received.
#[derive(Debug)]
pub struct OnTheWay {
    /// Its memory, until it is received.
    slot: Option<Slot>,
    /// Event at the end of the copy.
    arrived: CudaEvent,
    dims: Vec<usize>,
}

/// Memory for a batch of one size, on the host and on the device.
#[derive(Debug)]
struct Slot {
    here: PinnedHostSlice<f32>,
    there: Buffer,
    /// Event after which the compute stream has taken the previous values.
    taken: CudaEvent,
}

impl Upload {
    /// Creates an upload to a device that [`super::device`] made.
    ///
    /// # Errors
    /// If the driver refuses to create a stream.
    pub fn new(device: &CudaDevice) -> Result<Self> {
        let gpu = Gpu::of(device)?;
        let stream = gpu.wrap(gpu.stream().context().new_stream())?;
        Ok(Self { gpu, stream, free: Vec::new() })
    }

    /// Begins to copy a batch of that shape; `values` may be reused when this returns.
    ///
    /// # Errors
    /// If the number of values does not match the shape, or memory is insufficient.
    pub fn send(&mut self, values: &[f32], dims: &[usize]) -> Result<OnTheWay> {
        if values.len() != dims.iter().product::<usize>() || values.is_empty() {
            bail!("a batch of shape {dims:?} cannot have {} values", values.len());
        }
        let mut slot = self.slot(values.len())?;
        // Waits until the last copy out of this memory is done, which normally is long ago.
        let here = self.gpu.wrap(slot.here.as_mut_slice())?;
        here.par_chunks_mut(CHUNK)
            .zip(values.par_chunks(CHUNK))
            .for_each(|(here, values)| here.copy_from_slice(values));
        self.gpu.wrap(self.stream.wait(&slot.taken))?;
        self.gpu.wrap(self.stream.memcpy_htod(&slot.here, slot.there.slice_mut()))?;
        let arrived = self.gpu.wrap(self.stream.record_event(None))?;
        Ok(OnTheWay { slot: Some(slot), arrived, dims: dims.to_vec() })
    }

    /// Returns the batch as a tensor for all later work, without waiting for the copy.
    ///
    /// # Errors
    /// If memory is insufficient.
    pub fn receive(&mut self, mut batch: OnTheWay) -> Result<Tensor> {
        let stream = self.gpu.stream();
        self.gpu.wrap(stream.wait(&batch.arrived))?;
        let Some(mut slot) = batch.slot.take() else { bail!("a batch was received twice") };
        // SAFETY: the copy writes every value.
        let mut values = unsafe { self.gpu.unwritten(slot.there.count()) }?;
        self.gpu.wrap(stream.memcpy_dtod(slot.there.slice(), values.slice_mut()))?;
        slot.taken = self.gpu.wrap(stream.record_event(None))?;
        self.free.push(slot);
        tensor(&self.gpu, values, std::mem::take(&mut batch.dims))
    }

    /// Provides memory for `count` values.
    fn slot(&mut self, count: usize) -> Result<Slot> {
        if let Some(at) = self.free.iter().position(|slot| slot.there.count() == count) {
            return Ok(self.free.swap_remove(at));
        }
        // SAFETY: both are written before they are read: here by the values, there by the copy.
        let (here, there) = unsafe {
            (self.gpu.wrap(self.gpu.stream().context().alloc_pinned(count))?, self.gpu.unwritten(count)?)
        };
        // The copy stream must not write before the compute stream has allocated the memory.
        let taken = self.gpu.wrap(self.gpu.stream().record_event(None))?;
        Ok(Slot { here, there, taken })
    }
}

/// Waits for the copy of a batch that was not received: its memory is freed in the order of the compute stream, so the copy
/// must be done by then.
impl Drop for OnTheWay {
    fn drop(&mut self) {
        if self.slot.is_some() {
            // If the driver no longer answers, no order needs to be kept.
            let _ = self.arrived.synchronize();
        }
    }
}
