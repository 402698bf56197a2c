//! ST-ResNet (Feichtenhofer, Pinz & Wildes, "Spatiotemporal Residual Networks for Video Action Recognition",
//! NIPS 2016, Table 1 and Sect. 3): two ResNet-50 that see a clip of T frames, each frame with its stack of flow.
//!
//! | layer | output, T = 11 | in each stream |
//! |---|---|---|
//! | conv1 | 112x112x11 | 7x7 stride 2 |
//! | pool1 | 56x56x11 | 3x3 stride 2 |
//! | conv2_x | 56x56x11 | 3 units, the second one spatiotemporal |
//! | conv3_x | 28x28x11 | 4 units, likewise |
//! | conv4_x | 14x14x11 | 6 units, likewise |
//! | conv5_x | 7x7x11 | 3 units, likewise |
//! | pool5 | 1x1x4 | ST-ResNet*: maximum over 5 time steps, stride 2; mean over the picture |
//! | softmax | classes | of the mean over the remaining time steps |
//!
//! In a spatiotemporal unit the two 1x1 convolutions read three time steps (eq. 5). The input of the unit in the motion
//! stream is added to the residual branch of the unit in the appearance stream (eq. 2), not to its shortcut.
//!
//! Parameters have the names of [`crate::ResNet50Config`] with the prefixes `appearance.` and `motion.`.

use base::Modality;
use nn::Activation;
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Case, Listed, Name, Stream, Trunk};
use crate::graph::{Graph, Port, Value};
use crate::layer::{BatchStatistics, Layer, TemporalPool, Window};
use crate::res_net_50::{CONV1, Layers, ResNet50Config, SMALL_CONV1, SMALL_STEM, Unit};
use crate::wanted::Wanted;
use crate::{Channels, Result, settings};

const MODEL: &str = "ST-ResNet";

/// Index of the spatiotemporal unit in each stage.
const SPATIOTEMPORAL: usize = 1;

/// Prefixes of the streams' parameters.
const APPEARANCE: &str = "appearance.";
const MOTION: &str = "motion.";

/// Sizes of the network; [`StResNetConfig::paper`] has the paper's. Parameters are `appearance.conv1.weight`, ...
/// `motion.fc.bias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StResNetConfig {
    /// Number of input channels of the motion stream, 2L.
    pub flow_channels: usize,
    /// Number of time steps of a clip, T, for the summary; the network accepts clips of any length.
    #[serde(rename = "moments")]
    pub time_steps: usize,
    /// Height and width of the inputs.
    pub input: [usize; 2],
    /// Classes of both softmax layers.
    pub classes: usize,
    /// Number of output channels of conv1; all other widths are multiples of it.
    pub width: usize,
    /// Window of conv1, 7x7 stride 2 in the paper.
    pub conv1: Window,
    /// Numbers of units in the four stages, at least two each.
    pub blocks: [usize; 4],
    /// Number of time steps that the convolutions over time read, odd.
    pub temporal_kernel: usize,
    /// Window of the maximum over time in ST-ResNet*.
    pub temporal_pool: Option<TemporalPool>,
    /// Layers that use the statistics of the batch in training.
    pub batch_statistics: BatchStatistics,
}

impl StResNetConfig {
    /// Returns the paper's ST-ResNet: clips of 5 frames, no maximum over time.
    pub fn paper(classes: usize) -> Self {
        Self {
            flow_channels: 20,
            time_steps: 5,
            input: [224, 224],
            classes,
            width: 64,
            conv1: CONV1,
            blocks: [3, 4, 6, 3],
            temporal_kernel: 3,
            temporal_pool: None,
            batch_statistics: BatchStatistics::All,
        }
    }

    /// Returns the paper's ST-ResNet*: clips of 11 time steps, which the maximum over time reduces to 4.
    pub fn paper_star(classes: usize) -> Self {
        let temporal_pool = Some(TemporalPool { kernel: 5, stride: 2 });
        Self { time_steps: 11, temporal_pool, ..Self::paper(classes) }
    }

    fn of(wanted: &Wanted<'_>, paper: Self) -> Result<Self> {
        let [Channels::FRAME, Channels { modality: Modality::FLOW, count: flow_channels }] = *wanted.inputs
        else {
            return Err(Wanted::refused("it joins two streams; set input = { kind = \"clip\", ... }"));
        };
        if wanted.dropout > 0.0 || wanted.later_dropout.is_some() {
            return Err(Wanted::refused(format!(
                "dropout = {}; ST-ResNet has no dropout, set dropout = 0.0",
                wanted.dropout
            )));
        }
        Ok(Self {
            flow_channels,
            time_steps: wanted.time_steps,
            input: [wanted.side; 2],
            classes: wanted.one_task()?,
            width: wanted.wide(paper.width),
            conv1: wanted.stem(paper.conv1, SMALL_CONV1),
            blocks: wanted.units(paper.blocks),
            batch_statistics: wanted.statistics(),
            ..paper
        })
    }

    /// Returns the stream that reads these channels, as a separate network.
    fn alone(&self, channels: Channels) -> ResNet50Config {
        ResNet50Config {
            channels,
            input: self.input,
            classes: self.classes,
            width: self.width,
            conv1: self.conv1,
            blocks: self.blocks,
            dropout: 0.0,
            batch_statistics: self.batch_statistics,
        }
    }

    /// Adds the layers from a stream's last feature maps to its logits; returns the features that the classifier reads.
    fn classifier(&self, graph: &mut Graph, prefix: &str, mut x: Value) -> Result<Value> {
        if let Some(pool) = self.temporal_pool {
            x = graph.add(format!("{prefix}maxpool_time"), Layer::temporal_max_pool(pool), &[x])?;
        }
        let layers = [("avgpool", Layer::global_avg_pool()), ("avgpool_time", Layer::temporal_mean())];
        let features = graph.chain(x, layers.map(|(name, layer)| (format!("{prefix}{name}"), layer)))?;
        let fc = Layer::linear(self.classes, Activation::None);
        let logits = graph.add(format!("{prefix}fc"), fc, &[features])?;
        // Both streams learn the same task, each with its own loss.
        graph.add_head(logits, 0);
        Ok(features)
    }

    fn check(&self) -> Result<()> {
        settings::sizes(
            MODEL,
            [("flow-channels", self.flow_channels), ("classes", self.classes), ("width", self.width)],
        )?;
        settings::time_steps(
            MODEL,
            [("time-steps", self.time_steps), ("temporal-kernel", self.temporal_kernel)],
        )?;
        settings::blocks(MODEL, &self.blocks)?;
        settings::picture(MODEL, self.input)?;
        settings::window(MODEL, "conv1", self.conv1)?;
        if let Some(found) = self.blocks.iter().find(|blocks| **blocks <= SPATIOTEMPORAL) {
            return Err(settings::refused(
                MODEL,
                "the number of blocks in a stage",
                found,
                "at least 2: the second unit of a stage is the spatiotemporal one",
            ));
        }
        if self.temporal_kernel.is_multiple_of(2) {
            return Err(settings::refused(MODEL, "temporal-kernel", self.temporal_kernel, "an odd number"));
        }
        Ok(())
    }
}

impl Architecture for StResNetConfig {
    fn kind(&self) -> &'static str {
        "st-resnet"
    }

    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let star = if self.temporal_pool.is_some() { "*" } else { "" };
        let title = format!("{} classes", self.classes);
        let ports = self
            .inputs()
            .into_iter()
            .map(|channels| Port { any_length: true, ..Port::clip(channels, self.input, self.time_steps) });
        let mut graph = Graph::of_ports(MODEL, format!("{title}{star}"), ports.collect());
        let layers = |prefix| Layers {
            prefix,
            width: self.width,
            conv1: self.conv1,
            batch_statistics: self.batch_statistics,
        };
        let (appearance, motion) = (layers(APPEARANCE), layers(MOTION));
        let (rgb, flow) = (graph.input_of(Modality::RGB)?, graph.input_of(Modality::FLOW)?);
        let mut m = motion.stem(&mut graph, flow)?;
        let mut a = appearance.stem(&mut graph, rgb)?;
        for (stage, &blocks) in self.blocks.iter().enumerate() {
            for block in 0..blocks {
                let spatiotemporal = block == SPATIOTEMPORAL;
                let time_steps = if spatiotemporal { self.temporal_kernel } else { 1 };
                let entering = spatiotemporal.then_some(m);
                let unit = |entering| Unit { stage, block, entering, time_steps };
                m = motion.unit(&mut graph, unit(None), m)?;
                a = appearance.unit(&mut graph, unit(entering), a)?;
            }
        }
        let a = self.classifier(&mut graph, APPEARANCE, a)?;
        graph.set_features(a);
        self.classifier(&mut graph, MOTION, m)?;
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        vec![Channels::FRAME, Channels::flow(self.flow_channels)]
    }

    fn heads(&self) -> Vec<usize> {
        vec![self.classes; 2]
    }

    fn is_classifier(&self, parameter: &str) -> bool {
        [APPEARANCE, MOTION].iter().any(|prefix| {
            parameter.strip_prefix(prefix).is_some_and(|parameter| parameter.starts_with("fc."))
        })
    }

    fn trunk(&self) -> Trunk {
        Trunk::of(&Self {
            time_steps: 1,
            classes: 1,
            temporal_pool: None,
            batch_statistics: BatchStatistics::All,
            ..self.clone()
        })
    }

    fn small_stem(&self) -> &'static str {
        SMALL_STEM
    }

    fn streams(&self) -> Vec<Stream> {
        let stream = |prefix, channels: Channels| Stream {
            modality: channels.modality,
            prefix,
            alone: Box::new(self.alone(channels)),
        };
        vec![stream(APPEARANCE, Channels::FRAME), stream(MOTION, Channels::flow(self.flow_channels))]
    }

    fn temporal_kernel(&self, parameter: &str) -> Option<usize> {
        let (stage, layer) = parameter.split_once('.')?;
        let spatiotemporal = stage.starts_with("layer")
            && ["conv1", "conv3"]
                .map(|conv| format!("{SPATIOTEMPORAL}.{conv}.weight"))
                .contains(&layer.to_owned());
        (spatiotemporal && self.temporal_kernel > 1).then_some(self.temporal_kernel)
    }

    fn keeps_classifiers_of_streams(&self) -> bool {
        true
    }

    fn sees_whole_videos(&self) -> bool {
        true
    }
}

impl Listed for StResNetConfig {
    fn names() -> Vec<Name<Self>> {
        vec![
            Name::normalised("st-resnet", |wanted| Self::of(wanted, Self::paper(1))),
            Name::normalised("st-resnet-star", |wanted| Self::of(wanted, Self::paper_star(1))),
        ]
    }

    fn cases() -> Vec<Case<Self>> {
        let model = Self { input: [32, 32], width: 4, blocks: [2, 2, 2, 2], ..Self::paper(4) };
        vec![Case::new("ST-ResNet", model)]
    }
}
