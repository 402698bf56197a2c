//! Local response normalisation across channels (AlexNet, Sect. 3.3).
//!
//! `y[c] = x[c] * (k + alpha / size * sum of x[j]^2 over the window of c)^-beta`, with
//! the window `c - size/2 ..= c + (size-1)/2` cut at the first and last channel. This is
//! `torch.nn.LocalResponseNorm` and Caffe's layer: alpha is divided by the size.
//!
//! Both directions are one pass.

mod block;

use candle_core::{Result, bail};
use rayon::prelude::*;

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::memory::unwritten;
use crate::op::Op;
use crate::simd::vectorised;
use block::Block;

pub use block::Lrn;

/// Approximate number of values per task; a constant, so that the division depends only on shapes.
const TASK: usize = 1 << 15;

/// The normalisation: input (..., C), output like it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LocalResponseNorm(pub Lrn);

impl LocalResponseNorm {
    /// Checks the constants and returns the number of channels.
    pub(crate) fn channels(&self, x: &impl Shaped) -> Result<usize> {
        let op = self.name();
        let Self(lrn) = self;
        if lrn.size == 0 {
            bail!("{op}: size is 0, expected at least 1 channel");
        }
        // NaN is outside every range.
        let positive = f64::MIN_POSITIVE..f64::INFINITY;
        let usable = positive.contains(&lrn.k) && (0.0..f64::INFINITY).contains(&lrn.alpha);
        if !usable || !lrn.beta.is_finite() {
            bail!("{op}: expected k > 0, alpha >= 0 and a finite beta, found {lrn:?}");
        }
        let [_, channels] = check::channels_last(op, x)?;
        Ok(channels)
    }
}

impl Op for LocalResponseNorm {
    fn name(&self) -> &'static str {
        "local-response-norm"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let channels = self.channels(&x)?;
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(x.data.len()) };
        let task = (TASK / channels.max(1)).max(1) * channels.max(1);
        out.par_chunks_mut(task).zip(x.data.par_chunks(task)).for_each(|(out, x)| {
            let mut block = Block::new(&self.0, channels);
            vectorised(
                #[inline(always)]
                || block.forward(x, out),
            );
        });
        Ok((out, x.dims.to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let channels = self.channels(&x)?;
        check::backward(self.name(), given, x.dims)?;
        // SAFETY: the tasks write every value.
        let mut out = unsafe { unwritten(x.data.len()) };
        let task = (TASK / channels.max(1)).max(1) * channels.max(1);
        let parts = x.data.par_chunks(task).zip(given.gradient.data.par_chunks(task));
        out.par_chunks_mut(task).zip(parts).for_each(|(out, (x, grad))| {
            let mut block = Block::new(&self.0, channels);
            vectorised(
                #[inline(always)]
                || block.backward(x, grad, out),
            );
        });
        Ok(vec![Gradient::Values(out)])
    }
}
