//! Keys of a spec for a network, its training and its test.

use std::borrow::Cow;

use data::sample::SpelledSample;
use models::{BatchStatistics, Consensus, ModelName, Pooling, PyramidHead, SnippetFusion};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use super::dropout::Dropout;
use super::either::{name_or_table, schema_of_name_or_table};
use super::range;
use crate::fusion::FuseBy;

/// A net to train: the net of a row, or a stage that rows start from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Net {
    /// Data set for training and testing, by the paper's name.
    pub on: String,
    /// Videos of that data set to train on. Default: `split`, the training part of the split that is run.
    #[serde(default)]
    pub videos: Videos,
    /// A second data set to train on.
    pub also: Option<Also>,
    /// Input of the network: frames, flow, a clip or snippets.
    pub input: SpelledSample,
    /// Architecture. Default: `model` of `[shared]`.
    pub model: Option<ModelName>,
    /// Levels of the pyramid network, with that architecture as its base.
    pub pyramid: Option<Pyramid>,
    /// Consensus of the segments of a video: `average`, `maximum`, `weighted`, `attention`, or the mean of the largest scores
    /// as in `{ top = 3 }`. For an input with `segments` or `windows`, which needs
    /// this or `pooling`.
    pub consensus: Option<Consensus>,
    /// Poolings over time at layers of the network, in order, such as `[{ at = "pool5", by = "maximum" }]`. For an input with
    /// `segments` or `windows`; not together with `consensus`.
    #[serde(default)]
    pub pooling: Vec<Pooling>,
    /// Batch normalisation layers that use the statistics of the batch in training. Default: that of `[shared]`.
    pub batch_statistics: Option<BatchStatistics>,
    /// Probability of dropout before the classifier in training, from 0 to below 1. `cnn-m-2048`, `alexnet` and `vgg-16` have it
    /// after two fully connected layers, and accept one for each: `[0.9, 0.8]`.
    pub dropout: Dropout,
    /// Net whose weights it starts from. Default: random initial weights.
    pub start: Option<StartFrom>,
    /// Layers that are trained: `all` (default) or `last-layer`.
    #[serde(default)]
    pub learns: Learns,
    /// Losses of a net that is trained on pairs. Default: the softmax loss only.
    #[serde(default)]
    pub losses: Losses,
    /// Name of the training protocol in `[shared.train]`.
    pub train: String,
}

/// Nets or rows, by name, whose weights a net starts from. `table1a/imagenet` belongs to another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartFrom {
    /// A net of the same architecture, possibly for frames instead of flow.
    Net(String),
    /// A net for each stream of the network.
    Streams(Streams),
}

/// Nets that the streams of a network start from; at least one.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Streams {
    /// Name of the net that the stream of frames starts from.
    pub appearance: Option<String>,
    /// Name of the net that the stream of flow starts from.
    pub motion: Option<String>,
}

impl StartFrom {
    /// Iterates over the names of the nets.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (first, second) = match self {
            Self::Net(name) => (Some(name), None),
            Self::Streams(streams) => (streams.appearance.as_ref(), streams.motion.as_ref()),
        };
        first.into_iter().chain(second).map(String::as_str)
    }
}

impl<'de> Deserialize<'de> for StartFrom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let expected = "the name of a net, or { appearance = \"...\", motion = \"...\" }";
        name_or_table(deserializer, expected, Self::Net, Self::Streams)
    }
}

impl JsonSchema for StartFrom {
    fn schema_name() -> Cow<'static, str> {
        "StartFrom".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schema_of_name_or_table::<Streams>(
            generator,
            "Net whose weights a net starts from: one name, or one for each stream.",
            "Name of a net or row of this table; `table1a/imagenet` belongs to another table of the paper.",
        )
    }
}

/// Videos of a data set to train on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Videos {
    /// The training part of the split that is run.
    #[default]
    Split,
    /// All videos of all splits: "all splits combined".
    All,
    /// The training part of the named split, regardless of the split that is run.
    Of(String),
}

/// Videos of a second data set, all splits combined (Sect. 6, Multi-task learning).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Also {
    /// The second data set, by the paper's name.
    pub on: String,
    /// Use of its classes: `task` or `classes`.
    #[serde(rename = "as")]
    pub role: AlsoAs,
}

/// Use of the classes of a second data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlsoAs {
    /// A separate task: a second softmax layer, which learns from this data set's videos only (Sect. 4).
    Task,
    /// Additional classes of the one softmax layer, without those in `[overlap]`.
    Classes,
}

/// Layers that are trained.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Learns {
    /// All layers.
    #[default]
    All,
    /// The softmax layer only; all other layers keep their initial weights exactly.
    LastLayer,
}

/// Losses of a net that is trained on pairs; at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Losses {
    /// Adds the softmax loss of each branch.
    pub softmax: bool,
    /// Adds a contrastive loss on the features of each pair, with this distance (`l1` or `l2`). Its margin and weight are
    /// in `contrastive` of `[shared]`.
    pub contrastive: Option<Distance>,
}

impl Default for Losses {
    fn default() -> Self {
        Self { softmax: true, contrastive: None }
    }
}

/// Margin and weight of the contrastive loss, relative to the features at the start of training.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContrastiveSizes {
    /// Margin, above 0; 1 is the mean distance of dissimilar pairs at the start of training.
    #[serde(deserialize_with = "range::positive")]
    pub margin: f64,
    /// Factor on the loss, above 0; 1 makes it as large as the softmax loss of random guessing.
    #[serde(deserialize_with = "range::positive")]
    pub weight: f64,
}

/// Distance between the features of a dissimilar pair, which the contrastive loss compares with its margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// Sum of absolute differences, the form of the Siamese cross-view network.
    L1,
    /// Euclidean distance (Hadsell, Chopra & LeCun, CVPR 2006).
    L2,
}

impl From<Distance> for nn::PairDistance {
    fn from(distance: Distance) -> Self {
        match distance {
            Distance::L1 => Self::L1,
            Distance::L2 => Self::L2,
        }
    }
}

/// Test of a row's net. Default: softmax scores on the test part of the split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Tested {
    /// Videos that are tested: `test` (default) or `seen-views`.
    pub on: TestOn,
    /// Basis of the answers: `softmax` (default), `nearest-neighbour` or `pairs`.
    pub by: TestBy,
}

/// Videos that a net is tested on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestOn {
    /// The test part of the split; in a data set of several views, the test events in the held-out view.
    #[default]
    Test,
    /// The test events in the views that were used in training.
    SeenViews,
}

/// Basis of the answers in a test.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestBy {
    /// Class scores of the softmax layer.
    #[default]
    Softmax,
    /// Class of the training frame with the nearest features.
    NearestNeighbour,
    /// Distance of the features of two frames: decides if they show the same event at the same time. The row's number is the
    /// area under the ROC curve.
    Pairs,
}

impl TestBy {
    /// Returns `true` if the answers are distances of pairs, not classes of videos.
    pub fn is_pairs(self) -> bool {
        self == Self::Pairs
    }
}

/// Levels of a pyramid network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pyramid {
    /// Fusion of several snippets; required if `count` of the input is above 1, not allowed otherwise.
    pub snippets: Option<SnippetFusion>,
    /// Features that the classifier reads. All but `motion` need `frame = true` in the input.
    pub classifies: PyramidHead,
}

/// Sizes of the pyramid's levels, at the paper's width; a profile's `width` scales them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PyramidSizes {
    /// Number of values of a sketch in compact bilinear fusion (d in the paper), at most 16777216 after scaling.
    pub sketch: usize,
    /// Number of output channels of the first convolution of the attention, at most 16777216 after scaling.
    pub attention: usize,
}

/// A training protocol.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Train {
    /// Videos per batch and task, or pairs of videos if `pairs` is given: 1 to 65536.
    #[serde(deserialize_with = "range::count")]
    #[schemars(range(min = 1, max = 65536))]
    pub batch: usize,
    /// Trains on pairs of views, with this number of dissimilar pairs for each similar one. Default: single videos.
    pub pairs: Option<usize>,
    /// Total number of iterations: 1 to 1000000000.
    #[serde(deserialize_with = "range::iterations")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub iterations: usize,
    /// Initial learning rate, above 0.
    #[serde(deserialize_with = "range::positive")]
    pub rate: f64,
    /// Changes of the learning rate, in order of their iterations; may be empty.
    pub steps: Vec<RateStep>,
    /// Momentum of SGD, from 0 to below 1.
    #[serde(deserialize_with = "range::share")]
    #[schemars(range(min = 0))]
    pub momentum: f64,
    /// Factor of the L2 penalty on the weights, from 0 to 1.
    #[serde(deserialize_with = "range::penalty")]
    #[schemars(range(min = 0, max = 1))]
    pub weight_decay: f64,
    /// Largest L2 norm of the gradient over all parameters, above 0; a larger gradient is scaled down to it. Default: no
    /// limit.
    #[serde(default, deserialize_with = "range::some_positive")]
    pub clip_gradient_norm: Option<f64>,
    /// Factor on the learning rate of biases of convolutions and fully connected layers, above 0. Default: 1.
    #[serde(default, deserialize_with = "range::some_positive")]
    pub bias_rate: Option<f64>,
    /// Factor on the weight decay of the same biases, from 0 to 1. Default: 1.
    #[serde(default, deserialize_with = "range::some_penalty")]
    #[schemars(range(min = 0, max = 1))]
    pub bias_decay: Option<f64>,
    /// Factor on the learning rate of the layers that read the input, above 0. Default: 1.
    #[serde(default, deserialize_with = "range::some_positive")]
    pub first_layer_rate: Option<f64>,
    /// Crops of the training samples: `random` or `multi-scale`.
    pub crops: Cropping,
    /// Mirrors samples at random.
    pub flip: bool,
    /// Jitters the colours of frames; has no effect on flow.
    pub rgb_jittering: bool,
}

/// Crops of training samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cropping {
    /// Crops of the network's input size, anywhere in the frame (Two-Stream ConvNets, Sect. 5).
    Random,
    /// Crops of several sizes, at the corners and the centre (Temporal Segment Networks, and the public code of ST-ResNet).
    MultiScale,
}

/// A change of the learning rate.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RateStep {
    /// First iteration at the new rate, counted from 0: 1 to 1000000000.
    #[serde(deserialize_with = "range::iterations")]
    pub at: usize,
    /// New learning rate, above 0.
    #[serde(deserialize_with = "range::positive")]
    pub rate: f64,
}

/// Fusion of the scores of trained nets. The nets are not trained again.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fuse {
    /// Ids of the rows to fuse, two or more of this table.
    pub streams: Vec<String>,
    /// Kind of fusion: `average`, `svm`, or a weighted mean as in `{ mean = { weights = [1, 1.5] } }`.
    pub by: FuseBy,
}
