//! A net to train, with every value explicit.

use data::augment::Augmentation;
use data::extracted::Extraction;
use data::inputs::Input;
use data::loader::Crops;
use data::sample::{SampleSpec, TimeSteps};
use models::{Modality, ModelConfig};
use nn::{Precision, StepSchedule};
use serde::{Deserialize, Serialize};

use crate::spec::{Distance, Learns, Storage, TestBy, TestOn, Videos};
use crate::weight_source::WeightSource;

/// A net and its test: all that decides a row's numbers but the split and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Protocol {
    /// The net.
    pub net: NetPlan,
    /// The test, on the test part of the first of the net's data sets.
    pub test: TestPlan,
}

/// All that decides a trained net but the split and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetPlan {
    /// What it learns from; the first is what it is tested on.
    pub data: Vec<DataPlan>,
    /// How videos become frames and flow.
    pub video: VideoPlan,
    /// What the network sees of a video.
    #[serde(rename = "input", with = "crate::sample")]
    pub sample: SampleSpec,
    /// The side of the square crop, in pixels.
    pub crop: usize,
    /// The network.
    pub model: ModelConfig,
    /// How products are computed, in training and in testing.
    #[serde(default, skip_serializing_if = "Precision::is_fp32")]
    pub precision: Precision,
    /// The training stage.
    pub train: TrainPlan,
}

/// Videos of one data set that a net learns from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DataPlan {
    /// The data set.
    pub set: String,
    /// Which of its videos.
    pub videos: Videos,
    /// Classes that are left out.
    pub without: Vec<String>,
    /// How many classes are left.
    pub classes: usize,
    /// Which softmax layer classifies them, counted from 0. The classes of one layer's data sets follow one another.
    pub task: usize,
}

/// How videos become frames and flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VideoPlan {
    /// The smaller side, in pixels.
    pub short_side: usize,
    /// How both are stored.
    pub storage: Storage,
    /// How flow is estimated; absent for a net that sees frames alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<flow::Method>,
    /// Pixels per frame that stored flow reaches to either side; each component's own range if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_bound: Option<f32>,
    /// Frames and flow come from another program, and this is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extraction: Option<Extraction>,
    /// At most so many videos a class in training and as many in testing.
    pub videos_per_class: Option<usize>,
}

/// The training stage of a net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainPlan {
    /// Where the weights start.
    pub start: Start,
    /// Which layers learn.
    pub learns: Learns,
    /// Videos a batch, drawn uniformly across the classes, or pairs of them; as many for each task.
    pub batch: usize,
    /// Iterations.
    pub iterations: usize,
    /// The learning rate.
    pub schedule: StepSchedule,
    /// Momentum.
    pub momentum: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// The largest L2 norm of the gradient of all parameters together; larger ones are scaled down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_gradient_norm: Option<f64>,
    /// How samples are varied.
    pub augmentation: Augmentation,
    /// Of a net that sees pairs, which pairs, and what it learns from them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairsPlan>,
}

/// Training on pairs of views (Siamese cross-view network).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PairsPlan {
    /// Dissimilar pairs for each similar one.
    pub dissimilar: usize,
    /// Whether the softmax loss of each branch is learnt from.
    pub softmax: bool,
    /// The contrastive loss, if it is learnt from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrastive: Option<ContrastivePlan>,
}

/// The contrastive loss of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContrastivePlan {
    /// Its form.
    pub distance: Distance,
    /// m, in mean distances of dissimilar pairs at the start.
    pub margin: f64,
    /// The factor on the loss, in softmax losses of guessing.
    pub weight: f64,
}

/// Where a training stage's weights start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Start {
    /// He et al.'s normal initialisation, biases zero.
    HeNormal,
    /// The weights of another stage.
    Net {
        /// That stage.
        net: Box<NetPlan>,
        /// Whether its softmax layers are kept; else they are new.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        classifiers: bool,
    },
    /// For each stream that the network has, weights of its own.
    Streams {
        /// Of the stream that sees frames.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        appearance: Option<Source>,
        /// Of the stream that sees flow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        motion: Option<Source>,
    },
    /// Published weights, but for the softmax layers, which are new.
    Weights {
        /// The file.
        source: WeightSource,
    },
}

/// Where weights come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Source {
    /// Another stage.
    Net(Box<NetPlan>),
    /// A published file.
    Weights(WeightSource),
}

impl Source {
    fn borrowed(&self) -> SourceRef<'_> {
        match self {
            Self::Net(net) => SourceRef::Net(net),
            Self::Weights(source) => SourceRef::Weights(source),
        }
    }
}

/// [`Source`], borrowed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SourceRef<'a> {
    /// Another stage.
    Net(&'a NetPlan),
    /// A published file.
    Weights(&'a WeightSource),
}

impl Start {
    /// Whose weights are taken over, each with the stream that takes them where streams are apart.
    pub fn sources<'a>(&'a self) -> Vec<(Option<Modality>, SourceRef<'a>)> {
        match self {
            Self::HeNormal => Vec::new(),
            Self::Net { net, .. } => vec![(None, SourceRef::Net(net))],
            Self::Weights { source } => vec![(None, SourceRef::Weights(source))],
            Self::Streams { appearance, motion } => {
                let streams = [(Modality::RGB, appearance), (Modality::FLOW, motion)];
                let given = |(modality, source): (_, &'a Option<Source>)| {
                    source.as_ref().map(|source| (Some(modality), source.borrowed()))
                };
                streams.into_iter().filter_map(given).collect()
            }
        }
    }

    /// The stages whose weights are taken over, each with the stream that takes them where streams are apart.
    pub fn nets(&self) -> Vec<(Option<Modality>, &NetPlan)> {
        let net = |(stream, source)| match source {
            SourceRef::Net(net) => Some((stream, net)),
            SourceRef::Weights(_) => None,
        };
        self.sources().into_iter().filter_map(net).collect()
    }

    /// The published files whose weights are taken over.
    pub fn files(&self) -> Vec<&WeightSource> {
        let file = |(_, source)| match source {
            SourceRef::Weights(source) => Some(source),
            SourceRef::Net(_) => None,
        };
        self.sources().into_iter().filter_map(file).collect()
    }
}

/// The test of a net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TestPlan {
    /// Temporal positions a video; all that the input has, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// Views of each.
    pub crops: Crops,
    /// Whether the network sees all positions at once, as one clip.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_clip: bool,
    /// On which videos.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on: TestOn,
    /// By what.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: TestBy,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Protocol {
    /// What the network sees in the test, and how often in a video, at equal distances.
    pub fn tested(&self) -> (SampleSpec, usize) {
        // A number of positions means nothing to inputs that have their own.
        let frames = self.test.frames.unwrap_or(1);
        if !self.test.as_clip {
            return (self.net.sample.clone(), frames);
        }
        let time_steps = TimeSteps::Spread { count: frames };
        (SampleSpec { time_steps, ..self.net.sample.clone() }, 1)
    }
}

impl NetPlan {
    /// The data set that the net is tested on.
    pub fn target(&self) -> &DataPlan {
        &self.data[0]
    }

    /// This stage and those before it, each once, the first one first. Two streams may come from one net.
    pub fn stages(&self) -> Vec<&Self> {
        let mut stages: Vec<&Self> = Vec::new();
        for (_, first) in self.train.start.nets() {
            for stage in first.stages() {
                if !stages.contains(&stage) {
                    stages.push(stage);
                }
            }
        }
        stages.push(self);
        stages
    }

    /// What is read at each time step.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.sample.inputs.iter().map(|input| &input.input)
    }

    /// The input that reads optical flow, if one does.
    pub fn flow(&self) -> Option<&Input> {
        self.inputs().find(|input| input.flow().is_some())
    }

    /// Number of softmax layers.
    pub fn tasks(&self) -> usize {
        self.data.iter().map(|data| data.task + 1).max().unwrap_or(0)
    }

    /// Samples that one iteration learns from: a batch for each task, of pairs both sides.
    pub fn samples(&self) -> usize {
        self.train.batch * self.tasks() * if self.train.pairs.is_some() { 2 } else { 1 }
    }
}
