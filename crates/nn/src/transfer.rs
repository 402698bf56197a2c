//! Initial weights from another network: fine-tuning, a first layer for another modality, and layers over time that start
//! from layers of a single time step.

use candle_core::Tensor;

use crate::tensors::{self, Tensors};
use crate::{Error, Params, Result};

impl Params {
    /// Copies in stored values for every parameter and buffer that is not `fresh`. Fresh ones
    /// keep their values, even if the store has tensors of their names.
    ///
    /// `fresh` is called with the full names of the network and of the store. It returns
    /// `true` for the classifier in fine-tuning, and always `false` to restore the same network.
    ///
    /// # Errors
    /// If a tensor that is not fresh is missing, surplus, or of another shape or type. In that
    /// case nothing changes.
    pub fn transfer(&self, stored: &Tensors, fresh: &dyn Fn(&str) -> bool) -> Result<()> {
        let kept = |all: &Tensors| -> Tensors {
            let kept = all.iter().filter(|(name, _)| !fresh(name));
            kept.map(|(name, tensor)| (name.clone(), tensor.clone())).collect()
        };
        let stored = kept(stored);
        tensors::check_same_layout(&kept(&self.tensors()), &stored)?;
        self.copy_in(&stored)
    }
}

/// Converts the weights (O, I, H, W) of a first convolution for frames to one that reads
/// `channels` channels of another modality (cross-modality initialisation). They are averaged
/// over the I input channels and repeated: (O, `channels`, H, W). No gradient flows back.
///
/// # Errors
/// If the weights have another shape, or `channels` is 0.
pub fn cross_modality(weight: &Tensor, channels: usize) -> Result<Tensor> {
    let &[outputs, inputs, height, width] = weight.dims() else {
        let found = format!("of shape {:?}", weight.dims());
        return Err(Error::setting("the weight of the first convolution", found, "shape (O, I, H, W)"));
    };
    if inputs == 0 || channels == 0 {
        let found = format!("{inputs} and {channels}");
        return Err(Error::setting("the number of input channels, before and after,", found, "at least 1"));
    }
    let values = weight.detach().flatten_all()?.to_vec1::<f32>()?;
    let area = height * width;
    let mut repeated = Vec::with_capacity(outputs * channels * area);
    for filter in values.chunks_exact((inputs * area).max(1)) {
        let mean = |at: usize| {
            let sum: f64 = filter.iter().skip(at).step_by(area).copied().map(f64::from).sum();
            (sum / inputs as f64) as f32
        };
        let mean: Vec<f32> = (0..area).map(mean).collect();
        for _ in 0..channels {
            repeated.extend_from_slice(&mean);
        }
    }
    Ok(Tensor::from_vec(repeated, (outputs, channels, height, width), weight.device())?)
}

/// Converts the weights (O, I, 1, 1) of a convolution of one time step to a convolution over time (O, I, `time_steps`, 1, 1)
/// (ST-ResNet, eq. 5). Each time step gets 1 / `time_steps` of the weights. So a still clip has the same output as one of its
/// frames, except at its ends. No gradient flows back.
///
/// # Errors
/// If the weights have another shape, or `time_steps` is 0.
pub fn inflate(weight: &Tensor, time_steps: usize) -> Result<Tensor> {
    let (&[outputs, inputs, 1, 1], 1..) = (weight.dims(), time_steps) else {
        return Err(Error::setting(
            "the weight of a convolution over time",
            format!("shape {:?} and {time_steps} time steps", weight.dims()),
            "shape (O, I, 1, 1) and at least one time step",
        ));
    };
    let share = (weight.detach() / time_steps as f64)?.reshape((outputs, inputs, 1, 1, 1))?;
    Ok(share.repeat((1, 1, time_steps, 1, 1))?)
}
