//! Operations that only move values.

use candle_core::{Result, bail};

use super::gpu::Source;
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::array::Shaped;
use crate::check;
use crate::layout::joined;
use crate::op::Op;
use crate::{Concat, Gradient, ToChannelsFirst, ToChannelsLast};

impl CudaOp for Concat {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let (widths, positions) = self.widths(inputs)?;
        let total: usize = widths.iter().sum();
        // SAFETY: the launches below write all columns.
        let mut out = unsafe { gpu.unwritten(positions * total) }?;
        let mut start = 0;
        for (input, &width) in inputs.iter().zip(&widths) {
            let kernel = gpu.kernel(Source::Layout, "copy_columns")?.read(input).write(&mut out);
            kernel.ints([width, 0, total, start]).over_rows(positions, width)?;
            start += width;
        }
        Ok((out, joined(inputs[0].dims(), total)))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let DeviceBackward { inputs, gradient, wanted, .. } = *given;
        let (widths, positions) = self.widths(inputs)?;
        let total: usize = widths.iter().sum();
        check::backward(self.name(), given, &joined(inputs[0].dims(), total))?;
        let mut end = 0;
        let parts = widths.iter().zip(wanted).map(|(&width, &wanted)| {
            end += width;
            if !wanted {
                return Ok(Gradient::None);
            }
            // SAFETY: the kernel writes every value.
            let mut out = unsafe { gpu.unwritten(positions * width) }?;
            let kernel = gpu.kernel(Source::Layout, "copy_columns")?.read(&gradient).write(&mut out);
            kernel.ints([total, end - width, width, 0]).over_rows(positions, width)?;
            Ok(Gradient::Values(out))
        });
        parts.collect()
    }
}

/// Transposes each of `batch` matrices of `rows` x `columns`.
fn transposed(gpu: &Gpu, x: &DeviceArray<'_>, [batch, rows, columns]: [usize; 3]) -> Result<Buffer> {
    // SAFETY: the kernel writes every value.
    let mut out = unsafe { gpu.unwritten(batch * rows * columns) }?;
    let tiles = rows.div_ceil(32);
    gpu.kernel(Source::Layout, "transpose")?
        .read(x)
        .write(&mut out)
        .ints([rows, columns, tiles])
        .start([tiles * columns.div_ceil(32), 1, batch], [32, 8])?;
    Ok(out)
}

impl CudaOp for ToChannelsLast {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let &[b, c, h, w] = Shaped::dims(&x) else {
            bail!("{}: the input has shape {:?}, expected (B, C, H, W)", self.name(), x.dims());
        };
        Ok((transposed(gpu, &x, [b, c, h * w])?, vec![b, h, w, c]))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [b, h, w, c] = check::feature_map(self.name(), &given.output)?;
        check::backward(self.name(), given, given.output.dims())?;
        Ok(vec![Gradient::Values(transposed(gpu, &given.gradient, [b, h * w, c])?)])
    }
}

impl CudaOp for ToChannelsFirst {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        Ok((transposed(gpu, &x, [b, h * w, c])?, vec![b, c, h, w]))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        check::backward(self.name(), given, &[b, c, h, w])?;
        Ok(vec![Gradient::Values(transposed(gpu, &given.gradient, [b, c, h * w])?)])
    }
}
