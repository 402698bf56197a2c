//! A net to train, with every value explicit.

use data::augment::Augmentation;
use data::extracted::Extraction;
use data::inputs::Input;
use data::loader::Crops;
use data::sample::{SampleSpec, TimeSteps};
use models::{Modality, ModelConfig};
use nn::{Factors, Precision, StepSchedule};
use serde::{Deserialize, Serialize};

use crate::fusion::ScoresOf;
use crate::spec::{Distance, Learns, Storage, TestBy, TestOn, Videos};
use crate::weight_source::WeightSource;

/// A net and its test: everything that decides a row's numbers except the split and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Protocol {
    /// The net.
    pub net: NetPlan,
    /// The test, on the test part of the net's first data set.
    pub test: TestPlan,
}

/// Everything that decides a trained net except the split and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct NetPlan {
    /// Training data; the net is tested on the first data set.
    pub data: Vec<DataPlan>,
    /// Conversion of videos to frames and flow.
    pub video: VideoPlan,
    /// Inputs that the network sees of a video.
    #[serde(rename = "input", with = "crate::sample")]
    pub sample: SampleSpec,
    /// Side of the square crop, in pixels.
    pub crop: usize,
    /// The network.
    pub model: ModelConfig,
    /// Precision of matrix products, in training and testing.
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
    /// Videos of the data set that are trained on.
    pub videos: Videos,
    /// Classes that are left out.
    pub without: Vec<String>,
    /// Number of remaining classes.
    pub classes: usize,
    /// Index of the softmax layer that classifies them, from 0. The classes of data sets that share a layer are concatenated.
    pub task: usize,
}

/// Conversion of videos to frames and flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VideoPlan {
    /// Shorter side of the frames, in pixels.
    pub short_side: usize,
    /// Storage of frames and flow.
    pub storage: Storage,
    /// Method of flow estimation; absent for a net that sees frames only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<flow::Method>,
    /// Largest stored displacement, in pixels per frame, in each direction. If absent, each component is stored over its own
    /// range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_bound: Option<f32>,
    /// Facts about frames and flow that another program extracted; absent if they are computed here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extraction: Option<Extraction>,
    /// Takes videos although ffmpeg reports errors in them; left out of files if false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub accept_messages: bool,
    /// Largest number of videos per class in training, and the same in testing.
    pub videos_per_class: Option<usize>,
}

/// The training stage of a net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainPlan {
    /// Initial weights.
    pub start: Start,
    /// Layers that are trained.
    pub learns: Learns,
    /// Videos (or pairs of them) per batch and task, drawn uniformly across the classes.
    pub batch: usize,
    /// Number of iterations.
    pub iterations: usize,
    /// Learning rate.
    pub schedule: StepSchedule,
    /// Momentum of SGD.
    pub momentum: f64,
    /// Factor of the L2 penalty on the weights.
    pub weight_decay: f64,
    /// Largest L2 norm of the gradient over all parameters; a larger gradient is scaled down to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_gradient_norm: Option<f64>,
    /// Factors on the rate and the penalty of some parameters.
    #[serde(default, skip_serializing_if = "is_default")]
    pub factors: Factors,
    /// Random variation of the samples.
    pub augmentation: Augmentation,
    /// Pairs and their losses, for a net that is trained on pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<PairsPlan>,
}

/// Training on pairs of views (Siamese cross-view network).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PairsPlan {
    /// Number of dissimilar pairs for each similar one.
    pub dissimilar: usize,
    /// True if the loss includes the softmax loss of each branch.
    pub softmax: bool,
    /// The contrastive loss, if the net learns from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrastive: Option<ContrastivePlan>,
}

/// The contrastive loss of pairs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContrastivePlan {
    /// Distance between the features of a pair.
    pub distance: Distance,
    /// Margin m, as a multiple of the mean distance of dissimilar pairs at the start of training.
    pub margin: f64,
    /// Factor on the loss; 1 makes it as large as the softmax loss of guessing.
    pub weight: f64,
}

/// Initial weights of a training stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Start {
    /// He et al.'s normal initialisation, biases zero.
    HeNormal,
    /// The weights of another stage.
    Net {
        /// The other stage.
        net: Box<NetPlan>,
        /// True if its softmax layers are kept; otherwise they are new.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        classifiers: bool,
    },
    /// Separate weights for each stream of the network.
    Streams {
        /// Weights of the stream that sees frames.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        appearance: Option<Source>,
        /// Weights of the stream that sees flow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        motion: Option<Source>,
    },
    /// Published weights; the softmax layers are new.
    Weights {
        /// The file.
        source: WeightSource,
    },
}

/// Source of a stream's initial weights.
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
    /// Returns the sources of the initial weights, each with the stream that uses it if streams start separately.
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

    /// Returns the stages that provide initial weights, each with the stream that uses it if streams start separately.
    pub fn nets(&self) -> Vec<(Option<Modality>, &NetPlan)> {
        let net = |(stream, source)| match source {
            SourceRef::Net(net) => Some((stream, net)),
            SourceRef::Weights(_) => None,
        };
        self.sources().into_iter().filter_map(net).collect()
    }

    /// Returns the published files that provide initial weights.
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
    /// Number of temporal positions per video; if absent, all positions of the input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<usize>,
    /// Crops at each position.
    pub crops: Crops,
    /// True if the network sees all positions at once, as one clip.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub as_clip: bool,
    /// Videos that are tested.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on: TestOn,
    /// Basis of the answers: softmax scores, nearest neighbours or distances of pairs.
    #[serde(default, skip_serializing_if = "is_default")]
    pub by: TestBy,
    /// Scores that are averaged over the views of a video.
    #[serde(default, skip_serializing_if = "is_default")]
    pub scores: ScoresOf,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Protocol {
    /// Returns the input of the network in the test, and the number of equally spaced positions per video.
    pub fn tested(&self) -> (SampleSpec, usize) {
        // Inputs that define their own positions ignore the number.
        let frames = self.test.frames.unwrap_or(1);
        if !self.test.as_clip {
            return (self.net.sample.clone(), frames);
        }
        let time_steps = match self.net.sample.time_steps {
            TimeSteps::Windows { stride, .. } => TimeSteps::Windows { count: frames, stride },
            _ => TimeSteps::Spread { count: frames },
        };
        (SampleSpec { time_steps, ..self.net.sample.clone() }, 1)
    }
}

impl NetPlan {
    /// Returns the data set that the net is tested on.
    pub fn target(&self) -> &DataPlan {
        &self.data[0]
    }

    /// Returns this stage and the stages before it, each once, the earliest first. Two streams may start from the same net.
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

    /// Returns `true` if the network sees several snippets of a video, of its segments or of windows.
    pub fn sees_segments(&self) -> bool {
        matches!(self.sample.time_steps, TimeSteps::Segments { .. } | TimeSteps::Windows { .. })
    }

    /// Returns the input of the network at one place of a video: a snippet, for a network of several, otherwise a sample.
    pub fn at_one_place(&self) -> SampleSpec {
        if self.sees_segments() {
            return SampleSpec { time_steps: TimeSteps::Single, ..self.sample.clone() };
        }
        self.sample.clone()
    }

    /// Returns how often a network must see one place of a video: as many times as it has time steps, if their number is fixed.
    pub fn times_at_one_place(&self) -> usize {
        let is_fixed = self.sees_segments() && !self.model.accepts_any_length();
        if is_fixed { self.sample.time_steps.count().max(1) } else { 1 }
    }

    /// Iterates over the inputs at each time step.
    pub fn inputs(&self) -> impl Iterator<Item = &Input> {
        self.sample.inputs.iter().map(|input| &input.input)
    }

    /// Returns the input that reads optical flow, if there is one.
    pub fn flow(&self) -> Option<&Input> {
        self.inputs().find(|input| input.flow().is_some())
    }

    /// Returns the number of softmax layers.
    pub fn tasks(&self) -> usize {
        self.data.iter().map(|data| data.task + 1).max().unwrap_or(0)
    }

    /// Returns the number of samples per iteration: one batch for each task; a pair counts as two samples.
    pub fn samples(&self) -> usize {
        self.train.batch * self.tasks() * if self.train.pairs.is_some() { 2 } else { 1 }
    }
}
