//! Softmax and cross-entropy.

use candle_core::{Result, bail};

use super::gpu::Source;
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::cross_entropy::{Softmax, classes};
use crate::op::Op;
use crate::{Gradient, SoftmaxCrossEntropy};

impl SoftmaxCrossEntropy {
    /// Uploads the labels for the kernels: -1 for a sample without one.
    fn numbers(&self, gpu: &Gpu) -> Result<Buffer<i32>> {
        gpu.upload(
            &self.labels.iter().map(|label| label.map_or(-1, |label| label as i32)).collect::<Vec<_>>(),
        )
    }
}

impl CudaOp for SoftmaxCrossEntropy {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [logits] = check::inputs(self.name(), inputs)?;
        let classes = self.classes(&logits)?;
        let (batch, labels) = (self.labels.len(), self.numbers(gpu)?);
        // SAFETY: the kernels write every value of both.
        let (mut losses, mut out) = unsafe { (gpu.unwritten::<f64>(batch)?, gpu.unwritten(1)?) };
        let kernel =
            gpu.kernel(Source::Loss, "cross_entropy")?.read(&logits).read(&labels).write(&mut losses);
        kernel.int(classes).block_each(batch)?;
        let kernel = gpu.kernel(Source::Loss, "mean_loss")?.read(&losses).write(&mut out);
        kernel.double(1.0).double(self.count() as f64).int(batch).block_each(1)?;
        Ok((out, Vec::new()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [logits] = check::inputs(self.name(), given.inputs)?;
        let classes = self.classes(&logits)?;
        check::backward(self.name(), given, &[])?;
        let labels = self.numbers(gpu)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(logits.count()) }?;
        gpu.kernel(Source::Loss, "cross_entropy_gradient")?
            .read(&logits)
            .read(&labels)
            .read(&given.gradient)
            .write(&mut out)
            .ints([self.count(), classes])
            .block_each(self.labels.len())?;
        Ok(vec![Gradient::Values(out)])
    }
}

impl CudaOp for Softmax {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [logits] = check::inputs(self.name(), inputs)?;
        let classes = classes(self.name(), &logits)?.max(1);
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(logits.count()) }?;
        let kernel = gpu.kernel(Source::Loss, "softmax")?.read(&logits).write(&mut out);
        kernel.int(classes).block_each(logits.count() / classes)?;
        Ok((out, logits.dims().to_vec()))
    }

    fn backward_cuda(&self, _gpu: &Gpu, _given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        bail!("softmax: this operation has no gradient; use SoftmaxCrossEntropy for a loss")
    }
}
