//! Pooling over windows of any kernel, stride and padding, rounding up or down; and over whole maps.
//!
//! A task is a row: of the output in the forward pass, of the input in the backward pass. In the
//! backward pass every input gathers from the windows that contain it, so that each value is
//! written once, by one task, and in a fixed order.

mod average;
mod global;
mod maximum;

pub use average::AvgPool2d;
pub use global::GlobalAvgPool;
pub use maximum::MaxPool2d;

use std::ops::Range;

use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::array::Shaped;
use crate::{check, extent};

/// The window of a pooling layer; pairs are (vertical, horizontal).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pool2d {
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Steps between windows.
    pub stride: [usize; 2],
    /// Rows and columns added on each side; they never win a maximum, and count as zeros in a mean
    /// if [`AvgPool2d`] says so.
    pub padding: [usize; 2],
    /// Rounds the output size up (Caffe) instead of down. A last window that would start
    /// beyond the input and the padding before it is dropped, as in PyTorch and Caffe.
    pub ceil_mode: bool,
}

impl Pool2d {
    /// Computes the output height and width for an input of the given size.
    ///
    /// # Errors
    /// If the window or the stride is empty, the padding exceeds half the window, the padded input is smaller than the
    /// window, or a size is [`crate::TooLarge`].
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2]> {
        let mut out = [0; 2];
        for (what, sizes) in [("an input", input), ("a window", self.kernel), ("a stride", self.stride)] {
            extent::axes(&format!("pool: {what}"), &sizes)?;
        }
        for axis in 0..2 {
            let (size, kernel) = (input[axis], self.kernel[axis]);
            let (stride, padding) = (self.stride[axis], self.padding[axis]);
            if kernel == 0 || stride == 0 {
                bail!("pool: kernel and stride must be at least 1, found {self:?}");
            }
            if padding > kernel / 2 {
                bail!("pool: padding may be at most half the kernel, found {self:?}");
            }
            if size == 0 || size + 2 * padding < kernel {
                bail!(
                    "pool: an input of {size} with padding {padding} is smaller than the window of {kernel}"
                );
            }
            let span = size + 2 * padding - kernel;
            let mut count = if self.ceil_mode { span.div_ceil(stride) + 1 } else { span / stride + 1 };
            if self.ceil_mode && (count - 1) * stride >= size + padding {
                count -= 1;
            }
            out[axis] = count;
        }
        Ok(out)
    }

    /// Returns the input rows (`axis` 0) or columns (1) in the window of an output, for an input of `size`.
    #[inline(always)]
    fn covered(&self, axis: usize, output: usize, size: usize) -> Range<usize> {
        let (start, padding) = (output * self.stride[axis], self.padding[axis]);
        let end = (start + self.kernel[axis]).saturating_sub(padding).min(size);
        start.saturating_sub(padding)..end
    }

    /// Returns the outputs among `count` whose windows contain an input row or column.
    #[inline(always)]
    fn covering(&self, axis: usize, input: usize, count: usize) -> Range<usize> {
        let (padded, stride) = (input + self.padding[axis], self.stride[axis]);
        let first = (padded + 1).saturating_sub(self.kernel[axis]).div_ceil(stride);
        first..(padded / stride + 1).min(count)
    }

    /// Returns the position of an input row or column in the window of an output that contains it.
    #[inline(always)]
    fn place(&self, axis: usize, output: usize, input: usize) -> usize {
        input + self.padding[axis] - output * self.stride[axis]
    }
}

/// All sizes of one pooling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Geometry {
    pub(crate) pool: Pool2d,
    pub(crate) batch: usize,
    pub(crate) input: [usize; 2],
    pub(crate) output: [usize; 2],
    pub(crate) channels: usize,
}

impl Geometry {
    pub(crate) fn new(op: &str, pool: Pool2d, inputs: &[impl Shaped + Copy]) -> Result<Self> {
        let [x] = check::inputs(op, inputs)?;
        let [batch, height, width, channels] = check::feature_map(op, &x)?;
        let input = [height, width];
        let output = pool.output_size(input)?;
        extent::values(op, &[batch, output[0], output[1], channels])?;
        Ok(Self { pool, batch, input, output, channels })
    }

    pub(crate) fn output_dims(&self) -> Vec<usize> {
        vec![self.batch, self.output[0], self.output[1], self.channels]
    }

    /// Returns the number of values in one row of the input.
    fn input_row(&self) -> usize {
        self.input[1] * self.channels
    }

    fn output_row(&self) -> usize {
        self.output[1] * self.channels
    }

    /// Returns the number of values of the output.
    pub(crate) fn outputs(&self) -> usize {
        self.batch * self.output[0] * self.output_row()
    }

    /// Returns the number of values of the input.
    pub(crate) fn inputs(&self) -> usize {
        self.batch * self.input[0] * self.input_row()
    }
}
