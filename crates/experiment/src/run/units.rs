//! Plans the units of tables with their dependencies, for engines that hand them to other processes, and does one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flow::Batched;
use serde::{Deserialize, Serialize};

use plan::cost::{self, Cost};
use plan::{NetPlan, Request, RowPlan};

use super::graph::{Does, Step, StepId};
use super::job::Job;
use super::library::Library;
use super::library::prepare::Unprepared;
use super::runner::Runner;
use crate::store::Store;
use crate::{Error, Result, weights};

/// One unit of work that a table needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// Its name, a hash of everything that its outcome depends on.
    pub name: String,
    /// A title for display.
    pub title: String,
    /// The task to do.
    pub task: Task,
    /// Names of the units that must be done first.
    pub after: Vec<String>,
    /// True if it is done.
    pub done: bool,
    /// Its time and memory.
    pub cost: Cost,
}

/// A task for a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Task {
    /// Decode some videos and compute their flow.
    Prepare {
        /// The table whose plan says how.
        table: String,
        /// The data set.
        set: String,
        /// Hash of the recipe, one of the table's.
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
    /// Do the last part of the command, after everything else.
    Finish,
}

impl Task {
    /// Returns the videos to prepare, as indices into their data set.
    fn videos(&self) -> &[usize] {
        match self {
            Self::Prepare { videos, .. } => videos,
            Self::Train(_) | Self::Test(_) | Self::Fuse(_) | Self::Finish => &[],
        }
    }
}

/// A unit of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Of {
    /// The table, as `paper/tableN`.
    pub table: String,
    /// A row that needs it.
    pub row: String,
    /// The unit's name.
    pub unit: String,
}

/// Name, title and task of a unit that another process has taken or will take.
pub type UnderWay<'a> = (&'a str, &'a str, &'a Task);

/// Limits of the number of videos that one unit prepares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Maximum number of videos in a unit.
    pub most: usize,
    /// Minimum number of units, if there are as many videos.
    pub least_units: usize,
}

impl Cut {
    /// Deals the videos out so that each part has some of every class.
    fn parts(self, videos: &[usize]) -> Vec<Vec<usize>> {
        let units = videos.len().div_ceil(self.most.max(1)).max(self.least_units.min(videos.len()));
        (0..units).map(|unit| videos.iter().copied().skip(unit).step_by(units).collect()).collect()
    }
}

impl Runner<'_> {
    /// Lists all units that the wanted rows of tables need, each after its dependencies; rows that cannot be run are left
    /// out. Videos of the parts that are `under_way` are not in others. Published weights are fetched unless `trial` is
    /// set, since other machines may not reach them.
    ///
    /// # Errors
    /// As [`Runner::run`], except for training.
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
            let job = Job::open(self, &plan)?;
            let mut videos: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
            // Videos that a previous table prepares are not prepared twice.
            let planned = all.iter().map(|unit| (&*unit.name, &*unit.title, &unit.task));
            let taken: Vec<UnderWay<'_>> = under_way.iter().copied().chain(planned).collect();
            let parts = parts(&job.library, batched, cut, &taken)?;
            for part in parts {
                if let Task::Prepare { set, recipe, .. } = &part.task {
                    videos.entry((set.clone(), recipe.clone())).or_default().push(part.name.clone());
                }
                add(&mut all, part);
            }
            let skipped = if trial { Vec::new() } else { job.fetch_weights() };
            let rows = plan.wanted().filter(|row| !skipped.contains(&&*row.row.id));
            for row in rows {
                for id in job.graph.needed(job.graph.record(row)) {
                    if let Some(unit) = job.planned(row, id, &videos)? {
                        add(&mut all, unit);
                    }
                }
            }
        }
        Ok(all)
    }

    /// Summarises the steps of a table in one line: their number by kind, and how many of them are done.
    ///
    /// # Errors
    /// As [`Runner::run`], except for training.
    pub fn outline(&self, table: &str) -> Result<String> {
        let cut = Cut { most: usize::MAX, least_units: 1 };
        let units = self.units(&[table.to_owned()], None, cut, &[], true)?;
        let videos: usize = units.iter().map(|unit| unit.task.videos().len()).sum();
        let kind = |words: &str, of: fn(&Task) -> bool| {
            let all = || units.iter().filter(|unit| of(&unit.task));
            let (count, done) = (all().count(), all().filter(|unit| unit.done).count());
            (count > 0).then(|| format!("{words} {count} ({done} done)"))
        };
        let kinds = [
            (videos > 0).then(|| format!("prepare {videos} videos")),
            kind("train", |task| matches!(task, Task::Train(_))),
            kind("test", |task| matches!(task, Task::Test(_))),
            kind("fuse", |task| matches!(task, Task::Fuse(_))),
        ];
        Ok(kinds.into_iter().flatten().collect::<Vec<_>>().join(", "))
    }

    /// Lists the units that prepare the videos of a data set that have no cache files yet.
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
        parts(&Library::open(self, &plan, Some(dataset))?, batched, cut, under_way)
    }

    /// Describes how many videos of a data set are still to be prepared.
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
        let library = Library::open(self, &plan, Some(dataset))?;
        let count: usize = library.unprepared(batched)?.iter().map(|part| part.videos.len()).sum();
        Ok(format!("{dataset}: {count} videos are still to be prepared for {}", plan.spec.name()))
    }

    /// Does one unit of a row, or prepares some videos that the wanted rows of a table need. Unusable videos are printed,
    /// and are errors only for the units that need them.
    ///
    /// # Errors
    /// As [`Runner::run`]; [`Error::Usage`] for a unit that the table does not have, [`Error::Unfinished`] if a unit that it
    /// needs is not done.
    pub fn work(&self, task: &Task) -> Result<()> {
        match task {
            Task::Prepare { table, set, recipe, videos } => {
                let plan = self.plan(table, self.request)?;
                self.prepare_part(&Library::open(self, &plan, None)?, set, recipe, videos)
            }
            Task::Train(of) | Task::Test(of) | Task::Fuse(of) => {
                let plan =
                    self.plan(&of.table, &Request { rows: vec![of.row.clone()], ..self.request.clone() })?;
                let job = Job::open(self, &plan)?;
                job.set_precision()?;
                job.do_unit(of)
            }
            Task::Finish => Err(Error::Usage("the last part of a command is not a unit of a row".into())),
        }
    }

    /// Prepares some videos of a data set; [`Runner::prepare`] prepares all.
    ///
    /// # Errors
    /// As [`Runner::prepare`], except for unusable videos.
    pub fn work_on_videos(&self, table: Option<&str>, dataset: &str, task: &Task) -> Result<()> {
        let Task::Prepare { set, recipe, videos, .. } = task else {
            return Err(Error::Usage("`prepare` only has units that prepare videos".into()));
        };
        let plan = self.plan_with(table, dataset)?;
        self.prepare_part(&Library::open(self, &plan, Some(dataset))?, set, recipe, videos)
    }

    /// Deletes the finished work of the wanted rows of a table: their units and their records.
    ///
    /// # Errors
    /// As [`Runner::run`], except for training.
    pub fn forget(&self, table: &str) -> Result<()> {
        let plan = self.plan(table, self.request)?;
        let job = Job::open(self, &plan)?;
        for (_, step) in job.graph.units(&plan) {
            if let (Some(unit), false) = (step.unit(), matches!(step.does, Does::Given { .. })) {
                let _lock = unit.lock(self.console, self.interrupt)?;
                unit.clear()?;
            }
        }
        for row in plan.wanted() {
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

    fn prepare_part(&self, library: &Library<'_>, set: &str, recipe: &str, videos: &[usize]) -> Result<()> {
        match library.prepare_some(set, recipe, videos) {
            Ok(said) => self.console.line(&said),
            Err(Error::Videos(report)) => self.console.error(&report.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Adds a unit unless it is already listed: rows share units.
fn add(all: &mut Vec<Planned>, unit: Planned) {
    if all.iter().all(|known| known.name != unit.name) {
        all.push(unit);
    }
}

/// Lists the units that prepare the videos without cache files, those under way first.
fn parts(
    library: &Library<'_>,
    batched: Option<&Arc<dyn Batched>>,
    cut: Cut,
    under_way: &[UnderWay<'_>],
) -> Result<Vec<Planned>> {
    let mut units = Vec::new();
    let plan = library.plan();
    for Unprepared { set, recipe, video, videos, backward } in library.unprepared(batched)? {
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
            // The name does not depend on the table.
            let name = Store::name("prepare", &(&set, &recipe, &plan.data_seeds, &videos));
            let title = format!("{set} {}/{count}, {} videos", number + 1, videos.len());
            let count = videos.len();
            let table = plan.spec.name();
            let task = Task::Prepare { table, set: set.clone(), recipe: recipe.clone(), videos };
            unit(name, title, task, count);
        }
    }
    Ok(units)
}

impl Job<'_> {
    /// Fetches the published weights that later trainings start from. Returns the rows whose weights cannot be fetched, and
    /// prints why.
    fn fetch_weights(&self) -> Vec<&str> {
        let fetched = |row: &RowPlan| -> Result<()> {
            for id in self.graph.needed(self.graph.record(row)) {
                if let Does::Train { net, .. } = &self.graph.step(id).does
                    && !self.is_done(id)?
                {
                    for source in net.train.start.files() {
                        let Runner { console, interrupt, workspace, .. } = self.runner;
                        weights::fetch(source, &workspace.cache, console, interrupt)?;
                    }
                }
            }
            Ok(())
        };
        let mut without = Vec::new();
        for row in self.plan.wanted() {
            if let Err(error) = fetched(row) {
                self.runner.console.error(&format!("{}: {error}", row.row.id));
                without.push(&*row.row.id);
            }
        }
        without
    }

    /// Plans a step of a row with its cost and dependencies, if other processes can do it. `videos` names the units that
    /// prepare each data set.
    fn planned(
        &self,
        row: &RowPlan,
        id: StepId,
        videos: &BTreeMap<(String, String), Vec<String>>,
    ) -> Result<Option<Planned>> {
        let step = self.graph.step(id);
        let Some(unit) = step.unit() else { return Ok(None) };
        let of = Of { table: self.plan.spec.name(), row: row.row.id.clone(), unit: unit.name.clone() };
        let given = |id: &StepId| matches!(self.graph.step(*id).does, Does::Given { .. });
        let before = step.after().into_iter().filter(|id| !given(id));
        let mut after: Vec<String> = before.map(|id| self.graph.unit(id).name.clone()).collect();
        let mut needs = |net: &NetPlan, sets: &mut dyn Iterator<Item = &str>| {
            for set in sets {
                let recipe = self.library.recipe(set, net);
                after.extend(videos.get(&(set.to_owned(), recipe)).into_iter().flatten().cloned());
            }
        };
        let (task, cost) = match &step.does {
            Does::Given { .. } | Does::Record { .. } => return Ok(None),
            Does::Train { net, .. } => {
                needs(net, &mut net.data.iter().map(|data| data.set.as_str()));
                (Task::Train(of), cost::training(net)?)
            }
            Does::Test { protocol, repeat, .. } => {
                needs(&protocol.net, &mut std::iter::once(protocol.net.target().set.as_str()));
                (Task::Test(of), cost::testing(protocol, self.library.count_looked_at(protocol, repeat)?)?)
            }
            Does::Fuse { .. } => (Task::Fuse(of), Cost::default()),
        };
        let (name, title) = (unit.name.clone(), step.title.clone());
        Ok(Some(Planned { name, title, task, after, done: self.is_done(id)?, cost }))
    }

    /// Finds the step of the wanted rows that makes a unit.
    pub(super) fn find(&self, unit: &str) -> Option<(StepId, &Step<'_>)> {
        self.graph.units(self.plan).find(|(_, step)| step.unit().is_some_and(|its| its.name == unit))
    }

    /// Does a unit of a row; the units that it needs must be done.
    fn do_unit(&self, of: &Of) -> Result<()> {
        let Some((id, step)) = self.find(&of.unit) else {
            return Err(Error::Usage(format!(
                "row {} of {} no longer has unit {}: its spec, its videos or the program have changed since the job was \
                 submitted; run the command again",
                of.row, of.table, of.unit
            )));
        };
        for needed in step.after() {
            if !self.is_done(needed)? {
                return Err(Error::Unfinished {
                    unit: format!("{} ({})", self.graph.step(needed).title, self.graph.unit(needed).name),
                    why: format!("{} needs it", step.title),
                });
            }
        }
        let console = self.runner.console;
        if self.is_done(id)? {
            console.line(&format!("{} is already done", of.unit));
            return Ok(());
        }
        self.do_step(id, &step.title)?;
        let trained = self.runner.census.was_trained(self.graph.unit(id));
        let waited = matches!(step.does, Does::Train { .. }) && !trained;
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
