//! ResNet-50 (He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition",
//! CVPR 2016, Table 1): either stream of ST-ResNet, before the two are joined.
//!
//! | layer | output (224x224) | blocks of 1x1, 3x3, 1x1 |
//! |---|---|---|
//! | conv1 | 64x112x112 | 7x7 stride 2 |
//! | maxpool | 64x56x56 | 3x3 stride 2 |
//! | layer1 (conv2_x) | 256x56x56 | 3 of 64, 64, 256 |
//! | layer2 (conv3_x) | 512x28x28 | 4 of 128, 128, 512 |
//! | layer3 (conv4_x) | 1024x14x14 | 6 of 256, 256, 1024 |
//! | layer4 (conv5_x) | 2048x7x7 | 3 of 512, 512, 2048 |
//! | avgpool, fc | classes | |
//!
//! Names, and the place of the stride (the 3x3 convolution of a stage's first block, the
//! 1x1 before it in the paper), are those of torchvision, so that its weights fit.

use nn::ops::Pool2d;
use nn::{Activation, Builder, Statistics};
use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Value};
use crate::layer::Layer;
use crate::{Backbone, BatchStatistics, Modality, Result, Summary, Window, settings};

const MODEL: &str = "ResNet-50";

/// The pooling layer after conv1.
const POOL: Pool2d = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceil_mode: false };

/// Output channels of a block are this many times those of its 3x3 convolution.
const EXPANSION: usize = 4;

/// Every size of the network; [`ResNet50Config::paper`] has the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResNet50Config {
    /// Input channels: 3 for a frame, 2L for a stack of L flow fields.
    pub channels: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Classes of the softmax.
    pub classes: usize,
    /// Output channels of conv1; every other width is a multiple of it.
    pub width: usize,
    /// Blocks of the four stages.
    pub blocks: [usize; 4],
    /// Probability that dropout zeroes an input of the classifier.
    pub dropout: f64,
    /// Which layers are normalised by their batch in training.
    pub batch_statistics: BatchStatistics,
}

impl ResNet50Config {
    /// The paper's network, with the dropout of ST-ResNet's streams: none for frames, 0.8
    /// for flow.
    pub fn paper(channels: usize, classes: usize) -> Self {
        let dropout = match Modality::of_channels(channels) {
            Modality::Rgb => 0.0,
            Modality::Flow => 0.8,
        };
        Self {
            channels,
            input: [224, 224],
            classes,
            width: 64,
            blocks: [3, 4, 6, 3],
            dropout,
            batch_statistics: BatchStatistics::All,
        }
    }

    /// Makes the network, with torchvision's names: `conv1.weight`, `bn1.weight`,
    /// `bn1.running_mean`, `layer1.0.conv1.weight`, ... `fc.bias`.
    ///
    /// # Errors
    /// As [`ResNet50Config::summary`].
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
        let [height, width] = self.input;
        let modality = Modality::of_channels(self.channels);
        let title = format!("{} classes", self.classes);
        let mut graph = Graph::new(MODEL, title, modality, [self.channels, height, width]);
        let statistics = self.batch_statistics.first();
        let mut x = graph.chain(
            graph.input(),
            [
                ("conv1", conv(self.width, Window { kernel: 7, stride: 2, padding: 3 })),
                ("bn1", Layer::BatchNorm { statistics, activation: Activation::Relu }),
                ("maxpool", Layer::MaxPool(POOL)),
            ],
        )?;
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            for block in 0..blocks {
                let name = format!("layer{}.{block}", stage + 1);
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let statistics = self.batch_statistics.later();
                let bottleneck =
                    Bottleneck { width: self.width << stage, stride, project: block == 0, statistics };
                x = bottleneck.add(&mut graph, &name, x)?;
            }
        }
        let features = graph.add("avgpool", Layer::GlobalAvgPool, &[x])?;
        graph.set_features(features);
        let mut x = features;
        if self.dropout > 0.0 {
            x = graph.add("dropout", Layer::Dropout(self.dropout), &[x])?;
        }
        graph.add("fc", Layer::Linear { outputs: self.classes, activation: Activation::None }, &[x])?;
        Ok(graph)
    }

    fn check(&self) -> Result<()> {
        settings::at_least_one(
            MODEL,
            [
                ("channels", self.channels),
                ("classes", self.classes),
                ("width", self.width),
                ("the smallest of blocks", settings::smallest(&self.blocks)),
            ],
        )?;
        settings::dropout(MODEL, self.dropout)
    }
}

/// A residual block (Fig. 5, right): `relu(shortcut(x) + F(x))`.
struct Bottleneck {
    /// Channels of the first two convolutions.
    width: usize,
    /// Of the 3x3 convolution and the shortcut.
    stride: usize,
    /// Whether the shortcut is a 1x1 convolution; else it is the input itself.
    project: bool,
    statistics: Statistics,
}

impl Bottleneck {
    fn add(&self, graph: &mut Graph, block: &str, x: Value) -> Result<Value> {
        let Self { width, stride, project, statistics } = *self;
        let name = |layer: &str| format!("{block}.{layer}");
        let one = |stride| Window { kernel: 1, stride, padding: 0 };
        let norm = |activation| Layer::BatchNorm { statistics, activation };
        let mut shortcut = x;
        if project {
            shortcut = graph.chain(
                x,
                [
                    (name("downsample.0"), conv(EXPANSION * width, one(stride))),
                    (name("downsample.1"), norm(Activation::None)),
                ],
            )?;
        }
        let residual = graph.chain(
            x,
            [
                (name("conv1"), conv(width, one(1))),
                (name("bn1"), norm(Activation::Relu)),
                (name("conv2"), conv(width, Window { kernel: 3, stride, padding: 1 })),
                (name("bn2"), norm(Activation::Relu)),
                (name("conv3"), conv(EXPANSION * width, one(1))),
            ],
        )?;
        graph.add(name("bn3"), norm(Activation::Relu), &[residual, shortcut])
    }
}

/// A convolution that is normalised after, so without bias.
fn conv(outputs: usize, window: Window) -> Layer {
    Layer::Conv { outputs, window, groups: 1, bias: false, activation: Activation::None }
}
