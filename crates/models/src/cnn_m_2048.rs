//! CNN-M-2048: either stream of "Two-Stream Convolutional Networks for Action
//! Recognition in Videos" (Simonyan & Zisserman, NIPS 2014), Figure 1 and Sect. 5.
//!
//! | layer | output (224x224) | kernel | stride | pad | then |
//! |---|---|---|---|---|---|
//! | conv1 | 96x109x109 | 7x7 | 2 | 0 | ReLU, LRN, pool1 3x3 stride 2: 54x54 |
//! | conv2 | 256x26x26 | 5x5 | 2 | 1 | ReLU, LRN (spatial stream only), pool2: 13x13 |
//! | conv3 | 512x13x13 | 3x3 | 1 | 1 | ReLU |
//! | conv4 | 512x13x13 | 3x3 | 1 | 1 | ReLU |
//! | conv5 | 512x13x13 | 3x3 | 1 | 1 | ReLU, pool5: 6x6 |
//! | full6 | 4096 | | | | ReLU, dropout |
//! | full7 | 2048 | | | | ReLU, dropout |
//! | full8 | classes | | | | softmax, in the loss |
//!
//! The temporal stream drops the second normalisation to save memory. Pooling rounds
//! up, as in Caffe. The figure writes "pool 2x2" where text and released model have
//! 3x3 stride 2; the constants of the normalisation are those of the released VGG-M.

use nn::ops::{Lrn, Pool2d};
use nn::{Activation, Builder};
use serde::{Deserialize, Serialize};

use crate::graph::Graph;
use crate::layer::Layer;
use crate::{Backbone, Modality, Result, Summary, Window, settings};

const MODEL: &str = "CNN-M-2048";

/// Normalisation of the released VGG-M model.
const LRN: Lrn = Lrn { size: 5, alpha: 5e-4, beta: 0.75, k: 2.0 };

/// Every pooling layer.
const POOL: Pool2d = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: true };

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Reads frames; normalises after conv1 and conv2.
    Spatial,
    /// Reads stacks of flow; normalises after conv1 only.
    Temporal,
}

/// Every size of the network; [`CnnM2048Config::paper`] has the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CnnM2048Config {
    /// Spatial or temporal.
    pub stream: Stream,
    /// Input channels: 3 for a frame, 2L for a stack of L flow fields.
    pub channels: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Classes of the softmax.
    pub classes: usize,
    /// Output channels of conv1 to conv5.
    pub widths: [usize; 5],
    /// Window of conv1.
    pub conv1: Window,
    /// Window of conv2.
    pub conv2: Window,
    /// Outputs of full6.
    pub full6: usize,
    /// Outputs of full7.
    pub full7: usize,
    /// Probability that dropout zeroes an output of full6 or full7.
    pub dropout: f64,
}

impl CnnM2048Config {
    /// The paper's network.
    pub fn paper(stream: Stream, channels: usize, classes: usize, dropout: f64) -> Self {
        Self {
            stream,
            channels,
            input: [224, 224],
            classes,
            widths: [96, 256, 512, 512, 512],
            conv1: Window { kernel: 7, stride: 2, padding: 0 },
            conv2: Window { kernel: 5, stride: 2, padding: 1 },
            full6: 4096,
            full7: 2048,
            dropout,
        }
    }

    /// Makes the network, with parameters `conv1.weight`, `conv1.bias`, ... `full8.bias`.
    ///
    /// # Errors
    /// As [`CnnM2048Config::summary`].
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

    /// The layers from the input to the logits, as in the table above.
    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let [width1, width2, width3, width4, width5] = self.widths;
        let same = Window { kernel: 3, stride: 1, padding: 1 };
        let full = |outputs| Layer::Linear { outputs, activation: Activation::Relu };
        let (stream, modality) = match self.stream {
            Stream::Spatial => ("spatial", Modality::Rgb),
            Stream::Temporal => ("temporal", Modality::Flow),
        };

        let [height, width] = self.input;
        let title = format!("{stream} stream, {} classes", self.classes);
        let mut graph = Graph::new(MODEL, title, modality, [self.channels, height, width]);
        let mut stem = vec![
            ("conv1", Layer::conv_relu(width1, self.conv1)),
            ("norm1", Layer::Lrn(LRN)),
            ("pool1", Layer::MaxPool(POOL)),
            ("conv2", Layer::conv_relu(width2, self.conv2)),
        ];
        if self.stream == Stream::Spatial {
            stem.push(("norm2", Layer::Lrn(LRN)));
        }
        let x = graph.chain(graph.input(), stem)?;
        let full7 = graph.chain(
            x,
            [
                ("pool2", Layer::MaxPool(POOL)),
                ("conv3", Layer::conv_relu(width3, same)),
                ("conv4", Layer::conv_relu(width4, same)),
                ("conv5", Layer::conv_relu(width5, same)),
                ("pool5", Layer::MaxPool(POOL)),
                ("full6", full(self.full6)),
                ("dropout6", Layer::Dropout(self.dropout)),
                ("full7", full(self.full7)),
            ],
        )?;
        graph.set_features(full7);
        graph.chain(
            full7,
            [
                ("dropout7", Layer::Dropout(self.dropout)),
                ("full8", Layer::Linear { outputs: self.classes, activation: Activation::None }),
            ],
        )?;
        Ok(graph)
    }

    fn check(&self) -> Result<()> {
        settings::at_least_one(
            MODEL,
            [
                ("channels", self.channels),
                ("classes", self.classes),
                ("full6", self.full6),
                ("full7", self.full7),
                ("the smallest of widths", settings::smallest(&self.widths)),
            ],
        )?;
        settings::dropout(MODEL, self.dropout)
    }
}
