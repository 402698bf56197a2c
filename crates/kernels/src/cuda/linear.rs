//! The fully connected layer: products by cuBLAS.

use candle_core::Result;

use super::product::{Matrix, product};
use super::rows::{add_bias, masked_column_sums};
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::op::Op;
use crate::{Gradient, Linear};

impl CudaOp for Linear {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let arrays = check::inputs(self.name(), inputs)?;
        let sizes = self.sizes(&arrays)?;
        let [x, weight, bias] = arrays;
        // SAFETY: the product writes every value.
        let mut out = unsafe { gpu.unwritten(sizes.batch * sizes.outputs) }?;
        product(
            gpu,
            [sizes.batch, sizes.outputs, sizes.inputs],
            Matrix::new(&x, sizes.inputs),
            Matrix::new(&weight, sizes.inputs).transposed(),
            Matrix::new(&out, sizes.outputs),
            false,
        )?;
        add_bias(gpu, &mut out, Some(&bias), self.relu, [sizes.batch, sizes.outputs])?;
        Ok((out, vec![sizes.batch, sizes.outputs]))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let arrays = check::inputs(self.name(), given.inputs)?;
        let sizes = self.sizes(&arrays)?;
        let [x, weight, _] = arrays;
        let dims = [sizes.batch, sizes.outputs];
        check::backward(self.name(), given, &dims)?;
        let relu = self.relu.then_some(&given.output);
        let (masked, sums) = masked_column_sums(gpu, &given.gradient, relu, dims, given.wants(2))?;
        let grad = masked.as_ref().map_or_else(
            || Matrix::new(&given.gradient, sizes.outputs),
            |masked| Matrix::new(masked, sizes.outputs),
        );
        let mut found = vec![Gradient::None, Gradient::None, sums.map_or(Gradient::None, Gradient::Values)];
        if given.wants(0) {
            // SAFETY: the product writes every value.
            let out = unsafe { gpu.unwritten(sizes.batch * sizes.inputs) }?;
            let (weight, target) = (Matrix::new(&weight, sizes.inputs), Matrix::new(&out, sizes.inputs));
            product(gpu, [sizes.batch, sizes.inputs, sizes.outputs], grad, weight, target, false)?;
            found[0] = Gradient::Values(out);
        }
        if given.wants(1) {
            // SAFETY: the product writes every value.
            let out = unsafe { gpu.unwritten(sizes.outputs * sizes.inputs) }?;
            let (x, target) = (Matrix::new(&x, sizes.inputs), Matrix::new(&out, sizes.inputs));
            product(gpu, [sizes.outputs, sizes.inputs, sizes.batch], grad.transposed(), x, target, false)?;
            found[1] = Gradient::Values(out);
        }
        Ok(found)
    }
}
