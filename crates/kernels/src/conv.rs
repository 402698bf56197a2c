//! 2-D convolution with groups and a stride and a padding per axis, and its exact gradients.

use candle_core::{Result, bail};

use crate::check;
use crate::elementwise::through_relu;
use crate::op::{Array, Gradient, Op};
use crate::reference;

/// A convolution: inputs x (B, H, W, C), weight (O, C / groups, KH, KW) and optionally bias
/// (O), output (B, H', W', O). Pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv2d {
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Zeros added on each side.
    pub padding: [usize; 2],
    /// Parts that the channels are cut into; outputs of a part see only its inputs.
    pub groups: usize,
    /// Whether the output is rectified.
    pub relu: bool,
}

impl Conv2d {
    /// Output height and width for an input and a kernel of the given sizes.
    ///
    /// # Errors
    /// If a stride or the kernel is zero, or the padded input is smaller than the kernel.
    pub fn output_size(&self, input: [usize; 2], kernel: [usize; 2]) -> Result<[usize; 2]> {
        let mut out = [0; 2];
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

    fn geometry(&self, inputs: &[Array<'_>]) -> Result<Geometry> {
        let op = "conv2d";
        let (x, weight, bias) = match inputs {
            [x, weight] => (x, weight, None),
            [x, weight, bias] => (x, weight, Some(bias)),
            other => bail!("{op}: {} inputs, expected x, weight and optionally bias", other.len()),
        };
        let [batch, height, width, channels] = check::feature_map(op, x)?;
        let &[outputs, part, kh, kw] = weight.dims else {
            bail!("{op}: the weight has shape {:?}, expected (O, C / groups, KH, KW)", weight.dims);
        };
        if self.groups == 0 || channels % self.groups != 0 || outputs % self.groups != 0 {
            bail!("{op}: {} groups do not divide {channels} channels and {outputs} outputs", self.groups);
        }
        if channels / self.groups != part {
            bail!(
                "{op}: the input has {channels} channels in {} groups, the weight expects {part} a group",
                self.groups
            );
        }
        if let Some(bias) = bias {
            check::dims(op, "the bias", bias, &[outputs])?;
        }
        let output = self.output_size([height, width], [kh, kw])?;
        Ok(Geometry { input: [batch, height, width, channels], kernel: [outputs, kh, kw], output })
    }
}

struct Geometry {
    input: [usize; 4],
    kernel: [usize; 3],
    output: [usize; 2],
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let Geometry { input, kernel, output } = self.geometry(inputs)?;
        let zeros = vec![0.0; kernel[0]];
        let bias = inputs.get(2).map_or(&zeros[..], |bias| bias.data);
        let mut y = reference::conv2d(inputs[0].data, input, inputs[1].data, kernel, bias, output, self);
        if self.relu {
            y.iter_mut().for_each(|y| *y = crate::elementwise::rectified(*y));
        }
        Ok((y, vec![input[0], output[0], output[1], kernel[0]]))
    }

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let g = self.geometry(inputs)?;
        let grad = if self.relu { &through_relu(gradient.data, output.data) } else { gradient.data };
        let found = reference::conv2d_gradients(
            inputs[0].data,
            g.input,
            inputs[1].data,
            g.kernel,
            grad,
            g.output,
            self,
        );
        let all = [found.x, found.weight, found.bias].into_iter().zip(wanted);
        Ok(all
            .map(|(values, &wanted)| if wanted { Gradient::Values(values) } else { Gradient::None })
            .collect())
    }
}
