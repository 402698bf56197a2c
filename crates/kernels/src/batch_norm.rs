//! Batch normalisation over all positions of a channel (Ioffe and Szegedy, 2015), with the statistics of
//! the batch or with fixed ones; plus a residual, and rectified, in the same pass.

use std::sync::Mutex;

use candle_core::{Result, bail};

use crate::check;
use crate::elementwise::through_relu;
use crate::op::{Array, Gradient, Op};
use crate::reference;

/// Normalisation with the statistics of the batch: inputs x (..., C), scale (C), shift (C) and optionally
/// a residual like x; output `scale * (x - mean) / sqrt(variance + epsilon) + shift (+ residual)`, rectified
/// if asked, with the mean and the biased variance of each channel.
#[derive(Debug)]
pub struct BatchNorm {
    epsilon: f64,
    relu: bool,
    /// Mean and biased variance of the forward pass, and its number of positions.
    found: Mutex<Option<(Vec<f32>, Vec<f32>, usize)>>,
}

impl BatchNorm {
    /// `epsilon` is added to the variance; `relu` rectifies the output.
    pub fn new(epsilon: f64, relu: bool) -> Self {
        Self { epsilon, relu, found: Mutex::default() }
    }

    /// Mean and unbiased variance of each channel in the forward pass, for running statistics; `None` before it.
    pub fn statistics(&self) -> Option<(Vec<f32>, Vec<f32>)> {
        let found = self.found.lock().ok()?;
        let (mean, variance, count) = found.as_ref()?;
        let unbiased = *count as f32 / (*count as f32 - 1.0);
        Some((mean.clone(), variance.iter().map(|variance| variance * unbiased).collect()))
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let op = self.name();
        let (&[x, scale, shift], residual) = split::<3>(op, inputs)?;
        let [positions, channels] = check::channels_last(op, &x)?;
        check::dims(op, "the scale", &scale, &[channels])?;
        check::dims(op, "the shift", &shift, &[channels])?;
        if positions < 2 {
            bail!("{op}: {positions} values a channel have no variance; expected at least 2");
        }
        let (mean, variance) = reference::channel_statistics(x.data, channels);
        let out = reference::batch_norm(
            x.data,
            scale.data,
            shift.data,
            &mean,
            &variance,
            self.epsilon,
            residual,
            self.relu,
        );
        if let Ok(mut found) = self.found.lock() {
            let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
            *found = Some((narrow(&mean), narrow(&variance), positions));
        }
        Ok((out, x.dims.to_vec()))
    }

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let (&[x, scale, _], _) = split::<3>(self.name(), inputs)?;
        let grad = if self.relu { &through_relu(gradient.data, output.data) } else { gradient.data };
        let (mean, variance) = reference::channel_statistics(x.data, scale.data.len());
        let found =
            reference::batch_norm_gradients(x.data, scale.data, &mean, &variance, self.epsilon, grad, true);
        Ok(collected(found, 3, grad, self.relu, wanted))
    }
}

/// Normalisation with fixed statistics: inputs x (..., C), scale, shift, mean, variance (C each) and
/// optionally a residual like x; output as of [`BatchNorm`]. Mean and variance are constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrozenBatchNorm {
    /// Added to the variance.
    pub epsilon: f64,
    /// Whether the output is rectified.
    pub relu: bool,
}

impl Op for FrozenBatchNorm {
    fn name(&self) -> &'static str {
        "frozen-batch-norm"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let op = self.name();
        let (&[x, scale, shift, mean, variance], residual) = split::<5>(op, inputs)?;
        let [_, channels] = check::channels_last(op, &x)?;
        for (name, array) in
            [("the scale", scale), ("the shift", shift), ("the mean", mean), ("the variance", variance)]
        {
            check::dims(op, name, &array, &[channels])?;
        }
        let out = reference::batch_norm(
            x.data,
            scale.data,
            shift.data,
            &wide(mean.data),
            &wide(variance.data),
            self.epsilon,
            residual,
            self.relu,
        );
        Ok((out, x.dims.to_vec()))
    }

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let (&[x, scale, _, mean, variance], _) = split::<5>(self.name(), inputs)?;
        let grad = if self.relu { &through_relu(gradient.data, output.data) } else { gradient.data };
        let found = reference::batch_norm_gradients(
            x.data,
            scale.data,
            &wide(mean.data),
            &wide(variance.data),
            self.epsilon,
            grad,
            false,
        );
        Ok(collected(found, 5, grad, self.relu, wanted))
    }
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

/// The `N` inputs that there must be, and the residual.
fn split<'a, 'b, const N: usize>(
    op: &str,
    inputs: &'b [Array<'a>],
) -> Result<(&'b [Array<'a>; N], Option<&'a [f32]>)> {
    let (first, residual) = match inputs.split_first_chunk::<N>() {
        Some((first, [])) => (first, None),
        Some((first, [residual])) => (first, Some(residual)),
        _ => bail!("{op}: {} inputs, expected {N} and optionally a residual", inputs.len()),
    };
    if let Some(residual) = residual {
        check::dims(op, "the residual", residual, first[0].dims)?;
    }
    Ok((first, residual.map(|residual| residual.data)))
}

fn collected(
    found: [Vec<f32>; 3],
    inputs: usize,
    grad: &[f32],
    relu: bool,
    wanted: &[bool],
) -> Vec<Gradient> {
    let mut found = found.map(Some);
    let of = |(input, &wanted): (usize, &bool)| match (wanted, input) {
        (false, _) => Gradient::None,
        (true, 0..3) => found[input].take().map_or(Gradient::None, Gradient::Values),
        (true, input) if input < inputs => Gradient::None,
        _ if relu => Gradient::Values(grad.to_vec()),
        _ => Gradient::OfOutput,
    };
    wanted.iter().enumerate().map(of).collect()
}
