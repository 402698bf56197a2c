//! Sums over the rows of a matrix, and the two steps around a product: bias and rectification.

use candle_core::Result;

use super::gpu::Source;
use super::memory::Address;
use super::{Buffer, DeviceArray, Gpu};

/// Parts that the rows of a column sum are cut into, by the shape alone.
pub(super) fn parts(rows: usize) -> usize {
    rows.div_ceil(8 * 64).clamp(1, 512)
}

/// Blocks of a launch over the parts of all columns, and of one over all columns.
pub(super) fn part_blocks(parts: usize, columns: usize) -> [usize; 3] {
    [columns.div_ceil(32), parts, 1]
}

/// Threads of both.
pub(super) const PART_THREADS: [usize; 2] = [32, 8];

/// Adds the bias of its column to every row of `y`, if there is one, and rectifies if asked, in place.
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

/// The gradient where the rectified output is positive, if there is an output; and the sum of every column, if wanted.
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

/// A gradient through a rectification, judged by its output.
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
