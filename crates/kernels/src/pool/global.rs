//! The mean of a whole map.

use candle_core::{Result, bail};
use rayon::prelude::*;

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::memory::unwritten;
use crate::op::Op;
use crate::simd::vectorised;

/// Mean over all positions: input (B, H, W, C), output (B, C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalAvgPool;

impl GlobalAvgPool {
    /// Returns batch size, positions and channels.
    pub(crate) fn sizes(&self, inputs: &[impl Shaped + Copy]) -> Result<[usize; 3]> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        if h * w == 0 {
            bail!("{}: the input of shape {:?} has no positions", self.name(), x.dims());
        }
        Ok([b, h * w, c])
    }
}

impl Op for GlobalAvgPool {
    fn name(&self) -> &'static str {
        "global-average-pool"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [batch, positions, channels] = self.sizes(inputs)?;
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(batch * channels) };
        let samples = inputs[0].data.par_chunks((positions * channels).max(1));
        out.par_chunks_mut(channels.max(1)).zip(samples).for_each(|(out, x)| {
            let mut sums = vec![0f64; channels];
            vectorised(
                #[inline(always)]
                || {
                    for position in x.chunks_exact(channels) {
                        for (sum, &x) in sums.iter_mut().zip(position) {
                            *sum += f64::from(x);
                        }
                    }
                    for (out, sum) in out.iter_mut().zip(&sums) {
                        *out = (sum / positions as f64) as f32;
                    }
                },
            );
        });
        Ok((out, vec![batch, channels]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [batch, positions, channels] = self.sizes(given.inputs)?;
        check::backward(self.name(), given, &[batch, channels])?;
        let shares: Vec<f32> = given.gradient.data.iter().map(|grad| grad / positions as f32).collect();
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(batch * positions * channels) };
        let samples =
            out.par_chunks_mut((positions * channels).max(1)).zip(shares.par_chunks(channels.max(1)));
        samples.for_each(|(out, shares)| {
            for out in out.chunks_exact_mut(channels) {
                out.copy_from_slice(shares);
            }
        });
        Ok(vec![Gradient::Values(out)])
    }
}
