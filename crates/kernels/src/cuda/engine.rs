//! Applies operations to tensors on a GPU, like `engine.rs` beside this folder on the CPU.

use candle_core::op::BackpropOp;
use candle_core::{CudaStorage, Layout, Result, Shape, Storage, StorageRef, Tensor, bail};

use super::{Buffer, DeviceArray, DeviceBackward, Gpu};
use crate::{Gradient, Op};

/// Runs an operation.
pub(crate) fn forward(op: &dyn Op, gpu: &Gpu, inputs: &[Tensor]) -> Result<Tensor> {
    let (values, dims) = run(op, gpu, inputs)?;
    tensor(gpu, values, dims)
}

/// Computes the output of an operation, as Candle stores it.
pub(crate) fn forward_storage(op: &dyn Op, gpu: &Gpu, inputs: &[Tensor]) -> Result<(CudaStorage, Shape)> {
    let (values, dims) = run(op, gpu, inputs)?;
    Ok((CudaStorage::wrap_cuda_slice(values.into_slice(), gpu.device().clone()), Shape::from(dims)))
}

fn run(op: &dyn Op, gpu: &Gpu, inputs: &[Tensor]) -> Result<(Buffer, Vec<usize>)> {
    let held = inputs.iter().map(Held::new).collect::<Vec<_>>();
    let arrays = held.iter().map(|held| held.array(op.name(), gpu)).collect::<Result<Vec<_>>>()?;
    op.forward_cuda(gpu, &arrays)
}

/// Computes the gradients of an operation's inputs.
pub(crate) fn backward(
    op: &dyn Op,
    gpu: &Gpu,
    inputs: &[Tensor],
    output: &Tensor,
    gradient: &Tensor,
    wanted: &[bool],
) -> Result<Vec<Option<Tensor>>> {
    let held = inputs.iter().map(Held::new).collect::<Vec<_>>();
    let arrays = held.iter().map(|held| held.array(op.name(), gpu)).collect::<Result<Vec<_>>>()?;
    let (held_output, held_gradient) = (Held::new(output), Held::new(gradient));
    let (output, of_output) = (held_output.array(op.name(), gpu)?, held_gradient.array(op.name(), gpu)?);
    let given = DeviceBackward { inputs: &arrays, output, gradient: of_output, wanted };
    let found = op.backward_cuda(gpu, &given)?;
    let tensors = found.into_iter().zip(inputs).map(|(found, input)| match found {
        Gradient::None => Ok(None),
        Gradient::OfOutput => gradient.reshape(input.shape()).map(Some),
        Gradient::Values(values) => tensor(gpu, values, input.dims().to_vec()).map(Some),
    });
    tensors.collect()
}

/// Creates a tensor from values on the device.
pub(super) fn tensor(gpu: &Gpu, values: Buffer, dims: Vec<usize>) -> Result<Tensor> {
    let shape = Shape::from(dims);
    if values.count() < shape.elem_count() {
        bail!("a tensor of shape {shape:?} cannot have {} values", values.count());
    }
    let storage = CudaStorage::wrap_cuda_slice(values.into_slice(), gpu.device().clone());
    Ok(Tensor::from_storage(Storage::Cuda(storage), shape, BackpropOp::none(), false))
}

/// Read access to a tensor's storage.
pub(super) struct Held<'a> {
    storage: StorageRef<'a>,
    layout: &'a Layout,
}

impl<'a> Held<'a> {
    pub(super) fn new(tensor: &'a Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        Self { storage, layout }
    }

    pub(super) fn array(&self, op: &str, gpu: &Gpu) -> Result<DeviceArray<'_>> {
        match &*self.storage {
            Storage::Cuda(storage) => DeviceArray::new(op, gpu.stream(), storage, self.layout),
            _ => bail!("{op}: an input is not on the GPU; move it with to_device"),
        }
    }
}
