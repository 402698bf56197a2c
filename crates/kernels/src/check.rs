//! Accesses the data of tensors and checks shapes, with errors that name the operation.

use candle_core::{CpuStorage, DType, Layout, Result, Tensor, bail};

use crate::array::{Backward, Shaped};
use crate::simd::Level;

/// Returns the contiguous `f32` values of one argument.
pub(crate) fn values<'a>(
    op: &str,
    argument: &str,
    storage: &'a CpuStorage,
    layout: &Layout,
) -> Result<&'a [f32]> {
    let CpuStorage::F32(data) = storage else {
        bail!(
            "{op}: {argument} has type {:?}, expected F32; convert it with to_dtype",
            storage_dtype(storage)
        );
    };
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&data[start..end]),
        None => {
            bail!("{op}: {argument} of shape {:?} is not contiguous; call contiguous() first", layout.shape())
        }
    }
}

/// Returns the contiguous `f32` values of the argument that is changed in place.
pub(crate) fn values_mut<'a>(
    op: &str,
    argument: &str,
    storage: &'a mut CpuStorage,
    layout: &Layout,
) -> Result<&'a mut [f32]> {
    let dtype = storage_dtype(storage);
    let CpuStorage::F32(data) = storage else {
        bail!("{op}: {argument} has type {dtype:?}, expected F32; convert it with to_dtype");
    };
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&mut data[start..end]),
        None => bail!(
            "{op}: {argument} of shape {:?} is not contiguous and cannot be changed in place",
            layout.shape()
        ),
    }
}

/// Refuses a tensor that is not `f32`.
pub(crate) fn float(op: &str, argument: &str, tensor: &Tensor) -> Result<()> {
    if tensor.dtype() != DType::F32 {
        bail!("{op}: {argument} has type {:?}, expected F32; convert it with to_dtype", tensor.dtype());
    }
    Ok(())
}

/// Refuses a tensor whose shape is not the expected one.
pub(crate) fn shape(op: &str, argument: &str, tensor: &Tensor, expected: &[usize]) -> Result<()> {
    if tensor.dims() != expected {
        bail!("{op}: {argument} has shape {:?}, expected {expected:?}", tensor.dims());
    }
    Ok(())
}

/// Returns the inputs of an operation that takes exactly `N`. Also refuses an invalid choice of vector
/// instructions before any work.
pub(crate) fn inputs<A: Copy, const N: usize>(op: &str, inputs: &[A]) -> Result<[A; N]> {
    let Ok(inputs) = <[A; N]>::try_from(inputs) else {
        bail!("{op}: {} inputs, expected {N}", inputs.len());
    };
    Level::current()?;
    Ok(inputs)
}

/// Returns the four dimensions of a feature map (B, H, W, C).
pub(crate) fn feature_map(op: &str, x: &impl Shaped) -> Result<[usize; 4]> {
    match *x.dims() {
        [b, h, w, c] => Ok([b, h, w, c]),
        ref other => bail!("{op}: the input has shape {other:?}, expected (B, H, W, C)"),
    }
}

/// Returns the number of positions and of channels of (..., C).
pub(crate) fn channels_last(op: &str, x: &impl Shaped) -> Result<[usize; 2]> {
    match x.dims().split_last() {
        Some((&channels, positions)) => Ok([positions.iter().product(), channels]),
        None => bail!("{op}: the input is a scalar, expected (..., C)"),
    }
}

/// Refuses an array whose shape is not the expected one.
pub(crate) fn dims(op: &str, argument: &str, array: &impl Shaped, expected: &[usize]) -> Result<()> {
    if array.dims() != expected {
        bail!("{op}: {argument} has shape {:?}, expected {expected:?}", array.dims());
    }
    Ok(())
}

/// Refuses an output or its gradient if the shape is not that of the forward pass.
pub(crate) fn backward<A: Shaped>(op: &str, given: &Backward<'_, A>, expected: &[usize]) -> Result<()> {
    dims(op, "the output", &given.output, expected)?;
    dims(op, "the gradient", &given.gradient, expected)
}

fn storage_dtype(storage: &CpuStorage) -> DType {
    use candle_core::backend::BackendStorage;
    storage.dtype()
}
