//! What a spec says of a network and its training.

use data::inputs::Sampling;
use serde::{Deserialize, Serialize};

/// A net to train: a row of its own, or a stage that rows start from.
#[derive(Debug, Clone, Deserialize)]
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
    pub input: Input,
    /// The architecture, where it is not the table's.
    pub model: Option<Architecture>,
    /// The share of full6 and full7 that is dropped in training.
    pub dropout: f64,
    /// The net or row whose weights it starts from; fresh ones unless given. `table1a/imagenet` is of another table.
    pub start: Option<String>,
    /// Which layers learn.
    #[serde(default)]
    pub learns: Learns,
    /// The training protocol, one of `[shared.train]`.
    pub train: String,
}

/// Which videos of a data set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
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
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Also {
    /// The data set, by the paper's name for it.
    pub on: String,
    /// What its classes become.
    #[serde(rename = "as")]
    pub role: AlsoAs,
}

/// What the classes of a second data set become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AlsoAs {
    /// A task of its own: a second softmax layer, whose loss sees this data set's videos alone (Sect. 4).
    Task,
    /// More classes of the one softmax layer, but for those of the spec's `[overlap]`.
    Classes,
}

/// Which layers learn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Learns {
    /// All.
    #[default]
    All,
    /// The softmax layer alone; the others keep the weights that they start from, to the bit.
    LastLayer,
}

/// The network of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub enum Architecture {
    /// CNN-M-2048, either stream of Two-Stream ConvNets.
    #[serde(rename = "cnn-m-2048")]
    CnnM2048,
    /// CNN-M-2048 with the connectivity of slow fusion, on eleven frames.
    #[serde(rename = "slow-fusion")]
    SlowFusion,
}

/// What a network sees of a video.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Input {
    /// Frames in a row, 3 channels each.
    Rgb {
        /// How many.
        frames: usize,
    },
    /// A volume of optical flow, 2L channels.
    #[serde(rename_all = "kebab-case")]
    Flow {
        /// Where the fields are sampled.
        sampling: Sampling,
        /// L, the number of displacement fields.
        length: usize,
        /// Whether each field's mean vector is subtracted from it.
        mean_subtraction: bool,
    },
}

/// A training protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Train {
    /// Videos a batch, of each task.
    pub batch: usize,
    /// Iterations in all.
    pub iterations: usize,
    /// The first learning rate.
    pub rate: f64,
    /// The iterations after which the rate changes, and what it becomes.
    pub steps: Vec<RateStep>,
    /// Momentum of SGD.
    pub momentum: f64,
    /// L2 penalty on the weights.
    pub weight_decay: f64,
    /// Whether samples are mirrored at random.
    pub flip: bool,
    /// Whether the colours of frames are jittered; flow has none.
    pub rgb_jittering: bool,
}

/// One step of the learning rate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RateStep {
    /// The first iteration at the new rate.
    pub at: usize,
    /// The new rate.
    pub rate: f64,
}

/// How the scores of finished nets become one; nothing is trained again but the fusion itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fuse {
    /// Rows of this table.
    pub streams: Vec<String>,
    /// How.
    pub by: FuseBy,
}

/// How scores are fused (Sect. 6, Two-stream ConvNets).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FuseBy {
    /// Their mean.
    Average,
    /// A multi-class linear SVM on the stacked L2-normalised scores, see [`Svm`].
    Svm,
}

/// How the SVM of a fusion is trained.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Svm {
    /// The training videos are cut into so many folds, and each fold's scores come from nets trained on the others:
    /// a net's scores on its own training videos would promise what it does not keep.
    pub folds: usize,
    /// The values of C to choose from, by accuracy over the same folds.
    pub c: Vec<f64>,
}
