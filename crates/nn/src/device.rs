//! Devices for networks, and the transfer of batches to them.

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// Opens GPU number `ordinal`, as the driver counts them. All functions also accept a device from `Device::new_cuda`, but
/// only one thread may use such a device, because its stream differs between threads.
///
/// # Errors
/// If this program was built without the feature `cuda`, or the GPU cannot be used.
#[cfg(feature = "cuda")]
pub fn cuda(ordinal: usize) -> Result<Device> {
    Ok(kernels::cuda::device(ordinal)?)
}

/// Opens GPU number `ordinal`, as the driver counts them.
///
/// # Errors
/// Always, because this program was built without the feature `cuda`.
#[cfg(not(feature = "cuda"))]
pub fn cuda(ordinal: usize) -> Result<Device> {
    Err(Error::setting(
        "the device",
        format!("cuda:{ordinal}, in a program built without CUDA"),
        "cpu, or a build with `--features cudnn` (docs/cuda.md)",
    ))
}

/// Facts about a GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuFacts {
    /// Name of the GPU.
    pub name: String,
    /// Compute capability, major and minor.
    pub capability: (i32, i32),
    /// Total memory, in bytes.
    pub memory: usize,
    /// Free memory, in bytes.
    pub free: usize,
    /// Peak memory in use so far, in bytes.
    pub peak: u64,
}

/// Returns facts about the GPU of a device; `None` for the CPU.
///
/// # Errors
/// If the driver does not answer.
pub fn gpu_facts(device: &Device) -> Result<Option<GpuFacts>> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => {
            let gpu = kernels::cuda::Gpu::of(device)?;
            let (name, capability, memory, free) = gpu.describe()?;
            Ok(Some(GpuFacts { name, capability, memory, free, peak: gpu.peak_memory() }))
        }
        _ => Ok(None),
    }
}

/// Waits until a device has finished all its work. Returns at once for the CPU.
///
/// # Errors
/// If an operation failed.
pub fn synchronize(device: &Device) -> Result<()> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => Ok(kernels::cuda::Gpu::of(device)?.synchronize()?),
        _ => Ok(()),
    }
}

/// Returns names and versions of the GPU libraries; empty in a program without them.
#[must_use]
pub fn libraries() -> Vec<(&'static str, String)> {
    #[cfg(feature = "cuda")]
    return kernels::cuda::libraries();
    #[cfg(not(feature = "cuda"))]
    Vec::new()
}

/// Resets the peak memory of a GPU; does nothing for the CPU.
///
/// # Errors
/// If the GPU's driver or libraries are too old.
pub fn reset_peak_memory(device: &Device) -> Result<()> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => {
            kernels::cuda::Gpu::of(device)?.reset_peak();
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Copies batches to a device while it computes: a batch is sent as soon as it is ready, and received when it is needed.
/// Nothing is copied for the CPU.
#[derive(Debug)]
pub struct Upload {
    way: Way,
}

#[derive(Debug)]
enum Way {
    Here,
    #[cfg(feature = "cuda")]
    Cuda(kernels::cuda::Upload),
}

/// A batch that was sent.
#[derive(Debug)]
pub struct Sent {
    batch: OnTheWay,
}

#[derive(Debug)]
enum OnTheWay {
    Here(Tensor),
    #[cfg(feature = "cuda")]
    Cuda(kernels::cuda::OnTheWay),
}

impl Upload {
    /// Makes an upload to a device.
    ///
    /// # Errors
    /// If this kind of device is not supported, or the GPU's driver or libraries are too old.
    pub fn new(device: &Device) -> Result<Self> {
        let way = match device {
            Device::Cpu => Way::Here,
            #[cfg(feature = "cuda")]
            Device::Cuda(device) => Way::Cuda(kernels::cuda::Upload::new(device)?),
            other => {
                return Err(Error::setting("the device", format!("{other:?}"), "the CPU or an NVIDIA GPU"));
            }
        };
        Ok(Self { way })
    }

    /// Returns `true` if it saves time to send a batch before it is needed.
    #[must_use]
    pub fn overlaps(&self) -> bool {
        !matches!(self.way, Way::Here)
    }

    /// Sends values with a shape. On the CPU the values are moved out of the vector; for a GPU they are copied and stay there,
    /// so that the memory can be reused.
    ///
    /// # Errors
    /// If the number of values does not match the shape, or there is not enough memory.
    pub fn send(&mut self, values: &mut Vec<f32>, shape: &[usize]) -> Result<Sent> {
        let batch = match &mut self.way {
            Way::Here => OnTheWay::Here(Tensor::from_vec(std::mem::take(values), shape, &Device::Cpu)?),
            #[cfg(feature = "cuda")]
            Way::Cuda(upload) => OnTheWay::Cuda(upload.send(values, shape)?),
        };
        Ok(Sent { batch })
    }

    /// Returns the tensor of a batch that was sent.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn receive(&mut self, sent: Sent) -> Result<Tensor> {
        match (sent.batch, &mut self.way) {
            (OnTheWay::Here(tensor), _) => Ok(tensor),
            #[cfg(feature = "cuda")]
            (OnTheWay::Cuda(batch), Way::Cuda(upload)) => Ok(upload.receive(batch)?),
            #[cfg(feature = "cuda")]
            (OnTheWay::Cuda(_), Way::Here) => Err(Error::setting(
                "the received batch",
                "a batch sent to a GPU",
                "a batch sent by this upload",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_the_cpu_a_batch_stays_where_it_is() {
        let mut upload = Upload::new(&Device::Cpu).unwrap();
        assert!(!upload.overlaps());
        let mut values = vec![1.0, 2.0, 3.0, 4.0];
        let sent = upload.send(&mut values, &[2, 2]).unwrap();
        assert!(values.is_empty());
        assert_eq!(upload.receive(sent).unwrap().to_vec2::<f32>().unwrap(), [[1.0, 2.0], [3.0, 4.0]]);
        assert!(upload.send(&mut vec![1.0], &[2]).is_err());
    }

    #[test]
    fn the_cpu_has_nothing_to_wait_for() {
        synchronize(&Device::Cpu).unwrap();
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        let problem = cuda(0).unwrap_err().to_string();
        assert!(problem.contains("without CUDA") && problem.contains("--features"), "{problem}");
    }
}
