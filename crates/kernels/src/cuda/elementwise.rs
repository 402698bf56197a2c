//! Rectification, addition, masks.

use candle_core::{Result, bail};

use super::gpu::Source;
use super::lock::lock;
use super::rows::passed;
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::op::Op;
use crate::{Add, Gradient, Mask, Relu};

impl CudaOp for Relu {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        gpu.kernel(Source::Elementwise, "relu")?.read(&x).write(&mut out).over(x.count())?;
        Ok((out, x.dims().to_vec()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        check::backward(self.name(), given, given.output.dims())?;
        Ok(vec![Gradient::Values(passed(gpu, &given.gradient, &given.output, given.output.count())?)])
    }
}

impl CudaOp for Add {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [a, b] = check::inputs(self.name(), inputs)?;
        check::dims(self.name(), "the second input", &b, a.dims())?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(a.count()) }?;
        let kernel = gpu.kernel(Source::Elementwise, "add")?;
        kernel.read(&a).read(&b).write(&mut out).int(usize::from(self.relu)).over(a.count())?;
        Ok((out, a.dims().to_vec()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let DeviceBackward { output, gradient, wanted, .. } = *given;
        check::backward(self.name(), given, output.dims())?;
        let each = wanted.iter().map(|&wanted| match (wanted, self.relu) {
            (false, _) => Ok(Gradient::None),
            (true, false) => Ok(Gradient::OfOutput),
            (true, true) => Ok(Gradient::Values(passed(gpu, &gradient, &output, output.count())?)),
        });
        each.collect()
    }
}

impl Mask {
    fn multiplied(&self, gpu: &Gpu, x: &DeviceArray<'_>) -> Result<Buffer> {
        if self.factors.len() != x.count() {
            bail!("mask: operands of {} and {} values differ in length", x.count(), self.factors.len());
        }
        // Copied once for both passes: a later copy from the host may have to wait for earlier work.
        let mut kept = lock(&self.on_device);
        if kept.is_none() {
            *kept = Some(gpu.upload(&self.factors)?);
        }
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        gpu.kernel(Source::Elementwise, "multiply")?.read(x).read(&*kept).write(&mut out).over(x.count())?;
        Ok(out)
    }
}

impl CudaOp for Mask {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        Ok((self.multiplied(gpu, &x)?, x.dims().to_vec()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        Ok(vec![Gradient::Values(self.multiplied(gpu, &given.gradient)?)])
    }
}
