//! Elementwise operations: rectification, addition, multiplication by a constant mask. Each is one pass.

use candle_core::{CpuStorage, InplaceOp2, Layout, Result, Tensor, bail};
use rayon::prelude::*;

use crate::array::{Array, Backward, Gradient};
use crate::check;
use crate::engine::{forward, share_memory};
use crate::memory::unwritten;
use crate::op::Op;
use crate::simd::vectorised;

/// Number of values handled by one task; a constant, so that the division depends on nothing else.
const CHUNK: usize = 1 << 15;

/// `max(x, 0)` for one input of any shape; NaN stays NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relu;

impl Op for Relu {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        Ok((mapped(x.data, rectified), x.dims.to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        Ok(vec![Gradient::Values(combined(self.name(), given.gradient, given.output.data, passed)?)])
    }
}

/// The sum of two inputs of one shape, rectified if `relu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Add {
    /// Rectifies the sum.
    pub relu: bool,
}

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [a, b] = check::inputs(self.name(), inputs)?;
        check::dims(self.name(), "the second input", &b, a.dims)?;
        // Two loops, since the compiler does not always hoist the condition out of one.
        let out = if self.relu {
            combined(
                self.name(),
                a,
                b.data,
                #[inline(always)]
                |a, b| rectified(a + b),
            )
        } else {
            combined(
                self.name(),
                a,
                b.data,
                #[inline(always)]
                |a, b| a + b,
            )
        };
        Ok((out?, a.dims.to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { output, gradient, wanted, .. } = *given;
        check::backward(self.name(), given, output.dims)?;
        if !self.relu {
            let of = |&wanted: &bool| if wanted { Gradient::OfOutput } else { Gradient::None };
            return Ok(wanted.iter().map(of).collect());
        }
        let values = combined(self.name(), gradient, output.data, passed)?;
        Ok(match *wanted {
            [true, true] => vec![Gradient::Values(values.clone()), Gradient::Values(values)],
            [true, false] => vec![Gradient::Values(values), Gradient::None],
            [false, true] => vec![Gradient::None, Gradient::Values(values)],
            _ => vec![Gradient::None, Gradient::None],
        })
    }
}

/// Returns the sum of two tensors of one shape. On the CPU it takes the memory of the first, so no other tensor may need
/// those values.
///
/// # Errors
/// If the shapes differ or a tensor is not `f32`.
pub fn add_to(sum: Tensor, values: &Tensor) -> Result<Tensor> {
    let op = "add";
    if !sum.device().is_cpu() || !sum.is_contiguous() || share_memory(&sum, values) {
        return forward(&Add { relu: false }, &[&sum, values]);
    }
    check::shape(op, "the second input", values, sum.dims())?;
    sum.inplace_op2(&values.contiguous()?, &AddTo)?;
    Ok(sum)
}

/// Adds to the first tensor.
struct AddTo;

impl InplaceOp2 for AddTo {
    fn name(&self) -> &'static str {
        "add"
    }

    fn cpu_fwd(&self, s1: &mut CpuStorage, l1: &Layout, s2: &CpuStorage, l2: &Layout) -> Result<()> {
        let sum = check::values_mut(self.name(), "the sum", s1, l1)?;
        let values = check::values(self.name(), "the second input", s2, l2)?;
        sum.par_chunks_mut(CHUNK).zip(values.par_chunks(CHUNK)).for_each(|(sum, values)| {
            vectorised(
                #[inline(always)]
                || {
                    for (sum, value) in sum.iter_mut().zip(values) {
                        *sum += value;
                    }
                },
            );
        });
        Ok(())
    }
}

/// Multiplication by a constant as large as the input (dropout).
#[derive(Debug)]
pub struct Mask {
    pub(crate) factors: Vec<f32>,
    /// The factors on the GPU of the forward pass.
    #[cfg(feature = "cuda")]
    pub(crate) on_device: std::sync::Mutex<Option<crate::cuda::Buffer>>,
}

impl Mask {
    /// Creates a mask of these factors, in the order of the input.
    pub fn new(mask: Vec<f32>) -> Self {
        Self {
            factors: mask,
            #[cfg(feature = "cuda")]
            on_device: std::sync::Mutex::default(),
        }
    }
}

impl Op for Mask {
    fn name(&self) -> &'static str {
        "mask"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let out = combined(
            self.name(),
            x,
            &self.factors,
            #[inline(always)]
            |x, factor| x * factor,
        );
        Ok((out?, x.dims.to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { gradient, .. } = *given;
        let found = combined(
            self.name(),
            gradient,
            &self.factors,
            #[inline(always)]
            |gradient, factor| gradient * factor,
        );
        Ok(vec![Gradient::Values(found?)])
    }
}

/// Computes `max(x, 0)` and keeps NaN.
#[inline(always)]
pub(crate) fn rectified(x: f32) -> f32 {
    if x < 0.0 { 0.0 } else { x }
}

/// Returns the gradient that passes back through a rectification with this output; a NaN output lets it through.
#[inline(always)]
pub(crate) fn passed(gradient: f32, output: f32) -> f32 {
    if output <= 0.0 { 0.0 } else { gradient }
}

/// Applies `f` to every value.
pub(crate) fn mapped(x: &[f32], f: impl Fn(f32) -> f32 + Copy + Sync) -> Vec<f32> {
    // SAFETY: the tasks write every value.
    let mut out = unsafe { unwritten(x.len()) };
    out.par_chunks_mut(CHUNK).zip(x.par_chunks(CHUNK)).for_each(|(out, x)| {
        vectorised(
            #[inline(always)]
            || {
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = f(x);
                }
            },
        );
    });
    out
}

/// Applies `f` to pairs of values from two operands of equal length.
pub(crate) fn combined(
    op: &str,
    a: Array<'_>,
    b: &[f32],
    f: impl Fn(f32, f32) -> f32 + Copy + Sync,
) -> Result<Vec<f32>> {
    let a = a.data;
    if a.len() != b.len() {
        bail!("{op}: operands of {} and {} values differ in length", a.len(), b.len());
    }
    // SAFETY: the tasks write every value, since the slices have one length.
    let mut out = unsafe { unwritten(a.len()) };
    out.par_chunks_mut(CHUNK).zip(a.par_chunks(CHUNK)).zip(b.par_chunks(CHUNK)).for_each(|((out, a), b)| {
        vectorised(
            #[inline(always)]
            || {
                for ((out, &a), &b) in out.iter_mut().zip(a).zip(b) {
                    *out = f(a, b);
                }
            },
        );
    });
    Ok(out)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    #[test]
    fn a_sum_takes_the_memory_of_the_first_tensor_and_has_the_bits_of_an_addition() {
        let tensor = |seed| Tensor::from_vec(testkit::noise(seed, 70_001), 70_001, &Device::Cpu).unwrap();
        let bits =
            |x: &Tensor| -> Vec<u32> { x.to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect() };
        let (a, b) = (tensor(1), tensor(2));
        let expected = forward(&Add { relu: false }, &[&a, &b]).unwrap();
        let sum = add_to(a.clone(), &b).unwrap();
        assert!(share_memory(&sum, &a) && !share_memory(&sum, &b));
        assert_eq!(bits(&sum), bits(&expected));
        // A tensor is not added to its own memory.
        let twice = add_to(b.clone(), &b).unwrap();
        assert!(!share_memory(&twice, &b));
        assert!(add_to(b, &Tensor::zeros(3, candle_core::DType::F32, &Device::Cpu).unwrap()).is_err());
    }
}
