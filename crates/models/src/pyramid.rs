//! Spatiotemporal Pyramid Network (Wang, Long, Wang & Yu, CVPR 2017): one frame and T snippets of flow around it pass
//! through a base network and are joined level by level.
//!
//! | level | input | output |
//! |---|---|---|
//! | base | the frame; each snippet, with shared weights | the last feature maps |
//! | 1, multi-snippet fusion | the snippets' maps | one map of motion |
//! | 2, attention | the frame's map and the motion at each spatial position, by compact bilinear fusion | a weight for each spatial position, and the frame's map summed with these weights |
//! | 3 | the frame's map, the attended features and the motion, by compact bilinear fusion | the vector that is classified |
//!
//! A compact bilinear fusion sketches the outer product of all its inputs at each spatial position ([`nn::CompactBilinear`]),
//! followed by a signed square root and an L2 normalisation. The classifier can read any of the levels, which covers the
//! rows of the paper's ablations ([`PyramidHead`]).
//!
//! Parameters of the base have its names with the prefix `spatial.` or `temporal.`; later layers have names of their own.

use base::Modality;
use nn::Activation;
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Case, Listed, Name, Role, Stream, Trunk};
use crate::base_network::Base;
use crate::bn_inception::BnInceptionConfig;
use crate::graph::{Graph, Port, Value};
use crate::layer::{BatchStatistics, Conv, Layer, Window};
use crate::levels::{PyramidHead, SnippetFusion};
use crate::wanted::Wanted;
use crate::{Channels, Result, settings};

const MODEL: &str = "spatiotemporal pyramid";

one_of! {
    /// The base, configured as a stream for frames; its classes and its dropout apply to the pyramid.
    #[points_to(Base)]
    pub enum PyramidBase {
        /// BN-Inception, as in the paper.
        #[kind = "bn-inception"] BnInception(BnInceptionConfig),
        /// ResNet-50.
        #[kind = "resnet-50"] ResNet50(crate::res_net_50::ResNet50Config),
        /// VGG-16 up to its last pooling layer.
        #[kind = "vgg-16"] Vgg16(crate::vgg_16::Vgg16Config),
    }
}

/// Prefixes of the streams' parameters.
const SPATIAL: &str = "spatial.";
const TEMPORAL: &str = "temporal.";

/// Sizes of the network. Parameters are `spatial.conv1/7x7_s2.weight`, ... `fc.bias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PyramidConfig {
    /// The base of both streams.
    pub base: PyramidBase,
    /// Number of channels of a snippet, 2L.
    pub flow_channels: usize,
    /// Number of snippets, T.
    pub snippets: usize,
    /// Fusion of the snippets; a single snippet is used as it is.
    pub fusion: SnippetFusion,
    /// Features that the classifier reads.
    pub head: PyramidHead,
    /// Number of values of a sketch, d; at most 2^24, because the weights file stores exact integers only up to there.
    pub sketch: usize,
    /// Number of output channels of the first convolution of the attention.
    pub attention: usize,
}

/// A compact bilinear fusion in the list of layers.
struct Fusion<'a> {
    /// Name of the layer, and prefix of the names of the layers after it.
    name: &'a str,
    /// True if it averages over the spatial positions.
    pooled: bool,
}

impl PyramidConfig {
    /// Makes the configuration over a base for frames.
    fn over(base: PyramidBase, wanted: &Wanted<'_>) -> Result<Self> {
        let Some(levels) = wanted.levels else {
            return Err(Wanted::refused("pyramid = { ... } and [shared.pyramid] are needed"));
        };
        // Of the base, only its last feature map is used; the classifier has one dropout.
        wanted.dropped()?;
        Ok(Self {
            base,
            flow_channels: wanted.channels_of(Modality::FLOW).unwrap_or(0),
            snippets: wanted.time_steps,
            fusion: levels.fusion.unwrap_or(SnippetFusion::Concatenation),
            head: levels.head,
            sketch: wanted.wide(levels.sketch),
            attention: wanted.wide(levels.attention),
        })
    }

    /// Adds level 1, which joins the snippets' maps to one map, or to one vector if `pooled`.
    fn motion(&self, graph: &mut Graph, snippets: Value, pooled: bool) -> Result<Value> {
        let name = "motion";
        let joined = match self.fusion {
            SnippetFusion::CompactBilinear if self.snippets > 1 => {
                return self.fuse(graph, Fusion { name, pooled }, &[snippets]);
            }
            SnippetFusion::Sum if self.snippets > 1 => Layer::sum_time_steps(),
            _ => Layer::join_time_steps(),
        };
        let map = graph.add(name, joined, &[snippets])?;
        if pooled { graph.add("global_pool", Layer::global_avg_pool(), &[map]) } else { Ok(map) }
    }

    /// Adds level 2, which sums the frame's map with attention weights from the frame and the motion.
    fn attended(&self, graph: &mut Graph, visual: Value, motion: Value) -> Result<Value> {
        let guidance = self.fuse(graph, Fusion { name: "guidance", pooled: false }, &[visual, motion])?;
        let window = Window { kernel: 1, stride: 1, padding: 0 };
        let point =
            |outputs, activation| Layer::conv(Conv { outputs, window, groups: 1, bias: true, activation });
        let weights = graph.chain(
            guidance,
            [
                ("attention.0", point(self.attention, Activation::Relu)),
                ("attention.1", point(1, Activation::None)),
                ("attention", Layer::position_softmax()),
            ],
        )?;
        graph.set_attention(weights);
        graph.add("attended", Layer::weighted_pool(), &[weights, visual])
    }

    /// Adds a compact bilinear fusion, a signed square root and an L2 normalisation.
    fn fuse(&self, graph: &mut Graph, fusion: Fusion<'_>, inputs: &[Value]) -> Result<Value> {
        let Fusion { name, pooled } = fusion;
        let sketched = graph.add(name, Layer::compact_bilinear(self.sketch, pooled), inputs)?;
        graph.chain(
            sketched,
            [(format!("{name}_sqrt"), Layer::signed_sqrt()), (format!("{name}_norm"), Layer::rms_norm())],
        )
    }

    fn check(&self) -> Result<()> {
        settings::sizes(
            MODEL,
            [("flow-channels", self.flow_channels), ("sketch", self.sketch), ("attention", self.attention)],
        )?;
        settings::time_steps(MODEL, [("snippets", self.snippets)])?;
        for stream in self.streams() {
            stream.alone.graph()?;
        }
        Ok(())
    }
}

impl Architecture for PyramidConfig {
    fn kind(&self) -> &'static str {
        "pyramid"
    }

    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let (sizes, classes) = (self.base.sizes(), self.heads()[0]);
        let port = |channels: Channels| match channels.modality {
            Modality::RGB => Port::one(channels, sizes.input),
            _ => Port::clip(channels, sizes.input, self.snippets),
        };
        let ports = self.inputs().into_iter().map(port).collect();
        let mut graph = Graph::of_ports(MODEL, format!("{classes} classes"), ports);

        let flow = graph.input_of(Modality::FLOW)?;
        let snippets = self.base.layers(&mut graph, TEMPORAL, flow)?;
        let features = if self.head == PyramidHead::Motion {
            self.motion(&mut graph, snippets, true)?
        } else {
            let rgb = graph.input_of(Modality::RGB)?;
            let visual = self.base.layers(&mut graph, SPATIAL, rgb)?;
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
        graph.classify(features, ("dropout", sizes.dropout), ("fc", classes))?;
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        let frame = self.head.sees_frame().then_some(Channels::FRAME);
        frame.into_iter().chain([Channels::flow(self.flow_channels)]).collect()
    }

    fn heads(&self) -> Vec<usize> {
        self.base.heads()
    }

    fn is_classifier(&self, parameter: &str) -> bool {
        parameter.starts_with("fc.")
    }

    fn trunk(&self) -> Trunk {
        let Self { base, flow_channels: _, snippets, fusion, head, sketch, attention } = self;
        Trunk::of(&(self.kind(), base.trunk(), snippets, fusion, head, sketch, attention))
    }

    fn small_stem(&self) -> &'static str {
        self.base.small_stem()
    }

    fn streams(&self) -> Vec<Stream> {
        let stream = |channels: Channels| Stream {
            modality: channels.modality,
            prefix: if channels.modality == Modality::RGB { SPATIAL } else { TEMPORAL },
            alone: self.base.seeing(channels),
        };
        self.inputs().into_iter().map(stream).collect()
    }

    /// The streams consist of the layers of their bases; all other parameters join them.
    fn joins_streams(&self, parameter: &str) -> bool {
        let mut named = [SPATIAL, TEMPORAL].into_iter().filter_map(|prefix| parameter.strip_prefix(prefix));
        !named.next().is_some_and(|name| self.base.is_of_layers(name))
    }

    fn classifies_streams_together(&self) -> bool {
        self.head.sees_frame()
    }

    fn attends(&self) -> bool {
        self.head.attends()
    }
}

impl Listed for PyramidConfig {
    /// Returns the names of its bases.
    fn names() -> Vec<Name<Self>> {
        let over = |base: Name<PyramidBase>| Name {
            name: base.name,
            batch_norm: base.batch_norm,
            role: Role::Pyramid,
            make: Box::new(move |wanted| {
                let frame =
                    Wanted { inputs: &[Channels::FRAME], time_steps: 1, levels: None, ..wanted.clone() };
                Self::over((base.make)(&frame)?, wanted)
            }),
        };
        PyramidBase::names().into_iter().map(over).collect()
    }

    /// Not smooth: the steep slope of the signed roots near zero amplifies rounding errors in the layers before them.
    fn cases() -> Vec<Case<Self>> {
        let base = BnInceptionConfig {
            input: [96, 96],
            width_divisor: 8,
            batch_statistics: BatchStatistics::First,
            ..BnInceptionConfig::paper(Channels::FRAME, 4)
        };
        let model = Self {
            base: PyramidBase::BnInception(base),
            flow_channels: 4,
            snippets: 3,
            fusion: SnippetFusion::CompactBilinear,
            head: PyramidHead::Pyramid,
            sketch: 256,
            attention: 16,
        };
        vec![Case { is_smooth: false, ..Case::new("Spatiotemporal Pyramid", model) }]
    }
}
