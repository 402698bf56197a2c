//! Operations after a bilinear layer.

use candle_core::Result;

use super::gpu::Source;
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::op::Op;
use crate::{Gradient, RmsNorm, SignedSqrt};

impl CudaOp for SignedSqrt {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        self.check()?;
        let [x] = check::inputs(self.name(), inputs)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        let kernel = gpu.kernel(Source::Elementwise, "signed_sqrt")?.read(&x).write(&mut out);
        kernel.float(self.epsilon).float(self.epsilon.sqrt()).over(x.count())?;
        Ok((out, x.dims().to_vec()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        check::backward(self.name(), given, x.dims())?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        let kernel = gpu.kernel(Source::Elementwise, "signed_sqrt_gradient")?.read(&x).read(&given.gradient);
        kernel.write(&mut out).float(self.epsilon).over(x.count())?;
        Ok(vec![Gradient::Values(out)])
    }
}

impl CudaOp for RmsNorm {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let width = self.width(&x)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        let kernel = gpu.kernel(Source::Elementwise, "rms_norm")?.read(&x).write(&mut out);
        kernel.double(self.epsilon).int(width).block_each(x.count() / width)?;
        Ok((out, x.dims().to_vec()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let width = self.width(&x)?;
        check::backward(self.name(), given, x.dims())?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        let kernel = gpu.kernel(Source::Elementwise, "rms_norm_gradient")?.read(&x).read(&given.gradient);
        kernel.write(&mut out).double(self.epsilon).int(width).block_each(x.count() / width)?;
        Ok(vec![Gradient::Values(out)])
    }
}
