//! Operations brought to tensors.
//!
//! An [`Op`] computes on plain slices, and with the feature `cuda` on the memory of a GPU too
//! ([`CudaOp`](crate::CudaOp)). Around it there are two engines: [`forward`] and [`backward`] run the two halves by
//! hand, for a caller that keeps its own record of what depends on what; [`apply`] makes the operation part of
//! Candle's graph, so that [`candle_core::Tensor::backward`] goes through it.

#[cfg(feature = "cuda")]
use candle_core::CudaStorage;
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Device, Layout, Result, Shape, Storage, StorageRef,
    Tensor, bail,
};

use crate::array::{Array, Backward, Gradient};
use crate::op::Op;

/// Runs an operation where its inputs are. Nothing is recorded in Candle's graph.
///
/// # Errors
/// If an input is not `f32`, if they are not on one device, or as [`Op::forward_cpu`].
pub fn forward(op: &dyn Op, inputs: &[&Tensor]) -> Result<Tensor> {
    let inputs = contiguous(inputs)?;
    #[cfg(feature = "cuda")]
    if let Some(gpu) = crate::cuda::Gpu::of_tensors(&inputs)? {
        return crate::cuda::forward(op, &gpu, &inputs);
    }
    let held = inputs.iter().map(|x| Held::new(op.name(), x)).collect::<Result<Vec<_>>>()?;
    let arrays = held.iter().map(|held| held.array(op.name())).collect::<Result<Vec<_>>>()?;
    let (values, dims) = op.forward_cpu(&arrays)?;
    Tensor::from_vec(values, dims, &Device::Cpu)
}

/// The gradients of the inputs of an operation that [`forward`] ran; `None` where
/// `wanted` is false or the input is a constant of the operation.
///
/// # Errors
/// As [`Op::backward_cpu`].
pub fn backward(
    op: &dyn Op,
    inputs: &[&Tensor],
    output: &Tensor,
    gradient: &Tensor,
    wanted: &[bool],
) -> Result<Vec<Option<Tensor>>> {
    if gradient.dims() != output.dims() {
        bail!("{}: a gradient of shape {:?} for {:?}", op.name(), gradient.dims(), output.dims());
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

/// Applies an operation of one to three inputs as part of Candle's own graph.
///
/// # Errors
/// If there are more inputs, or as [`forward`].
pub fn apply(op: impl Op, inputs: &[&Tensor]) -> Result<Tensor> {
    let inputs = contiguous(inputs)?;
    let op = InCandle(op);
    match inputs.as_slice() {
        [a] => a.apply_op1(op),
        [a, b] => a.apply_op2(b, op),
        [a, b, c] => a.apply_op3(b, c, op),
        other => bail!("{}: {} inputs, Candle's graph takes one to three", op.0.name(), other.len()),
    }
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
            _ => bail!("{op}: an input is not on the CPU"),
        }
    }
}

fn array<'a>(op: &str, storage: &'a CpuStorage, layout: &'a Layout) -> Result<Array<'a>> {
    let data = crate::check::values(op, "an input", storage, layout)?;
    Array::new(data, layout.dims())
}

/// An operation as a node of Candle's graph.
struct InCandle<O>(O);

impl<O: Op> InCandle<O> {
    fn run(&self, inputs: &[(&CpuStorage, &Layout)]) -> Result<(CpuStorage, Shape)> {
        let arrays = inputs.iter().map(|(s, l)| array(self.0.name(), s, l)).collect::<Result<Vec<_>>>()?;
        let (values, dims) = self.0.forward_cpu(&arrays)?;
        Ok((CpuStorage::F32(values), Shape::from(dims)))
    }

    fn gradients(
        &self,
        inputs: &[&Tensor],
        output: &Tensor,
        gradient: &Tensor,
    ) -> Result<Vec<Option<Tensor>>> {
        let wanted: Vec<bool> = inputs.iter().map(|x| x.track_op()).collect();
        backward(&self.0, inputs, output, gradient, &wanted)
    }
}

impl<O: Op> CustomOp1 for InCandle<O> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(&self, s: &CpuStorage, l: &Layout) -> Result<(CpuStorage, Shape)> {
        self.run(&[(s, l)])
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, s: &CudaStorage, l: &Layout) -> Result<(CudaStorage, Shape)> {
        crate::cuda::forward_storage(&self.0, &[(s, l)])
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        Ok(self.gradients(&[x], y, dy)?.pop().flatten())
    }
}

impl<O: Op> CustomOp2 for InCandle<O> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run(&[(s1, l1), (s2, l2)])
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        crate::cuda::forward_storage(&self.0, &[(s1, l1), (s2, l2)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let mut found = self.gradients(&[a, b], y, dy)?.into_iter();
        Ok((found.next().flatten(), found.next().flatten()))
    }
}

impl<O: Op> CustomOp3 for InCandle<O> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
        s3: &CpuStorage,
        l3: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.run(&[(s1, l1), (s2, l2), (s3, l3)])
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s1: &CudaStorage,
        l1: &Layout,
        s2: &CudaStorage,
        l2: &Layout,
        s3: &CudaStorage,
        l3: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        crate::cuda::forward_storage(&self.0, &[(s1, l1), (s2, l2), (s3, l3)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let mut found = self.gradients(&[a, b, c], y, dy)?.into_iter();
        Ok((found.next().flatten(), found.next().flatten(), found.next().flatten()))
    }
}
