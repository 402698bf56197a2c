//! In-place operations of the optimiser.

use candle_core::{Result, Tensor};

use super::Gpu;
use super::engine::Held;
use super::gpu::Source;
use super::memory::Offset;
use crate::SgdStep;

/// Does one descent step for one parameter.
pub(crate) fn sgd_step(
    gpu: &Gpu,
    [parameter, velocity, gradient]: [&Tensor; 3],
    step: SgdStep,
) -> Result<()> {
    let op = "sgd-step";
    let held = [parameter, velocity, gradient].map(Held::new);
    let [mut parameter, mut velocity, gradient] =
        [held[0].array(op, gpu)?, held[1].array(op, gpu)?, held[2].array(op, gpu)?];
    // Only memory of the device changes, in the order of the stream, and nothing that Rust tracks.
    gpu.kernel(Source::Elementwise, "sgd_step")?
        .write(&mut parameter)
        .write(&mut velocity)
        .read(&gradient)
        .float(step.rate)
        .float(step.momentum)
        .float(step.weight_decay)
        .float(step.gradient_scale)
        .over(gradient.count())
}

/// Computes `values = (1 - share) values + share observed`.
pub(crate) fn running_average(gpu: &Gpu, values: &Tensor, observed: &Tensor, share: f64) -> Result<()> {
    let op = "running-average";
    let held = [values, observed].map(Held::new);
    let [mut values, observed] = [held[0].array(op, gpu)?, held[1].array(op, gpu)?];
    let kernel = gpu.kernel(Source::Elementwise, "running_average")?.write(&mut values).read(&observed);
    kernel.double(share).over(observed.count())
}

/// Computes the sum of the squares of each tensor's values, with one wait for all of them.
pub(crate) fn sum_of_squares(gpu: &Gpu, tensors: &[Tensor]) -> Result<Vec<f64>> {
    /// Number of blocks for a large tensor.
    const BLOCKS: usize = 256;
    // SAFETY: the launches below write every value of both, one tensor after the other in the order of the stream.
    let (sums, mut parts) = unsafe { (gpu.unwritten::<f64>(tensors.len())?, gpu.unwritten::<f64>(BLOCKS)?) };
    for (at, tensor) in tensors.iter().enumerate() {
        let held = Held::new(tensor);
        let values = held.array("sum-of-squares", gpu)?;
        let blocks = values.count().div_ceil(4096).clamp(1, BLOCKS);
        let kernel = gpu.kernel(Source::Elementwise, "squares")?.read(&values).write(&mut parts);
        kernel.long(values.count()).block_each(blocks)?;
        let kernel = gpu.kernel(Source::Elementwise, "finish_squares")?.read(&parts);
        kernel.write(&mut Offset::of::<f64>(&sums, at)).int(blocks).block_each(1)?;
    }
    let mut sums = sums.read(gpu)?;
    sums.truncate(tensors.len());
    Ok(sums)
}
