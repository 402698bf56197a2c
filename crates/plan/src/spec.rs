//! A table as written: `experiments/<paper>/<table>.toml`.
//!
//! These types define the keys of a spec and nothing else: no file system, no
//! default that hides a paper's value. Unknown keys are refused with file,
//! line and a suggestion. A [`crate::TablePlan`] holds what actually runs.

mod check;
mod dropout;
mod either;
mod extend;
mod net;
mod profile;
pub(crate) mod range;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::Path;

use data::loader::Crops;
use models::{BatchStatistics, ModelName};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

pub use self::dropout::Dropout;
use self::either::{name_or_table, schema_of_name_or_table};
pub use self::net::{
    Also, AlsoAs, ContrastiveSizes, Cropping, Distance, Fuse, Learns, Losses, Net, Pyramid, PyramidSizes,
    RateStep, StartFrom, Streams, TestBy, TestOn, Tested, Train, Videos,
};
pub use self::profile::{DropoutRule, FlowPreset, Profile, ProfileName, Profiles, Stem, Storage};
use crate::error::Result;
use crate::fusion::{ScoresOf, Svm};
use crate::weight_source::WeightSource;

/// One table of a paper.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// Name of the paper's folder under `experiments/`, such as `two-stream`.
    pub paper: String,
    /// Number of the table in the paper, such as `1b`, or a name for it. The file is `table1b.toml`, or `NAME.toml`.
    pub table: String,
    /// Full name of a table, such as `two-stream/table1b`, whose `[data]`, `[shared]`, `[profile.*]` and `[net.*]` are used
    /// wherever this table does not give its own.
    pub extends: Option<String>,
    /// Title of the table.
    pub title: String,
    /// Source of the table: authors, venue and place in the paper.
    pub source: String,
    /// Columns of the paper's table; only for a table whose cells have a row and a column.
    pub columns: Option<Columns>,
    /// Settings that all rows share, at the paper's scale.
    pub shared: Shared,
    /// Scales at which the table can be run.
    pub profile: Profiles,
    /// Stand-ins for the paper's data sets. Each key is a name for `--dataset`; its table maps the paper's names to
    /// stand-ins, as in `synth = { ucf101 = "synth" }`.
    pub data: BTreeMap<String, Cast>,
    /// For each data set that is added with `as = "classes"`: its classes that the other data set has too, which are left
    /// out. Keys are the names of stand-ins.
    #[serde(default)]
    pub overlap: BTreeMap<String, Vec<String>>,
    /// Stages by name: nets that rows start from and that are not rows themselves.
    #[serde(default)]
    pub net: BTreeMap<String, Net>,
    /// Rows of the table, in order; at least one.
    pub row: Vec<Row>,
    /// Results of other work, printed in the table and never run.
    #[serde(default)]
    pub quoted: Vec<Quoted>,
    /// Claims of the paper about its numbers.
    #[serde(default)]
    pub claim: Vec<Claim>,
}

/// Columns of a two-way table.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Columns {
    /// Title above the columns, such as "mean subtraction".
    pub title: String,
    /// Names of the columns, from left to right.
    pub names: Vec<String>,
}

/// Settings that all rows share.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shared {
    /// Architecture of all nets; a net can choose another with its own `model`.
    pub model: ModelName,
    /// Sizes of the frames and of the crop that the network sees.
    pub frames: Frames,
    /// Training protocols, by name; `train` of a net names one of them.
    pub train: BTreeMap<String, Train>,
    /// Test protocol.
    pub test: Test,
    /// Settings of the SVM; needed if a row is fused by an SVM.
    pub svm: Option<Svm>,
    /// Batch normalisation layers that use the statistics of the batch in training. Required for networks with batch
    /// normalisation, not allowed for others.
    pub batch_statistics: Option<BatchStatistics>,
    /// Sizes of the pyramid's levels; needed if a net has `pyramid`.
    pub pyramid: Option<PyramidSizes>,
    /// Margin and weight of the contrastive loss; needed if a net learns from it.
    pub contrastive: Option<ContrastiveSizes>,
}

/// Sizes of frames and crops, in pixels.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Frames {
    /// Shorter side of the rescaled videos, in pixels: 1 to 65536.
    #[serde(deserialize_with = "range::count")]
    #[schemars(range(min = 1, max = 65536))]
    pub short_side: usize,
    /// Side of the square crop that the network sees, in pixels: 1 to 65536.
    #[serde(deserialize_with = "range::count")]
    #[schemars(range(min = 1, max = 65536))]
    pub crop: usize,
}

/// The test protocol.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Test {
    /// Number of temporal positions tested in each video: 1 to 65536. A network of clips sees them all at once, as one clip.
    /// Left out if the inputs have `every`, which defines the positions.
    #[serde(default, deserialize_with = "range::some_count")]
    #[schemars(range(min = 1, max = 65536))]
    pub frames: Option<usize>,
    /// Crops at each position: `ten` or `center`.
    pub crops: Crops,
    /// Scores that are averaged over positions and crops: `softmax` (default), or `logits`, those before the softmax. The
    /// scores of a video are then the softmax of their mean. Applies to tests by softmax scores.
    #[serde(default)]
    pub scores: ScoresOf,
}

/// Stand-ins for the paper's data sets, by the paper's names.
pub type Cast = BTreeMap<String, Player>;

/// Stand-in for one of the paper's data sets: the name of a data set, or a table of published weights.
#[derive(Debug, Clone, PartialEq)]
pub enum Player {
    /// Name of a file in `datasets/`, without its extension.
    Set(String),
    /// Weights that others trained on the data set. A net that starts from a stage on it starts from these weights.
    Weights(WeightSource),
}

impl<'de> Deserialize<'de> for Player {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let expected = "the name of a data set, or a table of published weights (docs/weights.md)";
        name_or_table(deserializer, expected, Player::Set, Player::Weights)
    }
}

impl JsonSchema for Player {
    fn schema_name() -> Cow<'static, str> {
        "Player".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schema_of_name_or_table::<WeightSource>(
            generator,
            "Stand-in for one of the paper's data sets: the name of a data set, or published weights.",
            "Name of a file in `datasets/`, without its extension.",
        )
    }
}

impl Player {
    /// Returns the name of the data set, unless the stand-in is published weights.
    pub fn set(&self) -> Option<&str> {
        match self {
            Self::Set(name) => Some(name),
            Self::Weights(_) => None,
        }
    }
}

/// One cell of the table: exactly one of `net`, `same-as` and `fuse`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Row {
    /// Unique name of the row, for claims and `--row`: lowercase letters, digits and `-`, starting with a letter.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]*$"))]
    pub id: String,
    /// Label of the row, in the paper's words.
    pub label: String,
    /// Name of the column; required if the table has columns, unless `where` is given.
    pub column: Option<String>,
    /// Source of the number, for a row that is not in the paper's table.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// Top-1 accuracy in the paper, in percent.
    pub reported: Option<f64>,
    /// Net to train and test.
    pub net: Option<Net>,
    /// Net or row whose net is tested here: `NAME` in this table, `TABLE/NAME` in another table of the paper, or
    /// `PAPER/TABLE/NAME`.
    pub same_as: Option<String>,
    /// Training compute of the net, as a share of the profile's `budget`, above 0. Iterations and rate steps of all its stages
    /// follow from it. Default: the iterations of the protocols.
    #[serde(default, deserialize_with = "range::some_positive")]
    pub budget: Option<f64>,
    /// Test of the net. Default: softmax scores on the test part of the split.
    pub tested: Option<Tested>,
    /// Fusion of the scores of other rows.
    pub fuse: Option<Fuse>,
}

/// A result of other work.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Quoted {
    /// Name of the method.
    pub label: String,
    /// Name of the column, if the table has columns.
    pub column: Option<String>,
    /// Top-1 accuracy, in percent.
    pub top1: f64,
    /// Source of the number.
    #[serde(rename = "where")]
    pub place: String,
}

/// A claim of the paper about its numbers.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Claim {
    /// Unique name of the claim.
    pub id: String,
    /// The claim in words.
    pub says: String,
    /// Place of the claim in the paper.
    #[serde(rename = "where")]
    pub place: String,
    /// The claim as an inequality between rows, in percentage points, such as `stack-10-on > single-on + 2`; see
    /// `docs/specs.md`.
    pub holds: String,
}

impl Spec {
    /// Returns the table's full name, such as `two-stream/table1b`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.paper, self.short_name())
    }

    /// Returns the table's name within its paper: `table1b` for number `1b`, or the table's own name, such as `results`.
    pub fn short_name(&self) -> String {
        let numbered = self.table.starts_with(|c: char| c.is_ascii_digit());
        format!("{}{}", if numbered { "table" } else { "" }, self.table)
    }

    /// Reads a spec from `experiments/<paper>/<table>.toml`.
    ///
    /// # Errors
    /// See [`Spec::parse`].
    pub fn read(path: &Path) -> Result<Self> {
        let text = base::files::read_text(path)?;
        let experiments = path.parent().and_then(Path::parent).unwrap_or(Path::new(""));
        Self::parse(&text, path, experiments)
    }

    /// Parses a spec; `path` is used in messages and to check the name. The table that it extends is read from the folder
    /// `experiments`.
    ///
    /// # Errors
    /// [`Error::Toml`] and [`Error::Spec`] with file and line for anything that is not a spec: bad TOML, unknown keys (with a
    /// suggestion), missing keys (all of them), wrong types, double row ids, columns that do not exist, a name that does not fit
    /// its path.
    ///
    /// [`Error::Toml`]: crate::Error::Toml
    /// [`Error::Spec`]: crate::Error::Spec
    pub fn parse(text: &str, path: &Path, experiments: &Path) -> Result<Self> {
        let spec: Self = extend::read(text, path, experiments)?;
        spec.check(path, text)?;
        Ok(spec)
    }

    /// Returns the paper's name of the table's main data set: the one that `--dataset` replaces.
    pub fn main_role(&self) -> &str {
        &self.profile.paper.dataset
    }

    /// Returns the net with this name: a stage, or the net of a row.
    pub fn stage(&self, name: &str) -> Option<&Net> {
        let row = || self.row.iter().find(|row| row.id == name)?.net.as_ref();
        self.net.get(name).or_else(row)
    }

    /// Iterates over the names of all nets: stages, then rows.
    pub fn stages(&self) -> impl Iterator<Item = &str> {
        let rows = self.row.iter().filter(|row| row.net.is_some()).map(|row| row.id.as_str());
        self.net.keys().map(String::as_str).chain(rows)
    }
}
