//! Optical flow on the device that networks run on, for preparing videos.

mod elsewhere;
#[cfg(feature = "cuda")]
mod gpu;

use std::sync::Arc;

use candle_core::Device;
use flow::Batched;

use crate::error::Result;

pub use elsewhere::planned;
#[cfg(feature = "cuda")]
pub use gpu::DeviceFlow;

/// Creates the estimator of TV-L1 flow on a device; `None` for the CPU.
///
/// # Errors
/// [`crate::Error::Network`] for a device that [`nn::device::cuda`] did not make.
pub fn batched(device: &Device) -> Result<Option<Arc<dyn Batched>>> {
    match device {
        Device::Cpu => Ok(None),
        #[cfg(feature = "cuda")]
        device => Ok(Some(Arc::new(DeviceFlow::new(device)?))),
        #[cfg(not(feature = "cuda"))]
        _ => Ok(None),
    }
}
