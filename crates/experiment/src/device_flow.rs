//! Optical flow on the device that networks run on, for preparing videos.

#[cfg(feature = "cuda")]
mod gpu;

use std::sync::Arc;

use candle_core::Device;
use flow::{Batched, FlowError, FlowField, GrayImage, TvL1Params};

use crate::device::DeviceChoice;
use crate::error::Result;

/// Part of the names of cached flow: to be raised when the arithmetic of the kernels changes.
const NAME: &str = "cuda-1";

#[cfg(feature = "cuda")]
pub use gpu::DeviceFlow;

/// What estimates TV-L1 flow on a device in place of the CPU; `None` for the CPU itself.
///
/// # Errors
/// [`crate::Error::Tensor`] for a device that [`nn::device::cuda`] did not make.
pub fn batched(device: &Device) -> Result<Option<Arc<dyn Batched>>> {
    match device {
        Device::Cpu => Ok(None),
        #[cfg(feature = "cuda")]
        device => Ok(Some(Arc::new(DeviceFlow::new(device)?))),
        #[cfg(not(feature = "cuda"))]
        _ => Ok(None),
    }
}

/// What will estimate TV-L1 flow on another machine that has the device: good for naming what it will make.
pub fn planned(device: DeviceChoice) -> Option<Arc<dyn Batched>> {
    match device {
        DeviceChoice::Cpu => None,
        DeviceChoice::Cuda(_) => Some(Arc::new(Elsewhere)),
    }
}

/// A GPU of another machine.
#[derive(Debug)]
struct Elsewhere;

impl Batched for Elsewhere {
    fn name(&self) -> &str {
        NAME
    }

    fn compute(
        &self,
        _params: &TvL1Params,
        _frames: &[GrayImage],
        pairs: &[(usize, usize)],
    ) -> std::result::Result<Vec<FlowField>, FlowError> {
        let reason = "this machine only plans what another one will compute".to_owned();
        Err(FlowError::Device { estimator: NAME.to_owned(), pairs: pairs.len(), reason })
    }
}
