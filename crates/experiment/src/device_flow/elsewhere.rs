//! Placeholder for optical flow on a GPU of another machine: it has a name, but cannot estimate flow here.

use std::sync::Arc;

use flow::{Batched, FlowError, FlowField, GrayImage, TvL1Params};

use crate::device::DeviceChoice;

/// Part of the names of cached flow; raised when the arithmetic of the kernels changes.
pub(super) const NAME: &str = "cuda-1";

/// Returns a placeholder for the estimator of TV-L1 flow on another machine, to name the files that it will make.
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
