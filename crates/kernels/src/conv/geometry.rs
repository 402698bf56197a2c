//! The sizes of one convolution, and the layout of its windows in memory.
//!
//! All three products of a convolution (output, input gradient, weight gradient) are
//! sums over *taps*: positions of the kernel, each with a run of values that are contiguous
//! in memory. With channels last, a tap at (ky, kx) is the C channels of one pixel. Without
//! horizontal padding a whole kernel row is contiguous, and the taps are the kernel's rows
//! with runs of KW x C values: longer runs, which matters when C is 3.

/// All sizes of one convolution. Only [`super::Conv2d::geometry`] creates it, which bounds sizes so that lengths cannot overflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    /// Input height and width.
    pub(crate) input: [usize; 2],
    /// Input channels, of all groups.
    pub(crate) channels: usize,
    /// Output channels, of all groups.
    pub(crate) outputs: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) groups: usize,
    /// Output height and width.
    pub(crate) output: [usize; 2],
}

/// Number of channels below which an input with horizontal padding is copied into a padded
/// one, so that the runs become whole kernel rows.
const FEW_CHANNELS: usize = 16;

impl Geometry {
    /// Returns the number of input channels of one group.
    pub(crate) fn group_inputs(&self) -> usize {
        self.channels / self.groups
    }

    /// Returns the number of output channels of one group.
    pub(crate) fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    /// Returns the number of output positions of the whole batch.
    pub(crate) fn positions(&self) -> usize {
        self.batch * self.output[0] * self.output[1]
    }

    /// Returns the number of values in one output channel's weights.
    pub(crate) fn window(&self) -> usize {
        self.group_inputs() * self.kernel[0] * self.kernel[1]
    }

    pub(crate) fn weights(&self) -> usize {
        self.outputs * self.window()
    }

    pub(crate) fn input_len(&self) -> usize {
        self.batch * self.input[0] * self.input[1] * self.channels
    }

    pub(crate) fn output_len(&self) -> usize {
        self.positions() * self.outputs
    }

    /// Returns `true` if copying the input into a padded one first is faster.
    pub(crate) fn wants_padded_copy(&self) -> bool {
        self.padding[1] > 0 && self.groups == 1 && self.channels < FEW_CHANNELS
    }

    /// Returns the same convolution for an input that already has its padding.
    pub(crate) fn with_padded_input(&self) -> Self {
        let padded = [0, 1].map(|axis| self.input[axis] + 2 * self.padding[axis]);
        Self { input: padded, padding: [0, 0], ..*self }
    }

    /// Returns `true` if taps are whole kernel rows.
    fn rows_are_runs(&self) -> bool {
        self.padding[1] == 0 && self.groups == 1
    }

    /// Lists the kernel's taps in the order of their runs.
    pub(crate) fn taps(&self) -> Vec<[usize; 2]> {
        let columns = if self.rows_are_runs() { 1 } else { self.kernel[1] };
        (0..self.kernel[0]).flat_map(|ky| (0..columns).map(move |kx| [ky, kx])).collect()
    }

    /// Returns the number of values of a tap.
    pub(crate) fn run(&self) -> usize {
        if self.rows_are_runs() { self.kernel[1] * self.channels } else { self.group_inputs() }
    }

    /// Returns the index of value `k` of a tap's run in one output channel's weights (C, KH, KW).
    pub(crate) fn weight_index(&self, [ky, kx]: [usize; 2], k: usize) -> usize {
        let (kx, channel) =
            if self.rows_are_runs() { (k / self.channels, k % self.channels) } else { (kx, k) };
        (channel * self.kernel[0] + ky) * self.kernel[1] + kx
    }
}

/// Copies the input into one with zeros around it.
pub(crate) fn padded(g: &Geometry, x: &[f32]) -> Vec<f32> {
    let ([h, w], [ph, pw], c) = (g.input, g.padding, g.channels);
    let row = (w + 2 * pw) * c;
    let image = (h + 2 * ph) * row;
    let mut out = vec![0f32; g.batch * image];
    for (out, x) in out.chunks_mut(image.max(1)).zip(x.chunks((h * w * c).max(1))) {
        for (out, x) in out[ph * row..].chunks_mut(row.max(1)).zip(x.chunks((w * c).max(1))) {
            out[pw * c..][..w * c].copy_from_slice(x);
        }
    }
    out
}
