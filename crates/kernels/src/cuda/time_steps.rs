//! Merges the time steps of a sample.

use candle_core::Result;

use super::gpu::Source;
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::op::Op;
use crate::time_steps::sizes;
use crate::{Gradient, JoinTimeSteps, SumTimeSteps};

/// Swaps axes, (batch, `first`, `second`, C) to (batch, `second`, `first`, C).
fn swapped(gpu: &Gpu, x: &DeviceArray<'_>, [first, second, channels]: [usize; 3]) -> Result<Buffer> {
    // SAFETY: the kernel writes every value.
    let mut out = unsafe { gpu.unwritten(x.count()) }?;
    let kernel = gpu.kernel(Source::Layout, "swap_middle")?.read(x).write(&mut out);
    kernel.ints([first, second]).over_rows(x.count() / channels, channels)?;
    Ok(out)
}

impl CudaOp for JoinTimeSteps {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.time_steps)?;
        Ok((swapped(gpu, &x, [self.time_steps, h * w, c])?, vec![batch, h, w, self.time_steps * c]))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.time_steps)?;
        check::backward(self.name(), given, &[batch, h, w, self.time_steps * c])?;
        Ok(vec![Gradient::Values(swapped(gpu, &given.gradient, [h * w, self.time_steps, c])?)])
    }
}

impl CudaOp for SumTimeSteps {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.time_steps)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(batch * h * w * c) }?;
        let kernel = gpu.kernel(Source::Layout, "sum_middle")?.read(&x).write(&mut out);
        kernel.int(self.time_steps).long(h * w * c).over(batch * h * w * c)?;
        Ok((out, vec![batch, h, w, c]))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let [batch, h, w, c] = sizes(self.name(), &x, self.time_steps)?;
        check::backward(self.name(), given, &[batch, h, w, c])?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        let kernel = gpu.kernel(Source::Layout, "repeat_middle")?.read(&given.gradient).write(&mut out);
        kernel.int(self.time_steps).long(h * w * c).over(x.count())?;
        Ok(vec![Gradient::Values(out)])
    }
}
