//! VGG-16 (Simonyan & Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015,
//! Table 1, column D): another base of the Spatiotemporal Pyramid Network.
//!
//! | layers | output (224x224) |
//! |---|---|
//! | 2 convolutions 3x3, pool | 64x112x112 |
//! | 2, pool | 128x56x56 |
//! | 3, pool | 256x28x28 |
//! | 3, pool | 512x14x14 |
//! | 3, pool | 512x7x7 |
//! | 3 fully connected, dropout after the first two | 4096, 4096, classes |
//!
//! Names are torchvision's: N in `features.N` counts convolutions, rectifications and pooling layers.

use nn::Activation;
use nn::ops::Pool2d;
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Case, Listed, Name, Trunk};
use crate::base_network::{Base, Sizes};
use crate::graph::{Graph, Value};
use crate::layer::Layer;
use crate::names::{NameMap, Rule};
use crate::wanted::Wanted;
use crate::{Channels, Result, Window, settings};

const MODEL: &str = "VGG-16";

/// Number of convolutions in each stage.
const CONVOLUTIONS: [usize; 5] = [2, 2, 3, 3, 3];

/// Output channels of each stage, as multiples of those of the first stage.
const WIDENING: [usize; 5] = [1, 2, 4, 8, 8];

const CONV: Window = Window { kernel: 3, stride: 1, padding: 1 };
const POOL: Pool2d = Pool2d { kernel: [2, 2], stride: [2, 2], padding: [0, 0], ceil_mode: false };

/// Sizes of the network; [`Vgg16Config::paper`] has the paper's. Parameters are `features.0.weight`, ...
/// `classifier.6.bias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vgg16Config {
    /// Input channels: 3 for a frame, 2L for a stack of L flow fields.
    pub channels: Channels,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Classes of the softmax.
    pub classes: usize,
    /// Number of output channels of the first stage; the other stages have multiples of it.
    pub width: usize,
    /// Stages that end with a pooling layer; all in the paper. Small frames have no room for five.
    pub pooled: [bool; 5],
    /// Number of outputs of the first two fully connected layers.
    pub full: usize,
    /// Probability that dropout zeroes an output of these layers.
    pub dropout: f64,
    /// The probability after the second of these layers, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later_dropout: Option<f64>,
}

impl Vgg16Config {
    /// Returns the paper's network.
    pub fn paper(channels: Channels, classes: usize) -> Self {
        Self {
            channels,
            input: [224, 224],
            classes,
            width: 64,
            pooled: [true; 5],
            full: 4096,
            dropout: 0.5,
            later_dropout: None,
        }
    }

    fn of(wanted: &Wanted<'_>) -> Result<Self> {
        let paper = Self::paper(wanted.one_input()?, wanted.one_task()?);
        let (dropout, later_dropout) = wanted.dropped_by_layer();
        Ok(Self {
            input: [wanted.side; 2],
            width: wanted.wide(paper.width),
            full: wanted.wide(paper.full),
            dropout,
            later_dropout,
            // A frame of a quarter of the size then ends with the paper's grid.
            pooled: wanted.stem(paper.pooled, [true, true, true, false, false]),
            ..paper
        })
    }

    fn check(&self) -> Result<()> {
        settings::sizes(
            MODEL,
            [
                ("channels", self.channels.count),
                ("classes", self.classes),
                ("width", self.width),
                ("full", self.full),
            ],
        )?;
        settings::picture(MODEL, self.input)?;
        settings::dropout(MODEL, self.dropout)?;
        settings::dropout(MODEL, self.later_dropout.unwrap_or(0.0))
    }
}

impl Architecture for Vgg16Config {
    fn kind(&self) -> &'static str {
        "vgg-16"
    }

    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let title = format!("{} classes", self.classes);
        let mut graph = Graph::new(MODEL, title, self.channels, self.input);
        let input = graph.input();
        let x = self.layers(&mut graph, "", input)?;
        let full = Layer::linear(self.full, Activation::Relu);
        let dropout = ("dropout.0", Layer::dropout(self.dropout));
        let x = graph.chain(x, [("classifier.0", full.clone()), dropout, ("classifier.3", full)])?;
        graph.set_features(x);
        graph.classify(
            x,
            ("dropout.3", self.later_dropout.unwrap_or(self.dropout)),
            ("classifier.6", self.classes),
        )?;
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        vec![self.channels]
    }

    fn heads(&self) -> Vec<usize> {
        vec![self.classes]
    }

    fn is_classifier(&self, parameter: &str) -> bool {
        parameter.starts_with("classifier.6.")
    }

    fn trunk(&self) -> Trunk {
        let (dropout, later_dropout) = (0.0, None);
        Trunk::of(&Self { channels: Channels::FRAME, classes: 1, dropout, later_dropout, ..self.clone() })
    }

    fn first_convolution(&self) -> Option<&'static str> {
        Some("features.0.weight")
    }

    fn small_stem(&self) -> &'static str {
        "no pool4, no pool5"
    }

    fn published_names(&self, names: NameMap) -> Option<&'static [Rule]> {
        (names == NameMap::Torchvision).then_some(&[])
    }
}

impl Base for Vgg16Config {
    fn layers(&self, graph: &mut Graph, prefix: &str, input: Value) -> Result<Value> {
        let mut x = input;
        let mut at = 0;
        for ((convolutions, widening), pooled) in CONVOLUTIONS.into_iter().zip(WIDENING).zip(self.pooled) {
            for _ in 0..convolutions {
                let conv = Layer::conv_relu(self.width * widening, CONV);
                x = graph.add(format!("{prefix}features.{at}"), conv, &[x])?;
                // The rectification has its own number.
                at += 2;
            }
            if pooled {
                x = graph.add(format!("{prefix}features.{at}"), Layer::max_pool(POOL), &[x])?;
            }
            at += 1;
        }
        Ok(x)
    }

    fn is_of_layers(&self, parameter: &str) -> bool {
        parameter.starts_with("features.")
    }

    fn sizes(&self) -> Sizes {
        Sizes { input: self.input, dropout: self.dropout }
    }

    fn seeing(&self, channels: Channels) -> Box<dyn Architecture> {
        Box::new(Self { channels, ..self.clone() })
    }
}

impl Listed for Vgg16Config {
    fn names() -> Vec<Name<Self>> {
        vec![Name::new("vgg-16", Self::of)]
    }

    fn cases() -> Vec<Case<Self>> {
        let model = Self { input: [32, 32], width: 4, full: 24, ..Self::paper(Channels::FRAME, 4) };
        vec![Case::new("VGG-16", model)]
    }
}
