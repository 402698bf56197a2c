//! The convolutions of the papers' networks, for benchmarks.

use serde::Serialize;

/// A convolution with a name.
#[derive(Debug, Clone)]
pub struct Convolution {
    /// Name, unique.
    pub name: String,
    /// Name of the group of cases that are averaged.
    pub group: &'static str,
    /// All sizes.
    pub sizes: Conv,
}

/// All sizes of a convolution.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Conv {
    /// Shape of the input, (B, C, H, W).
    pub input: [usize; 4],
    /// Number of output channels.
    pub outputs: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Vertical and horizontal stride.
    pub stride: [usize; 2],
    /// Vertical and horizontal padding.
    pub padding: [usize; 2],
    /// Number of groups of channels.
    pub groups: usize,
}

/// Convolutions with square sizes: (batch, inputs, size, outputs, kernel, stride, padding).
const SQUARE: [[usize; 7]; 7] = [
    [8, 20, 224, 96, 7, 2, 0],
    [8, 96, 54, 256, 5, 2, 1],
    [8, 256, 13, 512, 3, 1, 1],
    [8, 512, 13, 512, 3, 1, 1],
    [64, 32, 32, 64, 3, 1, 1],
    [64, 64, 16, 128, 3, 1, 1],
    [8, 256, 56, 64, 1, 1, 0],
];

/// Further convolutions: AlexNet's conv2 and conv4, and a convolution over time with 8 consecutive frames of 14x14.
const FURTHER: [(&str, Conv); 3] = [
    ("grouped-5x5-96-256-at-27", grouped([32, 96, 27, 27], 256, 5)),
    ("grouped-3x3-384-384-at-13", grouped([32, 384, 13, 13], 384, 3)),
    (
        "temporal-3x1-256-256-at-14",
        Conv {
            input: [4, 256, 8, 14 * 14],
            outputs: 256,
            kernel: [3, 1],
            stride: [1, 1],
            padding: [1, 0],
            groups: 1,
        },
    ),
];

const fn grouped(input: [usize; 4], outputs: usize, kernel: usize) -> Conv {
    Conv { input, outputs, kernel: [kernel; 2], stride: [1; 2], padding: [kernel / 2; 2], groups: 2 }
}

/// Returns every convolution.
pub fn convolutions() -> Vec<Convolution> {
    let square = SQUARE.map(|[batch, inputs, size, outputs, kernel, stride, padding]| Convolution {
        name: format!("conv-{kernel}x{kernel}-{inputs}-{outputs}-at-{size}"),
        group: "convolutions",
        sizes: Conv {
            input: [batch, inputs, size, size],
            outputs,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            groups: 1,
        },
    });
    let further =
        FURTHER.map(|(name, sizes)| Convolution { name: name.into(), group: "further convolutions", sizes });
    square.into_iter().chain(further).collect()
}

impl Conv {
    /// Returns the floating-point operations of the forward pass, two per multiply-add.
    pub fn flop(&self) -> u64 {
        let [batch, inputs, height, width] = self.input;
        let out = |axis: usize, size: usize| {
            (size + 2 * self.padding[axis] - self.kernel[axis]) / self.stride[axis] + 1
        };
        let plane = out(0, height) * out(1, width);
        let taps = inputs / self.groups * self.kernel[0] * self.kernel[1];
        (2 * batch * plane * self.outputs * taps) as u64
    }

    /// Describes the sizes for the reader.
    pub fn size(&self) -> String {
        format!("{}, stride {}, pad {}", shape(&self.input), axis(self.stride), axis(self.padding))
    }
}

/// Formats a shape, such as `8x256x13x13`.
pub fn shape(dims: &[usize]) -> String {
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// Formats a value per axis: `2`, or `2x1` if the axes differ.
pub fn axis([a, b]: [usize; 2]) -> String {
    if a == b { a.to_string() } else { format!("{a}x{b}") }
}
