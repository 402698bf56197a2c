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
//! Names are torchvision's, where `features.N` counts convolutions, rectifications and pooling layers.

use nn::ops::Pool2d;
use nn::{Activation, Builder};
use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Value};
use crate::layer::Layer;
use crate::{Backbone, Modality, Result, Summary, Window, settings};

const MODEL: &str = "VGG-16";

/// Convolutions of each stage.
const CONVOLUTIONS: [usize; 5] = [2, 2, 3, 3, 3];

/// Output channels of each stage, as multiples of the first one's.
const WIDENING: [usize; 5] = [1, 2, 4, 8, 8];

const CONV: Window = Window { kernel: 3, stride: 1, padding: 1 };
const POOL: Pool2d = Pool2d { kernel: [2, 2], stride: [2, 2], padding: [0, 0], ceil_mode: false };

/// Every size of the network; [`Vgg16Config::paper`] has the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Vgg16Config {
    /// Input channels: 3 for a frame, 2L for a stack of L flow fields.
    pub channels: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Classes of the softmax.
    pub classes: usize,
    /// Output channels of the first stage; every other width of a convolution is a multiple of it.
    pub width: usize,
    /// The stages that a pooling layer ends; all in the paper. Small pictures have no room for five.
    pub pooled: [bool; 5],
    /// Outputs of the first two fully connected layers.
    pub full: usize,
    /// Probability that dropout zeroes one of their outputs.
    pub dropout: f64,
}

impl Vgg16Config {
    /// The paper's network.
    pub fn paper(channels: usize, classes: usize) -> Self {
        Self { channels, input: [224, 224], classes, width: 64, pooled: [true; 5], full: 4096, dropout: 0.5 }
    }

    /// Makes the network, with parameters `features.0.weight`, ... `classifier.6.bias`.
    ///
    /// # Errors
    /// As [`Vgg16Config::summary`].
    pub fn build(&self, builder: &Builder) -> Result<Backbone> {
        Backbone::new(&self.graph()?, builder)
    }

    /// Describes the network; allocates no weights.
    ///
    /// # Errors
    /// If a layer does not fit the size that reaches it, or a setting is out of range.
    pub fn summary(&self) -> Result<Summary> {
        Ok(self.graph()?.summary())
    }

    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let [height, width] = self.input;
        let modality = Modality::of_channels(self.channels);
        let title = format!("{} classes", self.classes);
        let mut graph = Graph::new(MODEL, title, modality, [self.channels, height, width]);
        let input = graph.input();
        let mut x = self.trunk(&mut graph, "", input)?;
        for layer in [0, 3] {
            let full = Layer::Linear { outputs: self.full, activation: Activation::Relu };
            x = graph.add(format!("classifier.{layer}"), full, &[x])?;
            if layer == 3 {
                graph.set_features(x);
            }
            x = graph.add(format!("dropout.{layer}"), Layer::Dropout(self.dropout), &[x])?;
        }
        let classifier = Layer::Linear { outputs: self.classes, activation: Activation::None };
        graph.add("classifier.6", classifier, &[x])?;
        Ok(graph)
    }

    /// The layers from an input to the last feature map, their names under a prefix.
    pub(crate) fn trunk(&self, graph: &mut Graph, prefix: &str, input: Value) -> Result<Value> {
        let mut x = input;
        let mut at = 0;
        for ((convolutions, widening), pooled) in CONVOLUTIONS.into_iter().zip(WIDENING).zip(self.pooled) {
            for _ in 0..convolutions {
                let conv = Layer::conv_relu(self.width * widening, CONV);
                x = graph.add(format!("{prefix}features.{at}"), conv, &[x])?;
                // The rectification has a number of its own.
                at += 2;
            }
            if pooled {
                x = graph.add(format!("{prefix}features.{at}"), Layer::MaxPool(POOL), &[x])?;
            }
            at += 1;
        }
        Ok(x)
    }

    fn check(&self) -> Result<()> {
        settings::at_least_one(
            MODEL,
            [
                ("channels", self.channels),
                ("classes", self.classes),
                ("width", self.width),
                ("full", self.full),
            ],
        )?;
        settings::dropout(MODEL, self.dropout)
    }
}
