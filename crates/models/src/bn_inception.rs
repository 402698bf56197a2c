//! BN-Inception (Ioffe & Szegedy, "Batch Normalization", ICML 2015, Figure 5, in the form
//! of the model released with Temporal Segment Networks): the base of the Spatiotemporal
//! Pyramid Network.
//!
//! | layer | output (224x224) |
//! |---|---|
//! | conv1 7x7 stride 2, pool1 | 64x56x56 |
//! | conv2 1x1 and 3x3, pool2 | 192x28x28 |
//! | inception 3a, 3b, 3c | 256, 320, 576 at 28x28; 3c halves: 14x14 |
//! | inception 4a to 4e | 576, 576, 608, 608, 1056; 4e halves: 7x7 |
//! | inception 5a, 5b | 1024x7x7 |
//! | global_pool, fc-action | classes |
//!
//! A block joins four branches of one input: a 1x1 convolution; a 3x3 convolution; two
//! 3x3 convolutions in sequence; a pooling layer and a 1x1 convolution. A block that halves
//! the size has no first branch and no convolution after its pooling. Pooling rounds up,
//! averages count their padding, and each convolution has a bias despite the normalisation
//! after it: all as in Caffe, the source of the released weights.

use base::Modality;
use nn::ops::Pool2d;
use nn::{Activation, Statistics};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Case, Listed, Name, Trunk};
use crate::base_network::{Base, Sizes};
use crate::graph::{Graph, Value};
use crate::layer::{BatchStatistics, Conv, Layer, Window};
use crate::names::Rule::Rename;
use crate::names::{BATCH_COUNTS, NameMap, Rule};
use crate::wanted::Wanted;
use crate::{Channels, Result, settings};

const MODEL: &str = "BN-Inception";

/// Common divisor of all widths of the paper.
const WIDTH_UNIT: usize = 32;

/// Output channels of conv1, conv2/3x3_reduce and conv2/3x3.
const STEM: [usize; 3] = [64, 64, 192];

/// Output channels of a block's convolutions.
struct Block {
    name: &'static str,
    /// The 1x1 branch; a block without it halves the size.
    one: Option<usize>,
    /// The 3x3 branch: the 1x1 reduction, then the 3x3 convolution.
    three: [usize; 2],
    /// The double 3x3 branch: the 1x1 reduction, then both 3x3 convolutions.
    double: [usize; 2],
    /// The pooling branch.
    pool: Pooling,
}

/// Pooling of a block, with the output channels of the convolution after it.
enum Pooling {
    Average(usize),
    Max(usize),
    /// Maximum at stride 2, without a convolution.
    Halving,
}

const fn block(
    name: &'static str,
    one: usize,
    three: [usize; 2],
    double: [usize; 2],
    pool: Pooling,
) -> Block {
    Block { name, one: Some(one), three, double, pool }
}

const fn halving(name: &'static str, three: [usize; 2], double: [usize; 2]) -> Block {
    Block { name, one: None, three, double, pool: Pooling::Halving }
}

const BLOCKS: [Block; 10] = [
    block("3a", 64, [64, 64], [64, 96], Pooling::Average(32)),
    block("3b", 64, [64, 96], [64, 96], Pooling::Average(64)),
    halving("3c", [128, 160], [64, 96]),
    block("4a", 224, [64, 96], [96, 128], Pooling::Average(128)),
    block("4b", 192, [96, 128], [96, 128], Pooling::Average(128)),
    block("4c", 160, [128, 160], [128, 160], Pooling::Average(128)),
    block("4d", 96, [128, 192], [160, 192], Pooling::Average(128)),
    halving("4e", [128, 192], [192, 256]),
    block("5a", 352, [192, 320], [160, 224], Pooling::Average(128)),
    block("5b", 352, [192, 320], [192, 224], Pooling::Max(128)),
];

/// The first layers, which reduce the frame to the size that the blocks see.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InceptionStem {
    /// The layers of the table above.
    #[default]
    Paper,
    /// Layers for a frame of a quarter of the size: conv1 is 5x5, there is no pool1, and block 4e does not halve. An input
    /// of 56x56 ends in 7x7 positions, like 224x224 in the paper.
    Small,
}

/// Sizes of the network; [`BnInceptionConfig::paper`] has the paper's. Parameters have the released model's names:
/// `conv1/7x7_s2.weight`, `conv1/7x7_s2_bn.weight`, `conv1/7x7_s2_bn.running_mean`, ... `fc-action.bias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct BnInceptionConfig {
    /// Input channels: 3 for a frame, 2L for a stack of L flow fields.
    pub channels: Channels,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Classes of the softmax.
    pub classes: usize,
    /// Divisor of the paper's widths: 1, 2, 4, 8, 16 or 32.
    pub width_divisor: usize,
    /// Probability that dropout zeroes an input of the classifier.
    pub dropout: f64,
    /// Layers that use the statistics of the batch in training.
    pub batch_statistics: BatchStatistics,
    /// The first layers.
    pub stem: InceptionStem,
}

impl BnInceptionConfig {
    /// Returns the paper's network, with the dropout of Temporal Segment Networks: 0.8 for frames,
    /// 0.7 for flow.
    pub fn paper(channels: Channels, classes: usize) -> Self {
        let dropout = if channels.modality == Modality::RGB { 0.8 } else { 0.7 };
        Self {
            channels,
            input: [224, 224],
            classes,
            width_divisor: 1,
            dropout,
            batch_statistics: BatchStatistics::All,
            stem: InceptionStem::Paper,
        }
    }

    fn of(wanted: &Wanted<'_>) -> Result<Self> {
        let paper = Self::paper(wanted.one_input()?, wanted.one_task()?);
        let width_divisor = (1.0 / wanted.width).round();
        if width_divisor * wanted.width != 1.0 {
            return Err(Wanted::refused(format!(
                "the profile's factor on a layer's width is {}; BN-Inception takes 1, 1/2, 1/4, 1/8, 1/16 and 1/32",
                wanted.width
            )));
        }
        Ok(Self {
            input: [wanted.side; 2],
            width_divisor: width_divisor as usize,
            dropout: wanted.dropped()?,
            batch_statistics: wanted.statistics(),
            stem: wanted.stem(InceptionStem::Paper, InceptionStem::Small),
            ..paper
        })
    }

    /// Adds the branches of a block and joins them in this order.
    fn block(&self, graph: &mut Graph, prefix: &str, block: &Block, x: Value) -> Result<Value> {
        let name = |layer: &str| format!("{prefix}inception_{}/{layer}", block.name);
        let statistics = self.batch_statistics.later();
        let whole = self.stem == InceptionStem::Small && block.name == "4e";
        let stride = if block.one.is_some() || whole { 1 } else { 2 };
        let mut branches = Vec::new();
        if let Some(width) = block.one {
            branches.push(self.conv(graph, name("1x1"), width, ONE, statistics, x)?);
        }
        let [reduced, width] = block.three;
        let y = self.conv(graph, name("3x3_reduce"), reduced, ONE, statistics, x)?;
        branches.push(self.conv(graph, name("3x3"), width, three(stride), statistics, y)?);

        let [reduced, width] = block.double;
        let y = self.conv(graph, name("double_3x3_reduce"), reduced, ONE, statistics, x)?;
        let y = self.conv(graph, name("double_3x3_1"), width, three(1), statistics, y)?;
        branches.push(self.conv(graph, name("double_3x3_2"), width, three(stride), statistics, y)?);

        let (layer, projected) = match block.pool {
            Pooling::Average(width) => (Layer::avg_pool(pool(1, 1)), Some(width)),
            Pooling::Max(width) => (Layer::max_pool(pool(1, 1)), Some(width)),
            Pooling::Halving if whole => (Layer::max_pool(pool(1, 1)), None),
            Pooling::Halving => (Layer::max_pool(pool(2, 0)), None),
        };
        let y = graph.add(name("pool"), layer, &[x])?;
        branches.push(match projected {
            Some(width) => self.conv(graph, name("pool_proj"), width, ONE, statistics, y)?,
            None => y,
        });
        graph.add(name("output"), Layer::concat(), &branches)
    }

    /// Adds a convolution, batch normalisation and rectification.
    fn conv(
        &self,
        graph: &mut Graph,
        name: String,
        width: usize,
        window: Window,
        statistics: Statistics,
        x: Value,
    ) -> Result<Value> {
        let outputs = width / self.width_divisor;
        let conv = Layer::conv(Conv { outputs, window, groups: 1, bias: true, activation: Activation::None });
        let norm = Layer::batch_norm(statistics, Activation::Relu);
        let normalised = format!("{name}_bn");
        graph.chain(x, [(name, conv), (normalised, norm)])
    }

    fn check(&self) -> Result<()> {
        settings::sizes(MODEL, [("channels", self.channels.count), ("classes", self.classes)])?;
        settings::picture(MODEL, self.input)?;
        if self.width_divisor == 0 || !WIDTH_UNIT.is_multiple_of(self.width_divisor) {
            return Err(settings::refused(
                MODEL,
                "width-divisor",
                self.width_divisor,
                "1, 2, 4, 8, 16 or 32",
            ));
        }
        settings::dropout(MODEL, self.dropout)
    }
}

/// The released names have slashes; ports to PyTorch use underscores instead. The
/// classifier is `fc` in the ImageNet model and `last_linear` in a common port of it.
const CAFFE: &[Rule] = &[
    BATCH_COUNTS,
    Rename("conv1_*", "conv1/*"),
    Rename("conv2_*", "conv2/*"),
    Rename("inception_3a_*", "inception_3a/*"),
    Rename("inception_3b_*", "inception_3b/*"),
    Rename("inception_3c_*", "inception_3c/*"),
    Rename("inception_4a_*", "inception_4a/*"),
    Rename("inception_4b_*", "inception_4b/*"),
    Rename("inception_4c_*", "inception_4c/*"),
    Rename("inception_4d_*", "inception_4d/*"),
    Rename("inception_4e_*", "inception_4e/*"),
    Rename("inception_5a_*", "inception_5a/*"),
    Rename("inception_5b_*", "inception_5b/*"),
    Rename("fc.*", "fc-action.*"),
    Rename("last_linear.*", "fc-action.*"),
];

impl Architecture for BnInceptionConfig {
    fn kind(&self) -> &'static str {
        "bn-inception"
    }

    /// Makes the layers of the table above.
    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let title = format!("{} classes", self.classes);
        let mut graph = Graph::new(MODEL, title, self.channels, self.input);
        let input = graph.input();
        let x = self.layers(&mut graph, "", input)?;
        let features = graph.add("global_pool", Layer::global_avg_pool(), &[x])?;
        graph.set_features(features);
        graph.classify(features, ("dropout", self.dropout), ("fc-action", self.classes))?;
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        vec![self.channels]
    }

    fn heads(&self) -> Vec<usize> {
        vec![self.classes]
    }

    fn is_classifier(&self, parameter: &str) -> bool {
        parameter.starts_with("fc-action.")
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
        Some("conv1/7x7_s2.weight")
    }

    fn small_stem(&self) -> &'static str {
        "conv1 5x5, no pool1, inception 4e keeps the size"
    }

    fn published_names(&self, names: NameMap) -> Option<&'static [Rule]> {
        (names == NameMap::Caffe).then_some(CAFFE)
    }
}

impl Base for BnInceptionConfig {
    fn layers(&self, graph: &mut Graph, prefix: &str, input: Value) -> Result<Value> {
        let [width1, reduced, width2] = STEM;
        let name = |layer: &str| format!("{prefix}{layer}");
        let halve = Layer::max_pool(pool(2, 0));
        let (first, later) = (self.batch_statistics.first(), self.batch_statistics.later());
        let window = match self.stem {
            InceptionStem::Paper => Window { kernel: 7, stride: 2, padding: 3 },
            InceptionStem::Small => Window { kernel: 5, stride: 2, padding: 2 },
        };
        let mut x = self.conv(graph, name("conv1/7x7_s2"), width1, window, first, input)?;
        if self.stem == InceptionStem::Paper {
            x = graph.add(name("pool1/3x3_s2"), halve.clone(), &[x])?;
        }
        let x = self.conv(graph, name("conv2/3x3_reduce"), reduced, ONE, later, x)?;
        let x = self.conv(graph, name("conv2/3x3"), width2, three(1), later, x)?;
        let mut x = graph.add(name("pool2/3x3_s2"), halve, &[x])?;
        for block in &BLOCKS {
            x = self.block(graph, prefix, block, x)?;
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

impl Listed for BnInceptionConfig {
    fn names() -> Vec<Name<Self>> {
        vec![Name::normalised("bn-inception", Self::of)]
    }

    fn cases() -> Vec<Case<Self>> {
        let paper = Self::paper(Channels::FRAME, 4);
        // Narrow networks have channels that hardly vary in a batch; normalising them amplifies rounding errors.
        let all = Self { input: [96, 96], width_divisor: 4, ..paper };
        let first = Self { width_divisor: 8, batch_statistics: BatchStatistics::First, ..all.clone() };
        vec![Case::new("BN-Inception", all), Case::new("BN-Inception, partly frozen", first)]
    }
}

const ONE: Window = Window { kernel: 1, stride: 1, padding: 0 };

const fn three(stride: usize) -> Window {
    Window { kernel: 3, stride, padding: 1 }
}

const fn pool(stride: usize, padding: usize) -> Pool2d {
    Pool2d { kernel: [3, 3], stride: [stride; 2], padding: [padding; 2], ceil_mode: true }
}
