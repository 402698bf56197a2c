//! Consensus over the time steps of a clip: one vector of class scores from those of T snippets (Temporal Segment Networks).
//!
//! All read (B T, F), in which the T time steps of a sample are neighbours, and return (B, F). The average is
//! [`crate::mean_over_time`].

use std::sync::Arc;

use candle_core::{Device, Tensor};
use kernels::Pool2d;

use crate::temporal::samples;
use crate::{Builder, Error, Init, Param, Pass, Result};

/// Computes the largest value over a clip's time steps, feature by feature: (B T, F) to (B, F).
///
/// # Errors
/// If the input does not fit.
pub fn largest_over_time(x: &Tensor, time_steps: usize, pass: &Pass) -> Result<Tensor> {
    let (frames, features) = x.dims2()?;
    let batch = samples(frames, time_steps)?;
    let x = pass.reshape(x, (batch, time_steps, 1, features))?;
    let pool = Pool2d { kernel: [time_steps, 1], stride: [1, 1], padding: [0, 0], ceil_mode: false };
    let y = pass.apply(kernels::MaxPool2d::new(pool), &[&x])?;
    pass.reshape(&y, (batch, features))
}

/// Computes the mean of the `count` largest values over a clip's time steps, feature by feature: (B T, F) to (B, F). Of equal
/// values the earliest count; the gradient reaches those that count.
///
/// # Errors
/// If the input does not fit, or `count` is not from 1 to `time_steps`.
pub fn top_over_time(x: &Tensor, time_steps: usize, count: usize, pass: &Pass) -> Result<Tensor> {
    let (frames, features) = x.dims2()?;
    let batch = samples(frames, time_steps)?;
    if !(1..=time_steps).contains(&count) {
        return Err(Error::setting(
            format!("the number of largest values of {time_steps} time steps"),
            count,
            "1 to the number of time steps",
        ));
    }
    let values = x.detach().flatten_all()?.to_vec1::<f32>()?;
    let mut mask = vec![0.0; values.len()];
    let mut order: Vec<usize> = Vec::with_capacity(time_steps);
    for (sample, feature) in (0..batch).flat_map(|b| (0..features).map(move |f| (b, f))) {
        let at = |time_step: usize| (sample * time_steps + time_step) * features + feature;
        order.clear();
        order.extend(0..time_steps);
        // A stable sort: of equal values, the earlier one stays first.
        order.sort_by(|&a, &b| values[at(b)].total_cmp(&values[at(a)]));
        order[..count].iter().for_each(|&time_step| mask[at(time_step)] = 1.0 / count as f32);
    }
    let kept = pass.apply(kernels::Mask::new(mask), &[x])?;
    let kept = pass.reshape(&kept, (frames, 1, 1, features))?;
    let sum = pass.apply(kernels::SumTimeSteps { time_steps }, &[&kept])?;
    pass.reshape(&sum, (batch, features))
}

/// Weighted sum over time with a learned weight for each of K segments of the video. Parameter: `weight` (K), at first 1 / K
/// each.
///
/// A clip may have another number T of time steps. It stands for the whole video, so time step t covers t / T to (t + 1) / T
/// of it and has the sum of the weights of what it covers: with T = K, its segment's.
#[derive(Debug)]
pub struct WeightedOverTime {
    weight: Arc<Param>,
    segments: usize,
}

impl WeightedOverTime {
    /// Makes a layer for K segments.
    ///
    /// # Errors
    /// If the parameter cannot be made.
    pub fn new(builder: &Builder, segments: usize) -> Result<Self> {
        let init = Init::Constant(1.0 / segments.max(1) as f32);
        Ok(Self { weight: builder.param("weight", segments, init)?, segments })
    }

    /// Maps (B T, F) to (B, F), for T `time_steps` per sample.
    ///
    /// # Errors
    /// If the input does not fit.
    pub fn forward(&self, x: &Tensor, time_steps: usize, pass: &Pass) -> Result<Tensor> {
        let (frames, features) = x.dims2()?;
        let batch = samples(frames, time_steps)?;
        let weight = self.weights(time_steps, x.device(), pass)?;
        // A convolution whose window is all time steps of one feature.
        let weight = pass.reshape(&weight, (1, 1, time_steps, 1))?;
        let x = pass.reshape(x, (batch, time_steps, features, 1))?;
        let op = kernels::Conv2d { stride: [1, 1], padding: [0, 0], groups: 1, relu: false };
        let y = pass.apply(op, &[&x, &weight])?;
        pass.reshape(&y, (batch, features))
    }

    /// Returns the weight of each time step.
    fn weights(&self, time_steps: usize, device: &Device, pass: &Pass) -> Result<Tensor> {
        let weight = self.weight.tensor(pass);
        if time_steps == self.segments {
            return Ok(weight);
        }
        let shares = shares(time_steps, self.segments);
        let shares = Tensor::from_vec(shares, (time_steps, self.segments), device)?;
        let zero = Tensor::zeros(time_steps, weight.dtype(), device)?;
        let row = pass.reshape(&weight, (1, self.segments))?;
        pass.apply(kernels::Linear { relu: false }, &[&row, &shares, &zero])
    }
}

/// Returns the share of each of `segments` segments that each of `time_steps` time steps covers, (`time_steps`, `segments`).
fn shares(time_steps: usize, segments: usize) -> Vec<f32> {
    let share = |(step, segment): (usize, usize)| {
        // In units of 1 / (time_steps * segments) of the video.
        let from = (step * segments).max(segment * time_steps);
        let to = ((step + 1) * segments).min((segment + 1) * time_steps);
        to.saturating_sub(from) as f32 / time_steps as f32
    };
    (0..time_steps).flat_map(|step| (0..segments).map(move |segment| (step, segment))).map(share).collect()
}

/// Attention over time: the sum of the time steps, weighted by the softmax over them of w . R, where R are features of the same
/// time steps. Parameter: `weight` (1, R), at first 0, so that all time steps count the same. There is no bias, because the
/// softmax would cancel it.
#[derive(Debug)]
pub struct AttentionOverTime {
    weight: Arc<Param>,
}

impl AttentionOverTime {
    /// Makes a layer that reads this number of features.
    ///
    /// # Errors
    /// If the parameter cannot be made.
    pub fn new(builder: &Builder, features: usize) -> Result<Self> {
        Ok(Self { weight: builder.param("weight", (1, features), Init::Constant(0.0))? })
    }

    /// Maps (B T, F) and their features (B T, R) to (B, F), for T `time_steps` per sample.
    ///
    /// # Errors
    /// If the inputs do not fit.
    pub fn forward(&self, x: &Tensor, features: &Tensor, time_steps: usize, pass: &Pass) -> Result<Tensor> {
        let (frames, outputs) = x.dims2()?;
        let batch = samples(frames, time_steps)?;
        let zero = Tensor::zeros(1, x.dtype(), x.device())?;
        let energies =
            pass.apply(kernels::Linear { relu: false }, &[features, &self.weight.tensor(pass), &zero])?;
        let energies = pass.reshape(&energies, (batch, time_steps, 1, 1))?;
        let weights = pass.apply(kernels::PositionSoftmax, &[&energies])?;
        let x = pass.reshape(x, (batch, time_steps, 1, outputs))?;
        pass.apply(kernels::WeightedPool, &[&weights, &x])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_is_covered_once_and_all_time_steps_cover_the_same() {
        for (time_steps, segments) in [(25, 3), (3, 7), (1, 5), (6, 3), (4, 4)] {
            let shares = shares(time_steps, segments);
            for segment in 0..segments {
                let sum: f32 = shares.iter().skip(segment).step_by(segments).sum();
                assert!((sum - 1.0).abs() < 1e-6, "{time_steps} time steps, segment {segment}: {sum}");
            }
            for row in shares.chunks(segments) {
                let sum: f32 = row.iter().sum();
                assert!((sum - segments as f32 / time_steps as f32).abs() < 1e-6, "{row:?}");
            }
        }
        assert_eq!(shares(2, 2), [1.0, 0.0, 0.0, 1.0]);
        assert_eq!(shares(2, 1), [0.5, 0.5]);
    }
}
