//! A table as it is written: `experiments/<paper>/<table>.toml`.
//!
//! These types say what a spec may hold and nothing else: no file system, no
//! default that hides a paper's value. Unknown keys are refused with file,
//! line and a suggestion. What will actually run is a [`crate::plan`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data::inputs::Sampling;
use data::loader::Crops;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// One table of a paper.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The paper's folder under `experiments/`, such as `two-stream`.
    pub paper: String,
    /// The table's name in the paper, such as `1b`.
    pub table: String,
    /// The table's title.
    pub title: String,
    /// Authors, venue, and where in the paper.
    pub source: String,
    /// The paper's columns, when a cell is named by row and column.
    pub columns: Option<Columns>,
    /// What all rows have in common, at the paper's scale.
    pub shared: Shared,
    /// The scales at which the table can be run.
    pub profile: Profiles,
    /// The cells to train and test.
    pub row: Vec<Row>,
    /// Numbers of other work: printed, never run.
    #[serde(default)]
    pub quoted: Vec<Quoted>,
    /// What the paper says about its numbers.
    #[serde(default)]
    pub claim: Vec<Claim>,
}

/// The columns of a two-way table.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Columns {
    /// What the columns vary, such as "mean subtraction".
    pub title: String,
    /// Their names, from left to right.
    pub names: Vec<String>,
}

/// What all rows have in common.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shared {
    /// The network.
    pub model: Model,
    /// Sizes of the video and of the network's view of it.
    pub frames: Frames,
    /// The training protocol.
    pub train: Train,
    /// The test protocol.
    pub test: Test,
}

/// The network of a row.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Model {
    /// CNN-M-2048, either stream of Two-Stream ConvNets.
    #[serde(rename = "cnn-m-2048")]
    CnnM2048 {
        /// The share of full6 and full7 that is dropped in training.
        dropout: f64,
    },
}

/// Sizes, in pixels.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Frames {
    /// The smaller side that videos are rescaled to.
    pub short_side: usize,
    /// The side of the square crop that the network sees.
    pub crop: usize,
}

/// The training protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Train {
    /// Videos a batch.
    pub batch: usize,
    /// Iterations in all.
    pub iterations: usize,
    /// The first learning rate.
    pub rate: f64,
    /// The iterations after which the rate changes, and what it becomes.
    pub steps: Vec<RateStep>,
    /// Momentum of SGD.
    pub momentum: f64,
    /// L2 penalty on the weights.
    pub weight_decay: f64,
    /// Whether samples are mirrored at random.
    pub flip: bool,
}

/// One step of the learning rate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RateStep {
    /// The first iteration at the new rate.
    pub at: usize,
    /// The new rate.
    pub rate: f64,
}

/// The test protocol.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Test {
    /// Temporal positions a video.
    pub frames: usize,
    /// Views of each position.
    pub crops: Crops,
}

/// The scales of a table. Each says all it has to say: nothing is inherited.
#[derive(Debug, Clone, Deserialize)]
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

impl std::fmt::Display for ProfileName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Paper => "paper",
            Self::Mini => "mini",
            Self::Smoke => "smoke",
        })
    }
}

impl std::str::FromStr for ProfileName {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        match s {
            "paper" => Ok(Self::Paper),
            "mini" => Ok(Self::Mini),
            "smoke" => Ok(Self::Smoke),
            other => Err(format!(
                "no profile `{other}`{}; there are paper, mini and smoke",
                crate::error::did_you_mean(other, ["paper", "mini", "smoke"])
            )),
        }
    }
}

/// How `[shared]` is scaled. The factors hold for every row alike.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Profile {
    /// The data set that is used unless a flag names another.
    pub dataset: String,
    /// Which splits are run, by data set; a data set that is not named here
    /// runs all of its splits.
    pub splits: BTreeMap<String, Vec<String>>,
    /// Training seeds a row.
    pub seeds: usize,
    /// Factor on `frames.short-side` and `frames.crop`.
    pub size: f64,
    /// Factor on the width of every layer.
    pub width: f64,
    /// The first two convolutions: the paper's, or those for small pictures.
    pub stem: Stem,
    /// What becomes of the dropout when the layers are narrower.
    pub dropout: DropoutRule,
    /// Factor on `train.batch`.
    pub batch: f64,
    /// Factor on `train.iterations` and on the rate's steps.
    pub iterations: f64,
    /// Factor on `test.frames`.
    pub test_frames: f64,
    /// The parameters of the flow estimate.
    pub flow: FlowPreset,
    /// How frames and flow are stored.
    pub storage: Storage,
    /// Pixels per frame that stored flow reaches to either side; more is clipped. Each component of each field over its
    /// own range unless given.
    pub flow_bound: Option<f32>,
    /// At most so many videos a class in training and as many in testing.
    pub videos_per_class: Option<usize>,
}

/// The geometry of the first two convolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stem {
    /// As the paper has it.
    Paper,
    /// conv1 5x5 stride 2, conv2 3x3 stride 1: a quarter of the picture keeps
    /// half of the paper's grid in conv3 to conv5 instead of a sixth.
    Small,
}

/// What becomes of the dropout when the layers are narrower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DropoutRule {
    /// The paper's share.
    AsPaper,
    /// As many units stay alive as in the paper (or all, when the narrower
    /// layer has no more): keep = min(1, keep of the paper / width).
    KeepUnits,
}

/// The parameters of the flow estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
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
        f.pad(match self {
            Self::Fast => "fast",
            Self::Accurate => "accurate",
            Self::Brox => "brox",
        })
    }
}

impl std::str::FromStr for FlowPreset {
    type Err = String;

    fn from_str(s: &str) -> std::result::Result<Self, String> {
        let all = [Self::Fast, Self::Accurate, Self::Brox];
        all.into_iter().find(|preset| preset.to_string() == s).ok_or_else(|| {
            let names = all.map(|preset| preset.to_string());
            let hint = crate::error::did_you_mean(s, names.iter().map(String::as_str));
            format!("no flow method `{s}`{hint}; there are {}", names.join(", "))
        })
    }
}

/// How frames and flow are stored in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// One byte a value: exact frames, flow quantised to 256 steps.
    Raw8,
    /// The same, then JPEG, as in the paper.
    Jpeg,
    /// Exact frames, and flow as it was estimated, to the bit.
    Float32,
}

/// One cell of the table.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Row {
    /// The name that claims and `--row` use.
    pub id: String,
    /// The paper's wording of the row.
    pub label: String,
    /// The column, where the table has columns.
    pub column: Option<String>,
    /// The paper's top-1 accuracy, in percent.
    pub reported: Option<f64>,
    /// What the network sees.
    pub input: Input,
}

/// What a network sees of a video.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Input {
    /// A volume of optical flow, 2L channels.
    #[serde(rename_all = "kebab-case")]
    Flow {
        /// Where the fields are sampled.
        sampling: Sampling,
        /// L, the number of displacement fields.
        length: usize,
        /// Whether each field's mean vector is subtracted from it.
        mean_subtraction: bool,
    },
}

/// A number of other work.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Quoted {
    /// The method.
    pub label: String,
    /// The column, where the table has columns.
    pub column: Option<String>,
    /// Top-1 accuracy, in percent.
    pub top1: f64,
    /// Where the number is from.
    #[serde(rename = "where")]
    pub place: String,
}

/// Something the paper says about its numbers.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Claim {
    /// Its name.
    pub id: String,
    /// In words.
    pub says: String,
    /// Where the paper says so.
    #[serde(rename = "where")]
    pub place: String,
    /// As an inequality between rows, see [`crate::claim`].
    pub holds: String,
}

impl Spec {
    /// The table's full name, such as `two-stream/table1b`.
    pub fn name(&self) -> String {
        format!("{}/table{}", self.paper, self.table)
    }

    /// Reads a spec.
    ///
    /// # Errors
    /// [`Error::Spec`] with line and column for anything that is not a spec:
    /// bad TOML, unknown keys (with a suggestion), wrong types, double row
    /// ids, columns that do not exist, a name that does not fit its path.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read", path))?;
        Self::parse(&text, path)
    }

    /// Parses a spec; `path` is for messages and for checking the name.
    ///
    /// # Errors
    /// See [`Spec::read`].
    pub fn parse(text: &str, path: &Path) -> Result<Self> {
        let spec: Self = data::dataset::parse_toml(path, text)?;
        spec.check(path)?;
        Ok(spec)
    }

    fn check(&self, path: &Path) -> Result<()> {
        let fail = |message: String| Error::Spec { file: path.display().to_string(), message };
        let expected = PathBuf::from(&self.paper).join(format!("table{}.toml", self.table));
        if !path.ends_with(&expected) {
            return Err(fail(format!(
                "paper = \"{}\" and table = \"{}\" belong into {}; rename the file or change the keys",
                self.paper,
                self.table,
                expected.display()
            )));
        }
        if self.row.is_empty() {
            return Err(fail("the table has no [[row]]; add at least one".into()));
        }
        for (index, row) in self.row.iter().enumerate() {
            if row.id.is_empty()
                || !row.id.starts_with(|c: char| c.is_ascii_lowercase())
                || !row.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            {
                return Err(fail(format!(
                    "row id `{}` must begin with a small letter and hold small letters, digits and `-` only",
                    row.id
                )));
            }
            if self.row[..index].iter().any(|earlier| earlier.id == row.id) {
                return Err(fail(format!("two rows have the id `{}`; every id is used once", row.id)));
            }
            match (&self.columns, &row.column) {
                (None, None) => {}
                (Some(columns), Some(column)) if columns.names.contains(column) => {}
                (Some(columns), _) => {
                    return Err(fail(format!(
                        "row `{}` needs column = one of {}",
                        row.id,
                        columns.names.join(", ")
                    )));
                }
                (None, Some(_)) => {
                    return Err(fail(format!(
                        "row `{}` names a column, but the table has no [columns]",
                        row.id
                    )));
                }
            }
        }
        for claim in &self.claim {
            let rule = crate::claim::Comparison::parse(&claim.holds)
                .map_err(|e| fail(format!("claim `{}`: {e}", claim.id)))?;
            for id in rule.rows() {
                if !self.row.iter().any(|row| row.id == id) {
                    let known = self.row.iter().map(|row| row.id.as_str());
                    return Err(fail(format!(
                        "claim `{}` speaks of row `{id}`, which the table does not have{}",
                        claim.id,
                        crate::error::did_you_mean(id, known)
                    )));
                }
            }
        }
        Ok(())
    }
}
