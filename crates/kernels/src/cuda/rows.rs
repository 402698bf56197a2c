//! Sums over the rows of a matrix, and the two steps that accompany a product: bias and rectification.

use candle_core::Result;

use super::gpu::Source;
use super::memory::Address;
use super::{Buffer, DeviceArray, Gpu};

/// Returns the number of parts of a column sum, which depends only on the shape.
pub(super) fn parts(rows: usize) -> usize {
    rows.div_ceil(8 * 64).clamp(1, 512)
}

/// Returns the blocks of a launch over the parts of all columns.
pub(super) fn part_blocks(parts: usize, columns: usize) -> [usize; 3] {
    [columns.div_ceil(32), parts, 1]
}

/// Threads of a block in such a launch.
pub(super) const PART_THREADS: [usize; 2] = [32, 8];

/// Adds the bias, if there is one, to every row of `y`, and rectifies if requested, in place.
pub(super) fn add_bias(
    gpu: &Gpu,
    y: &mut Buffer,
    bias: Option<&DeviceArray<'_>>,
    relu: bool,
    [rows, columns]: [usize; 2],
) -> Result<()> {
    if bias.is_none() && !relu {
        return Ok(());
    }
    let kernel = gpu.kernel(Source::Elementwise, "add_bias")?;
    kernel.write(y).read(&bias).int(usize::from(relu)).over_rows(rows, columns)
}

/// Computes the masked gradient, if there is a rectified output, and the sum of every column, if requested.
pub(super) fn masked_column_sums(
    gpu: &Gpu,
    gradient: &DeviceArray<'_>,
    output: Option<&DeviceArray<'_>>,
    [rows, columns]: [usize; 2],
    sums_wanted: bool,
) -> Result<(Option<Buffer>, Option<Buffer>)> {
    let count = rows * columns;
    if !sums_wanted {
        let Some(output) = output else { return Ok((None, None)) };
        return Ok((Some(passed(gpu, gradient, output, count)?), None));
    }
    // SAFETY: the kernels write every value of all three.
    let (mut masked, mut sums, parts) = unsafe {
        let masked = output.map(|_| gpu.unwritten::<f32>(count)).transpose()?;
        (masked, gpu.unwritten::<f32>(columns)?, parts(rows))
    };
    // SAFETY: as above.
    let mut partial = unsafe { gpu.unwritten::<f64>(2 * parts * columns) }?;
    gpu.kernel(Source::Elementwise, "column_sums")?
        .read(gradient)
        .read(&output)
        .write(&mut masked)
        .write(&mut partial)
        .ints([rows, columns])
        .start(part_blocks(parts, columns), PART_THREADS)?;
    gpu.kernel(Source::Elementwise, "finish_column_sums")?
        .read(&partial)
        .int(parts)
        .write(&mut sums)
        .int(columns)
        .start(part_blocks(1, columns), PART_THREADS)?;
    Ok((masked, Some(sums)))
}

/// Computes a gradient through a rectification, as determined by its output.
pub(super) fn passed(
    gpu: &Gpu,
    gradient: &impl Address,
    output: &impl Address,
    count: usize,
) -> Result<Buffer> {
    // SAFETY: the kernel writes every value.
    let mut out = unsafe { gpu.unwritten(count) }?;
    gpu.kernel(Source::Elementwise, "relu_gradient")?
        .read(gradient)
        .read(output)
        .write(&mut out)
        .over(count)?;
    Ok(out)
}
