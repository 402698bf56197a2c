//! TV-L1 on an NVIDIA GPU: implements [`flow::Batched`] with the kernels, which do not depend on the crate `flow`.

use flow::{Batched, FlowError, FlowField, GrayImage, MedianFilter, TvL1Params, check_pairs};
use nn::tvl1::{Median, Params, TvL1};

use super::elsewhere::NAME;
use crate::error::{Error, Result};

/// TV-L1 on one GPU. It serves all threads that prepare videos; they take turns.
#[derive(Debug)]
pub struct DeviceFlow {
    estimator: TvL1,
}

impl DeviceFlow {
    /// Creates the estimator on a device that [`nn::device::cuda`] made.
    ///
    /// # Errors
    /// [`Error::Network`] if it is not a GPU, or was not made by that function.
    pub fn new(device: &candle_core::Device) -> Result<Self> {
        let estimator = TvL1::new(device).map_err(Error::network("optical flow on a GPU"))?;
        Ok(Self { estimator })
    }

    /// Sets the maximum GPU memory for a batch of pairs, in bytes.
    #[must_use]
    pub fn with_budget(self, bytes: usize) -> Self {
        Self { estimator: self.estimator.with_budget(bytes) }
    }

    /// Measures the number of pairs per second for `count` generated pairs in one call, including both copies.
    ///
    /// # Errors
    /// [`Error::Network`] if a parameter is out of its range or the GPU fails.
    pub fn pairs_per_second(&self, params: &TvL1Params, size: (usize, usize), count: usize) -> Result<f64> {
        let rate = self.estimator.pairs_per_second(&kernel_params(params), size, count);
        rate.map_err(Error::network("timing optical flow on a GPU"))
    }
}

impl Batched for DeviceFlow {
    fn name(&self) -> &str {
        NAME
    }

    fn compute(
        &self,
        params: &TvL1Params,
        frames: &[GrayImage],
        pairs: &[(usize, usize)],
    ) -> std::result::Result<Vec<FlowField>, FlowError> {
        let (width, height) = check_pairs(params, frames, pairs)?;
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        let pictures: Vec<&[f32]> = frames.iter().map(|frame| &*frame.data).collect();
        let fields = self
            .estimator
            .compute(&kernel_params(params), (width, height), &pictures, pairs)
            .map_err(|error| FlowError::Device {
                estimator: NAME.to_owned(),
                pairs: pairs.len(),
                reason: error.to_string(),
            })?;
        fields.into_iter().map(|field| FlowField::new(width, height, field.u, field.v)).collect()
    }
}

fn kernel_params(params: &TvL1Params) -> Params {
    let &TvL1Params {
        tau,
        lambda,
        theta,
        levels,
        scale_factor,
        warps,
        rounds,
        iterations,
        median,
        smoothing,
        gradient_blend,
        illumination_limit,
        illumination_scale,
    } = params;
    Params {
        tau,
        lambda,
        theta,
        levels,
        scale_factor,
        warps,
        rounds,
        iterations,
        median: match median {
            MedianFilter::None => Median::None,
            MedianFilter::Three => Median::Three,
            MedianFilter::Five => Median::Five,
        },
        smoothing,
        gradient_blend,
        illumination_limit,
        illumination_scale,
    }
}
