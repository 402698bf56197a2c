//! A GPU: its stream, its compiled kernels, its libraries.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use candle_core::backend::BackendDevice;
use candle_core::cuda_backend::cudarc::driver::{
    CudaContext, CudaFunction, CudaModule, CudaSlice, CudaStream, DeviceRepr, DriverError, ValidAsZeroBits,
    result, sys,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileOptions, compile_ptx_with_opts};
use candle_core::cuda_backend::{CudaDevice, DeviceId};
use candle_core::{Device, Result, Tensor, bail};

use super::Buffer;
use super::lock::lock;
use super::signature::{self, Kind};
use crate::Precision;

/// A file of kernels; each is compiled separately, when one of its kernels is first needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Elementwise,
    Convolution,
    Pool,
    BatchNorm,
    Layout,
    Loss,
    Bilinear,
    Flow,
}

impl Source {
    fn text(self) -> String {
        let own = match self {
            Self::Elementwise => include_str!("source/elementwise.cu"),
            Self::Convolution => include_str!("source/convolution.cu"),
            Self::Pool => include_str!("source/pool.cu"),
            Self::BatchNorm => include_str!("source/batch_norm.cu"),
            Self::Layout => include_str!("source/layout.cu"),
            Self::Loss => include_str!("source/loss.cu"),
            Self::Bilinear => include_str!("source/bilinear.cu"),
            Self::Flow => include_str!("source/flow.cu"),
        };
        format!("{}\n{own}", include_str!("source/prelude.cu"))
    }
}

/// One GPU of this process.
#[derive(Debug)]
pub struct Gpu {
    device: CudaDevice,
    stream: Arc<CudaStream>,
    modules: Mutex<HashMap<Source, Arc<CudaModule>>>,
    functions: Mutex<HashMap<&'static str, Arc<Function>>>,
    /// The [`Precision`] as a number.
    precision: AtomicU8,
    /// Lock for cuBLAS, which takes one call at a time.
    pub(super) blas: Mutex<()>,
    /// Roots of unity by their order, for Fourier transforms.
    pub(super) roots: Mutex<HashMap<usize, Arc<Buffer<[f32; 2]>>>>,
    #[cfg(feature = "cudnn")]
    pub(super) convolutions: super::cudnn::plan::Convolutions,
}

/// A compiled kernel and the types of its arguments.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) function: CudaFunction,
    pub(super) kinds: Vec<Kind>,
}

/// The initialised GPUs, by Candle's device id.
static GPUS: Mutex<Option<HashMap<DeviceId, Arc<Gpu>>>> = Mutex::new(None);

/// Opens a GPU as a Candle device: number `ordinal` of those that the driver lists.
///
/// # Errors
/// If there is no such GPU, or its driver or libraries are too old.
pub fn device(ordinal: usize) -> Result<Device> {
    let count = CudaContext::device_count().map_err(|error| driver_missing(&error))?;
    if ordinal as u64 >= u64::from(count.unsigned_abs()) {
        bail!(
            "there is no GPU number {ordinal}: the driver lists {count}; see `nvidia-smi -L` and CUDA_VISIBLE_DEVICES"
        );
    }
    // A separate stream, since Candle's default stream differs between threads.
    let device = CudaDevice::new_with_stream(ordinal)?;
    // SAFETY: everything goes through the device's one stream. The exception, `Upload`, orders its two streams by
    // events of its own and gives no memory back while the other stream uses it.
    unsafe { device.disable_event_tracking() };
    let gpu = Gpu::new(device.clone())?;
    lock(&GPUS).get_or_insert_default().insert(device.id(), Arc::new(gpu));
    Ok(Device::Cuda(device))
}

/// Returns the versions of CUDA and of cuDNN, if cuDNN is part of the build.
#[must_use]
pub fn libraries() -> Vec<(&'static str, String)> {
    let cuda = sys::CUDA_VERSION;
    vec![
        ("CUDA", format!("{}.{}", cuda / 1000, cuda % 1000 / 10)),
        #[cfg(feature = "cudnn")]
        ("cuDNN", super::cudnn::plan::version()),
    ]
}

fn driver_missing(error: &DriverError) -> candle_core::Error {
    candle_core::Error::Msg(format!(
        "no NVIDIA GPU can be used: {error}; a driver for CUDA {}.{} or later is needed",
        sys::CUDA_VERSION / 1000,
        sys::CUDA_VERSION % 1000 / 10
    ))
}

impl Gpu {
    fn new(device: CudaDevice) -> Result<Self> {
        let stream = device.cuda_stream();
        let gpu = Self {
            #[cfg(feature = "cudnn")]
            convolutions: super::cudnn::plan::Convolutions::new(&stream)?,
            device,
            stream,
            modules: Mutex::default(),
            functions: Mutex::default(),
            precision: AtomicU8::new(0),
            blas: Mutex::default(),
            roots: Mutex::default(),
        };
        gpu.keep_freed_memory()?;
        Ok(gpu)
    }

    /// Keeps freed memory for the next step; by default the driver takes it back at every synchronisation.
    fn keep_freed_memory(&self) -> Result<()> {
        if !self.stream.context().has_async_alloc() {
            return Ok(());
        }
        self.wrap(self.set_of_pool(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, u64::MAX))
    }

    /// Returns the pool that all memory comes from.
    fn pool(&self) -> std::result::Result<sys::CUmemoryPool, DriverError> {
        let mut pool = std::ptr::null_mut();
        // SAFETY: the device is the context's, and the pool is written to the place that is given.
        unsafe { sys::cuDeviceGetDefaultMemPool(&raw mut pool, self.stream.context().cu_device()) }
            .result()?;
        Ok(pool)
    }

    /// Sets an attribute of the pool that is a 64-bit number, like all attributes used here.
    fn set_of_pool(
        &self,
        attribute: sys::CUmemPool_attribute,
        mut value: u64,
    ) -> std::result::Result<(), DriverError> {
        // SAFETY: the pool is alive as long as the device, and the value is of the attribute's type.
        unsafe { sys::cuMemPoolSetAttribute(self.pool()?, attribute, (&raw mut value).cast()) }.result()
    }

    /// Returns the GPU behind any Candle device, and initialises it on first use. A device that [`device`] did not make keeps
    /// its own stream and cudarc's event tracking. All our work goes through that one stream. `Device::new_cuda` takes the
    /// driver's default stream, which differs between threads, so such a device must be used by one thread.
    ///
    /// # Errors
    /// If the GPU's driver or libraries are too old.
    pub fn of(device: &CudaDevice) -> Result<Arc<Self>> {
        let mut gpus = lock(&GPUS);
        let gpus = gpus.get_or_insert_default();
        if let Some(gpu) = gpus.get(&device.id()) {
            return Ok(Arc::clone(gpu));
        }
        let gpu = Arc::new(Self::new(device.clone())?);
        gpus.insert(device.id(), Arc::clone(&gpu));
        Ok(gpu)
    }

    /// Returns the GPU of all tensors, if the first is on a GPU.
    pub(crate) fn of_tensors(tensors: &[Tensor]) -> Result<Option<Arc<Self>>> {
        let Some(Device::Cuda(device)) = tensors.first().map(Tensor::device) else { return Ok(None) };
        if let Some(other) = tensors.iter().find(|x| !x.device().same_device(&Device::Cuda(device.clone()))) {
            bail!("tensors on two devices, {:?} and {:?}; move one with to_device", device, other.device());
        }
        Self::of(device).map(Some)
    }

    pub(super) fn device(&self) -> &CudaDevice {
        &self.device
    }

    pub(super) fn stream(&self) -> &Arc<CudaStream> {
        &self.stream
    }

    /// Returns the precision of products.
    pub fn precision(&self) -> Precision {
        if self.precision.load(Ordering::Relaxed) == 0 { Precision::Fp32 } else { Precision::Tf32 }
    }

    /// Sets the precision of all further products.
    pub fn set_precision(&self, precision: Precision) {
        self.precision.store(u8::from(precision == Precision::Tf32), Ordering::Relaxed);
    }

    /// Waits until all submitted work is done.
    ///
    /// # Errors
    /// If some of it failed.
    pub fn synchronize(&self) -> Result<()> {
        self.device.synchronize()
    }

    /// Returns the name, the compute capability, and the total and the free memory in bytes.
    ///
    /// # Errors
    /// If the driver does not answer.
    pub fn describe(&self) -> Result<(String, (i32, i32), usize, usize)> {
        let context = self.stream.context();
        self.wrap(context.bind_to_thread())?;
        let (free, all) = self.wrap(context.mem_get_info())?;
        Ok((self.wrap(context.name())?, self.wrap(context.compute_capability())?, all, free))
    }

    /// Returns the peak of memory in use since the process began or since the last [`Gpu::reset_peak`], in bytes; 0 if the
    /// driver does not record it.
    pub fn peak_memory(&self) -> u64 {
        let mut value = 0u64;
        let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
        // SAFETY: as in `set_of_pool`; the value is written.
        let read = self.pool().and_then(|pool| {
            unsafe { sys::cuMemPoolGetAttribute(pool, attribute, (&raw mut value).cast()) }.result()
        });
        read.map_or(0, |()| value)
    }

    /// Restarts the record of [`Gpu::peak_memory`].
    pub fn reset_peak(&self) {
        // A driver without the record returns an error, and then there is nothing to reset.
        let _ = self.set_of_pool(sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH, 0);
    }

    /// Allocates an uninitialised buffer of `count` values.
    ///
    /// # Safety
    /// Every value must be written before it is read.
    pub(super) unsafe fn unwritten<T: DeviceRepr>(&self, count: usize) -> Result<Buffer<T>> {
        // The driver refuses empty allocations.
        // SAFETY: as the caller promises.
        let slice = unsafe { self.stream.alloc::<T>(count.max(1)) };
        self.allocated::<T>(slice, count)
    }

    pub(super) fn zeros<T: DeviceRepr + ValidAsZeroBits>(&self, count: usize) -> Result<Buffer<T>> {
        self.allocated::<T>(self.stream.alloc_zeros(count.max(1)), count)
    }

    /// Copies values to the device; they may be dropped afterwards.
    pub(super) fn upload<T: DeviceRepr>(&self, values: &[T]) -> Result<Buffer<T>> {
        // SAFETY: the copy writes every value that there is.
        let mut buffer = unsafe { self.unwritten::<T>(values.len()) }?;
        if !values.is_empty() {
            self.wrap(self.stream.memcpy_htod(values, buffer.slice_mut()))?;
        }
        Ok(buffer)
    }

    fn allocated<T: DeviceRepr>(
        &self,
        slice: std::result::Result<CudaSlice<T>, DriverError>,
        count: usize,
    ) -> Result<Buffer<T>> {
        match slice {
            Ok(slice) => Ok(Buffer::of(slice)),
            Err(DriverError(sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY)) => {
                let free = result::mem_get_info().map_or(0, |(free, _)| free);
                bail!(
                    "out of GPU memory: {} MiB requested, {} MiB free; use a smaller batch, or compute the gradients \
                     of a batch in parts",
                    (count * size_of::<T>()) >> 20,
                    free >> 20
                )
            }
            Err(error) => bail!("GPU number {}: {error}", self.stream.context().ordinal()),
        }
    }

    pub(super) fn wrap<T>(&self, found: std::result::Result<T, DriverError>) -> Result<T> {
        found.map_err(|error| {
            candle_core::Error::Msg(format!("GPU number {}: {error}", self.stream.context().ordinal()))
        })
    }

    /// Returns a kernel by its name, after compiling its file on first use.
    pub(super) fn function(&self, source: Source, name: &'static str) -> Result<Arc<Function>> {
        if let Some(function) = lock(&self.functions).get(name) {
            return Ok(Arc::clone(function));
        }
        let Some(kinds) = signature::of(&source.text(), name) else {
            bail!("{source:?}.cu defines no kernel {name}");
        };
        let module = self.module(source)?;
        let function = self.wrap(module.load_function(name))?;
        let function = Arc::new(Function { function, kinds });
        lock(&self.functions).insert(name, Arc::clone(&function));
        Ok(function)
    }

    fn module(&self, source: Source) -> Result<Arc<CudaModule>> {
        let mut modules = lock(&self.modules);
        if let Some(module) = modules.get(&source) {
            return Ok(Arc::clone(module));
        }
        let context = self.stream.context();
        let (major, minor) = self.wrap(context.compute_capability())?;
        let options = CompileOptions {
            name: Some(format!("{source:?}.cu")),
            // Products and sums are rounded separately, as on the CPU, so elementwise operations give the same bits.
            // The kernels are limited by memory, not by arithmetic.
            options: vec![
                format!("--gpu-architecture=compute_{major}{minor}"),
                "--std=c++17".into(),
                "--fmad=false".into(),
            ],
            ..CompileOptions::default()
        };
        let compiled = match compile_ptx_with_opts(source.text(), options) {
            Ok(compiled) => compiled,
            Err(error) => bail!("the kernels of {source:?} could not be compiled for this GPU: {error:?}"),
        };
        let module = self.wrap(context.load_module(compiled))?;
        modules.insert(source, Arc::clone(&module));
        Ok(module)
    }
}

impl<T: DeviceRepr> Buffer<T> {
    /// Copies values to the positions from `start` on; they may be dropped afterwards.
    pub(super) fn write_part(&mut self, gpu: &Gpu, start: usize, values: &[T]) -> Result<()> {
        let count = self.count();
        let Some(mut part) = self.slice_mut().try_slice_mut(start..start + values.len()) else {
            bail!("{} values from {start} on are outside an array of {count}", values.len())
        };
        gpu.wrap(gpu.stream().memcpy_htod(values, &mut part))
    }

    /// Copies some of the values to the host, after all work so far.
    pub(super) fn read_part(&self, gpu: &Gpu, part: Range<usize>) -> Result<Vec<T>> {
        match self.slice().try_slice(part.clone()) {
            Some(part) => gpu.wrap(gpu.stream().clone_dtoh(&part)),
            None => bail!("values {part:?} are outside an array of {}", self.count()),
        }
    }

    /// Copies all values to the host, after all work so far.
    pub(super) fn read(&self, gpu: &Gpu) -> Result<Vec<T>> {
        gpu.wrap(gpu.stream().clone_dtoh(self.slice()))
    }
}
