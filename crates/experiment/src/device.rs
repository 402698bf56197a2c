//! The device that networks run on, and its flag.

use std::fmt;
use std::str::FromStr;

pub use candle_core::Device;

use crate::error::{Error, Result};

/// The CPU, or a GPU and its number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The CPU, with all cores.
    #[default]
    Cpu,
    /// An NVIDIA GPU, numbered as `nvidia-smi -L` does under CUDA_VISIBLE_DEVICES.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = match text {
            "cpu" => return Ok(Self::Cpu),
            "cuda" => Some(0),
            _ => text.strip_prefix("cuda:").and_then(|number| number.parse().ok()),
        };
        number.map(Self::Cuda).ok_or_else(|| {
            Error::Usage(format!("unknown device `{text}`; expected cpu, cuda, or cuda:N for GPU number N"))
        })
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => write!(f, "cpu"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl DeviceChoice {
    /// Opens the device. A GPU is set up only once per process.
    ///
    /// # Errors
    /// [`Error::Network`] for an unusable GPU; [`Error::Usage`] in a program built without CUDA.
    pub fn open(self) -> Result<Device> {
        match self {
            Self::Cpu => Ok(Device::Cpu),
            Self::Cuda(_) if !cfg!(feature = "cuda") => Err(Error::Usage(format!(
                "--device {self}: this program was built without CUDA; run the same command with `cargo xtask-cuda` in place of \
                 `cargo xtask`, which builds it with CUDA and cuDNN (docs/cuda.md)"
            ))),
            Self::Cuda(number) => nn::device::cuda(number)
                .map_err(|e| Error::Network { doing: format!("opening {self}"), message: e.to_string() }),
        }
    }
}

/// Describes a device for records: `cpu`, or `cuda:0 NVIDIA H200`.
#[must_use]
pub fn describe(device: &Device) -> String {
    match (device.location(), nn::device::gpu_facts(device)) {
        (candle_core::DeviceLocation::Cuda { gpu_id }, Ok(Some(facts))) => {
            format!("cuda:{gpu_id} {}", facts.name)
        }
        (candle_core::DeviceLocation::Cuda { gpu_id }, _) => format!("cuda:{gpu_id}"),
        _ => "cpu".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_and_written() {
        for (text, device) in
            [("cpu", DeviceChoice::Cpu), ("cuda:0", DeviceChoice::Cuda(0)), ("cuda:3", DeviceChoice::Cuda(3))]
        {
            assert_eq!(text.parse::<DeviceChoice>().unwrap(), device);
            assert_eq!(device.to_string(), text);
        }
        assert_eq!("cuda".parse::<DeviceChoice>().unwrap(), DeviceChoice::Cuda(0));
        for wrong in ["gpu", "cuda:", "cuda:x", "cuda:-1", ""] {
            let problem = wrong.parse::<DeviceChoice>().unwrap_err().to_string();
            assert!(problem.contains("expected cpu, cuda, or cuda:N"), "{problem}");
        }
        assert_eq!(describe(&DeviceChoice::Cpu.open().unwrap()), "cpu");
    }
}
