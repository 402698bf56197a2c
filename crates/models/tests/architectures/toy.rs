//! An architecture defined outside the crate. To be used in plans, it would also need two lines in this crate: `mod toy;` in
//! `lib.rs` and `#[kind = "toy"] Toy(crate::toy::ToyConfig),` in `list.rs`.

use models::graph::Graph;
use models::layer::{Facts, Layer, Shape};
use models::{Architecture, Case, Channels, Listed, Modality, Name, Result, Trunk, Wanted, Window};
use nn::{Activation, Params, Pass, Sgd, ops};

use crate::support::{device, inputs, labels, step};

/// A convolution and a classifier.
#[derive(Debug, Clone, PartialEq)]
struct ToyConfig {
    channels: Channels,
    side: usize,
    width: usize,
    classes: usize,
}

impl ToyConfig {
    fn of(wanted: &Wanted<'_>) -> Result<Self> {
        let (channels, classes) = (wanted.one_input()?, wanted.one_task()?);
        Ok(Self { channels, side: wanted.side, width: wanted.wide(32), classes })
    }
}

/// A kind of layer that this crate lacks: a separate rectification.
fn relu() -> Layer {
    let measure = |inputs: &[&Shape]| match *inputs {
        [x] => Ok(Facts { operation: "ReLU".into(), output: x.clone(), parameters: 0, multiply_adds: 0 }),
        _ => Err(format!("expected 1 input, found {}", inputs.len())),
    };
    Layer::new(measure, |_, _| Ok(Box::new(|x, _, pass| pass.apply(ops::Relu, x))))
}

impl Architecture for ToyConfig {
    fn kind(&self) -> &'static str {
        "toy"
    }

    fn graph(&self) -> Result<Graph> {
        let mut graph = Graph::new("Toy", format!("{} classes", self.classes), self.channels, [self.side; 2]);
        let window = Window { kernel: 3, stride: 2, padding: 1 };
        let layers = [
            ("conv", Layer::conv_relu(self.width, window)),
            ("pool", Layer::global_avg_pool()),
            ("full", Layer::linear(self.width, Activation::None)),
            ("relu", relu()),
        ];
        let features = graph.chain(graph.input(), layers)?;
        graph.set_features(features);
        graph.add("classes", Layer::linear(self.classes, Activation::None), &[features])?;
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        vec![self.channels]
    }

    fn heads(&self) -> Vec<usize> {
        vec![self.classes]
    }

    fn is_classifier(&self, parameter: &str) -> bool {
        parameter.starts_with("classes.")
    }

    fn trunk(&self) -> Trunk {
        Trunk::of(&Self { channels: Channels::FRAME, classes: 1, ..self.clone() })
    }

    fn first_convolution(&self) -> Option<&'static str> {
        Some("conv.weight")
    }

    fn small_stem(&self) -> &'static str {
        "nothing is smaller"
    }
}

impl Listed for ToyConfig {
    fn names() -> Vec<Name<Self>> {
        vec![Name::new("toy", Self::of)]
    }

    fn cases() -> Vec<Case<Self>> {
        vec![Case::new("Toy", Self { channels: Channels::FRAME, side: 16, width: 8, classes: 4 })]
    }
}

#[test]
fn an_architecture_from_outside_is_wanted_built_run_and_trained() {
    let difference = Channels::new(Modality::new("difference"), 6);
    let wanted = Wanted {
        inputs: &[difference],
        time_steps: 1,
        side: 16,
        classes: &[4],
        dropout: 0.0,
        later_dropout: None,
        keeps_units: false,
        width: 0.25,
        depth: 1.0,
        small_stem: false,
        batch_statistics: None,
        levels: None,
        consensus: None,
        poolings: &[],
    };
    let [name] = ToyConfig::names().try_into().ok().unwrap();
    let config = (name.make)(&wanted).unwrap();
    let summary = config.summary().unwrap();
    assert_eq!((summary.parameters(), summary.rows[3].operation.as_str()), (6 * 72 + 8 + 72 + 36, "ReLU"));

    let params = Params::new(device());
    let network = config.build(&params.builder(1)).unwrap();
    assert_eq!(params.count(), summary.parameters());
    let x = candle_core::Tensor::from_vec(testkit::noise(3, 8 * 6 * 256), (8, 6, 16, 16), device()).unwrap();
    let (batch, labels) = (inputs(difference.modality, &x), labels(8, 4));
    let mut sgd = Sgd::of(&params, 0.9, 0.0).unwrap();
    let losses: Vec<f32> = (0..100).map(|i| step(&network, &batch, &labels, i, &mut sgd, 0.05)).collect();
    assert!(losses[99] < 0.5 * losses[0], "it went from {} to {}", losses[0], losses[99]);
    let features = models::Network::forward(&network, &batch, &Pass::eval()).unwrap().features.unwrap();
    assert!(testkit::values(&features).iter().all(|&x| x >= 0.0), "they are rectified");

    // It can start from a network for frames, like the architectures of the list.
    let frames = ToyConfig { channels: Channels::FRAME, classes: 7, ..config.clone() };
    let stored = Params::new(device());
    frames.build(&stored.builder(2)).unwrap();
    let own: &dyn Architecture = &config;
    let adopted = own.adopt(&frames, &stored.tensors(), None).unwrap();
    params.transfer(&adopted, &|name| config.is_classifier(name)).unwrap();
    assert_eq!(params.tensors()["conv.weight"].dims(), [8, 6, 3, 3]);
}
