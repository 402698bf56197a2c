//! The scales at which a table can be run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range;

/// The scales of a table. Each says all it has to say: nothing is inherited.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profiles {
    /// The paper's own scale.
    pub paper: Profile,
    /// Two CPU cores and minutes.
    pub mini: Profile,
    /// A few iterations, to prove the wiring.
    pub smoke: Profile,
}

impl Profiles {
    /// The profile of that name.
    pub fn get(&self, name: ProfileName) -> &Profile {
        match name {
            ProfileName::Paper => &self.paper,
            ProfileName::Mini => &self.mini,
            ProfileName::Smoke => &self.smoke,
        }
    }
}

/// The name of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileName {
    /// The paper's own scale.
    Paper,
    /// Two CPU cores and minutes.
    Mini,
    /// A few iterations.
    Smoke,
}

impl ProfileName {
    fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Mini => "mini",
            Self::Smoke => "smoke",
        }
    }
}

impl std::fmt::Display for ProfileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for ProfileName {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        base::named("profile", name, [Self::Paper, Self::Mini, Self::Smoke].map(|one| (one.name(), one)))
    }
}

/// How `[shared]` is scaled. The factors hold for every row alike.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// The data set that is used unless a flag names another.
    pub dataset: String,
    /// Which splits are run, by data set; a data set that is not named here
    /// runs all of its splits.
    pub splits: BTreeMap<String, Vec<String>>,
    /// Training seeds a row.
    #[serde(deserialize_with = "range::count")]
    #[schemars(range(min = 1, max = 65536))]
    pub seeds: usize,
    /// Factor on `frames.short-side` and `frames.crop`.
    #[serde(deserialize_with = "range::positive")]
    pub size: f64,
    /// Factor on the width of every layer.
    #[serde(deserialize_with = "range::positive")]
    pub width: f64,
    /// Factor on the residual units of each stage, of which two at least stay; for networks that have them.
    #[serde(default, deserialize_with = "range::some_positive")]
    pub depth: Option<f64>,
    /// The first convolutions: the paper's, or those for small pictures.
    pub stem: Stem,
    /// What becomes of the dropout when the layers are narrower.
    pub dropout: DropoutRule,
    /// Factor on `train.batch`.
    #[serde(deserialize_with = "range::positive")]
    pub batch: f64,
    /// Factor on `train.iterations` and on the rate's steps.
    #[serde(deserialize_with = "range::positive")]
    pub iterations: f64,
    /// The same for the protocols of these names, which have another one.
    #[serde(default)]
    pub iterations_of: BTreeMap<String, f64>,
    /// Factor on the learning rates of the protocols of these names.
    #[serde(default)]
    pub rate_of: BTreeMap<String, f64>,
    /// Factor on `test.frames`.
    #[serde(deserialize_with = "range::positive")]
    pub test_frames: f64,
    /// The parameters of the flow estimate.
    pub flow: FlowPreset,
    /// How frames and flow are stored.
    pub storage: Storage,
    /// Pixels per frame that stored flow reaches to either side; more is clipped. Each component of each field over its
    /// own range unless given.
    #[serde(default, deserialize_with = "range::some_bound")]
    pub flow_bound: Option<f32>,
    /// At most so many videos a class in training and as many in testing.
    #[serde(default, deserialize_with = "range::some_count")]
    #[schemars(range(min = 1, max = 65536))]
    pub videos_per_class: Option<usize>,
}

/// The geometry of the first convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// As the paper has it.
    Paper,
    /// CNN-M-2048: conv1 5x5 stride 2, conv2 3x3 stride 1, so that a quarter of the picture keeps half of the paper's
    /// grid in conv3 to conv5 instead of a sixth. ResNet-50 and AlexNet: conv1 5x5 stride 2.
    Small,
}

/// What becomes of the dropout when the layers are narrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DropoutRule {
    /// The paper's share.
    AsPaper,
    /// As many units stay alive as in the paper (or all, when the narrower
    /// layer has no more): keep = min(1, keep of the paper / width).
    KeepUnits,
}

/// The parameters of the flow estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowPreset {
    /// TV-L1 for speed.
    Fast,
    /// TV-L1 for quality.
    Accurate,
    /// The papers' method, Brox et al. 2004.
    Brox,
}

impl FlowPreset {
    fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Accurate => "accurate",
            Self::Brox => "brox",
        }
    }

    /// The method with all its parameters.
    pub fn method(self) -> flow::Method {
        match self {
            Self::Fast => flow::Method::TvL1(flow::TvL1Params::fast()),
            Self::Accurate => flow::Method::TvL1(flow::TvL1Params::accurate()),
            Self::Brox => flow::Method::Brox(flow::BroxParams::accurate()),
        }
    }
}

impl std::fmt::Display for FlowPreset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

impl std::str::FromStr for FlowPreset {
    type Err = String;

    fn from_str(name: &str) -> std::result::Result<Self, String> {
        base::named(
            "flow method",
            name,
            [Self::Fast, Self::Accurate, Self::Brox].map(|one| (one.name(), one)),
        )
    }
}

impl Profile {
    /// The factor on the iterations of a training protocol and on its rate's steps.
    pub fn iterations_of(&self, protocol: &str) -> f64 {
        self.iterations_of.get(protocol).copied().unwrap_or(self.iterations)
    }

    /// The factor on the learning rates of a training protocol.
    pub fn rate_of(&self, protocol: &str) -> f64 {
        self.rate_of.get(protocol).copied().unwrap_or(1.0)
    }
}

/// How frames and flow are stored in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// One byte a value: exact frames, flow quantised to 256 steps.
    Raw8,
    /// The same, then JPEG, as in the paper.
    Jpeg,
    /// Exact frames, and flow as it was estimated, to the bit.
    Float32,
}
