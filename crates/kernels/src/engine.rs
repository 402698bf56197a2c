//! Applies operations to tensors.
//!
//! An [`Op`] computes on plain slices, and with the feature `cuda` also in the memory of a GPU
//! ([`CudaOp`](crate::CudaOp)). Two engines apply it: [`forward`] and [`backward`] run the two passes directly, for a
//! caller that keeps its own record of dependencies; [`apply`](crate::apply) makes the operation part of Candle's graph, so
//! that [`candle_core::Tensor::backward`] goes through it.

use candle_core::{CpuStorage, DType, Device, Layout, Result, Shape, Storage, StorageRef, Tensor, bail};

use crate::array::{Array, Backward, Gradient};
use crate::op::Op;

/// Runs an operation on the device of its inputs. Nothing is recorded in Candle's graph.
///
/// # Errors
/// If an input is not `f32`, if the inputs are on different devices, or as for [`Op::forward_cpu`].
pub fn forward(op: &dyn Op, inputs: &[&Tensor]) -> Result<Tensor> {
    let inputs = contiguous(inputs)?;
    #[cfg(feature = "cuda")]
    if let Some(gpu) = crate::cuda::Gpu::of_tensors(&inputs)? {
        return crate::cuda::forward(op, &gpu, &inputs);
    }
    let (values, dims) = run(op, &inputs)?;
    Tensor::from_vec(values, dims, &Device::Cpu)
}

/// Computes the output of an operation on the CPU, as Candle stores it; the inputs are contiguous.
pub(crate) fn forward_storage(op: &dyn Op, inputs: &[Tensor]) -> Result<(CpuStorage, Shape)> {
    let (values, dims) = run(op, inputs)?;
    Ok((CpuStorage::F32(values), Shape::from(dims)))
}

fn run(op: &dyn Op, inputs: &[Tensor]) -> Result<(Vec<f32>, Vec<usize>)> {
    let held = inputs.iter().map(|x| Held::new(op.name(), x)).collect::<Result<Vec<_>>>()?;
    let arrays = held.iter().map(|held| held.array(op.name())).collect::<Result<Vec<_>>>()?;
    op.forward_cpu(&arrays)
}

/// Computes the gradients of the inputs of an operation that [`forward`] ran; `None` if
/// `wanted` is false or the input is a constant of the operation.
///
/// # Errors
/// As for [`Op::backward_cpu`].
pub fn backward(
    op: &dyn Op,
    inputs: &[&Tensor],
    output: &Tensor,
    gradient: &Tensor,
    wanted: &[bool],
) -> Result<Vec<Option<Tensor>>> {
    if gradient.dims() != output.dims() {
        bail!("{}: the gradient has shape {:?}, expected {:?}", op.name(), gradient.dims(), output.dims());
    }
    if !wanted.contains(&true) {
        return Ok(vec![None; inputs.len()]);
    }
    let inputs = contiguous(inputs)?;
    let gradient = gradient.contiguous()?;
    #[cfg(feature = "cuda")]
    if let Some(gpu) = crate::cuda::Gpu::of_tensors(&inputs)? {
        return crate::cuda::backward(op, &gpu, &inputs, output, &gradient, wanted);
    }
    let held = inputs.iter().map(|x| Held::new(op.name(), x)).collect::<Result<Vec<_>>>()?;
    let arrays = held.iter().map(|held| held.array(op.name())).collect::<Result<Vec<_>>>()?;
    let (held_output, held_gradient) = (Held::new(op.name(), output)?, Held::new(op.name(), &gradient)?);
    let (output, of_output) = (held_output.array(op.name())?, held_gradient.array(op.name())?);
    let found = op.backward_cpu(&Backward { inputs: &arrays, output, gradient: of_output, wanted })?;
    let tensors = found.into_iter().zip(&inputs).map(|(found, input)| match found {
        Gradient::None => Ok(None),
        Gradient::OfOutput => gradient.reshape(input.shape()).map(Some),
        Gradient::Values(values) => Tensor::from_vec(values, input.shape(), &Device::Cpu).map(Some),
    });
    tensors.collect()
}

/// Returns `true` if two tensors read the same memory.
pub fn share_memory(a: &Tensor, b: &Tensor) -> bool {
    let (a, b) = (a.storage_and_layout().0, b.storage_and_layout().0);
    std::ptr::eq(&raw const *a, &raw const *b)
}

fn contiguous(inputs: &[&Tensor]) -> Result<Vec<Tensor>> {
    inputs.iter().map(|x| x.contiguous()).collect()
}

/// Read access to a tensor's storage.
struct Held<'a> {
    storage: StorageRef<'a>,
    layout: &'a Layout,
}

impl<'a> Held<'a> {
    fn new(op: &str, tensor: &'a Tensor) -> Result<Self> {
        if tensor.dtype() != DType::F32 {
            bail!("{op}: an input has type {:?}, expected F32; convert it with to_dtype", tensor.dtype());
        }
        let (storage, layout) = tensor.storage_and_layout();
        Ok(Self { storage, layout })
    }

    fn array(&self, op: &str) -> Result<Array<'_>> {
        match &*self.storage {
            Storage::Cpu(storage) => array(op, storage, self.layout),
            _ => bail!("{op}: an input is not on the CPU; move it with to_device"),
        }
    }
}

fn array<'a>(op: &str, storage: &'a CpuStorage, layout: &'a Layout) -> Result<Array<'a>> {
    let data = crate::check::values(op, "an input", storage, layout)?;
    Array::new(data, layout.dims())
}
