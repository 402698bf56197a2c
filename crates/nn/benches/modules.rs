//! Layers as modules of `candle_nn`, compared with its own: `cargo xtask bench modules --against-candle`.
//!
//! Candle computes the gradients of input, weights and biases for both sides, on feature maps (B, C, H, W). With `--candle`
//! the program runs `candle_nn`'s layers. Only layers that have a gradient in `candle_nn` are compared: its pooling has none
//! for overlapping windows.

use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, CustomOp1, DType, Device, Layout, Result, Shape, Tensor, Var};
use candle_nn::{BatchNorm, Module, ModuleT, VarBuilder};
use nn::modules::{AvgPool2d, GlobalAvgPool, MaxPool2d, batch_norm, conv2d};
use nn::ops::Pool2d;
use nn::{Activation, BatchNormConfig, Conv2dConfig, Statistics, simd};
use serde::Serialize;
use testkit::bench::{Case, Phase, Unit, Work};
use testkit::convolutions::{Conv, Convolution, convolutions, shape};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: nn::ReusingAllocator = nn::ReusingAllocator;

/// A layer to measure.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
enum Layer {
    Conv(Conv),
    /// Maximum over adjacent windows of 2x2.
    MaxPool {
        input: [usize; 4],
    },
    AvgPool {
        input: [usize; 4],
    },
    GlobalAvgPool {
        input: [usize; 4],
    },
    /// Batch normalisation with the statistics of the batch, then ReLU.
    BatchNormRelu {
        input: [usize; 4],
    },
}

/// The side whose layers are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Ours,
    Candle,
}

const EPSILON: f64 = 1e-5;
const MOMENTUM: f64 = 0.1;

/// The stage of ResNet-50 with the largest feature maps.
const MAPS: [usize; 4] = [8, 256, 56, 56];

fn cases(side: Side) -> Vec<Case> {
    let convolutions = convolutions().into_iter().map(|Convolution { name, group, sizes }| {
        let flop = sizes.flop();
        let phases = vec![Phase { name: "forward", work: flop }, Phase { name: "backward", work: 2 * flop }];
        case(name, group, Layer::Conv(sizes), phases, Unit::Flop, side)
    });
    let others = [
        ("max-pool-2x2", Layer::MaxPool { input: MAPS }),
        ("avg-pool-2x2", Layer::AvgPool { input: MAPS }),
        ("global-avg-pool", Layer::GlobalAvgPool { input: MAPS }),
        ("batch-norm-relu", Layer::BatchNormRelu { input: MAPS }),
    ];
    let others = others.into_iter().map(|(name, layer)| {
        let work = MAPS.iter().product::<usize>() as u64;
        let phases = ["forward", "backward"].map(|name| Phase { name, work });
        case(name.into(), "other layers", layer, phases.into(), Unit::Values, side)
    });
    convolutions.chain(others).collect()
}

fn case(name: String, group: &'static str, layer: Layer, phases: Vec<Phase>, unit: Unit, side: Side) -> Case {
    let size = match layer {
        Layer::Conv(conv) => conv.size(),
        _ => shape(&layer.input()),
    };
    Case {
        name,
        group,
        size,
        unit,
        work: phases.iter().map(|phase| phase.work).sum(),
        phases,
        apart: true,
        whole: false,
        facts: serde_json::to_value(layer).expect("plain data"),
        start: Box::new(move || {
            let x = noise(1, &layer.input());
            let x = Var::from_tensor(&x).expect("a tensor on the CPU");
            let run = layer.module(side).expect("valid sizes");
            Box::new(Applied { run, x, output: None, gradient: None })
        }),
    }
}

type Run = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

impl Layer {
    fn input(&self) -> [usize; 4] {
        match *self {
            Self::Conv(Conv { input, .. })
            | Self::MaxPool { input }
            | Self::AvgPool { input }
            | Self::GlobalAvgPool { input }
            | Self::BatchNormRelu { input } => input,
        }
    }

    fn module(self, side: Side) -> Result<Run> {
        let pool = Pool2d { kernel: [2, 2], stride: [2, 2], padding: [0, 0], ceil_mode: false };
        Ok(match (self, side) {
            (Self::Conv(conv), _) => convolution(conv, side)?,
            (Self::MaxPool { .. }, Side::Ours) => Box::new(move |x| MaxPool2d(pool).forward(x)),
            (Self::MaxPool { .. }, Side::Candle) => Box::new(|x| x.max_pool2d(2)),
            (Self::AvgPool { .. }, Side::Ours) => {
                Box::new(move |x| AvgPool2d { pool, count_padding: true }.forward(x))
            }
            (Self::AvgPool { .. }, Side::Candle) => Box::new(|x| x.avg_pool2d(2)),
            (Self::GlobalAvgPool { .. }, Side::Ours) => Box::new(|x| GlobalAvgPool.forward(x)),
            (Self::GlobalAvgPool { .. }, Side::Candle) => Box::new(|x| x.mean((2, 3))),
            (Self::BatchNormRelu { input }, _) => normalisation(input[1], side)?,
        })
    }
}

fn convolution(conv: Conv, side: Side) -> Result<Run> {
    let Conv { input, outputs, kernel, stride, padding, groups } = conv;
    let weight = variable(2, &[outputs, input[1] / groups, kernel[0], kernel[1]])?;
    let bias = variable(3, &[outputs])?;
    if side == Side::Ours {
        let config = Conv2dConfig {
            inputs: input[1],
            outputs,
            kernel,
            stride,
            padding,
            groups,
            bias: true,
            activation: Activation::None,
        };
        let conv = conv2d(&config, store([("weight", &weight), ("bias", &bias)]), 0)?;
        return Ok(Box::new(move |x| conv.forward(x)));
    }
    // Candle has one stride and one padding for both axes; the convolution over time pads its frames separately.
    let own = if padding[0] == padding[1] { padding[0] } else { 0 };
    let config = candle_nn::Conv2dConfig { stride: stride[0], padding: own, groups, ..Default::default() };
    let conv = candle_nn::Conv2d::new(weight.as_tensor().clone(), Some(bias.as_tensor().clone()), config);
    Ok(Box::new(move |x| {
        if own == padding[0] {
            conv.forward(x)
        } else {
            conv.forward(&x.pad_with_zeros(2, padding[0], padding[0])?)
        }
    }))
}

fn normalisation(channels: usize, side: Side) -> Result<Run> {
    let [weight, bias] = [variable(2, &[channels])?, variable(3, &[channels])?];
    let [mean, variance] = [variable(4, &[channels])?, Var::ones(channels, DType::F32, &Device::Cpu)?];
    if side == Side::Ours {
        let config = BatchNormConfig {
            epsilon: EPSILON,
            momentum: MOMENTUM,
            statistics: Statistics::Batch,
            activation: Activation::Relu,
        };
        let all = [("weight", &weight), ("bias", &bias), ("running_mean", &mean), ("running_var", &variance)];
        let norm = batch_norm(channels, &config, store(all))?;
        return Ok(Box::new(move |x| norm.forward_t(x, true)));
    }
    let [mean, variance, weight, bias] = [mean, variance, weight, bias].map(|var| var.as_tensor().clone());
    let norm = BatchNorm::new_with_momentum(channels, mean, variance, weight, bias, EPSILON, MOMENTUM)?;
    Ok(Box::new(move |x| norm.forward_t(x, true)?.relu()))
}

fn noise(seed: u64, dims: &[usize]) -> Tensor {
    let data = testkit::noise(seed, dims.iter().product());
    Tensor::from_vec(data, dims, &Device::Cpu).expect("the shape fits")
}

fn variable(seed: u64, dims: &[usize]) -> Result<Var> {
    Var::from_tensor(&noise(seed, dims))
}

/// Makes a store of named variables.
fn store<const N: usize>(vars: [(&str, &Var); N]) -> VarBuilder<'static> {
    let tensors: HashMap<String, Tensor> =
        vars.into_iter().map(|(name, var)| (name.to_owned(), var.as_tensor().clone())).collect();
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

struct Applied {
    run: Run,
    x: Var,
    output: Option<Tensor>,
    /// Gradient of the output; made when its shape is known.
    gradient: Option<Tensor>,
}

impl Applied {
    fn walk_back(&mut self) -> Result<GradStore> {
        let output = self.output.as_ref().expect("a forward pass has run");
        let gradient = self.gradient.get_or_insert_with(|| noise(9, output.dims()));
        output.apply_op1(Arriving(gradient.clone()))?.backward()
    }
}

impl Work for Applied {
    /// Returns the numbers of values in the input, in its gradient, and in the output.
    fn sizes(&mut self) -> Vec<u64> {
        self.run(0);
        let gradients = self.walk_back().expect("gradients");
        let output = self.output.as_ref().map_or(0, Tensor::elem_count);
        let gradient = gradients.get(&self.x).map_or(0, Tensor::elem_count);
        vec![self.x.elem_count() as u64, gradient as u64, output as u64]
    }

    fn run(&mut self, phase: usize) {
        if phase == 0 {
            // Drops the old output first, as in training.
            self.output = None;
            self.output = Some((self.run)(self.x.as_tensor()).expect("the shapes fit"));
        } else {
            self.walk_back().expect("gradients");
        }
    }
}

/// A loss with a given gradient, which costs nothing itself.
struct Arriving(Tensor);

impl CustomOp1 for Arriving {
    fn name(&self) -> &'static str {
        "arriving"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(())))
    }

    fn bwd(&self, _: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(self.0.clone()))
    }
}

/// Returns the version of `candle-nn` in the lock file.
fn candle_version() -> &'static str {
    let lock = include_str!("../../../Cargo.lock");
    let entry = lock.split("name = \"candle-nn\"\nversion = \"").nth(1);
    entry.and_then(|entry| entry.split('"').next()).unwrap_or("unknown")
}

fn main() {
    let side = if std::env::args().any(|word| word == "--candle") { Side::Candle } else { Side::Ours };
    let level = simd::Level::current().expect("a level that this processor has");
    let version = match side {
        Side::Ours => ("SIMD", level.name().to_owned()),
        Side::Candle => ("candle-nn", candle_version().to_owned()),
    };
    testkit::bench::main(&[version], rayon::current_num_threads(), &cases(side));
}
