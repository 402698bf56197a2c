//! The work of a table as one list of steps: train, test, fuse, record, each after those that it needs.
//!
//! Everything that runs, counts or names the work of a table reads this list. A run on this machine walks it in order;
//! Slurm jobs and other ranks do one step of it each.

use std::collections::{BTreeMap, BTreeSet};

use models::Modality;
use plan::fusion::{FuseBy, Svm};
use plan::{FusionPlan, NetPlan, Protocol, RowPlan, TablePlan, TestPlan, Work};
use serde::Serialize;

use super::given::Given;
use super::library::{Library, lacks};
use super::repeat::{Repeat, repeats};
use crate::error::Result;
use crate::store::{Store, Unit};

/// The version of this program since which the same plan gives the same bits. It is part of every unit's name. Raise it, and
/// note it in CHANGELOG.md, when a training, a test or a fusion computes something different: older units are then not used.
const ARITHMETIC: &str = "0.10.0";

/// Everything that a trained net depends on. Nets with equal keys are trained once, even for different tables.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TrainKey<'a> {
    version: &'static str,
    net: &'a NetPlan,
    /// Fingerprint of each of its data sets.
    fingerprints: Vec<String>,
    start: Option<String>,
    seed: u64,
}

/// Everything that the scores of a net depend on.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TestKey<'a> {
    train: &'a str,
    test: &'a TestPlan,
    set: &'a str,
    split: &'a str,
    fold: Option<(usize, usize)>,
}

/// Everything that fused scores depend on.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FuseKey<'a> {
    version: &'static str,
    /// Test units of the streams.
    streams: &'a [String],
    /// Test units of the folds; empty without folds.
    folds: &'a [String],
    by: FuseBy,
    svm: Option<&'a Svm>,
}

/// The index of a step in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StepId(usize);

/// One step of a table.
pub(super) struct Step<'p> {
    /// A title for display.
    pub(super) title: String,
    pub(super) does: Does<'p>,
}

/// The work of a step. Every step except a record stores its outcome in a unit.
pub(super) enum Does<'p> {
    /// Does nothing: the weights came with an exported row.
    Given { unit: Unit },
    /// Trains a net.
    Train {
        net: &'p NetPlan,
        repeat: Repeat<'p>,
        unit: Unit,
        /// The trainings whose weights it starts from, in the order of the plan.
        starts: Vec<StepId>,
    },
    /// Tests a trained net.
    Test { protocol: &'p Protocol, repeat: Repeat<'p>, unit: Unit, trained: StepId },
    /// Fuses the scores of tests.
    Fuse {
        fusion: &'p FusionPlan,
        unit: Unit,
        streams: Vec<StepId>,
        /// The tests of the streams, for each held-out fold.
        folds: Vec<Vec<StepId>>,
    },
    /// Writes the record of a row from the scores of its repeats.
    Record { row: &'p RowPlan, scores: Vec<(Repeat<'p>, StepId)> },
}

impl Step<'_> {
    /// Returns the unit with the outcome; `None` for a record.
    pub(super) fn unit(&self) -> Option<&Unit> {
        match &self.does {
            Does::Given { unit }
            | Does::Train { unit, .. }
            | Does::Test { unit, .. }
            | Does::Fuse { unit, .. } => Some(unit),
            Does::Record { .. } => None,
        }
    }

    /// Returns the steps that must be done first.
    pub(super) fn after(&self) -> Vec<StepId> {
        match &self.does {
            Does::Given { .. } => Vec::new(),
            Does::Train { starts, .. } => starts.clone(),
            Does::Test { trained, .. } => vec![*trained],
            Does::Fuse { streams, folds, .. } => {
                streams.iter().chain(folds.iter().flatten()).copied().collect()
            }
            Does::Record { scores, .. } => scores.iter().map(|(_, step)| *step).collect(),
        }
    }
}

/// The steps of a table.
pub(super) struct Graph<'p> {
    /// The steps, each after those that it needs.
    steps: Vec<Step<'p>>,
    /// The record of each row that can be run.
    records: BTreeMap<&'p str, StepId>,
}

impl<'p> Graph<'p> {
    /// Lists the steps of all rows whose data sets are open, in the order of the table. Rows share steps.
    ///
    /// # Errors
    /// If the fingerprint of a net's videos cannot be computed.
    pub(super) fn new(
        plan: &'p TablePlan,
        library: &Library<'_>,
        store: &Store,
        given: &[Given],
    ) -> Result<Self> {
        let graph = Self { steps: Vec::new(), records: BTreeMap::new() };
        let mut builder = Builder { graph, by_unit: BTreeMap::new(), library, store, given };
        for row in &plan.rows {
            if row.work.target().is_some() && lacks(row).is_none() && library.has(&row.work) {
                builder.row(row)?;
            }
        }
        Ok(builder.graph)
    }

    /// Returns a step.
    pub(super) fn step(&self, id: StepId) -> &Step<'p> {
        &self.steps[id.0]
    }

    /// Returns the unit of a step that is not a record.
    pub(super) fn unit(&self, id: StepId) -> &Unit {
        self.step(id).unit().expect("only a record has no unit, and nothing comes after one")
    }

    /// Returns the step that writes a row's record; `None` for a row that cannot be run.
    pub(super) fn record(&self, row: &RowPlan) -> Option<StepId> {
        self.records.get(&*row.row.id).copied()
    }

    /// Returns the repeats of a row with the steps that compute their scores; empty for a row that cannot be run.
    pub(super) fn scores(&self, row: &RowPlan) -> &[(Repeat<'p>, StepId)] {
        match self.record(row).map(|id| &self.step(id).does) {
            Some(Does::Record { scores, .. }) => scores,
            _ => &[],
        }
    }

    /// Returns the given steps and all steps that they depend on, in order.
    pub(super) fn needed(&self, last: impl IntoIterator<Item = StepId>) -> BTreeSet<StepId> {
        let mut needed: BTreeSet<StepId> = BTreeSet::new();
        let mut open: Vec<StepId> = last.into_iter().collect();
        while let Some(id) = open.pop() {
            if needed.insert(id) {
                open.extend(self.step(id).after());
            }
        }
        needed
    }

    /// Returns the steps with units that the wanted rows of a plan need, in order.
    pub(super) fn units<'g>(
        &'g self,
        plan: &TablePlan,
    ) -> impl Iterator<Item = (StepId, &'g Step<'p>)> + use<'g, 'p> {
        let needed = self.needed(plan.wanted().filter_map(|row| self.record(row)));
        needed.into_iter().map(|id| (id, self.step(id))).filter(|(_, step)| step.unit().is_some())
    }

    /// Returns the unit names of the nets that the wanted rows of a plan need.
    pub(super) fn nets(&self, plan: &TablePlan) -> impl Iterator<Item = String> {
        let net = |(_, step): (StepId, &Step<'p>)| match &step.does {
            Does::Given { unit } | Does::Train { unit, .. } => Some(unit.name.clone()),
            Does::Test { .. } | Does::Fuse { .. } | Does::Record { .. } => None,
        };
        self.units(plan).filter_map(net)
    }

    /// Returns the trainings that led to a trained net, each once, its own last.
    pub(super) fn stages(&self, trained: StepId) -> Vec<StepId> {
        let mut stages = Vec::new();
        for first in self.step(trained).after() {
            for stage in self.stages(first) {
                // Two streams may start from the same net.
                if !stages.contains(&stage) {
                    stages.push(stage);
                }
            }
        }
        stages.push(trained);
        stages
    }
}

/// Builds the list of steps.
struct Builder<'a, 'p> {
    graph: Graph<'p>,
    by_unit: BTreeMap<String, StepId>,
    library: &'a Library<'a>,
    store: &'a Store,
    given: &'a [Given],
}

impl<'p> Builder<'_, 'p> {
    fn push(&mut self, title: String, does: Does<'p>) -> StepId {
        let id = StepId(self.graph.steps.len());
        self.graph.steps.push(Step { title, does });
        id
    }

    /// Adds a step, or finds the one that makes the same unit.
    fn add(&mut self, title: &str, unit: Unit, does: impl FnOnce(Unit) -> Does<'p>) -> StepId {
        if let Some(&known) = self.by_unit.get(&unit.name) {
            return known;
        }
        let name = unit.name.clone();
        let id = self.push(title.to_owned(), does(unit));
        self.by_unit.insert(name, id);
        id
    }

    fn row(&mut self, row: &'p RowPlan) -> Result<()> {
        let mut scores = Vec::new();
        for repeat in repeats(row) {
            let name = repeat.name(row);
            let step = match &row.work {
                Work::Net(protocol) => self.test(&name, protocol, repeat)?,
                Work::Fusion(fusion) => self.fusion(&name, fusion, repeat)?,
                Work::Unavailable { .. } => continue,
            };
            scores.push((repeat, step));
        }
        let id = self.push(row.row.id.clone(), Does::Record { row, scores });
        self.graph.records.insert(&row.row.id, id);
        Ok(())
    }

    fn fusion(&mut self, name: &str, fusion: &'p FusionPlan, repeat: Repeat<'p>) -> Result<StepId> {
        let streams = self.streams(name, fusion, repeat)?;
        let mut folds = Vec::new();
        for (number, repeat) in repeat.folds(fusion).enumerate() {
            folds.push(self.streams(&format!("{name}, fold {}", number + 1), fusion, repeat)?);
        }
        let names = |steps: &[StepId]| -> Vec<String> {
            steps.iter().map(|&step| self.graph.unit(step).name.clone()).collect()
        };
        let (by, svm) = fusion.fusion.written();
        let (of_streams, of_folds) = (names(&streams), names(&folds.concat()));
        let key = FuseKey { version: ARITHMETIC, streams: &of_streams, folds: &of_folds, by, svm };
        let unit = self.store.unit("fuse", &key);
        Ok(self.add(name, unit, |unit| Does::Fuse { fusion, unit, streams, folds }))
    }

    fn streams(&mut self, name: &str, fusion: &'p FusionPlan, repeat: Repeat<'p>) -> Result<Vec<StepId>> {
        let mut streams = Vec::with_capacity(fusion.streams.len());
        for (number, stream) in fusion.streams.iter().enumerate() {
            streams.push(self.test(&format!("{name}, stream {}", number + 1), stream, repeat)?);
        }
        Ok(streams)
    }

    fn test(&mut self, name: &str, protocol: &'p Protocol, repeat: Repeat<'p>) -> Result<StepId> {
        let trained = self.train(name, &protocol.net, repeat)?;
        let key = TestKey {
            train: &self.graph.unit(trained).name,
            test: &protocol.test,
            set: &protocol.net.target().set,
            split: repeat.split,
            fold: repeat.fold,
        };
        let unit = self.store.unit("test", &key);
        Ok(self.add(name, unit, |unit| Does::Test { protocol, repeat, unit, trained }))
    }

    fn train(&mut self, name: &str, net: &'p NetPlan, repeat: Repeat<'p>) -> Result<StepId> {
        if let Some(given) = self.given.iter().find(|given| given.net == *net) {
            return Ok(self.add(name, given.unit.clone(), |unit| Does::Given { unit }));
        }
        let mut starts = Vec::new();
        for (stream, first) in net.train.start.nets() {
            let which = stream.as_ref().map_or("before", Modality::name);
            starts.push(self.train(&format!("{name}, {which}"), first, repeat)?);
        }
        let names: Vec<&str> = starts.iter().map(|&step| &*self.graph.unit(step).name).collect();
        let key = TrainKey {
            version: ARITHMETIC,
            net,
            fingerprints: net
                .data
                .iter()
                .map(|data| self.library.fingerprint(data, &repeat))
                .collect::<Result<_>>()?,
            start: (!names.is_empty()).then(|| names.join("+")),
            seed: repeat.seed,
        };
        let unit = self.store.unit("train", &key);
        Ok(self.add(name, unit, |unit| Does::Train { net, repeat, unit, starts }))
    }
}
