//! Pooling over windows of any kernel, stride and padding, rounding up or down; and over whole maps.

use std::sync::Mutex;

use candle_core::{Result, bail};
use serde::{Deserialize, Serialize};

use crate::check;
use crate::op::{Array, Gradient, Op};
use crate::reference;

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
    /// beyond the input and the padding before it is dropped, as PyTorch and Caffe do.
    pub ceil_mode: bool,
}

impl Pool2d {
    /// Output height and width for an input of the given size.
    ///
    /// # Errors
    /// If the window or the stride is empty, the padding exceeds half the window, the
    /// window has more than 256 positions, or the padded input is smaller than the window.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2]> {
        let mut out = [0; 2];
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
        if self.kernel[0] * self.kernel[1] > 256 {
            bail!("pool: windows of more than 256 positions are not supported, found {self:?}");
        }
        Ok(out)
    }
}

/// Maximum over windows: input (B, H, W, C), output (B, H', W', C). The gradient of an output goes to
/// the first maximum of its window, in row order; a NaN wins over everything, a later NaN over an
/// earlier one (PyTorch).
#[derive(Debug)]
pub struct MaxPool2d {
    pool: Pool2d,
    winners: Mutex<Vec<usize>>,
}

impl MaxPool2d {
    /// With the given windows.
    pub fn new(pool: Pool2d) -> Self {
        Self { pool, winners: Mutex::default() }
    }
}

impl Op for MaxPool2d {
    fn name(&self) -> &'static str {
        "max-pool"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        let [oh, ow] = self.pool.output_size([h, w])?;
        let (values, winners) = reference::max_pool2d(x.data, [b, h, w, c], [oh, ow], &self.pool);
        if let Ok(mut kept) = self.winners.lock() {
            *kept = winners;
        }
        Ok((values, vec![b, oh, ow, c]))
    }

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        _output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let [true] = *wanted else { return Ok(vec![Gradient::None]) };
        let [x] = check::inputs(self.name(), inputs)?;
        let mut out = vec![0f32; x.data.len()];
        if let Ok(kept) = self.winners.lock() {
            for (&winner, &gradient) in kept.iter().zip(gradient.data) {
                out[winner] += gradient;
            }
        }
        Ok(vec![Gradient::Values(out)])
    }
}

/// Mean over windows: input (B, H, W, C), output (B, H', W', C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AvgPool2d {
    /// The windows.
    pub pool: Pool2d,
    /// Whether zeros of the padding count (Caffe; PyTorch's `count_include_pad`). The part of a window
    /// that rounding up pushed beyond the padding never counts.
    pub count_padding: bool,
}

impl Op for AvgPool2d {
    fn name(&self) -> &'static str {
        "average-pool"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        let [oh, ow] = self.pool.output_size([h, w])?;
        let values = reference::avg_pool2d(x.data, [b, h, w, c], [oh, ow], &self.pool, self.count_padding);
        Ok((values, vec![b, oh, ow, c]))
    }

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        _output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let [true] = *wanted else { return Ok(vec![Gradient::None]) };
        let [x] = check::inputs(self.name(), inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        let output = self.pool.output_size([h, w])?;
        Ok(vec![Gradient::Values(reference::avg_pool2d_gradient(
            [b, h, w, c],
            gradient.data,
            output,
            &self.pool,
            self.count_padding,
        ))])
    }
}

/// Mean over all positions: input (B, H, W, C), output (B, C).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GlobalAvgPool;

impl GlobalAvgPool {
    /// The mean as a window as large as the map.
    fn sizes(&self, inputs: &[Array<'_>]) -> Result<([usize; 4], Pool2d)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let [b, h, w, c] = check::feature_map(self.name(), &x)?;
        if h * w == 0 {
            bail!("global-average-pool: the input of shape {:?} has no positions", x.dims);
        }
        let pool = Pool2d { kernel: [h, w], stride: [1, 1], padding: [0, 0], ceil_mode: false };
        Ok(([b, h, w, c], pool))
    }
}

impl Op for GlobalAvgPool {
    fn name(&self) -> &'static str {
        "global-average-pool"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let (dims, pool) = self.sizes(inputs)?;
        let values = reference::avg_pool2d(inputs[0].data, dims, [1, 1], &pool, false);
        Ok((values, vec![dims[0], dims[3]]))
    }

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        _output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let [true] = *wanted else { return Ok(vec![Gradient::None]) };
        let (dims, pool) = self.sizes(inputs)?;
        Ok(vec![Gradient::Values(reference::avg_pool2d_gradient(dims, gradient.data, [1, 1], &pool, false))])
    }
}
