//! The units of a net: its training stages, and its test.

use std::path::PathBuf;
use std::time::Instant;

use data::loader::LabelledVideo;
use models::Modality;
use serde::Serialize;

use super::{Job, Run, Runner};
use crate::answers::Answers;
use crate::error::{Error, Result};
use crate::evaluate::{Test, evaluate};
use crate::plan::{NetPlan, Protocol, SourceRef, TestPlan};
use crate::record::{StageRecord, TestOutcome, TrainOutcome};
use crate::scores::SCORES;
use crate::store::{Lock, Unit};
use crate::train::{Training, WEIGHTS, build, network_error, train};
use crate::weights;

/// What decides a trained net: equal ones are trained once, whichever table asks.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TrainKey<'a> {
    version: &'static str,
    net: &'a NetPlan,
    /// Of each of its data sets.
    fingerprints: Vec<String>,
    start: Option<String>,
    seed: u64,
}

/// What decides the scores of a net.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TestKey<'a> {
    train: &'a str,
    test: &'a TestPlan,
    set: &'a str,
    split: &'a str,
    fold: Option<(usize, usize)>,
}

/// A tested net.
pub(super) struct Tested {
    pub(super) stages: Vec<StageRecord>,
    pub(super) unit: Unit,
    pub(super) outcome: TestOutcome,
    pub(super) answers: Answers,
}

impl Job<'_> {
    /// The training units of a net's stages, the first one first.
    pub(super) fn train_units(&self, net: &NetPlan, run: &Run<'_>) -> Result<Vec<Unit>> {
        if let Some((unit, _)) = self.given(net) {
            return Ok(vec![unit.clone()]);
        }
        let mut units = Vec::new();
        for (_, first) in net.train.start.nets() {
            units.extend(self.train_units(first, run)?);
        }
        units.push(self.train_unit(net, run)?);
        Ok(units)
    }

    /// The training unit of a net itself.
    pub(super) fn train_unit(&self, net: &NetPlan, run: &Run<'_>) -> Result<Unit> {
        if let Some((unit, _)) = self.given(net) {
            return Ok(unit.clone());
        }
        let fingerprints =
            net.data.iter().map(|data| self.library.fingerprint(data, run)).collect::<Result<_>>()?;
        let starts: Vec<String> = self.starts(net, run)?.into_iter().map(|unit| unit.name).collect();
        let start = (!starts.is_empty()).then(|| starts.join("+"));
        let key = TrainKey { version: env!("CARGO_PKG_VERSION"), net, fingerprints, start, seed: run.seed };
        Ok(self.store.unit("train", &key))
    }

    /// The units whose weights a net starts from.
    fn starts(&self, net: &NetPlan, run: &Run<'_>) -> Result<Vec<Unit>> {
        net.train.start.nets().into_iter().map(|(_, first)| self.train_unit(first, run)).collect()
    }

    /// The files of the weights that a net starts from, in the order of the plan.
    fn start_files(&self, net: &NetPlan, run: &Run<'_>) -> Result<Vec<PathBuf>> {
        let Runner { console, interrupt, workspace, .. } = self.runner;
        let file = |(_, source)| match source {
            SourceRef::Net(first) => Ok(self.train_unit(first, run)?.path(WEIGHTS)),
            SourceRef::Weights(source) => weights::fetch(source, &workspace.cache, console, interrupt),
        };
        net.train.start.sources().into_iter().map(file).collect()
    }

    pub(super) fn test_unit(&self, protocol: &Protocol, run: &Run<'_>) -> Result<Unit> {
        let trained = self.train_unit(&protocol.net, run)?;
        let key = TestKey {
            train: &trained.name,
            test: &protocol.test,
            set: &protocol.net.target().set,
            split: run.split,
            fold: run.fold,
        };
        Ok(self.store.unit("test", &key))
    }

    /// Where nothing is made here: the error that a unit is not done.
    pub(super) fn expect_done<T>(&self, unit: &Unit, done: Result<Option<T>>) -> Result<()> {
        match self.runner.absent {
            Some(why) if done?.is_none() => {
                Err(Error::Unfinished { unit: unit.name.clone(), why: why(&unit.name) })
            }
            _ => Ok(()),
        }
    }

    /// Takes a unit, and forgets what is in it where all is to be done again.
    pub(super) fn take(&self, unit: &Unit) -> Result<Lock> {
        let lock = unit.lock(self.runner.console, self.runner.interrupt)?;
        if self.runner.fresh && self.runner.census.first_sight(unit) {
            unit.clear()?;
        }
        Ok(lock)
    }

    /// Trains a net and the stages before it, or finds them done.
    pub(super) fn trained(&self, name: &str, net: &NetPlan, run: &Run<'_>) -> Result<Vec<StageRecord>> {
        if let Some((_, stage)) = self.given(net) {
            return Ok(vec![stage.clone()]);
        }
        let mut stages: Vec<StageRecord> = Vec::new();
        for (stream, first) in net.train.start.nets() {
            let which = stream.as_ref().map_or("before", Modality::name);
            for stage in self.trained(&format!("{name}, {which}"), first, run)? {
                // Two streams may come from one net.
                if stages.iter().all(|known| known.unit != stage.unit) {
                    stages.push(stage);
                }
            }
        }
        let unit = &self.train_unit(net, run)?;
        let (console, interrupt) = (self.runner.console, self.runner.interrupt);
        self.expect_done(unit, unit.outcome::<TrainOutcome>())?;
        let _lock = self.take(unit)?;
        let done = unit.outcome::<TrainOutcome>()?.filter(|_| unit.path(WEIGHTS).exists());
        let training = match done {
            Some(outcome) => outcome,
            None => {
                let videos = self.library.training(net, run)?;
                let start = self.start_files(net, run)?;
                let job = self.training(name, net, run, unit, &videos, &start);
                self.call_ranks(unit)?;
                let outcome = train(&job, console, interrupt)?;
                unit.finish(&outcome)?;
                self.runner.census.trained(unit);
                outcome
            }
        };
        stages.push(StageRecord { unit: unit.name.clone(), training });
        Ok(stages)
    }

    fn training<'t>(
        &'t self,
        name: &'t str,
        net: &'t NetPlan,
        run: &Run<'_>,
        unit: &'t Unit,
        tasks: &'t [Vec<LabelledVideo>],
        start: &'t [PathBuf],
    ) -> Training<'t> {
        let Runner { device, checkpoint_every, ranks, .. } = self.runner;
        let checkpoint_every = *checkpoint_every;
        Training { name, net, seed: run.seed, tasks, start, unit, device, checkpoint_every, ranks }
    }

    /// Trains a net as another rank than the first, which holds the unit and writes all that is written.
    pub(super) fn train_along(&self, net: &NetPlan, run: &Run<'_>) -> Result<()> {
        let unit = self.train_unit(net, run)?;
        let videos = self.library.training(net, run)?;
        let start = self.start_files(net, run)?;
        let job = self.training("", net, run, &unit, &videos, &start);
        train(&job, self.runner.console, self.runner.interrupt).map(|_| ())
    }

    /// Trains and tests a net, or finds it done.
    pub(super) fn tested(&self, name: &str, protocol: &Protocol, run: &Run<'_>) -> Result<Tested> {
        let stages = self.trained(name, &protocol.net, run)?;
        let unit = self.test_unit(protocol, run)?;
        self.expect_done(&unit, finished(&unit))?;
        let _lock = self.take(&unit)?;
        let path = unit.path(SCORES);
        let (outcome, answers) = match finished(&unit)? {
            Some(outcome) => (outcome, Answers::read(&path, protocol.test.by)?),
            None => {
                let begun = Instant::now();
                let videos = self.library.testing(protocol, run)?;
                let others = self.library.beside(protocol, run)?;
                let (params, network) = build(&protocol.net, run.seed, self.runner.device)?;
                let trained = self.train_unit(&protocol.net, run)?;
                params.load(&trained.path(WEIGHTS)).map_err(network_error("loading the trained weights"))?;
                let test = Test {
                    name: &format!("{name} test"),
                    protocol,
                    network: &*network,
                    device: self.runner.device,
                    videos: &videos,
                    others: &others,
                    classes: self.library.classes(&protocol.net.target().set)?,
                    split: run.split,
                    seed: run.seed,
                };
                let answers = evaluate(&test, self.runner.console, self.runner.interrupt)?;
                answers.write(&path)?;
                let outcome = TestOutcome {
                    videos_expected: videos.len(),
                    videos_scored: answers.videos(),
                    seconds: (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0,
                    streams: Vec::new(),
                    svm: None,
                };
                unit.finish(&outcome)?;
                (outcome, answers)
            }
        };
        Ok(Tested { stages, unit, outcome, answers })
    }
}

/// The outcome of a test unit, while its scores are there too.
pub(super) fn finished(unit: &Unit) -> Result<Option<TestOutcome>> {
    Ok(unit.outcome()?.filter(|_| unit.path(SCORES).exists()))
}
