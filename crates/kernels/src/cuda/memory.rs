//! Values in the memory of a GPU.

use std::marker::PhantomData;
use std::sync::Arc;

use candle_core::backend::BackendStorage;
use candle_core::cuda_backend::cudarc::driver::{CudaSlice, CudaStream, DevicePtr, DeviceRepr};
use candle_core::{CudaStorage, DType, Layout, Result, bail};

use crate::array::Shaped;

/// The values of one argument on a GPU, row by row, and its shape.
#[derive(Debug, Clone, Copy)]
pub struct DeviceArray<'a> {
    address: u64,
    dims: &'a [usize],
    values: PhantomData<&'a [f32]>,
}

impl<'a> DeviceArray<'a> {
    /// Accesses the values of a tensor.
    pub(super) fn new(
        op: &str,
        stream: &Arc<CudaStream>,
        storage: &'a CudaStorage,
        layout: &'a Layout,
    ) -> Result<Self> {
        if storage.dtype() != DType::F32 {
            bail!("{op}: an input has type {:?}, expected F32; convert it with to_dtype", storage.dtype());
        }
        crate::extent::values("an array", layout.dims())?;
        let slice = storage.as_cuda_slice::<f32>()?;
        let Some((start, end)) = layout.contiguous_offsets() else {
            bail!("{op}: an input of shape {:?} is not contiguous; call contiguous() first", layout.shape())
        };
        if end > slice.len() {
            bail!("{op}: an input of shape {:?} exceeds its {} values", layout.shape(), slice.len());
        }
        let (address, _) = slice.device_ptr(stream);
        Ok(Self {
            address: address + (start * size_of::<f32>()) as u64,
            dims: layout.dims(),
            values: PhantomData,
        })
    }

    /// Returns the shape.
    #[must_use]
    pub fn dims(&self) -> &'a [usize] {
        self.dims
    }

    /// Returns the number of values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.dims.iter().product()
    }
}

impl Shaped for DeviceArray<'_> {
    fn dims(&self) -> &[usize] {
        self.dims
    }
}

/// Memory of a GPU, freed in the order of the stream's work when dropped.
#[derive(Debug)]
pub struct Buffer<T = f32> {
    slice: CudaSlice<T>,
}

impl<T: DeviceRepr> Buffer<T> {
    pub(super) fn of(slice: CudaSlice<T>) -> Self {
        Self { slice }
    }

    /// Returns the number of values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.slice.len()
    }

    pub(super) fn slice(&self) -> &CudaSlice<T> {
        &self.slice
    }

    pub(super) fn slice_mut(&mut self) -> &mut CudaSlice<T> {
        &mut self.slice
    }

    pub(super) fn into_slice(self) -> CudaSlice<T> {
        self.slice
    }
}

/// A value whose address can be passed to a kernel. The value must outlive the launch's position in the stream, which is
/// guaranteed since memory is freed in the order of the stream.
pub(super) trait Address {
    fn address(&self) -> u64;
}

impl Address for DeviceArray<'_> {
    fn address(&self) -> u64 {
        self.address
    }
}

impl<T: DeviceRepr> Address for Buffer<T> {
    fn address(&self) -> u64 {
        self.slice.device_ptr(self.slice.stream()).0
    }
}

/// `None` becomes a null pointer.
impl<A: Address> Address for Option<A> {
    fn address(&self) -> u64 {
        self.as_ref().map_or(0, Address::address)
    }
}

impl<A: Address> Address for &A {
    fn address(&self) -> u64 {
        (**self).address()
    }
}

/// An address some values further on.
pub(super) struct Offset(u64);

impl Offset {
    pub(super) fn of<T>(values: &impl Address, from: usize) -> Self {
        Self(values.address() + (from * size_of::<T>()) as u64)
    }
}

impl Address for Offset {
    fn address(&self) -> u64 {
        self.0
    }
}
