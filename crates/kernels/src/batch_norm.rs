//! Batch normalisation over all positions of a channel (Ioffe and Szegedy, 2015), with the
//! statistics of the batch or with fixed ones; optionally with a residual and a rectification
//! in the same pass.
//!
//! With batch statistics each direction reads its input twice, once for sums and once to
//! write; with fixed ones it is a single pass. The mask of a rectification is recomputed from
//! the input, or taken from the output if a residual was added.

mod rows;
mod sweep;

use std::sync::{Arc, Mutex};

use candle_core::{Device, Result, Tensor, bail};
use rayon::prelude::*;

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::lanes::Lanes;
use crate::memory::unwritten;
use crate::op::Op;
use crate::ranks::SumOverRanks;
use crate::simd::{Level, vectorised};
use rows::{Affine, Deviation, Part, ThroughStatistics, normalise};
use sweep::{Mask, Sweep, Swept};

/// Normalisation with the statistics of the batch: inputs x (..., C), scale (C), shift (C) and
/// optionally a residual like x; output `scale * (x - mean) / sqrt(variance + epsilon) + shift
/// (+ residual)`, rectified if asked, with the mean and the biased variance of each channel.
#[derive(Debug)]
pub struct BatchNorm {
    pub(crate) epsilon: f64,
    pub(crate) relu: bool,
    /// The ranks that share the batch, if any.
    pub(crate) ranks: Option<Arc<dyn SumOverRanks>>,
    /// Statistics of the forward pass.
    statistics: Mutex<Option<Statistics>>,
    /// Statistics of a forward pass on a GPU.
    #[cfg(feature = "cuda")]
    pub(crate) on_device: Mutex<Option<crate::cuda::DeviceStatistics>>,
}

impl BatchNorm {
    /// Creates the operation; `epsilon` is added to the variance, `relu` rectifies the output.
    pub fn new(epsilon: f64, relu: bool) -> Self {
        Self {
            epsilon,
            relu,
            ranks: None,
            statistics: Mutex::default(),
            #[cfg(feature = "cuda")]
            on_device: Mutex::default(),
        }
    }

    /// Uses the statistics of a batch that is divided over ranks: each rank passes only its own samples, and all are
    /// normalised as in one batch. Both passes wait for the other ranks. The gradients of scale and shift cover only this
    /// rank's samples; they are summed later with all other gradients.
    #[must_use]
    pub fn over(self, ranks: Arc<dyn SumOverRanks>) -> Self {
        Self { ranks: Some(ranks), ..self }
    }

    /// Returns the mean and unbiased variance (C) of each channel in the forward pass, for running statistics, on the device
    /// of the input. Returns `None` before the forward pass, and on a GPU also on the second call.
    ///
    /// # Errors
    /// If the tensors cannot be created.
    pub fn statistics(&self) -> Result<Option<[Tensor; 2]>> {
        #[cfg(feature = "cuda")]
        if let Ok(mut kept) = self.on_device.lock()
            && let Some(kept) = kept.as_mut()
        {
            return Ok(kept.take_observed());
        }
        let kept = self.statistics.lock();
        let Some(Statistics { mean, variance, positions }) = kept.as_deref().ok().and_then(Option::as_ref)
        else {
            return Ok(None);
        };
        let unbiased = *positions as f64 / (*positions as f64 - 1.0);
        let tensor = |values: Vec<f32>| Tensor::from_vec(values, mean.len(), &Device::Cpu);
        let variance = variance.iter().map(|variance| (variance * unbiased) as f32).collect();
        Ok(Some([tensor(mean.iter().map(|&mean| mean as f32).collect())?, tensor(variance)?]))
    }

    /// Checks that the inputs fit each other, and returns their positions and channels.
    pub(crate) fn check<A: Shaped>(&self, x: &A, scale: &A, shift: &A) -> Result<[usize; 2]> {
        let op = self.name();
        let [positions, channels] = check::channels_last(op, x)?;
        check::dims(op, "the scale", scale, &[channels])?;
        check::dims(op, "the shift", shift, &[channels])?;
        // The number of positions on other ranks is not known yet.
        if self.ranks.is_none() || positions == 0 {
            enough(op, positions)?;
        }
        Ok([positions, channels])
    }
}

/// Checks that there are enough positions for a variance.
pub(crate) fn enough(op: &str, positions: usize) -> Result<()> {
    if positions < 2 {
        bail!("{op}: {positions} values per channel have no variance; expected at least 2");
    }
    Ok(())
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch-norm"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let op = self.name();
        let ([x, scale, shift], residual) = split(op, inputs)?;
        let [positions, channels] = self.check(&x, &scale, &shift)?;
        let mut statistics = Statistics::of(x.data, positions, channels);
        if let Some(ranks) = &self.ranks {
            pool(&**ranks, &mut statistics.mean, &mut statistics.variance, &mut statistics.positions)?;
            enough(op, statistics.positions)?;
        }
        let affine = statistics.affine(scale.data, shift.data, self.epsilon);
        match self.statistics.lock() {
            Ok(mut kept) => *kept = Some(statistics),
            Err(_) => bail!("{op}: a thread panicked in an earlier pass"),
        }
        Ok((normalised(Lanes::new(channels), &affine, x.data, residual, self.relu), x.dims.to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { inputs, output, gradient, wanted } = *given;
        let ([x, scale, shift], residual) = split(self.name(), inputs)?;
        let [_, channels] = self.check(&x, &scale, &shift)?;
        check::backward(self.name(), given, x.dims)?;
        let Some(statistics) = self.statistics.lock().ok().and_then(|kept| kept.clone()) else {
            bail!("{}: the forward pass has not run", self.name());
        };
        if statistics.mean.len() != channels {
            bail!("{}: the forward pass had {} channels, not {channels}", self.name(), statistics.mean.len());
        }
        let lanes = Lanes::new(channels);
        let affine = statistics.affine(scale.data, shift.data, self.epsilon);
        let part = Part { gradient: gradient.data, x: x.data, y: output.data };
        let want = |input| given.wants(input);
        // The first pass computes the sums, and the gradient of a residual.
        let mask = mask(self.relu, residual.is_some());
        let sums = want(0) || want(1) || want(2);
        let first = Sweep { mask, masked: self.relu && want(3), sums, ..Sweep::new(&affine) };
        let Swept { masked, sums, .. } = first.run(lanes, part);
        let mut sums = Sums::new(sums, &statistics, self.epsilon);
        // The second pass computes the gradient of the input.
        let mut input = Vec::new();
        if want(0) {
            if let Some(ranks) = &self.ranks {
                sums.pool(&**ranks)?;
            }
            let through = sums.through_statistics(lanes, &statistics, scale.data, self.epsilon);
            // If the first pass wrote the masked gradient, the output need not be read again.
            let (mask, gradient) =
                if masked.is_empty() { (mask, gradient.data) } else { (Mask::Absent, &masked[..]) };
            let second = Sweep { mask, input: true, statistics: Some(&through), ..Sweep::new(&affine) };
            input = second.run(lanes, Part { gradient, ..part }).input;
        }
        let all = [input, sums.scale, sums.shift].map(Gradient::Values);
        Ok(chosen(all.into_iter().chain([residual_gradient(self.relu, masked)]), wanted))
    }
}

/// Normalisation with fixed statistics: inputs x (..., C), scale, shift, mean, variance (C each)
/// and optionally a residual like x; output as for [`BatchNorm`]. Mean and variance are constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FrozenBatchNorm {
    /// Added to the variance.
    pub epsilon: f64,
    /// Rectifies the output.
    pub relu: bool,
}

impl FrozenBatchNorm {
    /// Checks that x, scale, shift, mean and variance fit each other, and returns positions and channels.
    pub(crate) fn check<A: Shaped>(&self, [x, scale, shift, mean, variance]: &[A; 5]) -> Result<[usize; 2]> {
        let op = self.name();
        let sizes = check::channels_last(op, x)?;
        for (name, array) in
            [("the scale", scale), ("the shift", shift), ("the mean", mean), ("the variance", variance)]
        {
            check::dims(op, name, array, &sizes[1..])?;
        }
        Ok(sizes)
    }
}

impl Op for FrozenBatchNorm {
    fn name(&self) -> &'static str {
        "frozen-batch-norm"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let ([x, scale, shift, mean, variance], residual) = split(self.name(), inputs)?;
        let [_, channels] = self.check(&[x, scale, shift, mean, variance])?;
        let affine = Statistics::fixed(mean.data, variance.data).affine(scale.data, shift.data, self.epsilon);
        Ok((normalised(Lanes::new(channels), &affine, x.data, residual, self.relu), x.dims.to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { inputs, output, gradient, wanted } = *given;
        let ([x, scale, shift, mean, variance], residual) = split(self.name(), inputs)?;
        self.check(&[x, scale, shift, mean, variance])?;
        check::backward(self.name(), given, x.dims)?;
        let statistics = Statistics::fixed(mean.data, variance.data);
        let affine = statistics.affine(scale.data, shift.data, self.epsilon);
        let want = |input| given.wants(input);
        let sweep = Sweep {
            mask: mask(self.relu, residual.is_some()),
            masked: self.relu && want(5),
            sums: want(1) || want(2),
            input: want(0),
            ..Sweep::new(&affine)
        };
        let part = Part { gradient: gradient.data, x: x.data, y: output.data };
        let Swept { masked, input, sums } = sweep.run(Lanes::new(scale.data.len()), part);
        let sums = Sums::new(sums, &statistics, self.epsilon);
        let all = [input, sums.scale, sums.shift].map(Gradient::Values);
        let constants = [Gradient::None, Gradient::None];
        let residual = [residual_gradient(self.relu, masked)];
        Ok(chosen(all.into_iter().chain(constants).chain(residual), wanted))
    }
}

/// Mean and variance of every channel over `positions` positions.
#[derive(Debug, Clone)]
struct Statistics {
    mean: Vec<f64>,
    variance: Vec<f64>,
    positions: usize,
}

impl Statistics {
    /// Computes the statistics of a batch, with the biased variance. Sums are taken relative to the
    /// first position, so that a large mean does not cost precision.
    fn of(x: &[f32], positions: usize, channels: usize) -> Self {
        let lanes = Lanes::new(channels);
        let finite = |&x: &f32| if x.is_finite() { x } else { 0.0 };
        let origin = lanes.repeated(x[..channels].iter().map(finite));
        let none = vec![0f32; lanes.width()];
        let affine = Affine { mean: origin, factor: none.clone(), shift: none };
        let tasks = x.par_chunks(lanes.task()).map(|x| {
            let mut sums = rows::Sums::new(lanes.width());
            let part = Part { gradient: x, x, y: x };
            vectorised(
                #[inline(always)]
                || sums.add::<Deviation>(&affine, part),
            );
            sums.into_total()
        });
        let sums: Vec<_> = tasks.collect();
        let mean_of = |which: usize| {
            let mut sum = lanes.folded(sums.iter().map(|sums| &sums[which][..]));
            sum.iter_mut().for_each(|sum| *sum /= positions as f64);
            sum
        };
        let (mut mean, mut variance) = (mean_of(0), mean_of(1));
        for ((mean, variance), &origin) in mean.iter_mut().zip(&mut variance).zip(&affine.mean) {
            *variance -= *mean * *mean;
            // Rounding may give a value slightly below zero; NaN is kept.
            if *variance < 0.0 {
                *variance = 0.0;
            }
            *mean += f64::from(origin);
        }
        Self { mean, variance, positions }
    }

    fn fixed(mean: &[f32], variance: &[f32]) -> Self {
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
        Self { mean: wide(mean), variance: wide(variance), positions: 1 }
    }

    /// Computes `1 / sqrt(variance + epsilon)`.
    fn inverse_deviation(&self, epsilon: f64) -> impl Iterator<Item = f64> {
        self.variance.iter().map(move |variance| 1.0 / (variance + epsilon).sqrt())
    }

    /// Returns the part of the mean that rounding to f32 loses.
    fn lost(&self) -> impl Iterator<Item = f64> {
        self.mean.iter().map(|&mean| mean - f64::from(mean as f32))
    }

    fn affine(&self, scale: &[f32], shift: &[f32], epsilon: f64) -> Affine {
        let lanes = Lanes::new(scale.len());
        let factors = || self.inverse_deviation(epsilon).zip(scale).map(|(d, &scale)| d * f64::from(scale));
        let shifts = factors().zip(self.lost()).zip(shift);
        Affine {
            mean: lanes.repeated(self.mean.iter().map(|&mean| mean as f32)),
            factor: lanes.repeated(factors().map(|factor| factor as f32)),
            shift: lanes.repeated(shifts.map(|((factor, lost), &s)| (f64::from(s) - lost * factor) as f32)),
        }
    }
}

/// Replaces the mean and biased variance of one rank's positions by those of all ranks.
pub(crate) fn pool(
    ranks: &dyn SumOverRanks,
    mean: &mut [f64],
    variance: &mut [f64],
    positions: &mut usize,
) -> Result<()> {
    // Sums around zero lose precision if the square of the mean far exceeds the variance, but f64 leaves enough.
    let own = *positions as f64;
    let mut sums: Vec<f64> = mean.iter().map(|mean| own * mean).collect();
    sums.extend(mean.iter().zip(&*variance).map(|(mean, variance)| own * (variance + mean * mean)));
    sums.push(own);
    ranks.sum(&mut sums)?;
    let all = sums.pop().unwrap_or_default();
    let (sums, squares) = sums.split_at(mean.len());
    for (((mean, variance), sum), square) in mean.iter_mut().zip(variance).zip(sums).zip(squares) {
        *mean = sum / all;
        *variance = square / all - *mean * *mean;
        // Rounding may give a value slightly below zero; NaN is kept.
        if *variance < 0.0 {
            *variance = 0.0;
        }
    }
    *positions = all as usize;
    Ok(())
}

/// Sums for the gradients of scale and shift; empty if no sums were requested.
struct Sums {
    scale: Vec<f32>,
    shift: Vec<f32>,
    /// Sums of the gradient before the rectification, and of its product with the deviation from the mean.
    terms: Vec<f64>,
    products: Vec<f64>,
}

impl Sums {
    /// Corrects sums that used the mean as an f32.
    fn new([terms, mut products]: [Vec<f64>; 2], statistics: &Statistics, epsilon: f64) -> Self {
        for ((product, term), lost) in products.iter_mut().zip(&terms).zip(statistics.lost()) {
            *product -= lost * term;
        }
        let scale = products.iter().zip(statistics.inverse_deviation(epsilon)).map(|(p, d)| (p * d) as f32);
        Self {
            scale: scale.collect(),
            shift: terms.iter().map(|&term| term as f32).collect(),
            terms,
            products,
        }
    }

    /// Sums the terms of the gradient through the statistics over all ranks; the gradients of scale and shift stay this rank's.
    fn pool(&mut self, ranks: &dyn SumOverRanks) -> Result<()> {
        let channels = self.terms.len();
        let mut sums = [&self.terms[..], &self.products].concat();
        ranks.sum(&mut sums)?;
        self.terms.copy_from_slice(&sums[..channels]);
        self.products.copy_from_slice(&sums[channels..]);
        Ok(())
    }

    /// Returns the gradient through the statistics. With `d` the inverse deviation, N positions and g the gradient before
    /// the rectification, the input's gradient is `scale d (g - sum(g) / N - (x - mean) d^2 sum(g (x - mean)) / N)`.
    fn through_statistics(
        &self,
        lanes: Lanes,
        statistics: &Statistics,
        scale: &[f32],
        epsilon: f64,
    ) -> ThroughStatistics {
        let each = 1.0 / statistics.positions as f64;
        let factor = statistics.inverse_deviation(epsilon).zip(scale);
        let slopes =
            factor.zip(&self.products).map(|((d, &scale), p)| f64::from(scale) * d.powi(3) * p * each);
        let slopes: Vec<f64> = slopes.collect();
        let factor = statistics.inverse_deviation(epsilon).zip(scale);
        let constants = factor.zip(&self.terms).map(|((d, &scale), term)| f64::from(scale) * d * term * each);
        let constants = constants.zip(&slopes).zip(statistics.lost());
        ThroughStatistics {
            constant: lanes.repeated(constants.map(|((c, slope), lost)| (c - lost * slope) as f32)),
            slope: lanes.repeated(slopes.iter().map(|&slope| slope as f32)),
        }
    }
}

/// Splits the inputs into the required ones and the optional residual.
pub(crate) fn split<A: Shaped + Copy, const N: usize>(op: &str, inputs: &[A]) -> Result<([A; N], Option<A>)> {
    let (first, residual) = match inputs.split_first_chunk::<N>() {
        Some((first, [])) => (first, None),
        Some((first, [residual])) => (first, Some(*residual)),
        _ => bail!("{op}: {} inputs, expected {N} and optionally a residual", inputs.len()),
    };
    Level::current()?;
    if let Some(residual) = &residual {
        check::dims(op, "the residual", residual, first[0].dims())?;
    }
    Ok((*first, residual))
}

fn mask(relu: bool, residual: bool) -> Mask {
    match (relu, residual) {
        (false, _) => Mask::Absent,
        (true, false) => Mask::Input,
        (true, true) => Mask::Output,
    }
}

fn normalised(lanes: Lanes, affine: &Affine, x: &[f32], residual: Option<Array<'_>>, relu: bool) -> Vec<f32> {
    // SAFETY: the tasks write every value.
    let mut out = unsafe { unwritten(x.len()) };
    let task = lanes.task();
    out.par_chunks_mut(task).zip(x.par_chunks(task)).enumerate().for_each(|(i, (out, x))| {
        let residual = residual.map(|residual| &residual.data[i * task..][..x.len()]);
        vectorised(
            #[inline(always)]
            || {
                if relu {
                    normalise::<true>(affine, x, residual, out);
                } else {
                    normalise::<false>(affine, x, residual, out);
                }
            },
        );
    });
    out
}

fn residual_gradient(relu: bool, masked: Vec<f32>) -> Gradient {
    if relu { Gradient::Values(masked) } else { Gradient::OfOutput }
}

/// Keeps the requested gradients.
fn chosen(all: impl Iterator<Item = Gradient>, wanted: &[bool]) -> Vec<Gradient> {
    all.zip(wanted).map(|(found, &wanted)| if wanted { found } else { Gradient::None }).collect()
}
