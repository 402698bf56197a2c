//! The list of all architectures.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::architecture::{Architecture, Listed, Name, Role};
use crate::wanted::Wanted;
use crate::{Error, Result};

one_of! {
    /// All architectures; their methods are those of [`Architecture`].
    #[points_to(Architecture)]
    pub enum ModelConfig {
        /// A single stream of Two-Stream ConvNets (2014).
        #[kind = "cnn-m-2048"] CnnM2048(crate::cnn_m_2048::CnnM2048Config),
        /// Caffe's reference model, a branch of the Siamese network.
        #[kind = "alexnet"] AlexNet(crate::alex_net::AlexNetConfig),
        /// A single stream of ST-ResNet (2016).
        #[kind = "resnet-50"] ResNet50(crate::res_net_50::ResNet50Config),
        /// Both streams of ST-ResNet, joined (2016).
        #[kind = "st-resnet"] StResNet(crate::st_res_net::StResNetConfig),
        /// The base of the Spatiotemporal Pyramid Network (2017).
        #[kind = "bn-inception"] BnInception(crate::bn_inception::BnInceptionConfig),
        /// VGG-16, another base of the Spatiotemporal Pyramid Network.
        #[kind = "vgg-16"] Vgg16(crate::vgg_16::Vgg16Config),
        /// The Spatiotemporal Pyramid Network, complete or with some of its levels (2017).
        #[kind = "pyramid"] Pyramid(crate::pyramid::PyramidConfig),
        /// Temporal Segment Networks: a network of one stream over the segments of a video (2016).
        #[kind = "temporal-segments"] Segments(crate::segments::SegmentsConfig),
        /// A network of one stream that one of its layers pools over time: dynamic images (2016), Beyond Short Snippets (2015).
        #[kind = "temporal-pooling"] Pooled(crate::pooled::PooledConfig),
    }
}

/// Largest number of poolings over time of a network.
const MOST_POOLINGS: usize = 16;

/// Name of an architecture in a spec; each architecture defines its own names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelName(&'static str);

impl ModelName {
    /// Iterates over all names.
    pub fn all() -> impl Iterator<Item = Self> {
        ModelConfig::names().into_iter().filter(|name| name.role == Role::Alone).map(|name| Self(name.name))
    }

    /// Parses the name of an architecture.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn parse(name: &str) -> Result<Self> {
        Self::all().find(|known| known.0 == name).ok_or_else(|| Error::UnknownName {
            name: name.to_owned(),
            hint: base::did_you_mean(name, Self::all().map(Self::name)),
            known: Self::all().map(Self::name).collect::<Vec<_>>().join(", "),
        })
    }

    /// Returns the name as in a spec.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// Returns `true` if it has batch normalisation, so that a spec needs `batch-statistics`.
    pub fn has_batch_norm(self) -> bool {
        self.entry(Role::Alone).is_some_and(|name| name.batch_norm)
    }

    /// Returns `true` if it can be the base of the pyramid network.
    pub fn is_base(self) -> bool {
        self.entry(Role::Pyramid).is_some()
    }

    /// Returns `true` if it can see the segments of a video.
    pub fn is_of_snippets(self) -> bool {
        self.entry(Role::Segments).is_some()
    }

    /// Makes the configuration for some requirements.
    ///
    /// # Errors
    /// [`Error::Wanted`] if the architecture cannot meet them.
    pub fn make(self, wanted: &Wanted<'_>) -> Result<ModelConfig> {
        if wanted.poolings.len() > MOST_POOLINGS {
            return Err(Wanted::refused(format!("more than {MOST_POOLINGS} poolings over time")));
        }
        if !wanted.poolings.is_empty() {
            if wanted.levels.is_some() || wanted.consensus.is_some() {
                return Err(Wanted::refused("a network has one of a pyramid, a consensus and poolings"));
            }
            return match self.entry(Role::Pooled) {
                Some(entry) => (entry.make)(wanted),
                None => Err(Wanted::refused(format!("{} cannot be pooled over time", self.0))),
            };
        }
        let (role, as_what) = match (wanted.levels, wanted.consensus) {
            (None, None) => (Role::Alone, "used alone"),
            (Some(_), None) => (Role::Pyramid, "the base of a pyramid"),
            (None, Some(_)) => (Role::Segments, "used over the segments of a video"),
            (Some(_), Some(_)) => {
                return Err(Wanted::refused("a network has a pyramid or a consensus, not both"));
            }
        };
        match self.entry(role) {
            Some(entry) => (entry.make)(wanted),
            None => Err(Wanted::refused(format!("{} cannot be {as_what}", self.0))),
        }
    }

    fn entry(self, role: Role) -> Option<Name<ModelConfig>> {
        ModelConfig::names().into_iter().find(|name| name.name == self.0 && name.role == role)
    }
}

impl<'de> Deserialize<'de> for ModelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// An enumeration of all names.
impl JsonSchema for ModelName {
    fn schema_name() -> Cow<'static, str> {
        "ModelName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Self::all().map(Self::name).collect();
        json_schema!({ "description": "Name of an architecture.", "type": "string", "enum": names })
    }
}
