//! Merges the T time steps of a sample, stored as (B T, H, W, C), by concatenating their channels or adding them.

use candle_core::{Result, bail};
use rayon::prelude::*;

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::memory::unwritten;
use crate::op::Op;

/// Returns the sizes of a batch of clips (B T, H, W, C).
pub(crate) fn sizes(op: &str, x: &impl Shaped, time_steps: usize) -> Result<[usize; 4]> {
    let [frames, h, w, c] = check::feature_map(op, x)?;
    if time_steps == 0 || !frames.is_multiple_of(time_steps) || h * w * c == 0 {
        bail!("{op}: the input has shape {:?}, expected (B T, H, W, C) with T = {time_steps}", x.dims());
    }
    Ok([frames / time_steps, h, w, c])
}

/// Concatenates time steps, (B T, H, W, C) to (B, H, W, T C): the channels of the first time step, then those of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinTimeSteps {
    /// T, the number of time steps.
    pub time_steps: usize,
}

impl Op for JoinTimeSteps {
    fn name(&self) -> &'static str {
        "join-time steps"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.time_steps)?;
        let out = swapped(x.data, [self.time_steps, h * w, c]);
        Ok((out, vec![batch, h, w, self.time_steps * c]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.time_steps)?;
        check::backward(self.name(), given, &[batch, h, w, self.time_steps * c])?;
        Ok(vec![Gradient::Values(swapped(given.gradient.data, [h * w, self.time_steps, c]))])
    }
}

/// Swaps axes, (batch, `first`, `second`, C) to (batch, `second`, `first`, C).
fn swapped(x: &[f32], [first, second, channels]: [usize; 3]) -> Vec<f32> {
    // SAFETY: the tasks write every value.
    let mut out = unsafe { unwritten(x.len()) };
    let sample = first * second * channels;
    out.par_chunks_mut(sample).zip(x.par_chunks(sample)).for_each(|(out, x)| {
        for (at, out) in out.chunks_exact_mut(channels).enumerate() {
            out.copy_from_slice(&x[(at % first * second + at / first) * channels..][..channels]);
        }
    });
    out
}

/// Sums over the time steps, (B T, H, W, C) to (B, H, W, C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumTimeSteps {
    /// T, the number of time steps.
    pub time_steps: usize,
}

impl Op for SumTimeSteps {
    fn name(&self) -> &'static str {
        "sum-time steps"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.time_steps)?;
        let map = h * w * c;
        let mut out = vec![0.0; batch * map];
        out.par_chunks_mut(map).zip(x.data.par_chunks(self.time_steps * map)).for_each(|(out, x)| {
            for x in x.chunks_exact(map) {
                out.iter_mut().zip(x).for_each(|(out, x)| *out += x);
            }
        });
        Ok((out, vec![batch, h, w, c]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { inputs, gradient, .. } = *given;
        let [x] = check::inputs(self.name(), inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.time_steps)?;
        check::backward(self.name(), given, &[batch, h, w, c])?;
        let map = h * w * c;
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(x.data.len()) };
        out.par_chunks_mut(self.time_steps * map).zip(gradient.data.par_chunks(map)).for_each(
            |(out, gradient)| {
                out.chunks_exact_mut(map).for_each(|out| out.copy_from_slice(gradient));
            },
        );
        Ok(vec![Gradient::Values(out)])
    }
}
