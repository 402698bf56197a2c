//! Convolution by cuDNN with the feature `cudnn`; without it, or if it has no algorithm, by im2col and cuBLAS.

use candle_core::Result;

use super::gpu::Source;
use super::memory::{Address, Offset};
use super::product::{Matrix, product};
use super::rows::{add_bias, masked_column_sums};
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::conv::geometry::Geometry;
use crate::op::Op;
use crate::{Conv2d, Gradient};

/// Approximate number of values that columns may take at once: 512 MiB.
const COLUMNS: usize = 128 << 20;

impl CudaOp for Conv2d {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let g = self.geometry(inputs)?;
        let weight = packed(gpu, &g, &inputs[1])?;
        // SAFETY: both ways write every value.
        let mut out = unsafe { gpu.unwritten(g.output_len()) }?;
        #[cfg(feature = "cudnn")]
        let done = gpu.convolutions.forward(gpu, &g, &inputs[0], &weight, &mut out)?;
        #[cfg(not(feature = "cudnn"))]
        let done = false;
        if !done {
            forward(gpu, &g, &inputs[0], &weight, &out)?;
        }
        add_bias(gpu, &mut out, inputs.get(2), self.relu, [g.positions(), g.outputs])?;
        Ok((out, vec![g.batch, g.output[0], g.output[1], g.outputs]))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let DeviceBackward { inputs, output, gradient, .. } = *given;
        let g = self.geometry(inputs)?;
        let dims = [g.batch, g.output[0], g.output[1], g.outputs];
        check::backward(self.name(), given, &dims)?;
        let relu = self.relu.then_some(&output);
        let bias_wanted = given.wants(2) && inputs.len() > 2;
        let (masked, bias) =
            masked_column_sums(gpu, &gradient, relu, [g.positions(), g.outputs], bias_wanted)?;
        let mut found: Vec<_> = inputs.iter().map(|_| Gradient::None).collect();
        let wanted = [0, 1].map(|input| given.wants(input));
        match &masked {
            Some(masked) => products(gpu, &g, inputs, masked, wanted, &mut found)?,
            None => products(gpu, &g, inputs, &gradient, wanted, &mut found)?,
        }
        if let Some(bias) = bias {
            found[2] = Gradient::Values(bias);
        }
        Ok(found)
    }
}

/// Computes the gradients of input and weight.
fn products(
    gpu: &Gpu,
    g: &Geometry,
    inputs: &[DeviceArray<'_>],
    gradient: &impl Address,
    [wants_input, wants_weight]: [bool; 2],
    found: &mut [Gradient<Buffer>],
) -> Result<()> {
    if wants_input {
        let weight = packed(gpu, g, &inputs[1])?;
        // SAFETY: both ways write every value.
        let mut out = unsafe { gpu.unwritten(g.input_len()) }?;
        #[cfg(feature = "cudnn")]
        let done = gpu.convolutions.input_gradient(gpu, g, &weight, gradient, &mut out)?;
        #[cfg(not(feature = "cudnn"))]
        let done = false;
        if !done {
            input_gradient(gpu, g, &weight, gradient, &mut out)?;
        }
        found[0] = Gradient::Values(out);
    }
    if wants_weight {
        // An empty batch leaves it unwritten.
        let mut out = gpu.zeros(g.weights())?;
        #[cfg(feature = "cudnn")]
        let done = gpu.convolutions.weight_gradient(gpu, g, &inputs[0], gradient, &mut out)?;
        #[cfg(not(feature = "cudnn"))]
        let done = false;
        if !done {
            weight_gradient(gpu, g, &inputs[0], gradient, &mut out)?;
        }
        found[1] = Gradient::Values(unpacked(gpu, g, out)?);
    }
    Ok(())
}

/// Converts weights (O, C, KH, KW) to (O, KH, KW, C).
fn packed(gpu: &Gpu, g: &Geometry, weight: &DeviceArray<'_>) -> Result<Buffer> {
    // SAFETY: the kernel writes every value.
    let mut out = unsafe { gpu.unwritten(g.weights()) }?;
    let kernel = gpu.kernel(Source::Convolution, "pack_weight")?.read(weight).write(&mut out);
    kernel.ints([g.group_inputs(), g.kernel[0] * g.kernel[1]]).over(g.weights())?;
    Ok(out)
}

/// Converts weights (O, KH, KW, C) back to (O, C, KH, KW).
fn unpacked(gpu: &Gpu, g: &Geometry, weight: Buffer) -> Result<Buffer> {
    if g.kernel == [1, 1] {
        return Ok(weight);
    }
    // SAFETY: the kernel writes every value.
    let mut out = unsafe { gpu.unwritten(g.weights()) }?;
    let kernel = gpu.kernel(Source::Convolution, "unpack_weight")?.read(&weight).write(&mut out);
    kernel.ints([g.group_inputs(), g.kernel[0] * g.kernel[1]]).over(g.weights())?;
    Ok(out)
}

/// Returns `true` if an input equals its columns: every window is one pixel, and no pixel is skipped.
fn is_product(g: &Geometry) -> bool {
    g.kernel == [1, 1] && g.stride == [1, 1] && g.padding == [0, 0]
}

/// Returns the number of samples whose columns are made at once.
fn at_once(g: &Geometry) -> usize {
    let each = g.output[0] * g.output[1] * g.window();
    (COLUMNS / each.max(1)).clamp(1, g.batch.max(1))
}

/// Some samples of a batch: `count` from `first` on.
struct Samples {
    first: usize,
    count: usize,
}

impl Samples {
    fn of(g: &Geometry) -> impl Iterator<Item = Self> {
        let (batch, each) = (g.batch, at_once(g));
        (0..batch).step_by(each).map(move |first| Self { first, count: each.min(batch - first) })
    }

    fn positions(&self, g: &Geometry) -> usize {
        self.count * g.output[0] * g.output[1]
    }

    /// Returns the offsets of the samples in the input and in the output.
    fn starts(&self, g: &Geometry) -> [usize; 2] {
        [g.input_len() / g.batch * self.first, g.output_len() / g.batch * self.first]
    }
}

/// Returns the sizes that both column kernels take, for a group.
fn sizes(g: &Geometry, group: usize) -> [usize; 13] {
    let [height, width] = g.input;
    let ([ky, kx], [sy, sx], [py, px], [oh, ow]) = (g.kernel, g.stride, g.padding, g.output);
    let channels = g.group_inputs();
    [height, width, g.channels, group * channels, channels, ky, kx, sy, sx, py, px, oh, ow]
}

/// Returns the values of every window of some samples of a group, (positions, KH KW C): columns in `room`, or the input
/// itself.
fn windows(
    gpu: &Gpu,
    g: &Geometry,
    group: usize,
    samples: &Samples,
    x: &impl Address,
    room: &mut Buffer,
) -> Result<Matrix> {
    let [input, _] = samples.starts(g);
    if is_product(g) {
        return Ok(Matrix::new(x, g.channels).from(input + group * g.group_inputs()));
    }
    let positions = samples.positions(g);
    gpu.kernel(Source::Convolution, "columns")?
        .read(&Offset::of::<f32>(x, input))
        .write(room)
        .ints(sizes(g, group))
        .int(positions)
        .on_rows(positions, g.window())?;
    Ok(Matrix::new(room, g.window()))
}

/// Allocates memory for the columns of the samples that are made at once; one value if none are needed.
fn room(gpu: &Gpu, g: &Geometry) -> Result<Buffer> {
    let count = if is_product(g) { 1 } else { at_once(g) * g.output[0] * g.output[1] * g.window() };
    // SAFETY: columns, or a product, are written whole before they are read.
    unsafe { gpu.unwritten(count) }
}

fn forward(gpu: &Gpu, g: &Geometry, x: &DeviceArray<'_>, weight: &Buffer, out: &Buffer) -> Result<()> {
    let mut room = room(gpu, g)?;
    for samples in Samples::of(g) {
        let [_, output] = samples.starts(g);
        for group in 0..g.groups {
            let rows = windows(gpu, g, group, &samples, x, &mut room)?;
            let filters = Matrix::new(weight, g.window()).from(group * g.group_outputs() * g.window());
            let target = Matrix::new(out, g.outputs).from(output + group * g.group_outputs());
            let size = [samples.positions(g), g.group_outputs(), g.window()];
            product(gpu, size, rows, filters.transposed(), target, false)?;
        }
    }
    Ok(())
}

fn input_gradient(
    gpu: &Gpu,
    g: &Geometry,
    weight: &Buffer,
    gradient: &impl Address,
    out: &mut Buffer,
) -> Result<()> {
    let room = room(gpu, g)?;
    for samples in Samples::of(g) {
        let [input, output] = samples.starts(g);
        for group in 0..g.groups {
            let grad = Matrix::new(gradient, g.outputs).from(output + group * g.group_outputs());
            let filters = Matrix::new(weight, g.window()).from(group * g.group_outputs() * g.window());
            let size = [samples.positions(g), g.window(), g.group_outputs()];
            if is_product(g) {
                let target = Matrix::new(out, g.channels).from(input + group * g.group_inputs());
                product(gpu, size, grad, filters, target, false)?;
                continue;
            }
            product(gpu, size, grad, filters, Matrix::new(&room, g.window()), false)?;
            let pixels = samples.count * g.input[0] * g.input[1];
            gpu.kernel(Source::Convolution, "gather_columns")?
                .read(&room)
                .write(&mut Offset::of::<f32>(out, input))
                .ints(sizes(g, group))
                .int(pixels)
                .on_rows(pixels, g.group_inputs())?;
        }
    }
    Ok(())
}

/// Computes the gradient of the weights as (O, KH, KW, C).
fn weight_gradient(
    gpu: &Gpu,
    g: &Geometry,
    x: &DeviceArray<'_>,
    gradient: &impl Address,
    out: &mut Buffer,
) -> Result<()> {
    let mut room = room(gpu, g)?;
    for samples in Samples::of(g) {
        let [_, output] = samples.starts(g);
        for group in 0..g.groups {
            let rows = windows(gpu, g, group, &samples, x, &mut room)?;
            let grad = Matrix::new(gradient, g.outputs).from(output + group * g.group_outputs());
            let target = Matrix::new(out, g.window()).from(group * g.group_outputs() * g.window());
            let size = [g.group_outputs(), g.window(), samples.positions(g)];
            product(gpu, size, grad.transposed(), rows, target, samples.first > 0)?;
        }
    }
    Ok(())
}
