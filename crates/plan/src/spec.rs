//! A table as it is written: `experiments/<paper>/<table>.toml`.
//!
//! These types say what a spec may hold and nothing else: no file system, no
//! default that hides a paper's value. Unknown keys are refused with file,
//! line and a suggestion. What will actually run is a [`crate::TablePlan`].

mod check;
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

use self::either::{name_or_table, schema_of_name_or_table};
pub use self::net::{
    Also, AlsoAs, ContrastiveSizes, Cropping, Distance, Fuse, Learns, Losses, Net, Pyramid, PyramidSizes,
    RateStep, StartFrom, Streams, TestBy, TestOn, Tested, Train, Videos,
};
pub use self::profile::{DropoutRule, FlowPreset, Profile, ProfileName, Profiles, Stem, Storage};
use crate::error::Result;
use crate::fusion::Svm;
use crate::weight_source::WeightSource;

/// One table of a paper.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Spec {
    /// The paper's folder under `experiments/`, such as `two-stream`.
    pub paper: String,
    /// The table's number in the paper, such as `1b`, or a name for it.
    pub table: String,
    /// A table whose `[data]`, `[shared]`, `[profile.*]` and `[net.*]` hold here where nothing else is said, such as
    /// `two-stream/table1b`.
    pub extends: Option<String>,
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
    /// What plays the parts of the paper's data sets, by the name that `--dataset` takes.
    pub data: BTreeMap<String, Cast>,
    /// By data set: its classes that the data set it is added to has as well.
    #[serde(default)]
    pub overlap: BTreeMap<String, Vec<String>>,
    /// Stages that rows start from and that are no rows themselves.
    #[serde(default)]
    pub net: BTreeMap<String, Net>,
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
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Columns {
    /// What the columns vary, such as "mean subtraction".
    pub title: String,
    /// Their names, from left to right.
    pub names: Vec<String>,
}

/// What all rows have in common.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Shared {
    /// The network, where a row does not name another.
    pub model: ModelName,
    /// Sizes of the video and of the network's view of it.
    pub frames: Frames,
    /// The training protocols, by name.
    pub train: BTreeMap<String, Train>,
    /// The test protocol.
    pub test: Test,
    /// How a fusion by SVM is trained.
    pub svm: Option<Svm>,
    /// Which batch normalisation layers use the statistics of the batch in training; for networks that have any.
    pub batch_statistics: Option<BatchStatistics>,
    /// The sizes of the pyramid's levels, for the nets that have any.
    pub pyramid: Option<PyramidSizes>,
    /// The sizes of the contrastive loss, for the nets that learn from it.
    pub contrastive: Option<ContrastiveSizes>,
}

/// Sizes, in pixels.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Frames {
    /// The smaller side that videos are rescaled to.
    #[serde(deserialize_with = "range::count")]
    #[schemars(range(min = 1, max = 65536))]
    pub short_side: usize,
    /// The side of the square crop that the network sees.
    #[serde(deserialize_with = "range::count")]
    #[schemars(range(min = 1, max = 65536))]
    pub crop: usize,
}

/// The test protocol.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Test {
    /// Temporal positions a video. A network of clips sees them all at once, as one clip. Not given for inputs that say
    /// which time steps there are.
    #[serde(default, deserialize_with = "range::some_count")]
    #[schemars(range(min = 1, max = 65536))]
    pub frames: Option<usize>,
    /// Views of each position.
    pub crops: Crops,
}

/// What plays the parts of the paper's data sets, by the paper's name of them.
pub type Cast = BTreeMap<String, Player>;

/// What plays the part of one of the paper's data sets: a name, or a table of published weights.
#[derive(Debug, Clone, PartialEq)]
pub enum Player {
    /// A file of `datasets/`, without its ending.
    Set(String),
    /// Weights that somebody else has trained on it: nets that start from a stage on this data set start from them.
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
            "What plays the part of one of the paper's data sets.",
            "A file of `datasets/`, without its ending.",
        )
    }
}

impl Player {
    /// The data set, if it is one.
    pub fn set(&self) -> Option<&str> {
        match self {
            Self::Set(name) => Some(name),
            Self::Weights(_) => None,
        }
    }
}

/// One cell of the table: a net, a fusion of nets, or a net that another table trains.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Row {
    /// The name that claims and `--row` use.
    #[schemars(regex(pattern = "^[a-z][a-z0-9-]*$"))]
    pub id: String,
    /// The paper's wording of the row.
    pub label: String,
    /// The column, where the table has columns.
    pub column: Option<String>,
    /// Where the number is from, for a row that is not in the paper's table.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// The paper's top-1 accuracy, in percent.
    pub reported: Option<f64>,
    /// A net to train and test.
    pub net: Option<Net>,
    /// A net or a row whose net is tested here: of this table by its name, of another as `tableN/row`.
    pub same_as: Option<String>,
    /// How the net is tested.
    pub tested: Option<Tested>,
    /// Rows whose scores are fused.
    pub fuse: Option<Fuse>,
}

/// A number of other work.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
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
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Claim {
    /// Its name.
    pub id: String,
    /// In words.
    pub says: String,
    /// Where the paper says so.
    #[serde(rename = "where")]
    pub place: String,
    /// As an inequality between rows, such as `stack-10-on > single-on + 2`; see `docs/specs.md`.
    pub holds: String,
}

impl Spec {
    /// The table's full name, such as `two-stream/table1b`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.paper, self.short_name())
    }

    /// The table's name within its paper: `table1b` of number `1b`, and `results` of a table without a number.
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

    /// Parses a spec; `path` is for messages and for checking the name. The table that it extends is read from the folder
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
        let spec = extend::read(text, path, experiments)?;
        spec.check(path, text)?;
        Ok(spec)
    }

    /// The data set that the paper's table is about, by the paper's name: the one that `--dataset` replaces.
    pub fn main_role(&self) -> &str {
        &self.profile.paper.dataset
    }

    /// The net of that name: a stage, or a row's.
    pub fn stage(&self, name: &str) -> Option<&Net> {
        let row = || self.row.iter().find(|row| row.id == name)?.net.as_ref();
        self.net.get(name).or_else(row)
    }

    /// The names of all nets: stages, then rows.
    pub fn stages(&self) -> impl Iterator<Item = &str> {
        let rows = self.row.iter().filter(|row| row.net.is_some()).map(|row| row.id.as_str());
        self.net.keys().map(String::as_str).chain(rows)
    }
}
