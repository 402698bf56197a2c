//! The T moments of a sample, (B T, H, W, C) with those of a sample side by side, made one: side by side in the
//! channels, or added.

use candle_core::{Result, bail};
use rayon::prelude::*;

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::memory::unwritten;
use crate::op::Op;

/// Samples, places and channels of a batch of clips (B T, H, W, C).
pub(crate) fn sizes(op: &str, x: &impl Shaped, moments: usize) -> Result<[usize; 4]> {
    let [frames, h, w, c] = check::feature_map(op, x)?;
    if moments == 0 || !frames.is_multiple_of(moments) || h * w * c == 0 {
        bail!("{op}: the input has shape {:?}, expected (B T, H, W, C) with T = {moments}", x.dims());
    }
    Ok([frames / moments, h, w, c])
}

/// (B T, H, W, C) to (B, H, W, T C): the channels of the first moment, then those of the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JoinMoments {
    /// T.
    pub moments: usize,
}

impl Op for JoinMoments {
    fn name(&self) -> &'static str {
        "join-moments"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.moments)?;
        let out = swapped(x.data, [self.moments, h * w, c]);
        Ok((out, vec![batch, h, w, self.moments * c]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.moments)?;
        check::backward(self.name(), given, &[batch, h, w, self.moments * c])?;
        Ok(vec![Gradient::Values(swapped(given.gradient.data, [h * w, self.moments, c]))])
    }
}

/// (batch, `first`, `second`, C) to (batch, `second`, `first`, C).
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

/// (B T, H, W, C) to the sum over the moments, (B, H, W, C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SumMoments {
    /// T.
    pub moments: usize,
}

impl Op for SumMoments {
    fn name(&self) -> &'static str {
        "sum-moments"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.moments)?;
        let map = h * w * c;
        let mut out = vec![0.0; batch * map];
        out.par_chunks_mut(map).zip(x.data.par_chunks(self.moments * map)).for_each(|(out, x)| {
            for x in x.chunks_exact(map) {
                out.iter_mut().zip(x).for_each(|(out, x)| *out += x);
            }
        });
        Ok((out, vec![batch, h, w, c]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { inputs, gradient, .. } = *given;
        let [x] = check::inputs(self.name(), inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.moments)?;
        check::backward(self.name(), given, &[batch, h, w, c])?;
        let map = h * w * c;
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(x.data.len()) };
        out.par_chunks_mut(self.moments * map).zip(gradient.data.par_chunks(map)).for_each(
            |(out, gradient)| {
                out.chunks_exact_mut(map).for_each(|out| out.copy_from_slice(gradient));
            },
        );
        Ok(vec![Gradient::Values(out)])
    }
}
