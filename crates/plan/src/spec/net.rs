//! What a spec says of a network and its training.

use std::borrow::Cow;

use data::sample::SpelledSample;
use models::{BatchStatistics, ModelName, PyramidHead, SnippetFusion};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use super::either::{name_or_table, schema_of_name_or_table};
use super::range;
use crate::fusion::FuseBy;

/// A net to train: a row of its own, or a stage that rows start from.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Net {
    /// The data set that it is trained and tested on, by the paper's name for it.
    pub on: String,
    /// Which of its videos are trained on; the training part of the split that is run, unless given.
    #[serde(default)]
    pub videos: Videos,
    /// More videos to learn from.
    pub also: Option<Also>,
    /// What it sees.
    pub input: SpelledSample,
    /// The architecture, where it is not the table's.
    pub model: Option<ModelName>,
    /// The levels of the pyramid network over that architecture.
    pub pyramid: Option<Pyramid>,
    /// Which batch normalisation layers use the statistics of the batch in training, where it is not the table's.
    pub batch_statistics: Option<BatchStatistics>,
    /// The share of what the classifier reads that is dropped in training; of CNN-M-2048, of full6 and full7.
    #[serde(deserialize_with = "range::share")]
    #[schemars(range(min = 0))]
    pub dropout: f64,
    /// Whose weights it starts from; fresh ones unless given.
    pub start: Option<StartFrom>,
    /// Which layers learn.
    #[serde(default)]
    pub learns: Learns,
    /// What a net that sees pairs learns from; the softmax loss alone unless given.
    #[serde(default)]
    pub losses: Losses,
    /// The training protocol, one of `[shared.train]`.
    pub train: String,
}

/// Whose weights a net starts from: nets or rows by name. `table1a/imagenet` is of another table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StartFrom {
    /// A net of the same architecture, or of the same for frames.
    Net(String),
    /// A net for each stream of a network that has one or two.
    Streams(Streams),
}

/// The nets that streams start from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Streams {
    /// Of the stream that sees frames.
    pub appearance: Option<String>,
    /// Of the stream that sees flow.
    pub motion: Option<String>,
}

impl StartFrom {
    /// The names.
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
            "Whose weights a net starts from.",
            "A net or a row by name; `table1a/imagenet` is of another table.",
        )
    }
}

/// Which videos of a data set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Videos {
    /// The training part of the split that is run.
    #[default]
    Split,
    /// Every video that any split uses: "all splits combined".
    All,
    /// The training part of this split, whichever is run.
    Of(String),
}

/// Videos of a second data set, all splits combined (Sect. 6, Multi-task learning).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Also {
    /// The data set, by the paper's name for it.
    pub on: String,
    /// What its classes become.
    #[serde(rename = "as")]
    pub role: AlsoAs,
}

/// What the classes of a second data set become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlsoAs {
    /// A task of its own: a second softmax layer, whose loss sees this data set's videos alone (Sect. 4).
    Task,
    /// More classes of the one softmax layer, but for those of the spec's `[overlap]`.
    Classes,
}

/// Which layers learn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Learns {
    /// All.
    #[default]
    All,
    /// The softmax layer alone; the others keep the weights that they start from, to the bit.
    LastLayer,
}

/// What a net that sees pairs learns from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Losses {
    /// The softmax loss of each branch.
    pub softmax: bool,
    /// The contrastive loss of the features of each pair, whose sizes are `[shared] contrastive`.
    pub contrastive: Option<Distance>,
}

impl Default for Losses {
    fn default() -> Self {
        Self { softmax: true, contrastive: None }
    }
}

/// The sizes of the contrastive loss, as multiples of what the features at the start of the training give.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContrastiveSizes {
    /// The margin; 1 is the mean distance of dissimilar pairs.
    #[serde(deserialize_with = "range::positive")]
    pub margin: f64,
    /// The factor on the loss; 1 makes it as large as that of a softmax layer that guesses.
    #[serde(deserialize_with = "range::positive")]
    pub weight: f64,
}

/// The distance that the margin of the contrastive loss is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// The source's form.
    L1,
    /// Hadsell, Chopra & LeCun's form.
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

/// How a row's net is tested, where that is not by the softmax scores of the split's test part.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Tested {
    /// On which videos.
    pub on: TestOn,
    /// By what.
    pub by: TestBy,
}

/// Which videos a net is tested on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestOn {
    /// The test part of the split; of a set of several views, its events as the view that is held out sees them.
    #[default]
    Test,
    /// The same events as the views of the training see them.
    SeenViews,
}

/// What a test asks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TestBy {
    /// The class, of the softmax layer.
    #[default]
    Softmax,
    /// The class, of the nearest frame of the training videos in the space of the features.
    NearestNeighbour,
    /// Whether two frames show one event at one time, by the distance of their features.
    Pairs,
}

impl TestBy {
    /// Whether the answers are distances of pairs, not classes of videos.
    pub fn is_pairs(self) -> bool {
        self == Self::Pairs
    }
}

/// The levels of a pyramid network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pyramid {
    /// How several snippets become one; not given for one snippet.
    pub snippets: Option<SnippetFusion>,
    /// What the classifier reads.
    pub classifies: PyramidHead,
}

/// The sizes of the pyramid's levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PyramidSizes {
    /// d, the values of a sketch.
    pub sketch: usize,
    /// Output channels of the first convolution of the attention.
    pub attention: usize,
}

/// A training protocol.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Train {
    /// Videos a batch, of each task; pairs of videos where there are pairs.
    #[serde(deserialize_with = "range::count")]
    #[schemars(range(min = 1, max = 65536))]
    pub batch: usize,
    /// Dissimilar pairs for each similar one: the net sees pairs of views. Videos one by one unless given.
    pub pairs: Option<usize>,
    /// Iterations in all.
    #[serde(deserialize_with = "range::iterations")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub iterations: usize,
    /// The first learning rate.
    #[serde(deserialize_with = "range::positive")]
    pub rate: f64,
    /// The iterations after which the rate changes, and what it becomes.
    pub steps: Vec<RateStep>,
    /// Momentum of SGD.
    #[serde(deserialize_with = "range::share")]
    #[schemars(range(min = 0))]
    pub momentum: f64,
    /// L2 penalty on the weights.
    #[serde(deserialize_with = "range::penalty")]
    #[schemars(range(min = 0, max = 1))]
    pub weight_decay: f64,
    /// The L2 norm that the gradient of all parameters together is scaled down to where it is larger; any unless given.
    #[serde(default, deserialize_with = "range::some_positive")]
    pub clip_gradient_norm: Option<f64>,
    /// How samples are cut out.
    pub crops: Cropping,
    /// Whether samples are mirrored at random.
    pub flip: bool,
    /// Whether the colours of frames are jittered; flow has none.
    pub rgb_jittering: bool,
}

/// How training samples are cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cropping {
    /// Of the input's size, anywhere in the frame (Two-Stream ConvNets, Sect. 5).
    Random,
    /// Of several sizes, at the corners and the centre (Temporal Segment Networks, and the public code of ST-ResNet).
    MultiScale,
}

/// One step of the learning rate.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RateStep {
    /// The first iteration at the new rate.
    #[serde(deserialize_with = "range::iterations")]
    pub at: usize,
    /// The new rate.
    #[serde(deserialize_with = "range::positive")]
    pub rate: f64,
}

/// How the scores of finished nets become one; nothing is trained again but the fusion itself.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fuse {
    /// Rows of this table.
    pub streams: Vec<String>,
    /// How.
    pub by: FuseBy,
}
