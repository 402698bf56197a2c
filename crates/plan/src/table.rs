//! A spec brought to one profile and one data set: every value explicit.
//!
//! Nothing here opens a video or allocates a weight. A plan is what a record
//! keeps, what decides the names of the units of work, and what `show` prints.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use base::text::counted;
pub use data::dataset::Description as DatasetFacts;
use data::extracted::Extraction;
use nn::Precision;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::fusion::{FuseBy, Fusion, Svm};
use crate::net::{NetPlan, Protocol};
use crate::spec::{self, ProfileName, Spec, TestBy};

/// What a user asks of a table beyond its name.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The profile; `mini` unless said.
    pub profile: Option<ProfileName>,
    /// The data set, instead of the profile's.
    pub dataset: Option<String>,
    /// The splits, instead of the profile's.
    pub splits: Vec<String>,
    /// The number of training seeds, instead of the profile's.
    pub seeds: Option<usize>,
    /// The seed of the generated data sets, instead of their own.
    pub data_seed: Option<u64>,
    /// What is known of the frames and flow in the data root, if it holds those instead of videos.
    pub extraction: Option<Extraction>,
    /// The rows to run; all when empty.
    pub rows: Vec<String>,
    /// The exported row whose nets are taken, by the first letters of its sum.
    pub from: Option<String>,
    /// How products are computed.
    pub precision: Precision,
}

/// Where a plan finds what it is made of.
pub trait Sources {
    /// The spec of a table and its file.
    ///
    /// # Errors
    /// Those of reading a spec.
    fn spec(&self, table: &str) -> Result<(Spec, PathBuf)>;

    /// The facts of a data set, with its own seed.
    ///
    /// # Errors
    /// Those of reading its file.
    fn facts(&self, dataset: &str) -> Result<DatasetFacts>;
}

/// A table, resolved.
#[derive(Debug, Clone)]
pub struct TablePlan {
    /// The spec it was made from.
    pub spec: Spec,
    /// That spec's file.
    pub file: PathBuf,
    /// The profile.
    pub profile: ProfileName,
    /// The name that `--dataset` takes.
    pub dataset: String,
    /// The data sets that play the paper's, by the paper's name.
    pub cast: BTreeMap<String, DatasetFacts>,
    /// The seed of the generated data sets, where the request gives one.
    pub data_seed: Option<u64>,
    /// The folder under `results/` that this question's records go to.
    pub results: PathBuf,
    /// All rows of the table, in its order; `wanted` marks those asked for.
    pub rows: Vec<RowPlan>,
    /// What was changed from the paper's scale, in words.
    pub departures: Vec<String>,
}

/// A row, resolved.
#[derive(Debug, Clone)]
pub struct RowPlan {
    /// The row as written.
    pub row: spec::Row,
    /// What is trained and tested.
    pub work: Work,
    /// The splits that it is run on, of the data set that it is tested on.
    pub splits: Vec<String>,
    /// The training seeds that it is run with.
    pub seeds: Vec<u64>,
    /// Whether this run asks for it.
    pub wanted: bool,
}

/// What a row takes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Work {
    /// One net.
    Net(Box<Protocol>),
    /// The fused scores of several.
    Fusion(FusionPlan),
    /// Nothing: the data sets at hand cannot give it.
    Unavailable {
        /// Why, in words.
        reason: String,
    },
}

/// Scores of several nets, fused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct FusionPlan {
    /// The nets, in the order in which their scores are weighted or stacked.
    pub streams: Vec<Protocol>,
    /// How their scores become one.
    pub fusion: Fusion,
}

/// The form of a plan in records and in the names of units.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Stored {
    streams: Vec<Protocol>,
    by: FuseBy,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    svm: Option<Svm>,
}

impl TryFrom<Stored> for FusionPlan {
    type Error = String;

    fn try_from(Stored { streams, by, svm }: Stored) -> std::result::Result<Self, String> {
        let fusion = by.fusion(svm.as_ref(), streams.len())?;
        Ok(Self { streams, fusion })
    }
}

impl From<FusionPlan> for Stored {
    fn from(FusionPlan { streams, fusion }: FusionPlan) -> Self {
        let (by, svm) = fusion.written();
        let svm = svm.cloned();
        Self { streams, by, svm }
    }
}

impl Work {
    /// The nets whose scores the row needs.
    pub fn protocols(&self) -> &[Protocol] {
        match self {
            Self::Net(protocol) => std::slice::from_ref(protocol),
            Self::Fusion(fusion) => &fusion.streams,
            Self::Unavailable { .. } => &[],
        }
    }

    /// What its test asks.
    pub fn tested_by(&self) -> TestBy {
        match self {
            Self::Net(protocol) => protocol.test.by,
            Self::Fusion(_) | Self::Unavailable { .. } => TestBy::Softmax,
        }
    }

    /// The data set that the row is tested on.
    pub fn target(&self) -> Option<&str> {
        self.protocols().first()?.net.data.first().map(|data| data.set.as_str())
    }

    /// All training stages of its nets.
    pub fn stages(&self) -> impl Iterator<Item = &NetPlan> {
        self.protocols().iter().flat_map(|protocol| protocol.net.stages())
    }
}

impl TablePlan {
    /// The rows that this run asks for.
    pub fn wanted(&self) -> impl Iterator<Item = &RowPlan> {
        self.rows.iter().filter(|row| row.wanted)
    }

    /// The nets that the wanted rows need, with the stages before them.
    pub fn stages(&self) -> impl Iterator<Item = &NetPlan> {
        self.wanted().flat_map(|row| row.work.stages())
    }

    /// "synth (data seed 0) as ucf101, synth-hmdb (data seed 0) as hmdb51; splits 1, 2, 3; 1 training seed".
    pub fn data_words(&self) -> String {
        let used: BTreeSet<&str> = self
            .rows
            .iter()
            .flat_map(|row| row.work.stages())
            .flat_map(|net| &net.data)
            .map(|data| data.set.as_str())
            .collect();
        let mut sets = Vec::new();
        for (role, facts) in self.cast.iter().filter(|(_, facts)| used.contains(facts.name.as_str())) {
            let seed = facts.data_seed.map_or(String::new(), |seed| format!(" (data seed {seed})"));
            let role = if *role == facts.name { String::new() } else { format!(" as {role}") };
            sets.push(format!("{}{seed}{role}", facts.name));
        }
        let splits: BTreeSet<&str> =
            self.rows.iter().flat_map(|row| &row.splits).map(String::as_str).collect();
        let seeds = self.rows.first().map_or(0, |row| row.seeds.len());
        format!(
            "{}; split{} {}; {}",
            sets.join(", "),
            if splits.len() == 1 { "" } else { "s" },
            Vec::from_iter(splits).join(", "),
            counted(seeds, "training seed")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fusion::{Mean, ScoresOf};

    /// Records and the names of units keep their form.
    #[test]
    fn plans_are_written_as_they_always_were() {
        let svm = Svm { folds: 2, c: vec![0.5, 2.0] };
        for (fusion, json) in [
            (Fusion::Mean(Mean::default()), r#"{"streams":[],"by":"average"}"#),
            (Fusion::Svm(svm), r#"{"streams":[],"by":"svm","svm":{"folds":2,"c":[0.5,2.0]}}"#),
            (
                Fusion::Mean(Mean { of: ScoresOf::Logits, ..Mean::default() }),
                r#"{"streams":[],"by":{"mean":{"of":"logits"}}}"#,
            ),
        ] {
            let plan = FusionPlan { streams: Vec::new(), fusion };
            assert_eq!(serde_json::to_string(&plan).unwrap(), json);
            assert_eq!(serde_json::from_str::<FusionPlan>(json).unwrap(), plan);
        }
        assert!(serde_json::from_str::<FusionPlan>(r#"{"streams":[],"by":"svm"}"#).is_err());
    }
}
