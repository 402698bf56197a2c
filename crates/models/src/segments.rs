//! Temporal Segment Networks (Wang, Xiong, Wang, Qiao, Lin, Tang & Van Gool, ECCV 2016 and PAMI 2018): any network of one
//! stream, over one snippet of each of K equal parts of a video.
//!
//! | step | shape |
//! |---|---|
//! | K snippets of a video | (B, K, C, H, W) |
//! | class scores of each, by the same network | (B K, classes) |
//! | consensus of the snippets, before the softmax ([`Consensus`]) | (B, classes) |
//!
//! In a test the network sees all snippets of a video at once, and any number of them: their consensus is taken as in
//! training. The features are the mean of the snippets' features.
//!
//! Parameters have the names of the network, so that either can start from the weights of the other. A learned consensus adds
//! `consensus.weight`.

use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Case, Listed, Name, Role, Trunk};
use crate::consensus::Consensus;
use crate::graph::{Graph, Value};
use crate::layer::Layer;
use crate::names::{NameMap, Rule};
use crate::vgg_16::Vgg16Config;
use crate::wanted::Wanted;
use crate::{Channels, Result, settings};

const MODEL: &str = "temporal segments";

/// Prefix of the parameters and names of the layers that join the snippets.
const CONSENSUS: &str = "consensus";

one_of! {
    /// The network of a snippet.
    #[points_to(Architecture)]
    pub enum SnippetNetwork {
        /// BN-Inception, the network of the paper.
        #[kind = "bn-inception"] BnInception(crate::bn_inception::BnInceptionConfig),
        /// VGG-16.
        #[kind = "vgg-16"] Vgg16(Vgg16Config),
        /// CNN-M-2048.
        #[kind = "cnn-m-2048"] CnnM2048(crate::cnn_m_2048::CnnM2048Config),
        /// ResNet-50.
        #[kind = "resnet-50"] ResNet50(crate::res_net_50::ResNet50Config),
        /// AlexNet.
        #[kind = "alexnet"] AlexNet(crate::alex_net::AlexNetConfig),
    }
}

/// Sizes of the network. Parameters are those of the snippet's network, and `consensus.weight` if the consensus is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SegmentsConfig {
    /// The network of a snippet.
    pub network: SnippetNetwork,
    /// K, the number of segments in training: 1 to 65536.
    pub segments: usize,
    /// The consensus of the snippets.
    pub consensus: Consensus,
}

impl SegmentsConfig {
    fn over(network: SnippetNetwork, wanted: &Wanted<'_>) -> Result<Self> {
        let Some(consensus) = wanted.consensus else {
            return Err(Wanted::refused("consensus = \"average\" or another one is needed"));
        };
        Ok(Self { network, segments: wanted.time_steps, consensus })
    }

    /// Adds the consensus of the scores of each classifier.
    fn join(&self, graph: &mut Graph, scores: &[Value], features: Option<Value>) -> Result<Vec<Value>> {
        let mut joined = Vec::with_capacity(scores.len());
        for (task, &scores) in scores.iter().enumerate() {
            // The first layer after those of the network may be the last one, too.
            let name = if task == 0 { CONSENSUS.to_owned() } else { format!("{CONSENSUS}_{}", task + 1) };
            let inputs = match (self.consensus, features) {
                (Consensus::Attention, Some(features)) => vec![scores, features],
                _ => vec![scores],
            };
            joined.push(graph.add(name, Layer::consensus(self.consensus, self.segments), &inputs)?);
        }
        Ok(joined)
    }
}

impl Architecture for SegmentsConfig {
    fn kind(&self) -> &'static str {
        "temporal-segments"
    }

    fn graph(&self) -> Result<Graph> {
        settings::time_steps(MODEL, [("segments", self.segments)])?;
        let mut graph = self.network.graph()?.over_time(self.segments)?;
        let (heads, features) = (graph.take_heads(), graph.features());
        let scores: Vec<Value> = heads.iter().map(|&(scores, _)| scores).collect();
        if let Some(features) = features {
            let mean = graph.add("features", Layer::temporal_mean(), &[features])?;
            graph.set_features(mean);
        }
        let joined = self.join(&mut graph, &scores, features)?;
        for (joined, (_, task)) in joined.into_iter().zip(heads) {
            graph.add_head(joined, task);
        }
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        self.network.inputs()
    }

    fn heads(&self) -> Vec<usize> {
        self.network.heads()
    }

    /// The consensus belongs to the classifiers.
    fn is_classifier(&self, parameter: &str) -> bool {
        parameter.starts_with(CONSENSUS) || self.network.is_classifier(parameter)
    }

    /// That of the network: weights do not depend on the number of snippets.
    fn trunk(&self) -> Trunk {
        self.network.trunk()
    }

    fn first_convolution(&self) -> Option<&'static str> {
        self.network.first_convolution()
    }

    fn small_stem(&self) -> &'static str {
        self.network.small_stem()
    }

    fn published_names(&self, names: NameMap) -> Option<&'static [Rule]> {
        self.network.published_names(names)
    }

    fn sees_whole_videos(&self) -> bool {
        true
    }
}

impl Listed for SegmentsConfig {
    /// Returns the names of the networks.
    fn names() -> Vec<Name<Self>> {
        let over = |network: Name<SnippetNetwork>| Name {
            name: network.name,
            batch_norm: network.batch_norm,
            role: Role::Segments,
            make: Box::new(move |wanted| {
                let snippet = Wanted { time_steps: 1, consensus: None, ..wanted.clone() };
                Self::over((network.make)(&snippet)?, wanted)
            }),
        };
        SnippetNetwork::names().into_iter().map(over).collect()
    }

    fn cases() -> Vec<Case<Self>> {
        let narrow = Vgg16Config {
            input: [32, 32],
            width: 4,
            full: 16,
            dropout: 0.0,
            ..Vgg16Config::paper(Channels::flow(10), 4)
        };
        let of = |consensus| Self { network: SnippetNetwork::Vgg16(narrow.clone()), segments: 3, consensus };
        vec![
            Case::new("Temporal segments, average", of(Consensus::Average)),
            Case { is_smooth: false, ..Case::new("Temporal segments, maximum", of(Consensus::Maximum)) },
            Case::new("Temporal segments, weighted", of(Consensus::Weighted)),
            Case { is_smooth: false, ..Case::new("Temporal segments, top 2", of(Consensus::Top(2))) },
            Case::new("Temporal segments, attention", of(Consensus::Attention)),
        ]
    }
}
