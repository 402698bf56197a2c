//! Where networks run, and how batches get there.

use candle_core::{Device, Tensor};

use crate::{Error, Result};

/// The GPU number `ordinal` of those that the driver shows. A device that `Device::new_cuda` opened is taken as well; it is to
/// be used by one thread, since its stream is another one in every thread.
///
/// # Errors
/// If this program was built without the feature `cuda`, or the GPU cannot be used.
#[cfg(feature = "cuda")]
pub fn cuda(ordinal: usize) -> Result<Device> {
    Ok(kernels::cuda::device(ordinal)?)
}

/// The GPU number `ordinal` of those that the driver shows.
///
/// # Errors
/// Always: this program was built without the feature `cuda`.
#[cfg(not(feature = "cuda"))]
pub fn cuda(ordinal: usize) -> Result<Device> {
    Err(Error::setting(
        "the device",
        format!("cuda:{ordinal}, in a program that was built without CUDA"),
        "cpu, or a build with `--features cudnn` (docs/cuda.md)",
    ))
}

/// What a GPU is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuFacts {
    /// Its name.
    pub name: String,
    /// Its compute capability.
    pub capability: (i32, i32),
    /// Its memory in bytes, and what of it is free now.
    pub memory: usize,
    /// Free memory in bytes.
    pub free: usize,
    /// The most memory that was in use at once so far, in bytes.
    pub peak: u64,
}

/// What the GPU behind a device is; `None` for the CPU.
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

/// Waits until everything that was asked of a device is done. The CPU computes at once.
///
/// # Errors
/// If something failed.
pub fn synchronize(device: &Device) -> Result<()> {
    match device {
        #[cfg(feature = "cuda")]
        Device::Cuda(device) => Ok(kernels::cuda::Gpu::of(device)?.synchronize()?),
        _ => Ok(()),
    }
}

/// The versions of the libraries that compute on GPUs, by their names; none in a program without them.
#[must_use]
pub fn libraries() -> Vec<(&'static str, String)> {
    #[cfg(feature = "cuda")]
    return kernels::cuda::libraries();
    #[cfg(not(feature = "cuda"))]
    Vec::new()
}

/// Starts the account of the most memory in use anew; of the CPU there is none.
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

/// Copies batches to a device while it computes: a batch is sent as soon as it is made, and received when it is needed.
/// On the CPU nothing is copied.
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
    /// To this device.
    ///
    /// # Errors
    /// If the device is of a kind that nothing here runs on, or the GPU's driver or libraries are too old.
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

    /// Whether sending a batch before it is needed saves time.
    #[must_use]
    pub fn overlaps(&self) -> bool {
        !matches!(self.way, Way::Here)
    }

    /// Sends values of a shape. The values are taken where they stay in place, and left where they were copied, so that
    /// their memory can be used again.
    ///
    /// # Errors
    /// If their number is not that of the shape, or memory does not suffice.
    pub fn send(&mut self, values: &mut Vec<f32>, shape: &[usize]) -> Result<Sent> {
        let batch = match &mut self.way {
            Way::Here => OnTheWay::Here(Tensor::from_vec(std::mem::take(values), shape, &Device::Cpu)?),
            #[cfg(feature = "cuda")]
            Way::Cuda(upload) => OnTheWay::Cuda(upload.send(values, shape)?),
        };
        Ok(Sent { batch })
    }

    /// The tensor of a batch that was sent.
    ///
    /// # Errors
    /// If memory does not suffice.
    pub fn receive(&mut self, sent: Sent) -> Result<Tensor> {
        match (sent.batch, &mut self.way) {
            (OnTheWay::Here(tensor), _) => Ok(tensor),
            #[cfg(feature = "cuda")]
            (OnTheWay::Cuda(batch), Way::Cuda(upload)) => Ok(upload.receive(batch)?),
            #[cfg(feature = "cuda")]
            (OnTheWay::Cuda(_), Way::Here) => Err(Error::setting(
                "a batch that was sent",
                "one on its way to a GPU",
                "one that this upload sent",
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
