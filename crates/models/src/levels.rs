//! The levels of a pyramid over a network, as a spec names them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the maps of several snippets become one (level 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// The levels, at the paper's width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Levels {
    /// How several snippets become one; side by side unless given.
    pub fusion: Option<SnippetFusion>,
    /// What the classifier reads.
    pub head: PyramidHead,
    /// d, the values of a sketch.
    pub sketch: usize,
    /// Output channels of the first convolution of the attention.
    pub attention: usize,
}
