//! Does one step of a table, after all steps that it needs.

use std::path::PathBuf;
use std::time::Instant;

use plan::{Fusion, FusionPlan, NetPlan, Protocol, SourceRef, cost};

use super::graph::{Does, StepId};
use super::job::Job;
use super::repeat::Repeat;
use super::runner::Runner;
use crate::answers::Answers;
use crate::evaluate::{Test, evaluate};
use crate::fusion::{fuse, lacks_logits};
use crate::record::{TestOutcome, TrainOutcome};
use crate::scores::{SCORES, Scores};
use crate::store::{Lock, Unit};
use crate::train::{CHECKPOINT, Training, WEIGHTS, build, train};
use crate::{Error, Result, memory, weights};

impl Job<'_> {
    /// Returns `true` if the unit of a step is done. Always `false` for a record, which must be compared with its row's plan.
    pub(super) fn is_done(&self, id: StepId) -> Result<bool> {
        Ok(match &self.graph.step(id).does {
            Does::Given { .. } => true,
            Does::Train { unit, .. } => trained(unit)?.is_some(),
            Does::Test { unit, .. } | Does::Fuse { unit, .. } => finished(unit)?.is_some(),
            Does::Record { .. } => false,
        })
    }

    /// Does a step, unless its unit is done, by this process or another one that held it. `name` is for display.
    ///
    /// # Errors
    /// Those of the step; [`Error::Unfinished`] if steps are done elsewhere and this one is not done.
    pub(super) fn do_step(&self, id: StepId, name: &str) -> Result<()> {
        let step = self.graph.step(id);
        if let Does::Record { row, .. } = &step.does {
            tracing::info!(step = name, "writing the record");
            return self.record(row);
        }
        let (Some(unit), false) = (step.unit(), matches!(step.does, Does::Given { .. })) else {
            return Ok(());
        };
        if let Some(why) = self.runner.absent {
            let unit = &unit.name;
            return if self.is_done(id)? {
                Ok(())
            } else {
                Err(Error::Unfinished { unit: unit.clone(), why: why(unit) })
            };
        }
        let _lock = self.take(unit)?;
        if self.is_done(id)? {
            tracing::info!(step = name, unit = unit.name, "already done");
            return Ok(());
        }
        tracing::info!(step = name, unit = unit.name, "starting");
        match &step.does {
            Does::Given { .. } | Does::Record { .. } => Ok(()),
            Does::Train { net, repeat, starts, .. } => self.train(name, net, repeat, unit, starts),
            Does::Test { protocol, repeat, trained, .. } => self.test(name, protocol, repeat, unit, *trained),
            Does::Fuse { fusion, streams, folds, .. } => self.fuse(fusion, unit, streams, folds),
        }
    }

    /// Locks a unit, and clears it if everything is to be done again.
    fn take(&self, unit: &Unit) -> Result<Lock> {
        let lock = unit.lock(self.runner.console, self.runner.interrupt)?;
        if self.runner.fresh && self.runner.census.first_sight(unit) {
            unit.clear()?;
        }
        Ok(lock)
    }

    fn train(
        &self,
        name: &str,
        net: &NetPlan,
        repeat: &Repeat<'_>,
        unit: &Unit,
        starts: &[StepId],
    ) -> Result<()> {
        let outcome = self.learn(name, net, repeat, unit, starts, || self.call_ranks(unit))?;
        unit.finish(&outcome, &[WEIGHTS])?;
        unit.forget(CHECKPOINT)?;
        self.runner.census.trained(unit);
        Ok(())
    }

    /// Trains a net as a rank other than the first, which holds the unit and writes all files.
    pub(super) fn train_along(
        &self,
        net: &NetPlan,
        repeat: &Repeat<'_>,
        unit: &Unit,
        starts: &[StepId],
    ) -> Result<()> {
        self.learn("", net, repeat, unit, starts, || Ok(())).map(drop)
    }

    /// Trains a net. All ranks run this; `call` of the first calls the others once its inputs are ready.
    fn learn(
        &self,
        name: &str,
        net: &NetPlan,
        repeat: &Repeat<'_>,
        unit: &Unit,
        starts: &[StepId],
        call: impl FnOnce() -> Result<()>,
    ) -> Result<TrainOutcome> {
        let tasks = &self.library.training(net, repeat)?;
        let start = &self.start_files(net, starts)?;
        let Runner { checkpoint_every, device, ref ranks, console, interrupt, .. } = *self.runner;
        call()?;
        let seed = repeat.seed;
        train(
            &Training { name, net, seed, tasks, start, unit, device, checkpoint_every, ranks },
            console,
            interrupt,
        )
    }

    /// Returns the files of the weights that a net starts from, in the order of the plan.
    fn start_files(&self, net: &NetPlan, starts: &[StepId]) -> Result<Vec<PathBuf>> {
        let (console, interrupt) = (self.runner.console, self.runner.interrupt);
        let mut starts = starts.iter();
        let file = |(_, source)| match source {
            SourceRef::Net(_) => {
                let first = starts.next().expect("a net has a step for each net that it starts from");
                self.graph.unit(*first).verified(WEIGHTS)
            }
            SourceRef::Weights(source) => {
                weights::fetch(source, &self.runner.workspace.cache, console, interrupt)
            }
        };
        net.train.start.sources().into_iter().map(file).collect()
    }

    fn test(
        &self,
        name: &str,
        protocol: &Protocol,
        repeat: &Repeat<'_>,
        unit: &Unit,
        trained: StepId,
    ) -> Result<()> {
        let begun = Instant::now();
        let videos = self.library.testing(protocol, repeat)?;
        let others = self.library.beside(protocol, repeat)?;
        memory::suffices(name, cost::testing(protocol, 1)?.bytes, self.runner.device)?;
        let (params, network) = build(&protocol.net, repeat.seed, self.runner.device)?;
        params
            .load(&self.graph.unit(trained).verified(WEIGHTS)?)
            .map_err(Error::network("loading the trained weights"))?;
        let test = Test {
            name: &format!("{name} test"),
            protocol,
            network: &*network,
            device: self.runner.device,
            videos: &videos,
            others: &others,
            classes: self.library.classes(&protocol.net.target().set)?,
            split: repeat.split,
            seed: repeat.seed,
        };
        let answers = evaluate(&test, self.runner.console, self.runner.interrupt)?;
        answers.write(&unit.path(SCORES))?;
        let outcome = TestOutcome {
            videos_expected: videos.len(),
            videos_scored: answers.videos(),
            seconds: tenths(begun),
            streams: Vec::new(),
            svm: None,
        };
        unit.finish(&outcome, &[SCORES])
    }

    fn fuse(
        &self,
        fusion: &FusionPlan,
        unit: &Unit,
        streams: &[StepId],
        folds: &[Vec<StepId>],
    ) -> Result<()> {
        let begun = Instant::now();
        let read = |steps: &[StepId]| -> Result<Vec<Answers>> {
            let tests = steps.iter().zip(&fusion.streams);
            let one =
                |(step, stream): (&StepId, &Protocol)| self.scores_to_fuse(*step, stream, &fusion.fusion);
            tests.map(one).collect()
        };
        let answers = read(streams)?;
        let of_folds = folds.iter().map(|fold| read(fold)).collect::<Result<Vec<_>>>()?;
        let of_folds = of_folds.iter().map(|fold| classes(fold)).collect::<Result<Vec<_>>>()?;
        let (fused, svm) = fuse(&fusion.fusion, &classes(&answers)?, &of_folds)?;
        fused.write(&unit.path(SCORES))?;
        let mut videos_expected = 0;
        for &stream in streams {
            let outcome = finished(self.graph.unit(stream))?;
            videos_expected = videos_expected.max(outcome.map_or(0, |outcome| outcome.videos_expected));
        }
        let outcome = TestOutcome {
            videos_expected,
            videos_scored: fused.videos.len(),
            seconds: tenths(begun),
            streams: streams.iter().map(|&stream| self.graph.unit(stream).name.clone()).collect(),
            svm,
        };
        unit.finish(&outcome, &[SCORES])
    }

    /// Reads the scores of a test. If they lack the logits that the fusion needs, runs the test again.
    fn scores_to_fuse(&self, step: StepId, protocol: &Protocol, fusion: &Fusion) -> Result<Answers> {
        let unit = self.graph.unit(step);
        let read = || Answers::read(&unit.verified(SCORES)?, protocol.test.by);
        let answers = read()?;
        if !lacks_logits(fusion, answers.classes()?) {
            return Ok(answers);
        }
        let title = &self.graph.step(step).title;
        self.runner.console.line(&format!(
            "{title}: its stored scores lack the logits that the fusion needs, so it is tested again"
        ));
        {
            let _lock = self.take(unit)?;
            unit.clear()?;
        }
        self.do_step(step, title)?;
        read()
    }
}

/// Returns the scores of tests of classes.
fn classes(answers: &[Answers]) -> Result<Vec<&Scores>> {
    answers.iter().map(Answers::classes).collect()
}

/// Returns the seconds since `begun`, rounded to a tenth.
fn tenths(begun: Instant) -> f64 {
    (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0
}

/// Reads the outcome of a training unit, if its weights exist too.
pub(super) fn trained(unit: &Unit) -> Result<Option<TrainOutcome>> {
    Ok(unit.outcome()?.filter(|_| unit.path(WEIGHTS).exists()))
}

/// Reads the outcome of a test unit, if its scores exist too.
pub(super) fn finished(unit: &Unit) -> Result<Option<TestOutcome>> {
    Ok(unit.outcome()?.filter(|_| unit.path(SCORES).exists()))
}
