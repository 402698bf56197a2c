//! 2-D convolution over channels-last feature maps, and its exact gradients.
//!
//! It uses no im2col, and copies no image except inputs of a few channels with padding. Weights
//! are small compared with images, so the weights are packed for the inner loops, once per
//! pass: see [`mod@panels`]. Three modules hold the loops:
//!
//! - [`mod@product`]: the output, and the input gradient, which is the same product over other
//!   windows. With a stride s the input's pixels fall into s x s classes that see different
//!   taps of the kernel; each class is one product.
//! - [`mod@weights`]: the gradient of the weights.
//! - [`mod@block`]: the innermost loops of both, sums in registers.
//!
//! The division of work depends only on the shapes, and every sum has a fixed order.

mod block;
pub(crate) mod geometry;
mod panels;
mod product;
mod weights;

use candle_core::{Result, bail};
use pulp::{Simd, WithSimd};

use crate::activation::masked_column_sums;
use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::extent;
use crate::memory::unwritten;
use crate::op::Op;
use crate::simd::{Level, run};
use geometry::{Geometry, padded};
use panels::{Panels, Registers, pack_bias, pack_forward, pack_input_gradient};
use product::{Grid, Image, Product};
use weights::weight_gradient;

/// Convolution of `x` (B, H, W, C) with weights (O, C / groups, KH, KW) and, as a third input, an
/// optional bias (O): (B, H', W', O). Pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2d {
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
    /// Number of independent groups of input and output channels.
    pub groups: usize,
    /// Applies `max(y, 0)` in the same pass.
    pub relu: bool,
}

impl Conv2d {
    /// Computes the output height and width for an input and a kernel of the given sizes.
    ///
    /// # Errors
    /// If a stride or the kernel is zero, the padded input is smaller than the kernel, or a size is [`crate::TooLarge`].
    pub fn output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2]> {
        let mut out = [0; 2];
        for (what, sizes) in [
            ("an input", input),
            ("a kernel", kernel),
            ("a stride", self.stride),
            ("a padding", self.padding),
        ] {
            extent::axes(&format!("conv2d: {what}"), &sizes)?;
        }
        for axis in 0..2 {
            if self.stride[axis] == 0 || kernel[axis] == 0 {
                bail!("conv2d: kernel {kernel:?} and stride {:?} must be at least 1", self.stride);
            }
            let padded = input[axis] + 2 * self.padding[axis];
            if padded < kernel[axis] {
                bail!(
                    "conv2d: an input of {input:?} with padding {:?} is smaller than the kernel {kernel:?}",
                    self.padding
                );
            }
            out[axis] = (padded - kernel[axis]) / self.stride[axis] + 1;
        }
        Ok(out)
    }

    pub(crate) fn geometry(&self, inputs: &[impl Shaped]) -> Result<Geometry> {
        let (x, weight) = match inputs {
            [x, weight] => (x, weight),
            [x, weight, bias] => {
                check::dims("conv2d", "the bias", bias, &weight.dims()[..1.min(weight.dims().len())])?;
                (x, weight)
            }
            other => bail!("conv2d: {} inputs, expected x, weight and an optional bias", other.len()),
        };
        let [batch, height, width, channels] = check::feature_map("conv2d", x)?;
        let &[outputs, weight_channels, kh, kw] = weight.dims() else {
            bail!("conv2d: the weight has shape {:?}, expected (O, C / groups, KH, KW)", weight.dims());
        };
        let groups = self.groups;
        if groups == 0 || !channels.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            bail!(
                "conv2d: {channels} input and {outputs} output channels cannot be divided into {groups} groups"
            );
        }
        if channels / groups != weight_channels {
            bail!(
                "conv2d: the input has {channels} channels in {groups} groups, the weight expects {weight_channels} each"
            );
        }
        let (input, kernel) = ([height, width], [kh, kw]);
        let (stride, padding, output) = (self.stride, self.padding, self.output_size(input, kernel)?);
        let g = Geometry { batch, input, channels, outputs, kernel, stride, padding, groups, output };
        extent::values("conv2d: an output", &[batch, output[0], output[1], outputs])?;
        let padded = g.with_padded_input().input;
        extent::values("conv2d: a padded input", &[batch, padded[0], padded[1], channels])?;
        Ok(g)
    }
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let g = self.geometry(inputs)?;
        let out = forward(Level::current()?, &g, inputs, self.relu);
        Ok((out, vec![g.batch, g.output[0], g.output[1], g.outputs]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { inputs, output, gradient, .. } = *given;
        let g = self.geometry(inputs)?;
        let dims = [g.batch, g.output[0], g.output[1], g.outputs];
        check::backward(self.name(), given, &dims)?;
        let level = Level::current()?;
        let bias_wanted = given.wants(2) && inputs.len() > 2;
        // The rectification and the bias share one pass over the gradient.
        let (masked, bias) =
            masked_column_sums(gradient.data, self.relu.then_some(output.data), g.outputs, bias_wanted);
        let grad = masked.as_deref().unwrap_or(gradient.data);
        let mut found = vec![Gradient::None; inputs.len()];
        if given.wants(0) {
            found[0] = Gradient::Values(input_gradient(level, &g, inputs[1].data, grad));
        }
        if given.wants(1) {
            let registers = run(level, Ask);
            let weight = if g.wants_padded_copy() {
                let x = padded(&g, inputs[0].data);
                weight_gradient(level, &g.with_padded_input(), registers, &x, grad)
            } else {
                weight_gradient(level, &g, registers, inputs[0].data, grad)
            };
            found[1] = Gradient::Values(weight);
        }
        if let Some(bias) = bias {
            found[2] = Gradient::Values(bias);
        }
        Ok(found)
    }
}

/// Queries the registers of a level.
struct Ask;

impl WithSimd for Ask {
    type Output = Registers;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> Registers {
        Registers { lanes: S::F32_LANES, many: S::REGISTER_COUNT >= 32 }
    }
}

/// Divides the channels of each group into panels.
fn cut(level: Level, channels: usize, groups: usize) -> (Panels, Vec<panels::Panel>) {
    let panels = Panels::new(channels, run(level, Ask));
    let list = panels.list(groups);
    (panels, list)
}

fn forward(level: Level, g: &Geometry, inputs: &[Array<'_>], relu: bool) -> Vec<f32> {
    let copy = g.wants_padded_copy().then(|| padded(g, inputs[0].data));
    let g = if copy.is_some() { g.with_padded_input() } else { *g };
    let (panels, list) = cut(level, g.group_outputs(), g.groups);
    let weights = pack_forward(&g, &panels, &list, inputs[1].data);
    let bias = inputs.get(2).map(|bias| pack_bias(&g, &panels, &list, bias.data));
    let tap = |tap: [usize; 2]| tap.map(|at| at as isize);
    let grid = Grid {
        batch: g.batch,
        size: g.output,
        source: Image { size: g.input, channels: g.channels },
        window_origin: g.padding.map(|padding| -(padding as isize)),
        window_step: g.stride,
        taps: g.taps().into_iter().map(tap).collect(),
        run: g.run(),
        target: Image { size: g.output, channels: g.outputs },
        origin: [0, 0],
        step: [1, 1],
    };
    // SAFETY: the grid's positions are all pixels of the output, and the product writes every channel of them.
    let mut out = unsafe { unwritten(g.output_len()) };
    let product = Product {
        grid,
        source: copy.as_deref().unwrap_or(inputs[0].data),
        panels: &panels,
        list: &list,
        weights: &weights,
        group_source: g.group_inputs(),
        bias: bias.as_ref(),
        relu,
    };
    product.run(level, &mut out);
    out
}

/// Along one axis, the input positions of one class modulo the stride.
struct Class {
    /// First position.
    origin: usize,
    /// Number of positions.
    count: usize,
    /// Kernel positions that reach them, each with the output position that it sees from the first one.
    taps: Vec<(usize, isize)>,
}

/// Lists the classes of an axis. Input position `i` receives from output position `(i + padding - k) / stride`
/// through kernel position `k` if the division is exact.
fn classes(size: usize, kernel: usize, stride: usize, padding: usize) -> impl Iterator<Item = Class> {
    (0..stride.min(size)).map(move |origin| {
        let shifted = origin + padding;
        let place = |k: usize| (k, (shifted as isize - k as isize) / stride as isize);
        let taps = (0..kernel).filter(|k| k % stride == shifted % stride).map(place).collect();
        Class { origin, count: (size - origin).div_ceil(stride), taps }
    })
}

fn input_gradient(level: Level, g: &Geometry, weight: &[f32], grad: &[f32]) -> Vec<f32> {
    let axis = |axis: usize| classes(g.input[axis], g.kernel[axis], g.stride[axis], g.padding[axis]);
    let columns: Vec<Class> = axis(1).collect();
    let (panels, list) = cut(level, g.group_inputs(), g.groups);
    // Positions of classes without taps keep a gradient of zero.
    let mut out = if (0..2).any(|axis| g.kernel[axis] < g.stride[axis]) {
        vec![0f32; g.input_len()]
    } else {
        // SAFETY: every pixel belongs to one class, every class has taps, and its product writes every channel.
        unsafe { unwritten(g.input_len()) }
    };
    for rows in axis(0) {
        for columns in columns.iter().filter(|columns| !columns.taps.is_empty() && !rows.taps.is_empty()) {
            let both =
                || rows.taps.iter().flat_map(|row| columns.taps.iter().map(move |column| (row, column)));
            let places: Vec<[usize; 2]> = both().map(|(row, column)| [row.0, column.0]).collect();
            let product = Product {
                grid: Grid {
                    batch: g.batch,
                    size: [rows.count, columns.count],
                    source: Image { size: g.output, channels: g.outputs },
                    window_origin: [0, 0],
                    window_step: [1, 1],
                    taps: both().map(|(row, column)| [row.1, column.1]).collect(),
                    run: g.group_outputs(),
                    target: Image { size: g.input, channels: g.channels },
                    origin: [rows.origin, columns.origin],
                    step: g.stride,
                },
                source: grad,
                panels: &panels,
                list: &list,
                weights: &pack_input_gradient(g, &panels, &list, &places, weight),
                group_source: g.group_outputs(),
                bias: None,
                relu: false,
            };
            product.run(level, &mut out);
        }
    }
    out
}
