//! The contrastive loss.

use candle_core::Result;

use super::gpu::Source;
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::op::Op;
use crate::{ContrastiveLoss, Gradient, PairDistance};

impl ContrastiveLoss {
    /// Uploads the similarities as integers for the kernels.
    fn flags(&self, gpu: &Gpu) -> Result<Buffer<i32>> {
        gpu.upload(&self.similar.iter().map(|&similar| i32::from(similar)).collect::<Vec<_>>())
    }
}

impl CudaOp for ContrastiveLoss {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [pairs] = check::inputs(self.name(), inputs)?;
        let features = self.features(&pairs)?;
        let count = self.similar.len();
        let similar = self.flags(gpu)?;
        // SAFETY: the kernels write every value of both.
        let (mut losses, mut out) = unsafe { (gpu.unwritten::<f64>(count)?, gpu.unwritten(1)?) };
        gpu.kernel(Source::Loss, "contrastive")?
            .read(&pairs)
            .read(&similar)
            .write(&mut losses)
            .double(f64::from(self.margin))
            .int(usize::from(self.distance == PairDistance::L1))
            .int(features)
            .block_each(count)?;
        let kernel = gpu.kernel(Source::Loss, "mean_loss")?.read(&losses).write(&mut out);
        kernel.double(f64::from(self.weight)).double(count as f64).int(count).block_each(1)?;
        Ok((out, Vec::new()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [pairs] = check::inputs(self.name(), given.inputs)?;
        let features = self.features(&pairs)?;
        check::backward(self.name(), given, &[])?;
        let similar = self.flags(gpu)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(pairs.count()) }?;
        gpu.kernel(Source::Loss, "contrastive_gradient")?
            .read(&pairs)
            .read(&similar)
            .read(&given.gradient)
            .write(&mut out)
            .double(f64::from(self.margin))
            .double(2.0 * f64::from(self.weight) / self.similar.len() as f64)
            .int(usize::from(self.distance == PairDistance::L1))
            .int(features)
            .block_each(self.similar.len())?;
        Ok(vec![Gradient::Values(out)])
    }
}
