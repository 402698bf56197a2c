//! Levels of the pyramid network, as a spec names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fusion of the feature maps of several snippets (level 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SnippetFusion {
    /// Concatenates the channels.
    Concatenation,
    /// Sums the maps.
    Sum,
    /// Compact bilinear fusion.
    CompactBilinear,
}

/// Features that the classifier reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PyramidHead {
    /// The motion of level 1 only, without a frame.
    Motion,
    /// The frame's map, weighted by the attention of level 2: "spatial features only" in the paper.
    Attended,
    /// The frame's map fused with the motion, without attention: models B and C of the paper.
    Fused,
    /// The frame's map, the attended frame and the motion, fused (level 3): model D of the paper.
    Pyramid,
}

impl PyramidHead {
    /// Returns `true` if the network sees a frame in addition to the flow.
    pub fn sees_frame(self) -> bool {
        self != Self::Motion
    }

    pub(crate) fn attends(self) -> bool {
        matches!(self, Self::Attended | Self::Pyramid)
    }
}

/// Levels of the pyramid, at the paper's width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// Fusion of several snippets. Default: concatenation.
    pub fusion: Option<SnippetFusion>,
    /// Features that the classifier reads.
    pub head: PyramidHead,
    /// Number of values of a sketch, d.
    pub sketch: usize,
    /// Number of output channels of the first convolution of the attention.
    pub attention: usize,
}
