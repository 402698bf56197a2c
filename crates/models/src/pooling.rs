//! Pooling over time at a layer of a network, as a spec names it (dynamic images, Beyond Short Snippets).

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// Longest window, and largest distance between two.
const LONGEST: usize = 1000;

/// One pooling: after the layer `at`, the values of several time steps become one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Pooling {
    /// What is pooled: the time steps of the sample (default), or the frames of each.
    #[serde(default, skip_serializing_if = "Pooled::is_time_steps")]
    pub of: Pooled,
    /// Layer whose values are pooled, by its name in `show`; or `input`.
    pub at: String,
    /// How they are pooled.
    pub by: PoolBy,
    /// Number of time steps of a window: 1 to 1000. All of them if absent.
    #[serde(default, deserialize_with = "length", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub window: Option<usize>,
    /// Distance between two windows, in time steps: 1 to 1000. Required with `window`.
    #[serde(default, deserialize_with = "length", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub stride: Option<usize>,
}

/// What a pooling joins.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pooled {
    /// The time steps of a sample: the snippets of its segments, or its windows.
    #[default]
    TimeSteps,
    /// The frames (or fields of flow) that the input stacks at each time step. Up to this layer the network sees each alone.
    Frames,
}

impl Pooled {
    fn is_time_steps(&self) -> bool {
        *self == Self::TimeSteps
    }
}

/// How values of several time steps become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PoolBy {
    /// Their maximum.
    Maximum,
    /// Their mean.
    Mean,
    /// Approximate rank pooling, times 0.1 and rectified.
    ApproximateRank,
    /// A learned weighted sum, rectified. Needs windows, or frames.
    Learned,
    /// As many learned sums as time steps, rectified, and a learned sum of these, rectified. Needs windows, or frames.
    LearnedTwice,
    /// Vectors one after another. The number of time steps is then fixed.
    Concatenation,
}

impl PoolBy {
    /// Describes it in words: "maximum".
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Maximum => "maximum",
            Self::Mean => "mean",
            Self::ApproximateRank => "approximate rank pooling",
            Self::Learned => "learned sum",
            Self::LearnedTwice => "learned sums, twice",
            Self::Concatenation => "concat",
        }
    }
}

/// Reads a length from 1 to [`LONGEST`].
fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    let found = i64::deserialize(deserializer)?;
    let length = usize::try_from(found).ok().filter(|length| (1..=LONGEST).contains(length));
    length.map(Some).ok_or_else(|| D::Error::custom(format!("found {found}, expected 1 to {LONGEST}")))
}
