//! The papers' architectures, one file each.
//!
//! A model is a configuration that [`ModelConfig::build`]s a [`Network`] and
//! [`ModelConfig::summary`] describes without allocating a weight. Models know no
//! data set and no file.
//!
//! Letters: B batch, S snippets or frames of a sample, C channels, H height,
//! W width, K classes.

mod cnn_m_2048;
mod error;
mod network;
mod sequential;
mod summary;

use nn::Builder;
use serde::{Deserialize, Serialize};

pub use cnn_m_2048::{CnnM2048, CnnM2048Config, Stream, Window};
pub use error::{Error, Result};
pub use network::{Head, Inputs, Network, Outputs};
pub use summary::{Row, Summary};

/// Every architecture; the only list of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum ModelConfig {
    /// The single stream of Two-Stream ConvNets (2014).
    #[serde(rename = "cnn-m-2048")]
    CnnM2048(CnnM2048Config),
}

impl ModelConfig {
    /// Makes the network, its parameters drawn by the builder's seed.
    ///
    /// # Errors
    /// If sizes do not fit together.
    pub fn build(&self, builder: &Builder) -> Result<Box<dyn Network>> {
        match self {
            Self::CnnM2048(config) => Ok(Box::new(CnnM2048::new(config, builder)?)),
        }
    }

    /// Describes the network layer by layer; allocates no weights.
    ///
    /// # Errors
    /// If sizes do not fit together.
    pub fn summary(&self) -> Result<Summary> {
        match self {
            Self::CnnM2048(config) => config.summary(),
        }
    }
}
