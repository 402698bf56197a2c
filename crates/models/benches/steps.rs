//! Whole training steps (forward, loss, backward, SGD) of the papers' networks:
//! `cargo xtask bench steps`.
//!
//! They run on the device in `BENCH_DEVICE` (`cpu`, the default, or `cuda:N`) with the precision in
//! `BENCH_PRECISION` (`fp32`, the default, or `tf32`).

use std::process::ExitCode;

use candle_core::{Device, Tensor};
use models::{
    AlexNetConfig, Backbone, BatchStatistics, BnInceptionConfig, Channels, CnnM2048Config, InceptionStem,
    Inputs, ModelConfig, Network, PyramidBase, PyramidConfig, PyramidHead, ResNet50Config, SnippetFusion,
    StResNetConfig, Window,
};
use nn::simd::Level;
use nn::{Gradients, Params, Pass, Precision, Sgd};
use serde_json::json;
use testkit::bench::{Case, Host, Phase, Unit, Work};

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: nn::ReusingAllocator = nn::ReusingAllocator;

const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 5e-4;
/// Small, so that the loss does not reach zero although every step sees the same batch.
const RATE: f64 = 1e-4;

/// Number of classes of UCF-101.
const CLASSES: usize = 101;
/// A frame.
const RGB: Channels = Channels::FRAME;
/// Ten flow fields.
const FLOW: Channels = Channels::flow(20);
/// Dropout of the two-stream networks.
const DROPOUT: f64 = 0.9;

/// Returns the cases. Each has two batch sizes: one for a CPU, and one for a GPU, which is the paper's.
fn cases(device: &Device) -> Vec<Case> {
    let spatial = CnnM2048Config::paper(RGB, CLASSES, DROPOUT);
    let temporal = CnnM2048Config::paper(FLOW, CLASSES, DROPOUT);
    let case = |name, [cpu, gpu]: [usize; 2], config| {
        let batch = if device.is_cpu() { cpu } else { gpu };
        case(name, batch, config, device)
    };
    vec![
        case("cnn-m-temporal", [16, 256], ModelConfig::CnnM2048(temporal)),
        case("cnn-m-spatial", [16, 256], ModelConfig::CnnM2048(spatial)),
        case("alexnet", [32, 128], ModelConfig::AlexNet(AlexNetConfig::paper(CLASSES))),
        case("resnet-50-rgb", [8, 64], ModelConfig::ResNet50(ResNet50Config::paper(RGB, CLASSES))),
        case("resnet-50-flow", [8, 64], ModelConfig::ResNet50(ResNet50Config::paper(FLOW, CLASSES))),
        case("bn-inception-rgb", [8, 64], ModelConfig::BnInception(BnInceptionConfig::paper(RGB, CLASSES))),
        case("bn-inception-flow", [8, 64], ModelConfig::BnInception(BnInceptionConfig::paper(FLOW, CLASSES))),
        case("st-resnet", [1, 8], ModelConfig::StResNet(StResNetConfig::paper(CLASSES))),
        case("cnn-m-mini", [64; 2], ModelConfig::CnnM2048(mini())),
        case("st-resnet-mini", [32; 2], ModelConfig::StResNet(joined_mini())),
        case("pyramid", [2, 8], ModelConfig::Pyramid(pyramid())),
        case("pyramid-mini", [16; 2], ModelConfig::Pyramid(pyramid_mini())),
        case("resnet-mini", [32; 2], ModelConfig::ResNet50(stream_mini())),
    ]
}

/// Returns the network of table 1b at the profile `mini`: `cargo xtask show table1b` prints it.
fn mini() -> CnnM2048Config {
    CnnM2048Config {
        input: [56, 56],
        widths: [12, 32, 64, 64, 64],
        conv1: Window { kernel: 5, stride: 2, padding: 0 },
        conv2: Window { kernel: 3, stride: 1, padding: 1 },
        full6: 512,
        full7: 256,
        ..CnnM2048Config::paper(FLOW, 14, 0.2)
    }
}

/// Returns the network of st-resnet/results at the profile `mini`, for clips of five frames.
fn joined_mini() -> StResNetConfig {
    StResNetConfig {
        input: [56, 56],
        width: 8,
        conv1: Window { kernel: 5, stride: 2, padding: 2 },
        blocks: [2, 2, 3, 2],
        ..StResNetConfig::paper(14)
    }
}

fn stream_mini() -> ResNet50Config {
    let StResNetConfig { input, width, conv1, blocks, .. } = joined_mini();
    ResNet50Config { input, width, conv1, blocks, dropout: 0.0, ..ResNet50Config::paper(FLOW, 14) }
}

/// Returns a pyramid of all levels over three snippets of ten fields. All layers use the statistics of the batch, as in the
/// implementation that it is compared with.
fn pyramid() -> PyramidConfig {
    PyramidConfig {
        base: PyramidBase::BnInception(BnInceptionConfig::paper(RGB, CLASSES)),
        flow_channels: FLOW.count,
        snippets: 3,
        fusion: SnippetFusion::CompactBilinear,
        head: PyramidHead::Pyramid,
        sketch: 8192,
        attention: 512,
    }
}

/// Returns the network of pyramid/stacking at the profile `mini`.
fn pyramid_mini() -> PyramidConfig {
    let base = BnInceptionConfig {
        input: [56, 56],
        width_divisor: 8,
        stem: InceptionStem::Small,
        dropout: 0.0,
        batch_statistics: BatchStatistics::First,
        ..BnInceptionConfig::paper(RGB, 14)
    };
    PyramidConfig { base: PyramidBase::BnInception(base), sketch: 1024, attention: 64, ..pyramid() }
}

fn case(name: &str, batch: usize, config: ModelConfig, device: &Device) -> Case {
    let inputs = config.summary().expect("the sizes fit").inputs;
    let inputs: Vec<Vec<usize>> = inputs.into_iter().map(|(_, shape)| shape).collect();
    let shape = |shape: &Vec<usize>| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    let shapes: Vec<String> = inputs.iter().map(shape).collect();
    let work = batch as u64;
    let mut phases = vec!["forward", "backward", "update"];
    // Phases wait for the GPU, which training does not; a whole step is measured as well.
    let whole = !device.is_cpu();
    phases.extend(whole.then_some("step"));
    let device = device.clone();
    Case {
        name: name.into(),
        group: "training steps",
        size: format!("batch {batch}, {}", shapes.join(" + ")),
        unit: Unit::Samples,
        work,
        phases: phases.into_iter().map(|name| Phase { name, work }).collect(),
        apart: false,
        whole,
        facts: json!({
            "op": "step",
            "network": config,
            "batch": batch,
            "inputs": inputs,
            "rate": RATE,
            "momentum": MOMENTUM,
            "weight-decay": WEIGHT_DECAY,
        }),
        start: Box::new(move || Box::new(Step::new(&config, batch, &device))),
    }
}

struct Step {
    device: Device,
    /// Number of parameters, and multiply-adds of one sample.
    sizes: [u64; 2],
    network: Backbone,
    inputs: Inputs,
    labels: Vec<u32>,
    optimiser: Sgd,
    iteration: u64,
    /// The pass and its loss.
    loss: Option<(Pass, Tensor)>,
    gradients: Option<Gradients>,
}

impl Step {
    fn new(config: &ModelConfig, batch: usize, device: &Device) -> Self {
        let params = Params::new(device);
        let network = config.build(&params.builder(1)).expect("the sizes fit");
        let summary = config.summary().expect("the sizes fit");
        let classes = summary.rows.last().map_or(1, |row| row.output[0]);
        let mut inputs = Inputs::default();
        for &(modality, ref shape) in &summary.inputs {
            // (C, H, W), or (C, T, H, W) for clips.
            let (time_steps, [height, width]) = match shape[1..] {
                [height, width] => (1, [height, width]),
                [time_steps, height, width] => (time_steps, [height, width]),
                _ => panic!("an input is pictures"),
            };
            let shape = [batch, time_steps, shape[0], height, width];
            let data = testkit::noise(1, shape.iter().product());
            inputs.insert(modality, Tensor::from_vec(data, &shape, device).expect("the shape fits"));
        }
        Self {
            device: device.clone(),
            sizes: [params.count() as u64, summary.multiply_adds()],
            network,
            inputs,
            labels: (0..batch as u32).map(|sample| sample % classes as u32).collect(),
            optimiser: Sgd::of(&params, MOMENTUM, WEIGHT_DECAY).expect("valid settings"),
            iteration: 0,
            loss: None,
            gradients: None,
        }
    }

    fn forward(&mut self) {
        self.iteration += 1;
        let pass = Pass::train(self.iteration);
        let outputs = self.network.forward(&self.inputs, &pass).expect("the input fits");
        let losses: Vec<Tensor> = outputs
            .heads
            .iter()
            .map(|head| nn::softmax_cross_entropy(&head.logits, &self.labels, &pass))
            .collect::<nn::Result<_>>()
            .expect("the labels fit");
        let loss = nn::sum_of_losses(&losses, &pass).expect("one at least");
        self.loss = Some((pass, loss));
    }

    fn backward(&mut self) {
        let (pass, loss) = self.loss.take().expect("a forward pass has run");
        self.gradients = Some(pass.backward(&loss).expect("gradients"));
    }

    fn update(&mut self) {
        let gradients = self.gradients.take().expect("a backward pass has run");
        self.optimiser.descend(&gradients, RATE).expect("a step");
    }
}

impl Work for Step {
    fn sizes(&mut self) -> Vec<u64> {
        self.sizes.to_vec()
    }

    fn run(&mut self, phase: usize) {
        match phase {
            0 => self.forward(),
            1 => self.backward(),
            2 => self.update(),
            _ => {
                self.forward();
                self.backward();
                self.update();
            }
        }
        nn::device::synchronize(&self.device).expect("the device has done it");
    }
}

/// Returns the device of the environment, with the precision set.
fn device() -> Result<Device, String> {
    let told = |name: &str, usual: &str| std::env::var(name).unwrap_or_else(|_| usual.to_owned());
    let place = told("BENCH_DEVICE", "cpu");
    let device = match (place.as_str(), place.strip_prefix("cuda:").map(str::parse)) {
        ("cpu", _) => Device::Cpu,
        (_, Some(Ok(number))) => nn::device::cuda(number).map_err(|problem| problem.to_string())?,
        _ => return Err(format!("BENCH_DEVICE is `{place}`, expected cpu or cuda:N")),
    };
    let precision = told("BENCH_PRECISION", "fp32");
    let known: Precision = serde_json::from_value(json!(precision))
        .map_err(|_| format!("BENCH_PRECISION is `{precision}`, expected fp32 or tf32"))?;
    known.set(&device).map_err(|problem| problem.to_string())?;
    Ok(device)
}

fn run() -> Result<(), String> {
    let device = device()?;
    let threads = rayon::current_num_threads();
    let cases = cases(&device);
    let facts = || nn::device::gpu_facts(&device).map_err(|problem| problem.to_string());
    if let Some(gpu) = facts()? {
        let peak_kib = || Some(facts().ok()??.peak >> 10);
        let (versions, gpu) = (&nn::device::libraries(), Some(gpu.name));
        testkit::bench::main_on(&Host { versions, threads, gpu, peak_kib: &peak_kib }, &cases);
    } else {
        let level = Level::current().map_err(|problem| problem.to_string())?;
        testkit::bench::main(&[("SIMD", level.name().to_owned())], threads, &cases);
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => testkit::bench::refuse(&problem),
    }
}
