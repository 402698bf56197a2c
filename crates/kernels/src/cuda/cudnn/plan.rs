//! A cuDNN handle, and the algorithms chosen for each convolution.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use candle_core::cuda_backend::cudarc::cudnn::{CudnnError, result, sys};
use candle_core::cuda_backend::cudarc::driver::CudaStream;
use candle_core::{Result, bail};

use crate::conv::geometry::Geometry;
use crate::cuda::lock::lock;
use crate::precision::Precision;

/// Returns the version of the library, such as `9.12.0`.
pub(in crate::cuda) fn version() -> String {
    let number = result::get_version();
    format!("{}.{}.{}", number / 10_000, number % 10_000 / 100, number % 100)
}

/// Maximum working memory of an algorithm in bytes.
const WORKSPACE: usize = 2 << 30;

/// cuDNN, and the plans for every convolution so far.
#[derive(Debug)]
pub(in crate::cuda) struct Convolutions {
    /// The library, which takes one call at a time.
    pub(super) library: Mutex<Library>,
    plans: Mutex<HashMap<(Geometry, Precision), Arc<Plan>>>,
}

/// A cuDNN handle whose work goes through one stream.
#[derive(Debug)]
pub(super) struct Library {
    pub(super) handle: sys::cudnnHandle_t,
    /// The stream, kept so that it outlives the handle.
    stream: Arc<CudaStream>,
}

// SAFETY: a handle may move between threads as long as one at a time uses it, which the mutex around it sees to.
unsafe impl Send for Library {}

impl Library {
    fn new(stream: &Arc<CudaStream>) -> std::result::Result<Self, CudnnError> {
        let handle = result::create_handle()?;
        let library = Self { handle, stream: Arc::clone(stream) };
        // SAFETY: the handle was just made, and the stream is kept beside it.
        unsafe { result::set_stream(handle, stream.cu_stream().cast()) }?;
        Ok(library)
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: the handle is destroyed once. A refusal leaves nothing to do.
        unsafe {
            let _ = result::destroy_handle(self.handle);
        }
    }
}

/// The algorithms of the three products of a convolution; a product without a choice falls back to im2col and cuBLAS.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) descriptors: Descriptors,
    pub(super) forward: Option<Choice<sys::cudnnConvolutionFwdAlgo_t>>,
    pub(super) input: Option<Choice<sys::cudnnConvolutionBwdDataAlgo_t>>,
    pub(super) weight: Option<Choice<sys::cudnnConvolutionBwdFilterAlgo_t>>,
}

/// The algorithm of a product.
#[derive(Debug)]
pub(super) struct Choice<A> {
    pub(super) algorithm: A,
    /// The convolution descriptor with the math type of the algorithm.
    pub(super) conv: Convolution,
    /// Bytes of working memory.
    pub(super) memory: usize,
}

/// cuDNN's descriptors of the arrays of a convolution.
#[derive(Debug)]
pub(super) struct Descriptors {
    pub(super) x: sys::cudnnTensorDescriptor_t,
    pub(super) y: sys::cudnnTensorDescriptor_t,
    pub(super) weight: sys::cudnnFilterDescriptor_t,
}

/// cuDNN's descriptor of strides, paddings, groups and the math type.
#[derive(Debug)]
pub(super) struct Convolution(pub(super) sys::cudnnConvolutionDescriptor_t);

// SAFETY: as for `Descriptors`.
unsafe impl Send for Convolution {}
// SAFETY: as for `Descriptors`.
unsafe impl Sync for Convolution {}

impl Drop for Convolution {
    fn drop(&mut self) {
        // SAFETY: made by its create function and destroyed once. A refusal leaves nothing to do.
        unsafe {
            let _ = result::destroy_convolution_descriptor(self.0);
        }
    }
}

// SAFETY: the descriptors are not changed after they are made, and cuDNN reads them from any thread.
unsafe impl Send for Descriptors {}
// SAFETY: as above.
unsafe impl Sync for Descriptors {}

impl Drop for Descriptors {
    fn drop(&mut self) {
        // SAFETY: each was made by its create function and is destroyed once. A refusal leaves nothing to do.
        unsafe {
            let _ = result::destroy_tensor_descriptor(self.x);
            let _ = result::destroy_tensor_descriptor(self.y);
            let _ = result::destroy_filter_descriptor(self.weight);
        }
    }
}

pub(super) fn failed(what: &str, g: &Geometry, error: CudnnError) -> candle_core::Error {
    candle_core::Error::Msg(format!("cuDNN: {what} of a convolution failed ({error:?}); sizes: {g:?}"))
}

impl Convolutions {
    pub(in crate::cuda) fn new(stream: &Arc<CudaStream>) -> Result<Self> {
        match Library::new(stream) {
            Ok(library) => Ok(Self { library: Mutex::new(library), plans: Mutex::default() }),
            Err(error) => bail!("cuDNN could not be started: {error:?}"),
        }
    }

    /// Returns the plan for these sizes, making it on first use; `None` for an empty batch or sizes beyond cuDNN's limits.
    pub(super) fn plan(&self, g: &Geometry, precision: Precision) -> Result<Option<Arc<Plan>>> {
        if g.positions() == 0
            || g.weights() == 0
            || g.input_len() > i32::MAX as usize
            || g.output_len() > i32::MAX as usize
        {
            return Ok(None);
        }
        let key = (*g, precision);
        if let Some(plan) = lock(&self.plans).get(&key) {
            return Ok(Some(Arc::clone(plan)));
        }
        let library = lock(&self.library);
        if let Err(error) = library.stream.context().bind_to_thread() {
            bail!("cuDNN: the GPU does not answer: {error}");
        }
        let plan =
            Arc::new(Plan::new(&library, g, precision).map_err(|error| failed("the description", g, error))?);
        lock(&self.plans).insert(key, Arc::clone(&plan));
        Ok(Some(plan))
    }
}

impl Plan {
    fn new(library: &Library, g: &Geometry, precision: Precision) -> std::result::Result<Self, CudnnError> {
        let mut plan = Self { descriptors: Descriptors::new(g)?, forward: None, input: None, weight: None };
        plan.forward = plan.choose_forward(library, g, precision)?;
        plan.input = plan.choose_input(library, g, precision)?;
        plan.weight = plan.choose_weight(library, g, precision)?;
        Ok(plan)
    }
}

/// Chooses an algorithm: the first in the list of cuDNN's heuristics that works, is deterministic, fits into the working
/// memory, and computes in the requested precision. Nothing is timed, since a choice by timing could differ from run to
/// run.
macro_rules! choose {
    ($name:ident, $algorithm:ty, $performance:ty, $count:expr, $ask:path, $room:path, [$a:ident, $b:ident, $c:ident]) => {
        fn $name(
            &self,
            library: &Library,
            g: &Geometry,
            precision: Precision,
        ) -> std::result::Result<Option<Choice<$algorithm>>, CudnnError> {
            const COUNT: usize = $count as usize;
            let (handle, d) = (library.handle, &self.descriptors);
            let asked = Convolution::new(g, kind(precision))?;
            let mut found = [0; 1];
            // SAFETY: plain numbers; cuDNN fills in as many as it says, which is at most COUNT.
            let mut list: [$performance; COUNT] = unsafe { std::mem::zeroed() };
            // SAFETY: the handle and the descriptors are alive, and the list has room for COUNT entries.
            let listed = unsafe {
                $ask(handle, d.$a, d.$b, asked.0, d.$c, COUNT as i32, found.as_mut_ptr(), list.as_mut_ptr())
            };
            if listed.is_err() {
                return Ok(None);
            }
            for entry in list.iter().take(usize::try_from(found[0]).unwrap_or(0)) {
                let works = entry.status == sys::cudnnStatus_t::CUDNN_STATUS_SUCCESS
                    && entry.determinism == sys::cudnnDeterminism_t::CUDNN_DETERMINISTIC;
                if !works {
                    continue;
                }
                // The list names a math type for each algorithm. For plain f32 only the plain type is acceptable,
                // whatever the list says.
                let math = if precision == Precision::Fp32 { kind(precision) } else { entry.mathType };
                let conv = Convolution::new(g, math)?;
                // SAFETY: as above.
                let memory = unsafe { $room(handle, d.$a, d.$b, conv.0, d.$c, entry.algo) };
                if let Ok(memory) = memory
                    && memory <= WORKSPACE
                {
                    return Ok(Some(Choice { algorithm: entry.algo, conv, memory }));
                }
            }
            Ok(None)
        }
    };
}

/// Returns the math type to request. The default type for f32 uses TF32 if the GPU has it.
fn kind(precision: Precision) -> sys::cudnnMathType_t {
    match precision {
        Precision::Fp32 => sys::cudnnMathType_t::CUDNN_FMA_MATH,
        Precision::Tf32 => sys::cudnnMathType_t::CUDNN_DEFAULT_MATH,
    }
}

impl Plan {
    choose!(
        choose_forward,
        sys::cudnnConvolutionFwdAlgo_t,
        sys::cudnnConvolutionFwdAlgoPerf_t,
        sys::cudnnConvolutionFwdAlgo_t::CUDNN_CONVOLUTION_FWD_ALGO_COUNT,
        result::get_convolution_forward_algorithm,
        result::get_convolution_forward_workspace_size,
        [x, weight, y]
    );
    choose!(
        choose_input,
        sys::cudnnConvolutionBwdDataAlgo_t,
        sys::cudnnConvolutionBwdDataAlgoPerf_t,
        sys::cudnnConvolutionBwdDataAlgo_t::CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT,
        result::get_convolution_backward_data_algorithm,
        result::get_convolution_backward_data_workspace_size,
        [weight, y, x]
    );
    choose!(
        choose_weight,
        sys::cudnnConvolutionBwdFilterAlgo_t,
        sys::cudnnConvolutionBwdFilterAlgoPerf_t,
        sys::cudnnConvolutionBwdFilterAlgo_t::CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT,
        result::get_convolution_backward_filter_algorithm,
        result::get_convolution_backward_filter_workspace_size,
        [x, y, weight]
    );
}

/// Converts a size. Every size fits: `Convolutions::plan` refuses larger arrays, no size is larger than its array, and
/// paddings are smaller than their kernels.
fn int(size: usize) -> i32 {
    size as i32
}

impl Convolution {
    fn new(g: &Geometry, math: sys::cudnnMathType_t) -> std::result::Result<Self, CudnnError> {
        let conv = Self(result::create_convolution_descriptor()?);
        let ([py, px], [sy, sx]) = (g.padding.map(int), g.stride.map(int));
        let mode = sys::cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION;
        // SAFETY: the descriptor was just made.
        unsafe {
            result::set_convolution2d_descriptor(
                conv.0,
                py,
                px,
                sy,
                sx,
                1,
                1,
                mode,
                sys::cudnnDataType_t::CUDNN_DATA_FLOAT,
            )?;
            result::set_convolution_group_count(conv.0, int(g.groups))?;
            result::set_convolution_math_type(conv.0, math)?;
        }
        Ok(conv)
    }
}

impl Descriptors {
    fn new(g: &Geometry) -> std::result::Result<Self, CudnnError> {
        let float = sys::cudnnDataType_t::CUDNN_DATA_FLOAT;
        let last = sys::cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let d = Self {
            x: result::create_tensor_descriptor()?,
            y: result::create_tensor_descriptor()?,
            weight: result::create_filter_descriptor()?,
        };
        let x = [g.batch, g.channels, g.input[0], g.input[1]].map(int);
        let y = [g.batch, g.outputs, g.output[0], g.output[1]].map(int);
        let weight = [g.outputs, g.group_inputs(), g.kernel[0], g.kernel[1]].map(int);
        // SAFETY: the descriptors were just made.
        unsafe {
            result::set_tensor4d_descriptor(d.x, last, float, x)?;
            result::set_tensor4d_descriptor(d.y, last, float, y)?;
            result::set_filter4d_descriptor(d.weight, float, last, weight)?;
        }
        Ok(d)
    }
}
