//! Spatiotemporal Pyramid Network (Wang, Long, Wang & Yu, CVPR 2017): one frame and T snippets of flow around it,
//! each through a base, joined level by level.
//!
//! | level | reads | gives |
//! |---|---|---|
//! | base | the frame; every snippet, all with the same weights | the last feature maps |
//! | 1, multi-snippet fusion | the snippets' maps | one map of motion |
//! | 2, attention | at each place the frame's map and the motion, by compact bilinear fusion | a weight for each place, and the frame's map summed with them |
//! | 3 | the frame's map, what attention found, and the motion, by compact bilinear fusion | the vector that is classified |
//!
//! A compact bilinear fusion sketches the outer product of all its inputs at each place ([`nn::CompactBilinear`]);
//! after it come a signed square root and an L2 normalisation. The classifier may read any of the levels, which gives
//! the rows of the paper's ablations ([`PyramidHead`]).
//!
//! Names are the base's under `spatial.` and `temporal.`; what follows has names of its own.

use nn::{Activation, Builder};
use serde::{Deserialize, Serialize};

use crate::graph::{Graph, Port, Value};
use crate::layer::{Layer, Window};
use crate::{
    Backbone, BatchStatistics, BnInceptionConfig, Modality, ModelConfig, ResNet50Config, Result, Summary,
    Vgg16Config, settings,
};

const MODEL: &str = "spatiotemporal pyramid";

/// Whole numbers up to here are exact in the weights file.
const LARGEST_SKETCH: usize = 1 << 24;

/// A base, as a stream for frames of its own; its classes and its dropout are the pyramid's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum PyramidBase {
    /// The paper's.
    #[serde(rename = "bn-inception")]
    BnInception(BnInceptionConfig),
    /// ResNet-50.
    #[serde(rename = "resnet-50")]
    ResNet50(ResNet50Config),
    /// VGG-16 up to its last pooling layer.
    #[serde(rename = "vgg-16")]
    Vgg16(Vgg16Config),
}

/// How the maps of several snippets become one (level 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SnippetFusion {
    /// Side by side in the channels.
    Concatenation,
    /// Their sum.
    Sum,
    /// Compact bilinear fusion.
    CompactBilinear,
}

/// What the classifier reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PyramidHead {
    /// The motion of level 1; there is no frame.
    Motion,
    /// The frame's map, summed by the attention of level 2: "spatial features only".
    Attended,
    /// The frame's map and the motion fused, without attention: models B and C.
    Fused,
    /// Level 3: model D.
    Pyramid,
}

impl PyramidHead {
    /// Whether the network sees a frame beside the flow.
    pub fn sees_frame(self) -> bool {
        self != Self::Motion
    }

    pub(crate) fn attends(self) -> bool {
        matches!(self, Self::Attended | Self::Pyramid)
    }
}

/// Every size of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PyramidConfig {
    /// The base of both streams.
    pub base: PyramidBase,
    /// Channels of a snippet, 2L.
    pub flow_channels: usize,
    /// T.
    pub snippets: usize,
    /// How they become one; one alone is taken as it is.
    pub fusion: SnippetFusion,
    /// What the classifier reads.
    pub head: PyramidHead,
    /// d, the values of a sketch.
    pub sketch: usize,
    /// Output channels of the first convolution of the attention.
    pub attention: usize,
}

/// A compact bilinear fusion in the list of layers.
struct Fusion<'a> {
    /// Its name, and the beginning of those of what follows it.
    name: &'a str,
    /// Whether the mean over the places is taken.
    pooled: bool,
}

impl PyramidConfig {
    /// The stream that sees a modality, as a network of its own, whose weights it may start from; none if the network
    /// has no such stream.
    pub fn stream(&self, modality: Modality) -> Option<ModelConfig> {
        let channels = match modality {
            Modality::Rgb if !self.head.sees_frame() => return None,
            Modality::Rgb => 3,
            Modality::Flow => self.flow_channels,
        };
        Some(match self.base.clone() {
            PyramidBase::BnInception(base) => {
                ModelConfig::BnInception(BnInceptionConfig { channels, ..base })
            }
            PyramidBase::ResNet50(base) => ModelConfig::ResNet50(ResNet50Config { channels, ..base }),
            PyramidBase::Vgg16(base) => ModelConfig::Vgg16(Vgg16Config { channels, ..base }),
        })
    }

    /// Makes the network, with parameters `spatial.conv1/7x7_s2.weight`, ... `fc.bias`.
    ///
    /// # Errors
    /// As [`PyramidConfig::summary`].
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

    /// Classes of the softmax layer.
    pub(crate) fn classes(&self) -> usize {
        self.base.facts().1
    }

    /// The same with another number of classes, no dropout, and all layers normalised by their batch.
    pub(crate) fn trunk(&self) -> Self {
        Self { base: self.base.plain(), ..self.clone() }
    }

    /// Of the names of a stream's parameters.
    pub(crate) fn prefix(modality: Modality) -> &'static str {
        match modality {
            Modality::Rgb => "spatial.",
            Modality::Flow => "temporal.",
        }
    }

    /// Whether a parameter belongs to a stream's trunk, and not to what joins the streams.
    pub(crate) fn is_of_stream(&self, parameter: &str) -> bool {
        let stream = [Modality::Rgb, Modality::Flow].map(Self::prefix).into_iter();
        let mut named = stream.filter_map(|prefix| parameter.strip_prefix(prefix));
        named.next().is_some_and(|name| match &self.base {
            PyramidBase::BnInception(_) => !name.starts_with("fc-action."),
            PyramidBase::ResNet50(_) => !name.starts_with("fc."),
            PyramidBase::Vgg16(_) => name.starts_with("features."),
        })
    }

    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let ([height, width], classes, dropout) = self.base.facts();
        let rgb = Port::one(Modality::Rgb, [3, height, width]);
        let flow = Port::clip(Modality::Flow, [self.flow_channels, height, width], self.snippets);
        let ports = if self.head.sees_frame() { vec![rgb, flow] } else { vec![flow] };
        let mut graph = Graph::of_ports(MODEL, format!("{classes} classes"), ports);

        let flow = graph.input_of(Modality::Flow)?;
        let snippets = self.base.trunk(&mut graph, Self::prefix(Modality::Flow), flow)?;
        let features = if self.head == PyramidHead::Motion {
            self.motion(&mut graph, snippets, true)?
        } else {
            let rgb = graph.input_of(Modality::Rgb)?;
            let visual = self.base.trunk(&mut graph, Self::prefix(Modality::Rgb), rgb)?;
            let motion = self.motion(&mut graph, snippets, false)?;
            let mut joined = vec![visual];
            if self.head.attends() {
                joined.push(self.attended(&mut graph, visual, motion)?);
            }
            joined.push(motion);
            match self.head {
                PyramidHead::Attended => joined[1],
                _ => self.fuse(&mut graph, Fusion { name: "fused", pooled: true }, &joined)?,
            }
        };
        graph.set_features(features);
        let classifier = Layer::Linear { outputs: classes, activation: Activation::None };
        graph.chain(features, [("dropout", Layer::Dropout(dropout)), ("fc", classifier)])?;
        Ok(graph)
    }

    /// Level 1: the snippets' maps as one, or as one vector.
    fn motion(&self, graph: &mut Graph, snippets: Value, pooled: bool) -> Result<Value> {
        let name = "motion";
        let joined = match self.fusion {
            SnippetFusion::CompactBilinear if self.snippets > 1 => {
                return self.fuse(graph, Fusion { name, pooled }, &[snippets]);
            }
            SnippetFusion::Sum if self.snippets > 1 => Layer::SumMoments,
            _ => Layer::JoinMoments,
        };
        let map = graph.add(name, joined, &[snippets])?;
        if pooled { graph.add("global_pool", Layer::GlobalAvgPool, &[map]) } else { Ok(map) }
    }

    /// Level 2: the frame's map, summed with the weights that the motion leads to.
    fn attended(&self, graph: &mut Graph, visual: Value, motion: Value) -> Result<Value> {
        let guidance = self.fuse(graph, Fusion { name: "guidance", pooled: false }, &[visual, motion])?;
        let point = |outputs, activation| Layer::Conv {
            outputs,
            window: Window { kernel: 1, stride: 1, padding: 0 },
            groups: 1,
            bias: true,
            activation,
        };
        let weights = graph.chain(
            guidance,
            [
                ("attention.0", point(self.attention, Activation::Relu)),
                ("attention.1", point(1, Activation::None)),
                ("attention", Layer::PlaceSoftmax),
            ],
        )?;
        graph.set_attention(weights);
        graph.add("attended", Layer::WeightedPool, &[weights, visual])
    }

    /// Compact bilinear fusion with what follows it.
    fn fuse(&self, graph: &mut Graph, fusion: Fusion<'_>, inputs: &[Value]) -> Result<Value> {
        let Fusion { name, pooled } = fusion;
        let sketched = graph.add(name, Layer::CompactBilinear { size: self.sketch, pooled }, inputs)?;
        graph.chain(
            sketched,
            [(format!("{name}_sqrt"), Layer::SignedSqrt), (format!("{name}_norm"), Layer::RmsNorm)],
        )
    }

    fn check(&self) -> Result<()> {
        settings::at_least_one(
            MODEL,
            [
                ("flow-channels", self.flow_channels),
                ("snippets", self.snippets),
                ("sketch", self.sketch),
                ("attention", self.attention),
            ],
        )?;
        settings::at_most(MODEL, "sketch", self.sketch, LARGEST_SKETCH, "at most 2^24")?;
        let streams = [Modality::Rgb, Modality::Flow];
        for stream in streams.into_iter().filter_map(|modality| self.stream(modality)) {
            stream.summary()?;
        }
        Ok(())
    }
}

impl PyramidBase {
    /// The layers from an input to the last feature map.
    fn trunk(&self, graph: &mut Graph, prefix: &str, input: Value) -> Result<Value> {
        match self {
            Self::BnInception(base) => base.trunk(graph, prefix, input),
            Self::ResNet50(base) => base.trunk(graph, prefix, input),
            Self::Vgg16(base) => base.trunk(graph, prefix, input),
        }
    }

    /// The same with one class, no dropout, and all layers normalised by their batch.
    fn plain(&self) -> Self {
        let (classes, dropout, batch_statistics) = (1, 0.0, BatchStatistics::All);
        match self.clone() {
            Self::BnInception(base) => {
                Self::BnInception(BnInceptionConfig { classes, dropout, batch_statistics, ..base })
            }
            Self::ResNet50(base) => {
                Self::ResNet50(ResNet50Config { classes, dropout, batch_statistics, ..base })
            }
            Self::Vgg16(base) => Self::Vgg16(Vgg16Config { classes, dropout, ..base }),
        }
    }

    /// Height and width of the input, classes and dropout.
    fn facts(&self) -> ([usize; 2], usize, f64) {
        match self {
            Self::BnInception(base) => (base.input, base.classes, base.dropout),
            Self::ResNet50(base) => (base.input, base.classes, base.dropout),
            Self::Vgg16(base) => (base.input, base.classes, base.dropout),
        }
    }
}
