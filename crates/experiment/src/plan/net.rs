//! A net to train, with every value explicit.

use data::augment::Augmentation;
use data::extracted::Extraction;
use data::inputs::Input;
use data::loader::Crops;
use models::ModelConfig;
use nn::StepSchedule;
use serde::{Deserialize, Serialize};

use crate::spec::{Learns, Storage, Videos};
use crate::weights::WeightSource;

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
    /// What the network sees.
    pub input: Input,
    /// The side of the square crop, in pixels.
    pub crop: usize,
    /// The network.
    pub model: ModelConfig,
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
    /// Videos a batch, drawn uniformly across the classes; as many for each task.
    pub batch: usize,
    /// Iterations.
    pub iterations: usize,
    /// The learning rate.
    pub schedule: StepSchedule,
    /// Momentum.
    pub momentum: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// How samples are varied.
    pub augmentation: Augmentation,
}

/// Where a training stage's weights start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Start {
    /// He et al.'s normal initialisation, biases zero.
    HeNormal,
    /// The weights of another stage, but for the softmax layers, which are new.
    Net {
        /// That stage.
        net: Box<NetPlan>,
    },
    /// Published weights, but for the softmax layers, which are new.
    Weights {
        /// The file.
        source: WeightSource,
    },
}

/// The test of a net.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TestPlan {
    /// Temporal positions a video.
    pub frames: usize,
    /// Views of each.
    pub crops: Crops,
}

impl NetPlan {
    /// The data set that the net is tested on.
    pub fn target(&self) -> &DataPlan {
        &self.data[0]
    }

    /// This stage and those before it, the first one first.
    pub fn stages(&self) -> Vec<&Self> {
        let mut stages = match &self.train.start {
            Start::HeNormal | Start::Weights { .. } => Vec::new(),
            Start::Net { net } => net.stages(),
        };
        stages.push(self);
        stages
    }

    /// Number of softmax layers.
    pub fn tasks(&self) -> usize {
        self.data.iter().map(|data| data.task + 1).max().unwrap_or(0)
    }

    /// Classes of each softmax layer.
    pub fn classes(&self) -> Vec<usize> {
        let of = |task| self.data.iter().filter(|data| data.task == task).map(|data| data.classes).sum();
        (0..self.tasks()).map(of).collect()
    }
}
