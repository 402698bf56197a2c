//! A spec brought to one profile and one data set: every value explicit.
//!
//! Nothing here opens a video or allocates a weight. A plan is what a record
//! keeps, what decides the names of the units of work, and what `show` prints.

mod departures;
mod model;
mod net;
mod resolve;
mod run_name;
mod sample;

use std::collections::BTreeMap;
use std::path::PathBuf;

use data::dataset::SplitSize;
use data::extracted::Extraction;
use nn::Precision;
use serde::{Deserialize, Serialize};

pub use self::net::{
    ContrastivePlan, DataPlan, NetPlan, PairsPlan, Protocol, Source, SourceRef, Start, TestPlan, TrainPlan,
    VideoPlan,
};
use self::resolve::Resolver;
pub use self::run_name::RunName;
use crate::error::{Error, Result, did_you_mean};
use crate::spec::{self, FuseBy, Player, ProfileName, Spec, Svm, TestBy};

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

/// What a plan must know of a data set before it is opened.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetFacts {
    /// Its name.
    pub name: String,
    /// Class names, in label order.
    pub classes: Vec<String>,
    /// Its splits and their sizes.
    pub splits: Vec<SplitSize>,
    /// The seed of a generated set; `None` for real videos.
    pub data_seed: Option<u64>,
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
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FusionPlan {
    /// The nets, in the order in which their scores are stacked.
    pub streams: Vec<Protocol>,
    /// How their scores become one.
    pub by: FuseBy,
    /// How the SVM is trained, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub svm: Option<Svm>,
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
    /// Applies a profile and a request to a spec.
    ///
    /// # Errors
    /// [`Error::UnknownRow`], [`Error::Usage`] for splits or seeds that cannot
    /// be, [`Error::Contradiction`] for rows that cannot be run as written.
    pub fn resolve(spec: Spec, file: PathBuf, request: &Request, sources: &dyn Sources) -> Result<Self> {
        let name = request.profile.unwrap_or(ProfileName::Mini);
        let profile = spec.profile.get(name);
        let dataset = request.dataset.clone().unwrap_or_else(|| profile.dataset.clone());
        let own = cast(&spec, &dataset, sources)?;
        let cast = reseeded(&spec, own.clone(), request)?;
        let generated = |facts: &&DatasetFacts| facts.data_seed.is_some();
        if let (Some(_), Some(main)) = (request.extraction, cast.get(spec.main_role()).filter(generated)) {
            return Err(Error::Usage(format!(
                "--extracted-bound is for frames and flow of real videos, and `{}` is generated; leave the flag out",
                main.name
            )));
        }
        if request.seeds == Some(0) {
            return Err(Error::Usage("--seeds must be at least 1".into()));
        }
        let seeds = request.seeds.unwrap_or(profile.seeds);
        for wanted in &request.rows {
            if !spec.row.iter().any(|row| row.id == *wanted) {
                let known = || spec.row.iter().map(|row| row.id.as_str());
                return Err(Error::UnknownRow {
                    table: spec.name(),
                    row: wanted.clone(),
                    hint: did_you_mean(wanted, known()),
                    known: known().collect::<Vec<_>>().join(", "),
                });
            }
        }

        let resolver = Resolver { sources, request, profile: name, dataset: &dataset };
        let mut rows = Vec::with_capacity(spec.row.len());
        let mut usual_splits = true;
        for row in &spec.row {
            let work = resolver.work(&spec, &file, &cast, row)?;
            let facts = match work.target() {
                // A row of another table may be tested on a data set that only that table names.
                Some(set) => Some(sources.facts(set)?),
                None => None,
            };
            let facts = facts.as_ref();
            let usual = facts.map_or_else(Vec::new, |facts| {
                let all = || facts.splits.iter().map(|split| split.name.clone()).collect();
                profile.splits.get(&facts.name).cloned().unwrap_or_else(all)
            });
            let wanted = request.rows.is_empty() || request.rows.contains(&row.id);
            let splits = match facts.filter(|_| wanted && !request.splits.is_empty()) {
                Some(facts) => asked_splits(facts, &request.splits)?,
                None => usual.clone(),
            };
            usual_splits &= splits == usual;
            rows.push(RowPlan { row: row.clone(), work, splits, seeds: (0..seeds as u64).collect(), wanted });
        }

        let run = RunName {
            dataset: dataset.clone(),
            profile: name,
            data_seed: (cast != own).then_some(request.data_seed.unwrap_or(0)),
            splits: if usual_splits { Vec::new() } else { request.splits.clone() },
            seeds: (seeds != profile.seeds).then_some(seeds),
            extraction: request.extraction,
            from: request.from.clone(),
            precision: request.precision,
        };
        let results = PathBuf::from(&spec.paper).join(spec.short_name()).join(run.to_string());
        let departures = departures::of(&spec, profile, &cast, &rows);
        let data_seed = request.data_seed;
        Ok(Self { results, departures, file, profile: name, dataset, cast, data_seed, rows, spec })
    }

    /// The rows that this run asks for.
    pub fn wanted(&self) -> impl Iterator<Item = &RowPlan> {
        self.rows.iter().filter(|row| row.wanted)
    }

    /// The nets that the wanted rows need, with the stages before them.
    pub fn stages(&self) -> impl Iterator<Item = &NetPlan> {
        self.wanted().flat_map(|row| row.work.stages())
    }
}

/// The data sets that play the paper's. A data set that the spec does not name plays the main one alone.
fn cast(spec: &Spec, dataset: &str, sources: &dyn Sources) -> Result<BTreeMap<String, DatasetFacts>> {
    let alone = || BTreeMap::from([(spec.main_role().to_owned(), Player::Set(dataset.to_owned()))]);
    let players = spec.data.get(dataset).cloned().unwrap_or_else(alone);
    let sets = players.iter().filter_map(|(role, player)| Some((role, player.set()?)));
    sets.map(|(role, set)| Ok((role.clone(), sources.facts(set)?))).collect()
}

/// The same with the seed that is asked for.
fn reseeded(
    spec: &Spec,
    mut cast: BTreeMap<String, DatasetFacts>,
    request: &Request,
) -> Result<BTreeMap<String, DatasetFacts>> {
    let Some(seed) = request.data_seed else { return Ok(cast) };
    if let Some(main) = cast.get(spec.main_role()).filter(|facts| facts.data_seed.is_none()) {
        return Err(Error::Usage(format!(
            "--data-seed renders a fresh draw of a generated data set, and `{}` holds real videos; \
             leave the flag out",
            main.name
        )));
    }
    for facts in cast.values_mut() {
        facts.data_seed = facts.data_seed.map(|_| seed);
    }
    Ok(cast)
}

fn asked_splits(facts: &DatasetFacts, asked: &[String]) -> Result<Vec<String>> {
    match asked.iter().find(|split| !facts.splits.iter().any(|known| known.name == **split)) {
        None => {
            let mut once: Vec<String> = Vec::with_capacity(asked.len());
            for split in asked {
                if !once.contains(split) {
                    once.push(split.clone());
                }
            }
            Ok(once)
        }
        Some(split) => {
            let known: Vec<&str> = facts.splits.iter().map(|split| split.name.as_str()).collect();
            Err(Error::Usage(format!(
                "data set `{}` has no split `{split}`; it has {}",
                facts.name,
                known.join(", ")
            )))
        }
    }
}
