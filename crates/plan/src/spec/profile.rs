//! Profiles: the scales at which a table can be run.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::range;

/// Iterations of the profile `midi`, as a multiple of those of `mini`.
const MIDI: f64 = 6.0;

/// Scales of a table. Each profile is complete; nothing is inherited.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(from = "Written")]
#[schemars(with = "Written")]
pub struct Profiles {
    /// The paper's own scale.
    pub paper: Profile,
    /// Between `paper` and `mini`: the latter with six times its iterations.
    pub midi: Profile,
    /// A small scale, for minutes on two CPU cores.
    pub mini: Profile,
    /// A few iterations, to check that everything runs.
    pub smoke: Profile,
}

/// Profiles as a spec has them. There is one rule for `midi`, the same for all tables.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
#[schemars(rename = "Profiles")]
struct Written {
    /// The paper's own scale.
    paper: Profile,
    /// A small scale, for minutes on two CPU cores. The profile `midi` is this one with six times the iterations.
    mini: Profile,
    /// A few iterations, to check that everything runs.
    smoke: Profile,
}

impl From<Written> for Profiles {
    fn from(Written { paper, mini, smoke }: Written) -> Self {
        Self { paper, midi: mini.longer(MIDI), mini, smoke }
    }
}

impl Profiles {
    /// Returns the profile with this name.
    pub fn get(&self, name: ProfileName) -> &Profile {
        match name {
            ProfileName::Paper => &self.paper,
            ProfileName::Midi => &self.midi,
            ProfileName::Mini => &self.mini,
            ProfileName::Smoke => &self.smoke,
        }
    }

    /// Iterates over the profiles that a spec writes.
    pub(super) fn written(&self) -> impl Iterator<Item = &Profile> {
        [&self.paper, &self.mini, &self.smoke].into_iter()
    }
}

/// Name of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProfileName {
    /// The paper's own scale.
    Paper,
    /// `mini` with six times its iterations.
    Midi,
    /// A small scale, for minutes on two CPU cores.
    Mini,
    /// A few iterations, to check that everything runs.
    Smoke,
}

impl ProfileName {
    /// All profiles, the largest first.
    pub const ALL: [Self; 4] = [Self::Paper, Self::Midi, Self::Mini, Self::Smoke];

    fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Midi => "midi",
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
        base::named("profile", name, Self::ALL.map(|one| (one.name(), one)))
    }
}

/// Scale of a run: factors on the values of `[shared]`, the same for every row.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// Default for `--dataset`, one of the keys of `[data]`.
    pub dataset: String,
    /// Splits that are run, by data set. A data set that is not named here runs all its splits.
    pub splits: BTreeMap<String, Vec<String>>,
    /// Number of training seeds for each row: 1 to 65536.
    #[serde(deserialize_with = "range::count")]
    #[schemars(range(min = 1, max = 65536))]
    pub seeds: usize,
    /// Factor on `frames.short-side` and `frames.crop`, above 0.
    #[serde(deserialize_with = "range::positive")]
    pub size: f64,
    /// Factor on the width of every layer, above 0.
    #[serde(deserialize_with = "range::positive")]
    pub width: f64,
    /// Factor on the number of residual units of each stage, above 0; at least two units remain. For residual networks.
    /// Default: 1.
    #[serde(default, deserialize_with = "range::some_positive")]
    pub depth: Option<f64>,
    /// First convolutions: `paper`, or `small` for small frames.
    pub stem: Stem,
    /// Dropout in narrower layers: `as-paper` or `keep-units`.
    pub dropout: DropoutRule,
    /// Factor on `train.batch`, above 0.
    #[serde(deserialize_with = "range::positive")]
    pub batch: f64,
    /// Factor on `train.iterations` and on the iterations of the rate steps, above 0.
    #[serde(deserialize_with = "range::positive")]
    pub iterations: f64,
    /// Factors that replace `iterations` for single training protocols, by name, above 0.
    #[serde(default)]
    pub iterations_of: BTreeMap<String, f64>,
    /// Factors on the learning rates of training protocols, by name, above 0. Default: 1.
    #[serde(default)]
    pub rate_of: BTreeMap<String, f64>,
    /// Factor on `test.frames`, above 0.
    #[serde(deserialize_with = "range::positive")]
    pub test_frames: f64,
    /// Method of flow estimation: `fast`, `accurate` or `brox`.
    pub flow: FlowPreset,
    /// Storage of frames and flow in the cache: `raw8`, `jpeg` or `float32`.
    pub storage: Storage,
    /// Largest stored displacement, in pixels per frame, above 0; larger ones are clipped. Default: each component of each
    /// field is stored over its own range.
    #[serde(default, deserialize_with = "range::some_bound")]
    pub flow_bound: Option<f32>,
    /// Training compute of a row with `budget = 1`.
    pub budget: Option<Budget>,
    /// Largest number of videos per class in training, and the same in testing: 1 to 65536. Default: all videos.
    #[serde(default, deserialize_with = "range::some_count")]
    #[schemars(range(min = 1, max = 65536))]
    pub videos_per_class: Option<usize>,
}

/// An amount of training.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Budget {
    /// Multiply-adds of convolutions and linear layers in all stages of a net, forward and backward: 1 to 1e24.
    #[serde(deserialize_with = "range::compute")]
    #[schemars(range(min = 1, max = 1e24))]
    pub multiply_adds: f64,
}

/// Geometry of the first convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// As in the paper.
    Paper,
    /// For small frames. CNN-M-2048: conv1 5x5 stride 2 and conv2 3x3 stride 1, so that a frame of a quarter of the size
    /// keeps half of the paper's grid in conv3 to conv5 instead of a sixth. ResNet-50 and AlexNet: conv1 5x5 stride 2.
    Small,
}

/// Dropout in layers that are narrower than the paper's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DropoutRule {
    /// The paper's probability.
    AsPaper,
    /// Keeps as many units as the paper, or all if the narrower layer has fewer:
    /// keep = min(1, keep of the paper / width).
    KeepUnits,
}

/// Method of flow estimation and its parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlowPreset {
    /// TV-L1 with parameters for speed.
    Fast,
    /// Dense inverse search (Kroeger et al. 2016) with parameters for quality.
    Accurate,
    /// Brox et al. 2004, the method of the papers.
    Brox,
    /// Dense inverse search with a short refinement: half the time of `fast`, about its error.
    Dis,
    /// Dense inverse search without refinement, for the largest number of pairs.
    DisFast,
}

impl FlowPreset {
    fn name(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Accurate => "accurate",
            Self::Brox => "brox",
            Self::Dis => "dis",
            Self::DisFast => "dis-fast",
        }
    }

    /// Returns the method with all its parameters.
    pub fn method(self) -> flow::Method {
        match self {
            Self::Fast => flow::Method::TvL1(flow::TvL1Params::fast()),
            Self::Accurate => flow::Method::Dis(flow::DisParams::accurate()),
            Self::Brox => flow::Method::Brox(flow::BroxParams::accurate()),
            Self::Dis => flow::Method::Dis(flow::DisParams::balanced()),
            Self::DisFast => flow::Method::Dis(flow::DisParams::fast()),
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
            [Self::Fast, Self::Accurate, Self::Brox, Self::Dis, Self::DisFast].map(|one| (one.name(), one)),
        )
    }
}

impl Profile {
    /// Returns this profile with a multiple of its iterations and of its budget.
    #[must_use]
    pub fn longer(&self, factor: f64) -> Self {
        let mut longer = self.clone();
        longer.iterations *= factor;
        longer.iterations_of.values_mut().for_each(|iterations| *iterations *= factor);
        longer.budget.iter_mut().for_each(|budget| budget.multiply_adds *= factor);
        longer
    }

    /// Returns the factor on the iterations of a training protocol and of its rate steps.
    pub fn iterations_of(&self, protocol: &str) -> f64 {
        self.iterations_of.get(protocol).copied().unwrap_or(self.iterations)
    }

    /// Returns the factor on the learning rates of a training protocol.
    pub fn rate_of(&self, protocol: &str) -> f64 {
        self.rate_of.get(protocol).copied().unwrap_or(1.0)
    }
}

/// Storage of frames and flow in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// One byte per value: exact frames, flow quantised to 256 levels.
    Raw8,
    /// One byte per value, compressed as JPEG, as in the paper.
    Jpeg,
    /// Exact frames, and flow exactly as estimated, in 32-bit floats.
    Float32,
}
