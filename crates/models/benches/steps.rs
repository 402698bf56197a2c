//! Whole training steps (forward, loss, backward, SGD) of the papers' networks:
//! `cargo xtask bench steps`.

use candle_core::{Device, Tensor};
use models::{
    AlexNetConfig, BatchStatistics, BnInceptionConfig, CnnM2048Config, InceptionStem, Inputs, Modality,
    ModelConfig, Network, PyramidBase, PyramidConfig, PyramidHead, ResNet50Config, SnippetFusion,
    StResNetConfig, Stream, Window,
};
use nn::simd::Level;
use nn::{Gradients, Params, Pass, Sgd};
use serde_json::json;
use testkit::bench::{Case, Phase, Unit, Work};

const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 5e-4;
/// Small: the same batch is seen again and again, and the loss should not become zero.
const RATE: f64 = 1e-4;

/// Classes of UCF-101.
const CLASSES: usize = 101;
/// Channels of a frame.
const RGB: usize = 3;
/// Channels of ten flow fields.
const FLOW: usize = 20;
/// Dropout of the two-stream networks.
const DROPOUT: f64 = 0.9;

fn cases() -> Vec<Case> {
    let spatial = CnnM2048Config::paper(Stream::Spatial, RGB, CLASSES, DROPOUT);
    let temporal = CnnM2048Config::paper(Stream::Temporal, FLOW, CLASSES, DROPOUT);
    vec![
        case("cnn-m-temporal", 16, ModelConfig::CnnM2048(temporal)),
        case("cnn-m-spatial", 16, ModelConfig::CnnM2048(spatial)),
        case("alexnet", 32, ModelConfig::AlexNet(AlexNetConfig::paper(CLASSES))),
        case("resnet-50-rgb", 8, ModelConfig::ResNet50(ResNet50Config::paper(RGB, CLASSES))),
        case("resnet-50-flow", 8, ModelConfig::ResNet50(ResNet50Config::paper(FLOW, CLASSES))),
        case("bn-inception-rgb", 8, ModelConfig::BnInception(BnInceptionConfig::paper(RGB, CLASSES))),
        case("bn-inception-flow", 8, ModelConfig::BnInception(BnInceptionConfig::paper(FLOW, CLASSES))),
        case("st-resnet", 1, ModelConfig::StResNet(StResNetConfig::paper(CLASSES))),
        case("cnn-m-mini", 64, ModelConfig::CnnM2048(mini())),
        case("st-resnet-mini", 32, ModelConfig::StResNet(joined_mini())),
        case("pyramid", 2, ModelConfig::Pyramid(pyramid())),
        case("pyramid-mini", 16, ModelConfig::Pyramid(pyramid_mini())),
        case("resnet-mini", 32, ModelConfig::ResNet50(joined_mini().stream(Modality::Flow))),
    ]
}

/// What table 1b trains at the scale `mini`: `cargo xtask show table1b` prints it.
fn mini() -> CnnM2048Config {
    CnnM2048Config {
        input: [56, 56],
        widths: [12, 32, 64, 64, 64],
        conv1: Window { kernel: 5, stride: 2, padding: 0 },
        conv2: Window { kernel: 3, stride: 1, padding: 1 },
        full6: 512,
        full7: 256,
        ..CnnM2048Config::paper(Stream::Temporal, FLOW, 14, 0.2)
    }
}

/// What st-resnet/results trains at the scale `mini`, clips of five frames; its motion stream is trained before.
fn joined_mini() -> StResNetConfig {
    StResNetConfig {
        input: [56, 56],
        width: 8,
        conv1: Window { kernel: 5, stride: 2, padding: 2 },
        blocks: [2, 2, 3, 2],
        ..StResNetConfig::paper(14)
    }
}

/// All levels over three snippets of ten fields. All layers are normalised by their batch, as the peer's are.
fn pyramid() -> PyramidConfig {
    PyramidConfig {
        base: PyramidBase::BnInception(BnInceptionConfig::paper(RGB, CLASSES)),
        flow_channels: FLOW,
        snippets: 3,
        fusion: SnippetFusion::CompactBilinear,
        head: PyramidHead::Pyramid,
        sketch: 8192,
        attention: 512,
    }
}

/// What pyramid/stacking trains at the scale `mini`.
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

fn case(name: &str, batch: usize, config: ModelConfig) -> Case {
    let inputs = config.summary().expect("the sizes fit").inputs;
    let inputs: Vec<Vec<usize>> = inputs.into_iter().map(|(_, shape)| shape).collect();
    let shape = |shape: &Vec<usize>| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    let shapes: Vec<String> = inputs.iter().map(shape).collect();
    let work = batch as u64;
    let phase = |name| Phase { name, work };
    Case {
        name: name.into(),
        group: "training steps",
        size: format!("batch {batch}, {}", shapes.join(" + ")),
        unit: Unit::Samples,
        work,
        phases: vec![phase("forward"), phase("backward"), phase("update")],
        apart: false,
        facts: json!({
            "op": "step",
            "network": config,
            "batch": batch,
            "inputs": inputs,
            "rate": RATE,
            "momentum": MOMENTUM,
            "weight-decay": WEIGHT_DECAY,
        }),
        start: Box::new(move || Box::new(Step::new(&config, batch))),
    }
}

struct Step {
    /// Parameters, and multiply-adds of one sample.
    sizes: [u64; 2],
    network: Box<dyn Network>,
    inputs: Inputs,
    labels: Vec<u32>,
    optimiser: Sgd,
    iteration: u64,
    /// The pass and its loss.
    loss: Option<(Pass, Tensor)>,
    gradients: Option<Gradients>,
}

impl Step {
    fn new(config: &ModelConfig, batch: usize) -> Self {
        let params = Params::new(&Device::Cpu);
        let network = config.build(&params.builder(1)).expect("the sizes fit");
        let summary = config.summary().expect("the sizes fit");
        let classes = summary.rows.last().map_or(1, |row| row.output[0]);
        let mut inputs = Inputs::default();
        for (modality, shape) in &summary.inputs {
            // (C, H, W), or of clips (C, T, H, W).
            let (moments, [height, width]) = match shape[1..] {
                [height, width] => (1, [height, width]),
                [moments, height, width] => (moments, [height, width]),
                _ => panic!("an input is pictures"),
            };
            let shape = [batch, moments, shape[0], height, width];
            let data = testkit::noise(1, shape.iter().product());
            let x = Some(Tensor::from_vec(data, &shape, &Device::Cpu).expect("the shape fits"));
            match modality {
                Modality::Rgb => inputs.rgb = x,
                Modality::Flow => inputs.flow = x,
            }
        }
        Self {
            sizes: [params.count() as u64, summary.multiply_adds()],
            network,
            inputs,
            labels: (0..batch as u32).map(|sample| sample % classes as u32).collect(),
            optimiser: Sgd::new(&params, MOMENTUM, WEIGHT_DECAY).expect("valid settings"),
            iteration: 0,
            loss: None,
            gradients: None,
        }
    }
}

impl Work for Step {
    fn sizes(&mut self) -> Vec<u64> {
        self.sizes.to_vec()
    }

    fn run(&mut self, phase: usize) {
        match phase {
            0 => {
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
            1 => {
                let (pass, loss) = self.loss.take().expect("a forward pass has run");
                self.gradients = Some(pass.backward(&loss).expect("gradients"));
            }
            _ => {
                let gradients = self.gradients.take().expect("a backward pass has run");
                self.optimiser.step(&gradients, RATE).expect("a step");
            }
        }
    }
}

fn main() {
    let level = Level::current().expect("a level that this processor has");
    let versions = [("SIMD", level.name().to_owned())];
    testkit::bench::main(&versions, rayon::current_num_threads(), &cases());
}
