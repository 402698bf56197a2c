//! Attention over the spatial positions of a feature map: a softmax, and a weighted sum.

use candle_core::{Result, bail};
use rayon::prelude::*;

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::op::Op;

/// The softmax over all spatial positions of a map of one channel, (B, H, W, 1): weights above 0 that sum to one in each sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionSoftmax;

impl PositionSoftmax {
    /// Returns the number of positions of a map.
    pub(crate) fn positions(self, x: &impl Shaped) -> Result<usize> {
        match check::feature_map(self.name(), x)? {
            [_, h, w, 1] if h * w > 0 => Ok(h * w),
            _ => bail!("{}: the input has shape {:?}, expected (B, H, W, 1)", self.name(), x.dims()),
        }
    }
}

impl Op for PositionSoftmax {
    fn name(&self) -> &'static str {
        "place-softmax"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let positions = self.positions(&x)?;
        let mut out = x.data.to_vec();
        for map in out.chunks_exact_mut(positions) {
            let largest = map.iter().fold(f32::NEG_INFINITY, |largest, &x| largest.max(x));
            let mut sum = 0.0_f64;
            for x in &mut *map {
                *x = (*x - largest).exp();
                sum += f64::from(*x);
            }
            map.iter_mut().for_each(|x| *x = (f64::from(*x) / sum) as f32);
        }
        Ok((out, x.dims.to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let positions = self.positions(&x)?;
        check::backward(self.name(), given, x.dims)?;
        let mut out = given.gradient.data.to_vec();
        for (out, y) in out.chunks_exact_mut(positions).zip(given.output.data.chunks_exact(positions)) {
            let mean: f64 = out.iter().zip(y).map(|(&g, &y)| f64::from(g) * f64::from(y)).sum();
            for (out, &y) in out.iter_mut().zip(y) {
                *out = (f64::from(y) * (f64::from(*out) - mean)) as f32;
            }
        }
        Ok(vec![Gradient::Values(out)])
    }
}

/// The weighted sum over spatial positions of a feature map (B, H, W, C) with weights (B, H, W, 1): (B, C). The weights are
/// the first input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WeightedPool;

impl WeightedPool {
    /// Returns batch size, spatial positions and channels.
    pub(crate) fn sizes(self, weights: &impl Shaped, x: &impl Shaped) -> Result<[usize; 3]> {
        let [b, h, w, c] = check::feature_map(self.name(), x)?;
        check::dims(self.name(), "the first input, the weights,", weights, &[b, h, w, 1])?;
        if h * w * c == 0 {
            bail!("{}: the input of shape {:?} has no values", self.name(), x.dims());
        }
        Ok([b, h * w, c])
    }
}

impl Op for WeightedPool {
    fn name(&self) -> &'static str {
        "weighted-pool"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [weights, x] = check::inputs(self.name(), inputs)?;
        let [batch, positions, channels] = self.sizes(&weights, &x)?;
        let mut out = vec![0.0; batch * channels];
        let samples = weights.data.par_chunks(positions).zip(x.data.par_chunks(positions * channels));
        out.par_chunks_mut(channels).zip(samples).for_each(|(out, (weights, x))| {
            for (&weight, x) in weights.iter().zip(x.chunks_exact(channels)) {
                out.iter_mut().zip(x).for_each(|(out, &x)| *out += weight * x);
            }
        });
        Ok((out, vec![batch, channels]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { inputs, gradient, wanted, .. } = *given;
        let [weights, x] = check::inputs(self.name(), inputs)?;
        let [batch, positions, channels] = self.sizes(&weights, &x)?;
        check::backward(self.name(), given, &[batch, channels])?;
        let each = gradient.data.par_chunks(channels);
        let of_weights = || {
            let mut out = vec![0.0; weights.data.len()];
            let samples = each.clone().zip(x.data.par_chunks(positions * channels));
            out.par_chunks_mut(positions).zip(samples).for_each(|(out, (gradient, x))| {
                for (out, x) in out.iter_mut().zip(x.chunks_exact(channels)) {
                    let product: f64 =
                        gradient.iter().zip(x).map(|(&g, &x)| f64::from(g) * f64::from(x)).sum();
                    *out = product as f32;
                }
            });
            Gradient::Values(out)
        };
        let of_map = || {
            let mut out = vec![0.0; x.data.len()];
            let samples = each.clone().zip(weights.data.par_chunks(positions));
            out.par_chunks_mut(positions * channels).zip(samples).for_each(|(out, (gradient, weights))| {
                for (&weight, out) in weights.iter().zip(out.chunks_exact_mut(channels)) {
                    out.iter_mut().zip(gradient).for_each(|(out, &gradient)| *out = weight * gradient);
                }
            });
            Gradient::Values(out)
        };
        let [wants_weights, wants_map] = *wanted else { bail!("{}: expected two inputs", self.name()) };
        Ok(vec![
            if wants_weights { of_weights() } else { Gradient::None },
            if wants_map { of_map() } else { Gradient::None },
        ])
    }
}
