//! ResNet-50 (He, Zhang, Ren & Sun, "Deep Residual Learning for Image Recognition",
//! CVPR 2016, Table 1): a stream of ST-ResNet, before the two are joined.
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
//! Names and the position of the stride are torchvision's, so that its weights fit: the
//! stride is in the 3x3 convolution of a stage's first block, in the paper in the 1x1
//! convolution before it.

use base::Modality;
use nn::Activation;
use nn::ops::Pool2d;
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Case, Listed, Name, Trunk};
use crate::base_network::{Base, Sizes};
use crate::graph::{Graph, Value};
use crate::layer::{BatchStatistics, Conv, Layer, Window};
use crate::names::{BATCH_COUNTS, NameMap, Rule};
use crate::wanted::Wanted;
use crate::{Channels, Result, settings};

const MODEL: &str = "ResNet-50";

/// The paper's conv1.
pub(crate) const CONV1: Window = Window { kernel: 7, stride: 2, padding: 3 };

/// conv1 for small frames; the padding keeps the paper's grid.
pub(crate) const SMALL_CONV1: Window = Window { kernel: 5, stride: 2, padding: 2 };

/// [`SMALL_CONV1`] in words.
pub(crate) const SMALL_STEM: &str = "conv1 5x5";

/// The pooling layer after conv1.
const POOL: Pool2d = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [1, 1], ceil_mode: false };

/// Ratio of the output channels of a block to those of its 3x3 convolution.
const EXPANSION: usize = 4;

/// Sizes of the network; [`ResNet50Config::paper`] has the paper's. Parameters have torchvision's names:
/// `conv1.weight`, `bn1.weight`, `bn1.running_mean`, `layer1.0.conv1.weight`, ... `fc.bias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ResNet50Config {
    /// Input channels: 3 for a frame, 2L for a stack of L flow fields.
    pub channels: Channels,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Classes of the softmax.
    pub classes: usize,
    /// Number of output channels of conv1; all other widths are multiples of it.
    pub width: usize,
    /// Window of conv1, 7x7 stride 2 in the paper.
    pub conv1: Window,
    /// Numbers of blocks in the four stages.
    pub blocks: [usize; 4],
    /// Probability that dropout zeroes an input of the classifier.
    pub dropout: f64,
    /// Layers that use the statistics of the batch in training.
    pub batch_statistics: BatchStatistics,
}

impl ResNet50Config {
    /// Returns the paper's network, with the dropout of ST-ResNet's streams: none for frames, 0.8
    /// for flow.
    pub fn paper(channels: Channels, classes: usize) -> Self {
        let dropout = if channels.modality == Modality::RGB { 0.0 } else { 0.8 };
        Self {
            channels,
            input: [224, 224],
            classes,
            width: 64,
            conv1: CONV1,
            blocks: [3, 4, 6, 3],
            dropout,
            batch_statistics: BatchStatistics::All,
        }
    }

    /// Returns `true` if it equals torchvision's `resnet50` except for the classes, so that the same weights fit both.
    pub fn is_torchvisions(&self) -> bool {
        let paper = Self::paper(Channels::FRAME, self.classes);
        let Self { channels, width, conv1, blocks, .. } = paper;
        (self.channels, self.width, self.conv1, self.blocks) == (channels, width, conv1, blocks)
    }

    fn of(wanted: &Wanted<'_>) -> Result<Self> {
        let paper = Self::paper(wanted.one_input()?, wanted.one_task()?);
        Ok(Self {
            input: [wanted.side; 2],
            width: wanted.wide(paper.width),
            conv1: wanted.stem(paper.conv1, SMALL_CONV1),
            blocks: wanted.units(paper.blocks),
            dropout: wanted.dropped()?,
            batch_statistics: wanted.statistics(),
            ..paper
        })
    }

    fn check(&self) -> Result<()> {
        settings::sizes(
            MODEL,
            [("channels", self.channels.count), ("classes", self.classes), ("width", self.width)],
        )?;
        settings::blocks(MODEL, &self.blocks)?;
        settings::picture(MODEL, self.input)?;
        settings::window(MODEL, "conv1", self.conv1)?;
        settings::dropout(MODEL, self.dropout)
    }
}

impl Architecture for ResNet50Config {
    fn kind(&self) -> &'static str {
        "resnet-50"
    }

    /// Makes the layers of the table above.
    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let title = format!("{} classes", self.classes);
        let mut graph = Graph::new(MODEL, title, self.channels, self.input);
        let input = graph.input();
        let x = self.layers(&mut graph, "", input)?;
        let features = graph.add("avgpool", Layer::global_avg_pool(), &[x])?;
        graph.set_features(features);
        let mut x = features;
        if self.dropout > 0.0 {
            x = graph.add("dropout", Layer::dropout(self.dropout), &[x])?;
        }
        graph.add("fc", Layer::linear(self.classes, Activation::None), &[x])?;
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        vec![self.channels]
    }

    fn heads(&self) -> Vec<usize> {
        vec![self.classes]
    }

    fn is_classifier(&self, parameter: &str) -> bool {
        parameter.starts_with("fc.")
    }

    fn trunk(&self) -> Trunk {
        Trunk::of(&Self {
            channels: Channels::FRAME,
            classes: 1,
            dropout: 0.0,
            batch_statistics: BatchStatistics::All,
            ..self.clone()
        })
    }

    fn first_convolution(&self) -> Option<&'static str> {
        Some("conv1.weight")
    }

    fn small_stem(&self) -> &'static str {
        SMALL_STEM
    }

    /// Names and structure are torchvision's.
    fn published_names(&self, names: NameMap) -> Option<&'static [Rule]> {
        (names == NameMap::Torchvision).then_some(&[BATCH_COUNTS])
    }
}

impl Base for ResNet50Config {
    fn layers(&self, graph: &mut Graph, prefix: &str, input: Value) -> Result<Value> {
        let layers =
            Layers { prefix, width: self.width, conv1: self.conv1, batch_statistics: self.batch_statistics };
        let mut x = layers.stem(graph, input)?;
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            for block in 0..blocks {
                x = layers.unit(graph, Unit::plain(stage, block), x)?;
            }
        }
        Ok(x)
    }

    fn sizes(&self) -> Sizes {
        Sizes { input: self.input, dropout: self.dropout }
    }

    fn seeing(&self, channels: Channels) -> Box<dyn Architecture> {
        Box::new(Self { channels, ..self.clone() })
    }
}

impl Listed for ResNet50Config {
    fn names() -> Vec<Name<Self>> {
        vec![Name::normalised("resnet-50", Self::of)]
    }

    fn cases() -> Vec<Case<Self>> {
        let paper = Self::paper(Channels::FRAME, 4);
        let model = Self { input: [48, 48], width: 8, blocks: [1, 2, 1, 1], ..paper };
        vec![Case::new("ResNet-50", model)]
    }
}

/// Layers of one stream, named as in torchvision with a prefix.
pub(crate) struct Layers<'a> {
    /// Prefix of all names, such as `appearance.`.
    pub(crate) prefix: &'a str,
    /// Number of output channels of conv1.
    pub(crate) width: usize,
    pub(crate) conv1: Window,
    pub(crate) batch_statistics: BatchStatistics,
}

/// A residual unit (Fig. 5, right), `relu(shortcut(x) + F(x))`, and its position.
pub(crate) struct Unit {
    /// Index of the stage, from 0.
    pub(crate) stage: usize,
    /// Index of the block in its stage, from 0.
    pub(crate) block: usize,
    /// Value added to the input of the residual branch, but not to that of the shortcut.
    pub(crate) entering: Option<Value>,
    /// Number of time steps that the 1x1 convolutions of the residual branch read.
    pub(crate) time_steps: usize,
}

impl Unit {
    pub(crate) fn plain(stage: usize, block: usize) -> Self {
        Self { stage, block, entering: None, time_steps: 1 }
    }
}

impl Layers<'_> {
    /// Adds the layers from the input to the first stage.
    pub(crate) fn stem(&self, graph: &mut Graph, input: Value) -> Result<Value> {
        let name = |layer: &str| format!("{}{layer}", self.prefix);
        let statistics = self.batch_statistics.first();
        graph.chain(
            input,
            [
                (name("conv1"), conv(self.width, self.conv1)),
                (name("bn1"), Layer::batch_norm(statistics, Activation::Relu)),
                (name("maxpool"), Layer::max_pool(POOL)),
            ],
        )
    }

    /// Adds a residual unit. The first unit of a stage widens, and except in the first stage it halves the size.
    pub(crate) fn unit(&self, graph: &mut Graph, unit: Unit, x: Value) -> Result<Value> {
        let Unit { stage, block, entering, time_steps } = unit;
        let width = self.width << stage;
        let stride = if stage > 0 && block == 0 { 2 } else { 1 };
        let name = |layer: &str| format!("{}layer{}.{block}.{layer}", self.prefix, stage + 1);
        let one = |stride| Window { kernel: 1, stride, padding: 0 };
        let point = |outputs| match time_steps {
            1 => conv(outputs, one(1)),
            kernel => Layer::temporal_conv(outputs, kernel),
        };
        let statistics = self.batch_statistics.later();
        let norm = |activation| Layer::batch_norm(statistics, activation);
        let mut shortcut = x;
        if block == 0 {
            shortcut = graph.chain(
                x,
                [
                    (name("downsample.0"), conv(EXPANSION * width, one(stride))),
                    (name("downsample.1"), norm(Activation::None)),
                ],
            )?;
        }
        let x = match entering {
            None => x,
            Some(other) => graph.add(name("entering"), Layer::add(), &[x, other])?,
        };
        let residual = graph.chain(
            x,
            [
                (name("conv1"), point(width)),
                (name("bn1"), norm(Activation::Relu)),
                (name("conv2"), conv(width, Window { kernel: 3, stride, padding: 1 })),
                (name("bn2"), norm(Activation::Relu)),
                (name("conv3"), point(EXPANSION * width)),
            ],
        )?;
        graph.add(name("bn3"), norm(Activation::Relu), &[residual, shortcut])
    }
}

/// Makes a convolution without bias, for a normalisation after it.
fn conv(outputs: usize, window: Window) -> Layer {
    Layer::conv(Conv { outputs, window, groups: 1, bias: false, activation: Activation::None })
}
