//! Local response normalisation.

use candle_core::Result;

use super::gpu::Source;
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::op::Op;
use crate::{Gradient, LocalResponseNorm};

impl LocalResponseNorm {
    /// Returns the number of channels of a window before its own channel and after it.
    fn reach(&self, channels: usize) -> [usize; 2] {
        [(self.0.size / 2).min(channels), ((self.0.size - 1) / 2).min(channels)]
    }

    fn scale(&self) -> f32 {
        (self.0.alpha / self.0.size as f64) as f32
    }
}

impl CudaOp for LocalResponseNorm {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let channels = self.channels(&x)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        gpu.kernel(Source::Pool, "lrn")?
            .read(&x)
            .write(&mut out)
            .ints(self.reach(channels))
            .float(self.scale())
            .float(self.0.k as f32)
            .float(self.0.beta as f32)
            .over_rows(x.count() / channels.max(1), channels)?;
        Ok((out, x.dims().to_vec()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let channels = self.channels(&x)?;
        check::backward(self.name(), given, x.dims())?;
        let rows = x.count() / channels.max(1);
        // SAFETY: the first kernel writes every value of both.
        let (mut out, mut terms) = unsafe { (gpu.unwritten(x.count())?, gpu.unwritten::<f32>(x.count())?) };
        gpu.kernel(Source::Pool, "lrn_terms")?
            .read(&x)
            .read(&given.gradient)
            .write(&mut out)
            .write(&mut terms)
            .ints(self.reach(channels))
            .float(self.scale())
            .float(self.0.k as f32)
            .float(self.0.beta as f32)
            .over_rows(rows, channels)?;
        gpu.kernel(Source::Pool, "lrn_gather")?
            .read(&x)
            .read(&terms)
            .write(&mut out)
            .ints(self.reach(channels))
            .float((2.0 * self.0.alpha * self.0.beta / self.0.size as f64) as f32)
            .over_rows(rows, channels)?;
        Ok(vec![Gradient::Values(out)])
    }
}
