//! Pooling.

use candle_core::{Result, bail};

use super::gpu::Source;
use super::lock::lock;
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::op::Op;
use crate::pool::Geometry;
use crate::{AvgPool2d, GlobalAvgPool, Gradient, MaxPool2d};

/// Returns the sizes that all kernels over windows take.
fn window(g: &Geometry) -> [usize; 10] {
    let ([height, width], [ky, kx], [sy, sx]) = (g.input, g.pool.kernel, g.pool.stride);
    let ([py, px], [oh, ow]) = (g.pool.padding, g.output);
    [height, width, ky, kx, sy, sx, py, px, oh, ow]
}

/// Returns the number of rows of the output as a matrix of channels.
fn positions(g: &Geometry) -> usize {
    g.batch * g.output[0] * g.output[1]
}
fn pixels(g: &Geometry) -> usize {
    g.batch * g.input[0] * g.input[1]
}

impl CudaOp for MaxPool2d {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let g = self.geometry(inputs)?;
        // SAFETY: the kernel writes every value of both.
        let (mut out, mut winners) =
            unsafe { (gpu.unwritten(g.outputs())?, gpu.unwritten::<u8>(g.outputs())?) };
        gpu.kernel(Source::Pool, "max_pool")?
            .read(&inputs[0])
            .write(&mut out)
            .write(&mut winners)
            .ints(window(&g))
            .ints([g.channels, positions(&g)])
            .on_rows(positions(&g), g.channels)?;
        *lock(&self.on_device) = Some(winners);
        Ok((out, g.output_dims()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let g = self.geometry(given.inputs)?;
        check::backward(self.name(), given, &g.output_dims())?;
        let winners = lock(&self.on_device);
        let Some(winners) = winners.as_ref().filter(|winners| winners.count() >= g.outputs()) else {
            bail!("{}: the forward pass has not run", self.name());
        };
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(g.inputs()) }?;
        gpu.kernel(Source::Pool, "max_pool_gradient")?
            .read(&given.gradient)
            .read(winners)
            .write(&mut out)
            .ints(window(&g))
            .ints([g.channels, pixels(&g)])
            .on_rows(pixels(&g), g.channels)?;
        Ok(vec![Gradient::Values(out)])
    }
}

impl CudaOp for AvgPool2d {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let g = Geometry::new(self.name(), self.pool, inputs)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(g.outputs()) }?;
        gpu.kernel(Source::Pool, "average_pool")?
            .read(&inputs[0])
            .write(&mut out)
            .ints(window(&g))
            .ints([usize::from(self.count_padding), g.channels, positions(&g)])
            .on_rows(positions(&g), g.channels)?;
        Ok((out, g.output_dims()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let g = Geometry::new(self.name(), self.pool, given.inputs)?;
        check::backward(self.name(), given, &g.output_dims())?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(g.inputs()) }?;
        gpu.kernel(Source::Pool, "average_pool_gradient")?
            .read(&given.gradient)
            .write(&mut out)
            .ints(window(&g))
            .ints([usize::from(self.count_padding), g.channels, pixels(&g)])
            .on_rows(pixels(&g), g.channels)?;
        Ok(vec![Gradient::Values(out)])
    }
}

impl CudaOp for GlobalAvgPool {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [batch, places, channels] = self.sizes(inputs)?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(batch * channels) }?;
        let kernel = gpu.kernel(Source::Pool, "global_average_pool")?.read(&inputs[0]).write(&mut out);
        kernel.int(places).over_rows(batch, channels)?;
        Ok((out, vec![batch, channels]))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [batch, places, channels] = self.sizes(given.inputs)?;
        check::backward(self.name(), given, &[batch, channels])?;
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { gpu.unwritten(batch * places * channels) }?;
        let kernel =
            gpu.kernel(Source::Pool, "global_average_pool_gradient")?.read(&given.gradient).write(&mut out);
        kernel.int(places).over_rows(batch * places, channels)?;
        Ok(vec![Gradient::Values(out)])
    }
}
