//! The papers' architectures, one file each.
//!
//! A model is a configuration that [`ModelConfig::build`]s a [`Network`] and
//! [`ModelConfig::summary`] describes without allocating a weight. Models know no
//! data set and no file.
//!
//! Inputs are (B, S, C, H, W); inside a network feature maps are (B, H, W, C), of clips (B S, H, W, C).
//!
//! Letters: B batch, S snippets or frames of a sample, C channels, H height,
//! W width, F features, K classes.

mod adopt;
mod alex_net;
mod backbone;
mod bn_inception;
mod cnn_m_2048;
mod error;
mod graph;
mod layer;
mod names;
mod network;
mod pyramid;
mod res_net_50;
mod settings;
mod st_res_net;
mod summary;
mod vgg_16;

use nn::Builder;
use serde::{Deserialize, Serialize};

pub use alex_net::AlexNetConfig;
pub use backbone::Backbone;
pub use bn_inception::{BnInceptionConfig, InceptionStem};
pub use cnn_m_2048::{CnnM2048Config, Fusion, Stream};
pub use error::{Error, Result};
pub use layer::{BatchStatistics, TemporalPool, Window};
pub use names::{NameMap, Rule};
pub use network::{Head, Inputs, Modality, Network, Outputs};
pub use pyramid::{PyramidBase, PyramidConfig, PyramidHead, SnippetFusion};
pub use res_net_50::ResNet50Config;
pub use st_res_net::StResNetConfig;
pub use summary::{Row, Summary};
pub use vgg_16::Vgg16Config;

/// Every architecture; the only list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields)]
pub enum ModelConfig {
    /// The single stream of Two-Stream ConvNets (2014).
    #[serde(rename = "cnn-m-2048")]
    CnnM2048(CnnM2048Config),
    /// Caffe's reference model, the branch of the Siamese network.
    #[serde(rename = "alexnet")]
    AlexNet(AlexNetConfig),
    /// The single stream of ST-ResNet (2016).
    #[serde(rename = "resnet-50")]
    ResNet50(ResNet50Config),
    /// Both streams of ST-ResNet, joined (2016).
    #[serde(rename = "st-resnet")]
    StResNet(StResNetConfig),
    /// The base of the Spatiotemporal Pyramid Network (2017).
    #[serde(rename = "bn-inception")]
    BnInception(BnInceptionConfig),
    /// VGG-16, another base of it.
    #[serde(rename = "vgg-16")]
    Vgg16(Vgg16Config),
    /// The Spatiotemporal Pyramid Network and what its levels give alone (2017).
    #[serde(rename = "pyramid")]
    Pyramid(PyramidConfig),
}

impl ModelConfig {
    /// Makes the network, its parameters drawn by the builder's seed.
    ///
    /// # Errors
    /// If sizes do not fit together.
    pub fn build(&self, builder: &Builder) -> Result<Box<dyn Network>> {
        Ok(Box::new(match self {
            Self::CnnM2048(config) => config.build(builder)?,
            Self::AlexNet(config) => config.build(builder)?,
            Self::ResNet50(config) => config.build(builder)?,
            Self::StResNet(config) => config.build(builder)?,
            Self::BnInception(config) => config.build(builder)?,
            Self::Vgg16(config) => config.build(builder)?,
            Self::Pyramid(config) => config.build(builder)?,
        }))
    }

    /// The architecture's name, as in a configuration's `kind`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CnnM2048(_) => "cnn-m-2048",
            Self::AlexNet(_) => "alexnet",
            Self::ResNet50(_) => "resnet-50",
            Self::StResNet(_) => "st-resnet",
            Self::BnInception(_) => "bn-inception",
            Self::Vgg16(_) => "vgg-16",
            Self::Pyramid(_) => "pyramid",
        }
    }

    /// Describes the network layer by layer; allocates no weights.
    ///
    /// # Errors
    /// If sizes do not fit together.
    pub fn summary(&self) -> Result<Summary> {
        match self {
            Self::CnnM2048(config) => config.summary(),
            Self::AlexNet(config) => config.summary(),
            Self::ResNet50(config) => config.summary(),
            Self::StResNet(config) => config.summary(),
            Self::BnInception(config) => config.summary(),
            Self::Vgg16(config) => config.summary(),
            Self::Pyramid(config) => config.summary(),
        }
    }

    /// Classes of each classifier, in the order of [`Outputs::heads`].
    pub fn heads(&self) -> Vec<usize> {
        match self {
            Self::CnnM2048(config) => config.classes.clone(),
            Self::AlexNet(config) => vec![config.classes],
            Self::ResNet50(config) => vec![config.classes],
            Self::StResNet(config) => vec![config.classes; 2],
            Self::BnInception(config) => vec![config.classes],
            Self::Vgg16(config) => vec![config.classes],
            Self::Pyramid(config) => vec![config.classes()],
        }
    }

    /// Whether a parameter is of a layer that gives class scores, in this network or in one of the same architecture for
    /// other classes or another number of tasks: such layers are made anew.
    pub fn is_classifier(&self, parameter: &str) -> bool {
        let layer = parameter.rsplit_once('.').map_or(parameter, |(layer, _)| layer);
        match self {
            // `full8`, or `full8_1` and so on.
            Self::CnnM2048(_) => layer.split('_').next() == Some("full8"),
            Self::AlexNet(_) => layer == "fc8",
            Self::ResNet50(_) | Self::Pyramid(_) => layer == "fc",
            Self::StResNet(_) => matches!(layer, "appearance.fc" | "motion.fc"),
            Self::BnInception(_) => layer == "fc-action",
            Self::Vgg16(_) => layer == "classifier.6",
        }
    }

    /// Whether a parameter, of this network or of a network that it starts from stream by stream, is made anew then:
    /// it belongs to what joins the streams.
    pub fn joins_streams(&self, parameter: &str) -> bool {
        match self {
            Self::Pyramid(config) => !config.is_of_stream(parameter),
            _ => false,
        }
    }

    /// Whether streams that it starts from bring their softmax layers along, which then have to be for the same classes.
    pub fn keeps_classifiers_of_streams(&self) -> bool {
        matches!(self, Self::StResNet(_))
    }

    /// Whether it says where in its frames it looks, see [`Outputs::attention`].
    pub fn attends(&self) -> bool {
        matches!(self, Self::Pyramid(config) if config.head.attends())
    }

    /// Whether a video is one sample in a test: the network takes clips of any length, and sees all of it at once.
    pub fn sees_whole_videos(&self) -> bool {
        matches!(self, Self::StResNet(_))
    }
}
