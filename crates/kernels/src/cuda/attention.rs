//! Attention over the places of a feature map.

use candle_core::{Result, bail};

use super::gpu::Source;
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::op::Op;
use crate::{Gradient, PlaceSoftmax, WeightedPool};

impl CudaOp for PlaceSoftmax {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let places = self.places(&x)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        let kernel = gpu.kernel(Source::Loss, "softmax")?.read(&x).write(&mut out);
        kernel.int(places).block_each(x.count() / places)?;
        Ok((out, x.dims().to_vec()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let places = self.places(&x)?;
        check::backward(self.name(), given, x.dims())?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(x.count()) }?;
        let kernel = gpu
            .kernel(Source::Loss, "softmax_gradient")?
            .read(&given.output)
            .read(&given.gradient)
            .write(&mut out);
        kernel.int(places).block_each(x.count() / places)?;
        Ok(vec![Gradient::Values(out)])
    }
}

impl CudaOp for WeightedPool {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [weights, x] = check::inputs(self.name(), inputs)?;
        let [batch, places, channels] = self.sizes(&weights, &x)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(batch * channels) }?;
        let kernel = gpu.kernel(Source::Loss, "weighted_pool")?.read(&weights).read(&x).write(&mut out);
        kernel.int(places).over_rows(batch, channels)?;
        Ok((out, vec![batch, channels]))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [weights, x] = check::inputs(self.name(), given.inputs)?;
        let [batch, places, channels] = self.sizes(&weights, &x)?;
        check::backward(self.name(), given, &[batch, channels])?;
        let [wants_weights, wants_map] = *given.wanted else { bail!("{}: expected two inputs", self.name()) };
        let mut found = vec![Gradient::None, Gradient::None];
        if wants_weights {
            // SAFETY: the kernel writes every value.
            let mut out = unsafe { gpu.unwritten(batch * places) }?;
            let kernel = gpu.kernel(Source::Loss, "weighted_pool_weights")?.read(&x).read(&given.gradient);
            kernel.write(&mut out).ints([places, channels]).block_each(batch * places)?;
            found[0] = Gradient::Values(out);
        }
        if wants_map {
            // SAFETY: the kernel writes every value.
            let mut out = unsafe { gpu.unwritten(x.count()) }?;
            let kernel = gpu.kernel(Source::Loss, "weighted_pool_map")?.read(&weights).read(&given.gradient);
            kernel.write(&mut out).int(places).over_rows(batch * places, channels)?;
            found[1] = Gradient::Values(out);
        }
        Ok(found)
    }
}
