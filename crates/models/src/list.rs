//! The one list of architectures.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};

use crate::architecture::{Architecture, Listed, Name};
use crate::wanted::Wanted;
use crate::{Error, Result};

one_of! {
    /// Every architecture; the only list of them. What can be asked of it is [`Architecture`]'s.
    #[points_to(Architecture)]
    pub enum ModelConfig {
        /// The single stream of Two-Stream ConvNets (2014).
        #[kind = "cnn-m-2048"] CnnM2048(crate::cnn_m_2048::CnnM2048Config),
        /// Caffe's reference model, the branch of the Siamese network.
        #[kind = "alexnet"] AlexNet(crate::alex_net::AlexNetConfig),
        /// The single stream of ST-ResNet (2016).
        #[kind = "resnet-50"] ResNet50(crate::res_net_50::ResNet50Config),
        /// Both streams of ST-ResNet, joined (2016).
        #[kind = "st-resnet"] StResNet(crate::st_res_net::StResNetConfig),
        /// The base of the Spatiotemporal Pyramid Network (2017).
        #[kind = "bn-inception"] BnInception(crate::bn_inception::BnInceptionConfig),
        /// VGG-16, another base of it.
        #[kind = "vgg-16"] Vgg16(crate::vgg_16::Vgg16Config),
        /// The Spatiotemporal Pyramid Network and what its levels give alone (2017).
        #[kind = "pyramid"] Pyramid(crate::pyramid::PyramidConfig),
    }
}

/// The name of an architecture in a spec, which is one of those that the architectures give themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelName(&'static str);

impl ModelName {
    /// Every name.
    pub fn all() -> impl Iterator<Item = Self> {
        ModelConfig::names().into_iter().filter(|name| !name.pyramid).map(|name| Self(name.name))
    }

    /// The architecture of that name.
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

    /// As a spec writes it.
    pub fn name(self) -> &'static str {
        self.0
    }

    /// Whether its layers are normalised by batches, so that a spec has to say how.
    pub fn has_batch_norm(self) -> bool {
        self.entry(false).is_some_and(|name| name.batch_norm)
    }

    /// Whether the pyramid network can stand on it.
    pub fn is_base(self) -> bool {
        self.entry(true).is_some()
    }

    /// The configuration for what is wanted.
    ///
    /// # Errors
    /// [`Error::Wanted`] with what the architecture cannot do.
    pub fn make(self, wanted: &Wanted<'_>) -> Result<ModelConfig> {
        match self.entry(wanted.levels.is_some()) {
            Some(entry) => (entry.make)(wanted),
            None => Err(Wanted::refused(format!("the pyramid does not stand on {}", self.0))),
        }
    }

    fn entry(self, pyramid: bool) -> Option<Name<ModelConfig>> {
        ModelConfig::names().into_iter().find(|name| name.name == self.0 && name.pyramid == pyramid)
    }
}

impl<'de> Deserialize<'de> for ModelName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// One of the names that there are.
impl JsonSchema for ModelName {
    fn schema_name() -> Cow<'static, str> {
        "ModelName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = Self::all().map(Self::name).collect();
        json_schema!({ "description": "An architecture.", "type": "string", "enum": names })
    }
}
