//! Weights of one network as the start of another: fine-tuning, a first layer that reads another kind of input, and
//! layers that look along time where those before looked at one moment.

use candle_core::Tensor;

use crate::tensors::{self, Tensors};
use crate::{Error, Params, Result};

impl Params {
    /// Copies in stored values for every parameter and buffer that is not `fresh`; those
    /// keep the values they have, whatever is stored under their names.
    ///
    /// `fresh` sees full names, of the network and of the store: those of the classifier
    /// for fine-tuning, never for the same network again.
    ///
    /// # Errors
    /// If a tensor that is not fresh is missing, surplus, or of another shape or type; then
    /// nothing changes.
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

/// Cross-modality initialisation: the weights (O, I, H, W) of a first convolution that reads
/// pictures, for one that reads `channels` of something else. They are averaged over the I
/// input channels and repeated, (O, `channels`, H, W). No gradient flows back.
///
/// # Errors
/// If the weights do not have that form, or `channels` is 0.
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

/// Initialisation of a convolution over time, (O, I, `moments`, 1, 1), with the weights (O, I, 1, 1) of one that looks
/// at one moment (ST-ResNet, eq. 5): each moment gets a `moments`-th of them, so that a clip that stands still gives
/// what one of its frames gave, but at its ends. No gradient flows back.
///
/// # Errors
/// If the weights do not have that form, or `moments` is 0.
pub fn inflate(weight: &Tensor, moments: usize) -> Result<Tensor> {
    let (&[outputs, inputs, 1, 1], 1..) = (weight.dims(), moments) else {
        return Err(Error::setting(
            "the weight of a convolution that is to look along time",
            format!("shape {:?} and {moments} moments", weight.dims()),
            "shape (O, I, 1, 1) and at least one moment",
        ));
    };
    let share = (weight.detach() / moments as f64)?.reshape((outputs, inputs, 1, 1, 1))?;
    Ok(share.repeat((1, 1, moments, 1, 1))?)
}
