//! Matrix products by cuBLAS.

use std::ffi::c_void;

use candle_core::cuda_backend::cudarc::cublas::{result, sys};
use candle_core::{Result, bail};

use super::Gpu;
use super::lock::lock;
use super::memory::Address;
use crate::Precision;

/// A row-major matrix at some position in a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Matrix {
    address: u64,
    pitch: usize,
    transposed: bool,
}

impl Matrix {
    /// Creates a matrix whose rows are `pitch` values apart.
    pub(super) fn new(values: &impl Address, pitch: usize) -> Self {
        Self { address: values.address(), pitch, transposed: false }
    }

    /// Moves the start by `values`.
    pub(super) fn from(self, values: usize) -> Self {
        Self { address: self.address + (values * size_of::<f32>()) as u64, ..self }
    }

    /// Uses the transpose in the product.
    pub(super) fn transposed(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    fn operation(self) -> sys::cublasOperation_t {
        if self.transposed {
            sys::cublasOperation_t::CUBLAS_OP_T
        } else {
            sys::cublasOperation_t::CUBLAS_OP_N
        }
    }
}

/// Computes `c = a b`, or `c += a b`, with a (m, k), b (k, n) and c (m, n).
pub(super) fn product(
    gpu: &Gpu,
    [m, n, k]: [usize; 3],
    a: Matrix,
    b: Matrix,
    c: Matrix,
    accumulate: bool,
) -> Result<()> {
    if m == 0 || n == 0 {
        return Ok(());
    }
    let sizes = [m, n, k, a.pitch, b.pitch, c.pitch].map(i32::try_from);
    let [Ok(m), Ok(n), Ok(k), Ok(a_pitch), Ok(b_pitch), Ok(c_pitch)] = sizes else {
        bail!("a product of matrices {m} x {k} and {k} x {n} is too large for cuBLAS; use a smaller batch");
    };
    let (alpha, beta) = (1.0f32, if accumulate { 1.0f32 } else { 0.0 });
    let compute = match gpu.precision() {
        Precision::Fp32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F,
        Precision::Tf32 => sys::cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
    };
    let float = sys::cudaDataType_t::CUDA_R_32F;
    let blas = gpu.device().cublas_handle();
    let _one_at_a_time = lock(&gpu.blas);
    gpu.wrap(gpu.stream().context().bind_to_thread())?;
    // cuBLAS is column-major: a row-major matrix is its transpose there, so the request is c^T = b^T a^T.
    // SAFETY: the handle is alive; the callers give matrices within buffers of their sizes, which live until the
    // stream has passed this product; alpha and beta are on this side, which is cuBLAS's default.
    let done = unsafe {
        result::gemm_ex(
            *blas.handle(),
            b.operation(),
            a.operation(),
            n,
            m,
            k,
            (&raw const alpha).cast::<c_void>(),
            b.address as *const c_void,
            float,
            b_pitch,
            a.address as *const c_void,
            float,
            a_pitch,
            (&raw const beta).cast::<c_void>(),
            c.address as *mut c_void,
            float,
            c_pitch,
            compute,
            sys::cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
        )
    };
    match done {
        Ok(()) => Ok(()),
        Err(error) => bail!("cuBLAS refused a product of {m} x {k} by {k} x {n}: {error:?}"),
    }
}
