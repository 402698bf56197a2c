//! The papers' architectures, one file each.
//!
//! A model is a configuration, an [`Architecture`], that builds a [`Network`] and
//! describes it without allocating a weight. [`ModelConfig`] lists all of them. Models
//! do not depend on data sets or files.
//!
//! Inputs are (B, S, C, H, W). Inside a network, feature maps are (B, H, W, C); those of
//! clips are (B S, H, W, C).
//!
//! Letters: B batch, S snippets or frames of a sample, C channels, H height,
//! W width, F features, K classes.

#[macro_use]
mod one_of;

mod adopt;
mod alex_net;
mod architecture;
mod backbone;
mod base_network;
mod bn_inception;
mod channels;
mod classifier;
mod cnn_m_2048;
mod consensus;
mod error;
pub mod graph;
pub mod layer;
mod levels;
mod list;
mod names;
mod network;
mod pooled;
mod pooling;
mod pyramid;
mod res_net_50;
mod segments;
mod settings;
mod st_res_net;
mod summary;
mod vgg_16;
mod wanted;

pub use adopt::FirstFilters;
pub use alex_net::AlexNetConfig;
pub use architecture::{Architecture, Case, Listed, Name, Role, Stream, Trunk};
pub use backbone::Backbone;
pub use base::Modality;
pub use base_network::{Base, Sizes};
pub use bn_inception::{BnInceptionConfig, InceptionStem};
pub use channels::Channels;
pub use classifier::Classifier;
pub use cnn_m_2048::{CnnM2048Config, Fusion};
pub use consensus::Consensus;
pub use error::{Error, Result};
pub use layer::{BatchStatistics, TemporalPool, Window};
pub use levels::{Levels, PyramidHead, SnippetFusion};
pub use list::{ModelConfig, ModelName};
pub use names::{BATCH_COUNTS, NameMap, Rule};
pub use network::{Head, Inputs, Network, Outputs};
pub use pooled::PooledConfig;
pub use pooling::{PoolBy, Pooled, Pooling};
pub use pyramid::{PyramidBase, PyramidConfig};
pub use res_net_50::ResNet50Config;
pub use segments::{SegmentsConfig, SnippetNetwork};
pub use st_res_net::StResNetConfig;
pub use summary::{Row, Summary};
pub use vgg_16::Vgg16Config;
pub use wanted::Wanted;
