//! A spec at one profile on one data set, every value explicit.
//!
//! Nothing here opens a video or allocates a weight. Records keep plans, the
//! names of the units of work are made from them, and `show` prints them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use base::text::{counted, numbered};
pub use data::dataset::Description as DatasetFacts;
use data::extracted::Extraction;
use nn::Precision;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::fusion::{FuseBy, Fusion, Svm};
use crate::net::{NetPlan, Protocol};
use crate::spec::{self, ProfileName, Spec, TestBy};

/// A user's request for a table, beyond its name.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Profile. Default: `mini`.
    pub profile: Option<ProfileName>,
    /// Data set. Default: the profile's.
    pub dataset: Option<String>,
    /// Splits. If empty: the profile's.
    pub splits: Vec<String>,
    /// Number of training seeds. Default: the profile's.
    pub seeds: Option<usize>,
    /// Seeds of the generated data sets, one for each draw. If empty: their own.
    pub data_seeds: Vec<u64>,
    /// Factor on all iterations and on the profile's budget. Default: 1.
    pub budget: Option<f64>,
    /// Facts about the frames and flow in the data root, if it holds these instead of videos.
    pub extraction: Option<Extraction>,
    /// Takes videos although ffmpeg reports errors in them.
    pub accept_messages: bool,
    /// Rows to run. If empty: all.
    pub rows: Vec<String>,
    /// First digits of the checksum of the exported row whose nets are used.
    pub from: Option<String>,
    /// Precision of matrix products.
    pub precision: Precision,
}

/// Source of the specs and data sets that a plan is made from.
pub trait Sources {
    /// Returns the spec of a table and its file.
    ///
    /// # Errors
    /// If the spec cannot be read.
    fn spec(&self, table: &str) -> Result<(Spec, PathBuf)>;

    /// Returns the facts of a data set, with its own seed.
    ///
    /// # Errors
    /// If the file of the data set cannot be read.
    fn facts(&self, dataset: &str) -> Result<DatasetFacts>;
}

/// A resolved table.
#[derive(Debug, Clone)]
pub struct TablePlan {
    /// The spec that the plan was made from.
    pub spec: Spec,
    /// File of the spec.
    pub file: PathBuf,
    /// The profile.
    pub profile: ProfileName,
    /// Name of the data set, as for `--dataset`.
    pub dataset: String,
    /// Stand-ins for the paper's data sets, by the paper's names.
    pub cast: BTreeMap<String, DatasetFacts>,
    /// Seeds of the generated data sets, if the request has any.
    pub data_seeds: Vec<u64>,
    /// Folder of the records of this request, relative to `results/`.
    pub results: PathBuf,
    /// All rows of the table, in order; `wanted` marks the requested ones.
    pub rows: Vec<RowPlan>,
    /// Departures from the paper's scale, in words.
    pub departures: Vec<String>,
}

impl TablePlan {
    /// Returns the requested rows that have the same work, in groups of two or more: a profile can scale away what tells them apart.
    /// Rows that the spec itself makes the same (`same-as`) are not meant.
    pub fn rows_alike(&self) -> Vec<Vec<&str>> {
        let mut groups: Vec<(&Work, Vec<&str>)> = Vec::new();
        let wanted = self.rows.iter().filter(|row| row.wanted && row.row.same_as.is_none());
        for row in wanted.filter(|row| !matches!(row.work, Work::Unavailable { .. })) {
            match groups.iter_mut().find(|(work, _)| **work == row.work) {
                Some((_, ids)) => ids.push(&row.row.id),
                None => groups.push((&row.work, vec![&row.row.id])),
            }
        }
        groups.into_iter().map(|(_, ids)| ids).filter(|ids| ids.len() > 1).collect()
    }
}

/// A resolved row.
#[derive(Debug, Clone)]
pub struct RowPlan {
    /// The row as written.
    pub row: spec::Row,
    /// Nets to train and test.
    pub work: Work,
    /// Splits to run, of the data set that the row is tested on.
    pub splits: Vec<String>,
    /// Training seeds to run.
    pub seeds: Vec<u64>,
    /// True if the request includes the row.
    pub wanted: bool,
}

/// Work of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Work {
    /// One net.
    Net(Box<Protocol>),
    /// The fused scores of several nets.
    Fusion(FusionPlan),
    /// No work: a data set that the row needs has no stand-in.
    Unavailable {
        /// Reason, in words.
        reason: String,
    },
}

/// A fusion of the scores of several nets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct FusionPlan {
    /// The nets, in the order in which their scores are weighted or stacked.
    pub streams: Vec<Protocol>,
    /// Rule that joins their scores.
    pub fusion: Fusion,
}

/// Serialised form of a fusion, in records and in the names of units.
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
    /// Returns the nets whose scores the row needs.
    pub fn protocols(&self) -> &[Protocol] {
        match self {
            Self::Net(protocol) => std::slice::from_ref(protocol),
            Self::Fusion(fusion) => &fusion.streams,
            Self::Unavailable { .. } => &[],
        }
    }

    /// Returns the basis of the answers in the row's test.
    pub fn tested_by(&self) -> TestBy {
        match self {
            Self::Net(protocol) => protocol.test.by,
            Self::Fusion(_) | Self::Unavailable { .. } => TestBy::Softmax,
        }
    }

    /// Returns the data set that the row is tested on.
    pub fn target(&self) -> Option<&str> {
        self.protocols().first()?.net.data.first().map(|data| data.set.as_str())
    }

    /// Iterates over all training stages of the row's nets.
    pub fn stages(&self) -> impl Iterator<Item = &NetPlan> {
        self.protocols().iter().flat_map(|protocol| protocol.net.stages())
    }
}

impl TablePlan {
    /// Returns `true` if the data set is not one that the spec names, so that the paper's numbers do not apply.
    pub fn has_own_data(&self) -> bool {
        !self.spec.data.contains_key(&self.dataset)
    }

    /// Iterates over the requested rows.
    pub fn wanted(&self) -> impl Iterator<Item = &RowPlan> {
        self.rows.iter().filter(|row| row.wanted)
    }

    /// Iterates over the nets that the requested rows need, with the stages before them.
    pub fn stages(&self) -> impl Iterator<Item = &NetPlan> {
        self.wanted().flat_map(|row| row.work.stages())
    }

    /// Lists the properties of the tested data sets that make numbers say less than they seem to, as far as they can be seen
    /// without the videos; only of the splits that are run.
    pub fn cautions(&self) -> Vec<String> {
        let mut list = Vec::new();
        for facts in self.cast.values() {
            let tested = self.rows.iter().filter(|row| row.work.target() == Some(&facts.name));
            let used: BTreeSet<&str> = tested.flat_map(|row| &row.splits).map(String::as_str).collect();
            for said in facts.cautions.iter().filter_map(|caution| caution.of(&used)) {
                let said = format!("{}, {said}", facts.name);
                if !list.contains(&said) {
                    list.push(said);
                }
            }
        }
        list
    }

    /// Describes the data, for example "synth (data seed 0) as ucf101; splits 1, 2, 3; 1 training seed".
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
            let seeds = numbered("data seed", &facts.data_seeds);
            let seed = if seeds.is_empty() { seeds } else { format!(" ({seeds})") };
            let role = if *role == facts.name { String::new() } else { format!(" as {role}") };
            sets.push(format!("{}{seed}{role}", facts.name));
        }
        let plain = |split| if self.data_seeds.len() > 1 { data::split::plain(split) } else { split };
        let splits: BTreeSet<&str> =
            self.rows.iter().flat_map(|row| &row.splits).map(|split| plain(split)).collect();
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

    /// The serialised form must not change: records and the names of units depend on it.
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
