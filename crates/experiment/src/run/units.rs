//! The units of tables, each with what it needs first, for engines that hand them to other processes; and doing one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flow::Batched;
use models::Modality;
use serde::{Deserialize, Serialize};

use super::library::lacks;
use super::library::prepare::Unprepared;
use super::nets::finished;
use super::{Job, Run, Runner, fusion, run_name};
use crate::cost::{self, Cost};
use crate::error::{Error, Result};
use crate::plan::{FusionPlan, NetPlan, Protocol, Request, RowPlan, Work};
use crate::record::TrainOutcome;
use crate::store::Unit;
use crate::train::WEIGHTS;
use crate::weights;

/// One unit of work that a table needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Its name, which follows from all that decides its outcome.
    pub name: String,
    /// A name for people.
    pub title: String,
    /// What to do.
    pub task: Task,
    /// The names of the units that have to be done first.
    pub after: Vec<String>,
    /// Whether it is done.
    pub done: bool,
    /// What it asks of a machine.
    pub cost: Cost,
}

/// What a process is asked to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Task {
    /// Decode some videos and compute their flow.
    Prepare {
        /// The table that says how.
        table: String,
        /// The data set.
        set: String,
        /// Which of the table's ways, by its hash.
        recipe: String,
        /// Indices into the data set.
        videos: Vec<usize>,
    },
    /// Train a net of a row.
    Train(Of),
    /// Test a net of a row.
    Test(Of),
    /// Fuse the scores of nets.
    Fuse(Of),
    /// What the command does in the end, when everything else is done.
    Finish,
}

/// A unit of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Of {
    /// The table, as `paper/tableN`.
    pub table: String,
    /// A row that needs it.
    pub row: String,
    /// The unit.
    pub unit: String,
}

/// The name, the title and the task of a unit that another process has taken, or will take.
pub type UnderWay<'a> = (&'a str, &'a str, &'a Task);

/// How many videos one unit prepares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// At most so many.
    pub most: usize,
    /// In at least so many units, if there are as many videos.
    pub least_units: usize,
}

impl Cut {
    /// Videos, dealt out so that each part has some of every class.
    fn parts(self, videos: &[usize]) -> Vec<Vec<usize>> {
        let units = videos.len().div_ceil(self.most.max(1)).max(self.least_units.min(videos.len()));
        (0..units).map(|unit| videos.iter().copied().skip(unit).step_by(units).collect()).collect()
    }
}

/// What a unit of a row does.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    Train(&'a NetPlan, Run<'a>),
    Test(&'a Protocol, Run<'a>),
    Fuse(&'a FusionPlan, Run<'a>),
}

/// A unit of a row, found.
pub(super) struct Found<'a> {
    pub(super) unit: Unit,
    title: String,
    pub(super) step: Step<'a>,
    after: Vec<String>,
}

impl Runner<'_> {
    /// All units that the wanted rows of tables need, each after those that it needs itself; rows that cannot be run are
    /// left out. Videos of the parts that are `under_way` are not in others. Published weights are fetched unless it is a
    /// `trial`: other machines may have no way to them.
    ///
    /// # Errors
    /// As [`Runner::run`], but for training.
    pub fn units(
        &self,
        tables: &[String],
        batched: Option<&Arc<dyn Batched>>,
        cut: Cut,
        under_way: &[UnderWay<'_>],
        trial: bool,
    ) -> Result<Vec<Planned>> {
        let mut all: Vec<Planned> = Vec::new();
        for table in tables {
            let plan = self.plan(table, self.request)?;
            let job = Job::open(self, &plan, None)?;
            let mut videos: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
            // Videos that a table before this one has prepared are not prepared twice.
            let planned = all.iter().map(|unit| (&*unit.name, &*unit.title, &unit.task));
            let taken: Vec<UnderWay<'_>> = under_way.iter().copied().chain(planned).collect();
            let parts = job.parts(batched, cut, &taken)?;
            for part in parts {
                if let Task::Prepare { set, recipe, .. } = &part.task {
                    videos.entry((set.clone(), recipe.clone())).or_default().push(part.name.clone());
                }
                add(&mut all, part);
            }
            for row in plan.wanted() {
                let Some(found) = job.steps_of(row)? else { continue };
                if !trial && let Err(error) = job.fetch_weights(&found) {
                    self.console.line(&format!("{}: {error}", row.row.id));
                    continue;
                }
                for found in found {
                    add(&mut all, job.planned(row, found, &videos)?);
                }
            }
        }
        Ok(all)
    }

    /// The units that prepare the videos of a data set which have no cache files yet.
    ///
    /// # Errors
    /// As [`Runner::prepare`].
    pub fn units_of_videos(
        &self,
        table: Option<&str>,
        dataset: &str,
        batched: Option<&Arc<dyn Batched>>,
        cut: Cut,
        under_way: &[UnderWay<'_>],
    ) -> Result<Vec<Planned>> {
        let plan = self.plan_with(table, dataset)?;
        Job::open(self, &plan, Some(dataset))?.parts(batched, cut, under_way)
    }

    /// How many videos of a data set are still to be prepared, in words.
    ///
    /// # Errors
    /// As [`Runner::prepare`].
    pub fn unprepared(
        &self,
        table: Option<&str>,
        dataset: &str,
        batched: Option<&Arc<dyn Batched>>,
    ) -> Result<String> {
        let plan = self.plan_with(table, dataset)?;
        let job = Job::open(self, &plan, Some(dataset))?;
        let count: usize = job.library.unprepared(batched)?.iter().map(|part| part.videos.len()).sum();
        Ok(format!("{dataset}: {count} videos are still to be prepared, as {} says", plan.spec.name()))
    }

    /// Does one unit of a row, or prepares some videos that the wanted rows of a table need. Videos that cannot be used are
    /// for those to report that need them.
    ///
    /// # Errors
    /// As [`Runner::run`]; [`Error::Usage`] for a unit that the table does not have, or whose own needs are not done.
    pub fn work(&self, task: &Task) -> Result<()> {
        match task {
            Task::Prepare { table, set, recipe, videos } => {
                let plan = self.plan(table, self.request)?;
                self.prepare_part(&Job::open(self, &plan, None)?, set, recipe, videos)
            }
            Task::Train(of) | Task::Test(of) | Task::Fuse(of) => {
                let plan =
                    self.plan(&of.table, &Request { rows: vec![of.row.clone()], ..self.request.clone() })?;
                let job = Job::open(self, &plan, None)?;
                job.set_precision()?;
                job.do_unit(of)
            }
            Task::Finish => Err(Error::Usage("the end of a command is no unit of a row".into())),
        }
    }

    /// Prepares some videos of a data set, as [`Runner::prepare`] does all.
    ///
    /// # Errors
    /// As [`Runner::prepare`], but for videos that cannot be used.
    pub fn work_on_videos(&self, table: Option<&str>, dataset: &str, task: &Task) -> Result<()> {
        let Task::Prepare { set, recipe, videos, .. } = task else {
            return Err(Error::Usage("`prepare` has no other units than videos".into()));
        };
        let plan = self.plan_with(table, dataset)?;
        self.prepare_part(&Job::open(self, &plan, Some(dataset))?, set, recipe, videos)
    }

    /// Forgets what is done of the wanted rows of a table: their units and their records.
    ///
    /// # Errors
    /// As [`Runner::run`], but for training.
    pub fn forget(&self, table: &str) -> Result<()> {
        let plan = self.plan(table, self.request)?;
        let job = Job::open(self, &plan, None)?;
        for row in plan.wanted() {
            for found in job.steps_of(row)?.into_iter().flatten() {
                let _lock = found.unit.lock(self.console, self.interrupt)?;
                found.unit.clear()?;
            }
            let record = job.record_path(row);
            match std::fs::remove_file(&record) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("delete", record)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn prepare_part(&self, job: &Job<'_>, set: &str, recipe: &str, videos: &[usize]) -> Result<()> {
        match job.library.prepare_some(set, recipe, videos) {
            Ok(said) => self.console.line(&said),
            Err(Error::Videos(report)) => self.console.line(&report.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Adds a unit that is not there yet: rows share units.
fn add(all: &mut Vec<Planned>, unit: Planned) {
    if all.iter().all(|known| known.name != unit.name) {
        all.push(unit);
    }
}

impl Job<'_> {
    /// Units that prepare what has no cache files yet, those that are under way first.
    fn parts(
        &self,
        batched: Option<&Arc<dyn Batched>>,
        cut: Cut,
        under_way: &[UnderWay<'_>],
    ) -> Result<Vec<Planned>> {
        let mut units = Vec::new();
        for Unprepared { set, recipe, video, videos, backward } in self.library.unprepared(batched)? {
            let mut unit = |name: String, title: String, task: Task, count: usize| {
                let cost = cost::preparing(&video, count, backward);
                units.push(Planned { name, title, task, after: Vec::new(), done: false, cost });
            };
            let mut taken = BTreeSet::new();
            for (name, title, task) in under_way {
                if let Task::Prepare { set: its, recipe: by, videos, .. } = task
                    && (its, by) == (&set, &recipe)
                {
                    taken.extend(videos.iter().copied());
                    unit((*name).to_owned(), (*title).to_owned(), (*task).clone(), videos.len());
                }
            }
            let videos: Vec<usize> = videos.into_iter().filter(|video| !taken.contains(video)).collect();
            let parts = cut.parts(&videos);
            let count = parts.len();
            for (number, videos) in parts.into_iter().enumerate() {
                // Whichever table asks for them.
                let name = self.store.unit("prepare", &(&set, &recipe, self.plan.data_seed, &videos)).name;
                let title = format!("{set} {}/{count}, {} videos", number + 1, videos.len());
                let count = videos.len();
                let table = self.plan.spec.name();
                let task = Task::Prepare { table, set: set.clone(), recipe: recipe.clone(), videos };
                unit(name, title, task, count);
            }
        }
        Ok(units)
    }

    /// The units of a row, each after those that it needs, or nothing of a row that cannot be run.
    pub(super) fn steps_of<'r>(&self, row: &'r RowPlan) -> Result<Option<Vec<Found<'r>>>> {
        if row.work.target().is_none() || lacks(row).is_some() {
            return Ok(None);
        }
        let mut found = Vec::new();
        for run in Self::runs(row) {
            let name = run_name(row, &run);
            match &row.work {
                Work::Net(protocol) => _ = self.test_steps(&name, protocol, &run, &mut found)?,
                Work::Fusion(fusion) => self.fusion_steps(&name, fusion, &run, &mut found)?,
                Work::Unavailable { .. } => {}
            }
        }
        Ok(Some(found))
    }

    fn fusion_steps<'r>(
        &self,
        name: &str,
        plan: &'r FusionPlan,
        run: &Run<'r>,
        found: &mut Vec<Found<'r>>,
    ) -> Result<()> {
        let mut after = Vec::new();
        for run in std::iter::once(*run).chain(fusion::fold_runs(plan, run)) {
            let fold = run.fold.map_or(String::new(), |(number, _)| format!(", fold {}", number + 1));
            for (number, stream) in plan.streams.iter().enumerate() {
                let name = format!("{name}{fold}, stream {}", number + 1);
                after.push(self.test_steps(&name, stream, &run, found)?);
            }
        }
        let unit = self.fuse_unit(plan, run)?;
        found.push(Found { unit, title: name.to_owned(), step: Step::Fuse(plan, *run), after });
        Ok(())
    }

    /// Adds the test of a net and what comes before it; gives its name.
    fn test_steps<'r>(
        &self,
        name: &str,
        protocol: &'r Protocol,
        run: &Run<'r>,
        found: &mut Vec<Found<'r>>,
    ) -> Result<String> {
        let after = self.train_steps(name, &protocol.net, run, found)?.into_iter().collect();
        let unit = self.test_unit(protocol, run)?;
        let test = unit.name.clone();
        found.push(Found { unit, title: format!("{name} test"), step: Step::Test(protocol, *run), after });
        Ok(test)
    }

    /// Adds the training of a net and of the stages before it; gives its name, unless the net is given.
    fn train_steps<'r>(
        &self,
        name: &str,
        net: &'r NetPlan,
        run: &Run<'r>,
        found: &mut Vec<Found<'r>>,
    ) -> Result<Option<String>> {
        if self.given(net).is_some() {
            return Ok(None);
        }
        let mut after = Vec::new();
        for (stream, first) in net.train.start.nets() {
            let which = stream.as_ref().map_or("before", Modality::name);
            after.extend(self.train_steps(&format!("{name}, {which}"), first, run, found)?);
        }
        let unit = self.train_unit(net, run)?;
        let train = unit.name.clone();
        found.push(Found { unit, title: name.to_owned(), step: Step::Train(net, *run), after });
        Ok(Some(train))
    }

    fn fetch_weights(&self, found: &[Found<'_>]) -> Result<()> {
        let Runner { console, interrupt, workspace, .. } = self.runner;
        for one in found {
            if let Step::Train(net, _) = one.step
                && !self.is_done(one)?
            {
                for source in net.train.start.files() {
                    weights::fetch(source, &workspace.cache, console, interrupt)?;
                }
            }
        }
        Ok(())
    }

    fn is_done(&self, found: &Found<'_>) -> Result<bool> {
        Ok(match found.step {
            Step::Train(..) => {
                found.unit.outcome::<TrainOutcome>()?.is_some() && found.unit.path(WEIGHTS).exists()
            }
            Step::Test(..) | Step::Fuse(..) => finished(&found.unit)?.is_some(),
        })
    }

    /// A unit of a row with what it costs and needs; `videos` are the units that prepare each data set.
    fn planned(
        &self,
        row: &RowPlan,
        found: Found<'_>,
        videos: &BTreeMap<(String, String), Vec<String>>,
    ) -> Result<Planned> {
        let done = self.is_done(&found)?;
        let Found { unit, title, step, mut after } = found;
        let of = Of { table: self.plan.spec.name(), row: row.row.id.clone(), unit: unit.name.clone() };
        let mut needs = |net: &NetPlan, sets: &mut dyn Iterator<Item = &str>| {
            for set in sets {
                let recipe = self.library.recipe(set, net);
                after.extend(videos.get(&(set.to_owned(), recipe)).into_iter().flatten().cloned());
            }
        };
        let (task, cost) = match step {
            Step::Train(net, _) => {
                needs(net, &mut net.data.iter().map(|data| data.set.as_str()));
                (Task::Train(of), cost::training(net)?)
            }
            Step::Test(protocol, run) => {
                needs(&protocol.net, &mut std::iter::once(protocol.net.target().set.as_str()));
                (Task::Test(of), cost::testing(protocol, self.library.count_tested(protocol, &run)?)?)
            }
            Step::Fuse(..) => (Task::Fuse(of), Cost::default()),
        };
        Ok(Planned { name: unit.name, title, task, after, done, cost })
    }

    /// Does a unit of a row; those that it needs have to be done.
    fn do_unit(&self, of: &Of) -> Result<()> {
        let mut found = Vec::new();
        for row in self.plan.wanted() {
            found.extend(self.steps_of(row)?.into_iter().flatten());
        }
        let Some(this) = found.iter().find(|one| one.unit.name == of.unit) else {
            return Err(Error::Usage(format!(
                "row {} of {} has no unit {} any more: its spec, its videos or the program have changed since the job was \
                 submitted; run the command again",
                of.row, of.table, of.unit
            )));
        };
        for needed in &this.after {
            let needed = found.iter().find(|one| one.unit.name == *needed);
            if let Some(needed) = needed
                && !self.is_done(needed)?
            {
                return Err(Error::Unfinished {
                    unit: format!("{} ({})", needed.title, needed.unit.name),
                    why: format!("{} needs it", this.title),
                });
            }
        }
        let console = self.runner.console;
        if self.is_done(this)? {
            console.line(&format!("{} was done before", of.unit));
            return Ok(());
        }
        match this.step {
            Step::Train(net, run) => _ = self.trained(&this.title, net, &run)?,
            Step::Test(protocol, run) => _ = self.tested(&this.title, protocol, &run)?,
            Step::Fuse(fusion, run) => _ = self.fused(&this.title, fusion, &run)?,
        }
        let waited = matches!(this.step, Step::Train(..)) && !self.runner.census.was_trained(&this.unit);
        console.line(&format!("{} is {}", of.unit, if waited { "done, by another process" } else { "done" }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn videos_are_dealt_out_evenly_and_all_of_them() {
        let videos: Vec<usize> = (100..190).collect();
        for (most, least_units, parts) in [(100, 8, 8), (10, 1, 9), (7, 8, 13), (100, 1, 1), (1000, 200, 90)]
        {
            let cut = Cut { most, least_units }.parts(&videos);
            assert_eq!(cut.len(), parts, "{most} {least_units}");
            let sizes: Vec<usize> = cut.iter().map(Vec::len).collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
            let mut all: Vec<usize> = cut.into_iter().flatten().collect();
            all.sort_unstable();
            assert_eq!(all, videos);
        }
        assert!(Cut { most: 10, least_units: 8 }.parts(&[]).is_empty());
    }
}
