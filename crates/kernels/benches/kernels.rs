//! Measures every kernel at sizes of the papers' networks: `cargo xtask bench kernels`.
//!
//! Feature maps are channels last, as in the networks. All gradients are
//! computed, including those of a convolution's input.

use candle_core::{Device, Tensor, Var};
use kernels::simd::Level;
use kernels::{
    AvgPool2d, BatchNorm, CompactBilinear, Conv2d, Fourier, Linear, LocalResponseNorm, Lrn, MaxPool2d, Op,
    Pool2d, SgdStep, Sketch, SoftmaxCrossEntropy,
};
use serde::Serialize;
use testkit::bench::{Case, Phase, Unit, Work};
use testkit::convolutions::{Conv, Convolution, axis, convolutions, shape};

/// The same allocator as in the program.
#[global_allocator]
static ALLOCATOR: kernels::ReusingAllocator = kernels::ReusingAllocator;

/// A kernel to measure, with everything that a peer needs to run it. Inputs are
/// (B, C, H, W), as in PyTorch.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
enum Kernel {
    Conv(Conv),
    MaxPool(Pool),
    /// Counts the zeros of the padding, as Caffe does.
    AvgPool(Pool),
    Lrn {
        input: [usize; 4],
        size: usize,
        alpha: f64,
        beta: f64,
        k: f64,
    },
    /// Statistics of the batch, then ReLU.
    BatchNormRelu {
        input: [usize; 4],
        epsilon: f64,
    },
    Linear {
        batch: usize,
        inputs: usize,
        outputs: usize,
    },
    CrossEntropy {
        batch: usize,
        classes: usize,
    },
    /// Two inputs, fused at each position into a sketch of `size` values, then their mean.
    CompactBilinear {
        input: [usize; 4],
        size: usize,
    },
    /// The mean of the outer products themselves, without a sketch.
    OuterProduct {
        input: [usize; 4],
    },
    Sgd {
        rows: usize,
        columns: usize,
        rate: f32,
        momentum: f32,
        weight_decay: f32,
    },
}

/// Rounds up, as Caffe does.
#[derive(Debug, Clone, Copy, Serialize)]
struct Pool {
    input: [usize; 4],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
}

/// Shape of the maps that the pyramid network fuses: the last ones of BN-Inception.
const FUSED: [usize; 4] = [8, 1024, 7, 7];

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for Convolution { name, group, sizes } in convolutions() {
        cases.push(case(name, group, Kernel::Conv(sizes)));
    }
    let kernel = [3; 2];
    let pool1 = Pool { input: [16, 96, 109, 109], kernel, stride: [2; 2], padding: [0; 2] };
    let inception = Pool { input: [8, 192, 28, 28], kernel, stride: [1; 2], padding: [1; 2] };
    let others = [
        ("max-pool", Kernel::MaxPool(pool1)),
        ("avg-pool", Kernel::AvgPool(inception)),
        ("lrn", Kernel::Lrn { input: pool1.input, size: 5, alpha: 5e-4, beta: 0.75, k: 2.0 }),
        ("batch-norm-relu", Kernel::BatchNormRelu { input: [8, 256, 56, 56], epsilon: 1e-5 }),
        ("linear", Kernel::Linear { batch: 16, inputs: 18432, outputs: 4096 }),
        ("cross-entropy", Kernel::CrossEntropy { batch: 256, classes: 101 }),
        ("compact-bilinear", Kernel::CompactBilinear { input: FUSED, size: 8192 }),
        ("outer-product", Kernel::OuterProduct { input: FUSED }),
        ("sgd", Kernel::Sgd { rows: 2048, columns: 4096, rate: 1e-3, momentum: 0.9, weight_decay: 5e-4 }),
    ];
    cases.extend(others.map(|(name, kernel)| case(name.into(), "other operations", kernel)));
    cases
}

fn case(name: String, group: &'static str, kernel: Kernel) -> Case {
    let (unit, work) = kernel.work();
    let phases = match kernel {
        Kernel::Sgd { .. } => vec![Phase { name: "update", work }],
        // A product has two gradients of the same cost.
        Kernel::Conv(_) | Kernel::Linear { .. } => {
            vec![Phase { name: "forward", work }, Phase { name: "backward", work: 2 * work }]
        }
        _ => vec![Phase { name: "forward", work }, Phase { name: "backward", work }],
    };
    Case {
        name,
        group,
        size: kernel.size(),
        unit,
        work: phases.iter().map(|phase| phase.work).sum(),
        phases,
        apart: true,
        whole: false,
        facts: serde_json::to_value(&kernel).expect("plain data"),
        start: Box::new(move || kernel.start()),
    }
}

impl Kernel {
    /// Describes the size for the reader.
    fn size(&self) -> String {
        match self {
            Self::Conv(c) => c.size(),
            Self::MaxPool(p) | Self::AvgPool(p) => {
                format!("{}, {}x{} stride {}", shape(&p.input), p.kernel[0], p.kernel[1], axis(p.stride))
            }
            Self::Lrn { input, .. } | Self::BatchNormRelu { input, .. } => shape(input),
            Self::Linear { batch, inputs, outputs } => format!("{batch}x{inputs} to {outputs}"),
            Self::CrossEntropy { batch, classes } => shape(&[*batch, *classes]),
            Self::CompactBilinear { input, size } => format!("2 of {} to {size}", shape(input)),
            Self::OuterProduct { input } => format!("2 of {}", shape(input)),
            Self::Sgd { rows, columns, .. } => shape(&[*rows, *columns]),
        }
    }

    /// Returns the work of the forward pass: floating-point operations of products, otherwise the number of input values.
    fn work(&self) -> (Unit, u64) {
        let count = |dims: &[usize]| (Unit::Values, dims.iter().product::<usize>() as u64);
        match self {
            Self::Conv(c) => (Unit::Flop, c.flop()),
            Self::Linear { batch, inputs, outputs } => (Unit::Flop, (2 * batch * inputs * outputs) as u64),
            Self::MaxPool(pool) | Self::AvgPool(pool) => count(&pool.input),
            Self::Lrn { input, .. } | Self::BatchNormRelu { input, .. } => count(input),
            Self::CrossEntropy { batch, classes } => count(&[*batch, *classes]),
            Self::CompactBilinear { input, .. } | Self::OuterProduct { input } => {
                count(&[2, count(input).1 as usize])
            }
            Self::Sgd { rows, columns, .. } => count(&[*rows, *columns]),
        }
    }

    fn start(&self) -> Box<dyn Work> {
        let window =
            |p: Pool| Pool2d { kernel: p.kernel, stride: p.stride, padding: p.padding, ceil_mode: true };
        match *self {
            Self::Conv(Conv { input, outputs, kernel: [kh, kw], stride, padding, groups }) => {
                let conv = Conv2d { stride, padding, groups, relu: false };
                let weight = [outputs, input[1] / groups, kh, kw];
                start(conv, &[&channels_last(input), &weight, &[outputs]])
            }
            Self::MaxPool(p) => start(MaxPool2d::new(window(p)), &[&channels_last(p.input)]),
            Self::AvgPool(p) => {
                let op = AvgPool2d { pool: window(p), count_padding: true };
                start(op, &[&channels_last(p.input)])
            }
            Self::Lrn { input, size, alpha, beta, k } => {
                start(LocalResponseNorm(Lrn { size, alpha, beta, k }), &[&channels_last(input)])
            }
            Self::BatchNormRelu { input, epsilon } => {
                let channels = [input[1]];
                start(BatchNorm::new(epsilon, true), &[&channels_last(input), &channels, &channels])
            }
            Self::Linear { batch, inputs, outputs } => {
                start(Linear { relu: false }, &[&[batch, inputs], &[outputs, inputs], &[outputs]])
            }
            Self::CrossEntropy { batch, classes } => {
                let labels = (0..batch as u32).map(|row| row % classes as u32).collect();
                start(SoftmaxCrossEntropy::new(labels), &[&[batch, classes]])
            }
            Self::CompactBilinear { input, size } => {
                let draws = |seed| testkit::noise(seed, input[1]);
                let sketch = |seed| {
                    let bucket = |x: f32| ((x + 1.0) / 2.0 * size as f32).floor().min(size as f32 - 1.0);
                    let buckets: Vec<f32> = draws(seed).into_iter().map(bucket).collect();
                    let signs: Vec<f32> = draws(seed + 1).into_iter().map(|x| 1f32.copysign(x)).collect();
                    vec![Sketch::new(&buckets, &signs, size).expect("a sketch")]
                };
                let fourier = Fourier::new(size).expect("a size above 0");
                let op = CompactBilinear::new(fourier, vec![sketch(10), sketch(20)], true).expect("sketches");
                start(op, &[&channels_last(input), &channels_last(input)])
            }
            Self::OuterProduct { input: [batch, channels, height, width] } => {
                let [a, b] = [1, 2].map(|seed| noise(seed, &[batch, height * width, channels]));
                Box::new(Outer {
                    inputs: [a, b],
                    output: None,
                    gradient: noise(9, &[batch, channels, channels]),
                })
            }
            Self::Sgd { rows, columns, rate, momentum, weight_decay } => {
                let [parameter, velocity, gradient] = [1, 2, 3].map(|seed| noise(seed, &[rows, columns]));
                Box::new(Update {
                    parameter: Var::from_tensor(&parameter).expect("a tensor on the CPU"),
                    velocity,
                    gradient,
                    step: SgdStep { rate, momentum, weight_decay, gradient_scale: 1.0 },
                })
            }
        }
    }
}

fn channels_last([batch, channels, height, width]: [usize; 4]) -> [usize; 4] {
    [batch, height, width, channels]
}

fn noise(seed: u64, dims: &[usize]) -> Tensor {
    let data = testkit::noise(seed, dims.iter().product());
    Tensor::from_vec(data, dims, &Device::Cpu).expect("the shape fits")
}

/// Prepares an operation on inputs of the given shapes.
fn start(op: impl Op, inputs: &[&[usize]]) -> Box<dyn Work> {
    let inputs = inputs.iter().zip(1..).map(|(dims, seed)| noise(seed, dims)).collect();
    Box::new(Applied { op: Box::new(op), inputs, output: None, gradient: None })
}

struct Applied {
    op: Box<dyn Op>,
    inputs: Vec<Tensor>,
    output: Option<Tensor>,
    /// Gradient of the output; created when its shape is known.
    gradient: Option<Tensor>,
}

impl Work for Applied {
    /// Returns the numbers of values of all inputs and of the output.
    fn sizes(&mut self) -> Vec<u64> {
        self.run(0);
        let inputs = self.inputs.iter().map(Tensor::elem_count).sum::<usize>();
        let output = self.output.as_ref().map_or(0, Tensor::elem_count);
        vec![inputs as u64, output as u64]
    }

    fn run(&mut self, phase: usize) {
        let inputs: Vec<&Tensor> = self.inputs.iter().collect();
        if phase == 0 {
            // The old output is freed first, as in training.
            self.output = None;
            self.output = Some(kernels::forward(&*self.op, &inputs).expect("the shapes fit"));
            return;
        }
        let output = self.output.as_ref().expect("a forward pass has run");
        let gradient = self.gradient.get_or_insert_with(|| noise(9, output.dims()));
        let wanted = vec![true; inputs.len()];
        kernels::backward(&*self.op, &inputs, output, gradient, &wanted).expect("gradients");
    }
}

/// The mean of outer products over positions, by Candle's matrix products.
struct Outer {
    inputs: [Tensor; 2],
    output: Option<Tensor>,
    gradient: Tensor,
}

impl Outer {
    fn product(a: &Tensor, b: &Tensor, places: usize) -> Tensor {
        let product = a.matmul(b).expect("the shapes fit");
        (product / places as f64).expect("a number above 0")
    }
}

impl Work for Outer {
    /// Returns the numbers of values of all inputs and of the output.
    fn sizes(&mut self) -> Vec<u64> {
        let inputs = self.inputs.iter().map(Tensor::elem_count).sum::<usize>();
        vec![inputs as u64, self.gradient.elem_count() as u64]
    }

    fn run(&mut self, phase: usize) {
        let [a, b] = &self.inputs;
        let places = a.dims()[1];
        if phase == 0 {
            self.output = None;
            self.output = Some(Self::product(&a.t().expect("matrices"), b, places));
            return;
        }
        let turned = self.gradient.t().expect("matrices");
        let _gradients = [Self::product(b, &turned, places), Self::product(a, &self.gradient, places)];
    }
}

struct Update {
    parameter: Var,
    velocity: Tensor,
    gradient: Tensor,
    step: SgdStep,
}

impl Work for Update {
    /// Returns the number of values that are updated.
    fn sizes(&mut self) -> Vec<u64> {
        vec![self.parameter.elem_count() as u64]
    }

    fn run(&mut self, _phase: usize) {
        kernels::sgd_step(&self.parameter, &self.velocity, &self.gradient, self.step).expect("equal shapes");
    }
}

fn main() {
    let level = Level::current().expect("a level that this processor has");
    let versions = [("SIMD", level.name().to_owned())];
    testkit::bench::main(&versions, rayon::current_num_threads(), &cases());
}
