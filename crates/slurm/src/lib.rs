//! Runs units of work as Slurm job arrays.
//!
//! Every command works out anew what remains to be done: files record the finished units, Slurm's queue lists those under
//! way, and the rest is submitted. No other state is kept, so closing the terminal loses nothing, and a command that was
//! killed while submitting can simply be run again. The [`experiment::store`] keeps two jobs from doing the same unit at
//! once: the second job waits for the first, and then finds the unit done.

mod array;
pub mod config;
mod failure;
pub mod folder;
mod queue;
mod script;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use self::array::{After, Array, ArrayTask, Awaited, Kind};
use self::failure::Failure;
pub use self::folder::Manifest;
use self::folder::{Entry, RunFolder};
use self::queue::QueueState;
use self::script::Common;
use self::watch::Watched;
use crate::config::SlurmConfig;
use base::files::list;
use experiment::device::DeviceChoice;
use experiment::device_flow;
use experiment::error::{Error, Result};
use experiment::run::{Cut, Planned, Runner, Task};
use experiment::store::{hash, program, write_atomic, write_json};
use plan::cost::Cost;

/// Name of the last task of a command.
const FINISH: &str = "finish";

/// Minimum number of jobs that videos are divided over, so that a few nodes can share the work.
const LEAST_PARTS: usize = 16;

/// A command whose units run as Slurm jobs.
pub struct Slurm<'a> {
    /// The request. Nothing is computed on this machine, so its device is the CPU.
    pub runner: &'a Runner<'a>,
    /// The command: `run` or `prepare`.
    pub goal: Goal<'a>,
    /// Command line as the user typed it, passed on to the jobs.
    pub command: Vec<String>,
    /// Folder in which the command was run.
    pub given_in: PathBuf,
    /// The user's settings.
    pub config: SlurmConfig,
    /// Device on which the jobs compute networks.
    pub device: DeviceChoice,
    /// Returns as soon as all jobs are submitted.
    pub detach: bool,
}

/// The work to submit.
#[derive(Debug, Clone, Copy)]
pub enum Goal<'a> {
    /// `run`: tables by their full names.
    Tables(&'a [String]),
    /// `prepare`: a data set, by the profile of a table.
    Videos {
        /// The table, if one was named.
        table: Option<&'a str>,
        /// The data set.
        dataset: &'a str,
    },
}

/// Output of a command whose last task ran as a job.
#[derive(Debug)]
pub struct Finished {
    /// Its standard output.
    pub text: String,
    /// Its error.
    pub error: Option<Error>,
}

/// A task that is in the queue.
struct UnderWay {
    task: Watched,
    entry: Entry,
    state: QueueState,
}

impl UnderWay {
    fn is_of(&self, folder: &RunFolder) -> bool {
        self.task.folder.path() == folder.path()
    }
}

impl Slurm<'_> {
    /// Submits all units that are neither done nor under way, watches them, and returns the output of the last job.
    ///
    /// # Errors
    /// Errors of the whole command, as for [`Runner::run`]; [`Error::Slurm`]; [`Error::Elsewhere`] if the user stops
    /// watching.
    pub fn run(&self) -> Result<Finished> {
        let Runner { console, interrupt, .. } = self.runner;
        let cache = self.cache()?;
        let folder = RunFolder::new(&cache, &self.name());
        let lock = folder.lock(console, interrupt)?;
        let mut under_way = self.under_way(&cache)?;
        self.cancel_stuck(&mut under_way, &folder)?;
        if self.runner.fresh {
            self.forget(&under_way)?;
        }
        let units = self.units(&under_way, false)?;
        let (watched, last) = self.submit(&folder, &units, &under_way)?;
        drop(lock);
        if self.detach {
            let text =
                "the jobs are submitted; run the same command without --detach to watch their progress".into();
            return Ok(Finished { text, error: None });
        }
        let failed = watch::watch(&watched, &last, console, interrupt)?;
        let text = folder.text(last.number, last.place.index, "out").unwrap_or_default();
        let end = folder.end(last.number, last.place.index);
        let error = match &end {
            Some(end) if end.code == 0 => None,
            Some(end) => Some(Error::Elsewhere {
                message: folder.text(last.number, last.place.index, "error").unwrap_or_else(|| {
                    format!("the last job: {}", Failure::of(&folder, last.number, last.place.index).text())
                }),
                code: u8::try_from(end.code).unwrap_or(1),
            }),
            None => Some(Error::Elsewhere { message: not_finished(&failed), code: 4 }),
        };
        Ok(Finished { text: text.trim_end().to_owned(), error })
    }

    /// Returns the scripts that would be submitted now, for the user to read. Does not need Slurm.
    ///
    /// # Errors
    /// As for [`Slurm::run`], except those of Slurm.
    pub fn dry_run(&self) -> Result<String> {
        let cache = self.cache()?;
        let folder = RunFolder::new(&cache, &self.name());
        let under_way = self.under_way(&cache).unwrap_or_default();
        let units = self.units(&under_way, true)?;
        let queued = places(&under_way);
        let mut arrays = array::arrays(&units, &queued, &self.config, self.on_gpu());
        let finish = finish_unit();
        arrays.push(self.finish(&finish, &arrays, &queued));
        let first = folder.next_number()?;
        let common = Common {
            folder: &folder,
            config: &self.config,
            program: &folder.path().join("xtask"),
            given_in: &self.given_in,
        };
        let id = |awaited| match awaited {
            Awaited::New(at) => format!("<job {}>", first + at),
            Awaited::Queued(id) => id.to_string(),
        };
        let done = units.iter().filter(|unit| unit.done).count();
        let mut text = format!(
            "{} units, {done} of them done, {} in the queue; {} job arrays would be submitted:\n",
            units.len(),
            units.iter().filter(|unit| queued.contains_key(&unit.name)).count(),
            arrays.len()
        );
        for (at, array) in arrays.iter().enumerate() {
            let after =
                array.after.option(id).map_or(String::new(), |after| format!(" --dependency={after}"));
            text.push_str(&format!(
                "\n$ sbatch{after} {}\n{}",
                folder.script_path(first + at).display(),
                script::script(&common, first + at, array)?
            ));
        }
        Ok(text)
    }

    fn on_gpu(&self) -> bool {
        self.device != DeviceChoice::Cpu
    }

    /// Returns the absolute path of the cache, since jobs start in another folder.
    fn cache(&self) -> Result<PathBuf> {
        let cache = &self.runner.workspace.cache;
        std::fs::create_dir_all(cache).map_err(Error::io("create", cache))?;
        cache.canonicalize().map_err(Error::io("find", cache))
    }

    /// Returns the name of the run; identical requests get the same name and so share their jobs.
    fn name(&self) -> String {
        let Runner { request, data_roots, workspace, .. } = self.runner;
        let asked = format!(
            "{:?} {request:?} {data_roots:?} {} {} {:?}",
            self.goal,
            workspace.results.display(),
            self.given_in.display(),
            self.device
        );
        let label = match self.goal {
            Goal::Tables([table]) => table.replace('/', "-"),
            Goal::Tables(tables) => format!("{}-tables", tables.len()),
            Goal::Videos { dataset, .. } => format!("prepare-{dataset}"),
        };
        format!("{label}-{}", &hash(&asked)[..8])
    }

    /// Returns all queued tasks that work on this cache, whichever command submitted them.
    fn under_way(&self, cache: &Path) -> Result<Vec<UnderWay>> {
        let mut manifests: BTreeMap<(String, usize), Option<Manifest>> = BTreeMap::new();
        let mut found = Vec::new();
        for job in queue::mine()? {
            let Some((run, number)) = folder::parse_name(&job.name) else { continue };
            let folder = RunFolder::new(cache, run);
            // Jobs of another cache have no manifest in this one.
            let manifest =
                manifests.entry((run.to_owned(), number)).or_insert_with(|| folder.manifest(number).ok());
            let Some(entry) = manifest.as_ref().and_then(|manifest| manifest.tasks.get(&job.place.index))
            else {
                continue;
            };
            // A task that has noted its end is over, even if it is still in the queue.
            if folder.end(number, job.place.index).is_some() {
                continue;
            }
            let (title, kind) = (entry.title.clone(), Kind::of(&entry.task));
            let task = Watched { folder, number, place: job.place, title, kind };
            found.push(UnderWay { task, entry: entry.clone(), state: job.state });
        }
        Ok(found)
    }

    /// Cancels tasks of this run that would never start, along with all its waiting tasks; the missing ones are then
    /// submitted again. Stuck tasks of other commands are ignored.
    fn cancel_stuck(&self, under_way: &mut Vec<UnderWay>, folder: &RunFolder) -> Result<()> {
        if under_way.iter().any(|task| task.is_of(folder) && task.state == QueueState::Stuck) {
            let out = |task: &UnderWay| task.is_of(folder) && task.state != QueueState::Running;
            let places: Vec<ArrayTask> =
                under_way.iter().filter(|task| out(task)).map(|task| task.task.place).collect();
            queue::cancel(&places)?;
            self.runner.console.line(&format!(
                "Slurm holds tasks that it cannot start; submitting {} tasks again",
                places.len()
            ));
            under_way.retain(|task| !out(task));
        }
        under_way.retain(|task| task.state != QueueState::Stuck);
        Ok(())
    }

    fn forget(&self, under_way: &[UnderWay]) -> Result<()> {
        if !under_way.is_empty() {
            let jobs: BTreeSet<String> =
                under_way.iter().map(|task| task.task.place.job.to_string()).collect();
            return Err(Error::Usage(format!(
                "--fresh would discard work that jobs are still using; cancel them first (scancel {}) or omit the flag",
                Vec::from_iter(jobs).join(" ")
            )));
        }
        match self.goal {
            Goal::Tables(tables) => tables.iter().try_for_each(|table| self.runner.forget(table)),
            Goal::Videos { .. } => Ok(()),
        }
    }

    fn units(&self, under_way: &[UnderWay], trial: bool) -> Result<Vec<Planned>> {
        let batched = device_flow::planned(self.device);
        let cut = Cut { most: self.config.videos_per_job, least_units: LEAST_PARTS };
        let queued: Vec<(&str, &str, &Task)> =
            under_way.iter().map(|task| (&*task.entry.unit, &*task.entry.title, &task.entry.task)).collect();
        match self.goal {
            Goal::Tables(tables) => self.runner.units(tables, batched.as_ref(), cut, &queued, trial),
            Goal::Videos { table, dataset } => {
                self.runner.units_of_videos(table, dataset, batched.as_ref(), cut, &queued)
            }
        }
    }

    /// Returns the array for the last task of the command. For `run` it makes the table from the finished units, however
    /// the other jobs end. For `prepare` it checks all videos, so it requires every other job to succeed.
    fn finish<'u>(
        &self,
        unit: &'u Planned,
        arrays: &[Array<'_>],
        queued: &BTreeMap<String, ArrayTask>,
    ) -> Array<'u> {
        let mut after: Vec<Awaited> = (0..arrays.len()).map(Awaited::New).collect();
        let jobs: BTreeSet<u64> = queued.values().map(|place| place.job).collect();
        after.extend(jobs.into_iter().map(Awaited::Queued));
        let mut finish = array::finish(unit, after, &self.config, self.on_gpu());
        if let (Goal::Videos { .. }, After::End(arrays)) = (self.goal, &finish.after) {
            finish.after = After::Success(arrays.iter().map(|&array| (array, None)).collect());
        }
        finish
    }

    /// Submits the missing units. Returns all tasks to watch, and the last one.
    fn submit(
        &self,
        folder: &RunFolder,
        units: &[Planned],
        under_way: &[UnderWay],
    ) -> Result<(Vec<Watched>, Watched)> {
        let queued = places(under_way);
        let wanted: BTreeSet<&str> = units.iter().map(|unit| &*unit.name).collect();
        let mut watched: Vec<Watched> = under_way
            .iter()
            .filter(|task| wanted.contains(&*task.entry.unit))
            .map(|task| task.task.clone())
            .collect();
        let arrays = array::arrays(units, &queued, &self.config, self.on_gpu());
        let finishing: Vec<&UnderWay> =
            under_way.iter().filter(|task| task.entry.task == Task::Finish && task.is_of(folder)).collect();
        if let (true, Some(last)) = (arrays.is_empty(), finishing.first()) {
            return Ok((watched, last.task.clone()));
        }
        // An older last task does not wait for the new arrays, so it is replaced.
        let places: Vec<_> = finishing.iter().map(|task| task.task.place).collect();
        queue::cancel(&places)?;

        let program = copied(folder, !under_way.iter().any(|task| task.is_of(folder)))?;
        let common = Common { folder, config: &self.config, program: &program, given_in: &self.given_in };
        let finish = finish_unit();
        let of_units: BTreeMap<String, ArrayTask> =
            queued.into_iter().filter(|(name, _)| wanted.contains(&**name)).collect();
        let last = self.finish(&finish, &arrays, &of_units);
        let mut jobs: Vec<u64> = Vec::with_capacity(arrays.len());
        let first = folder.next_number()?;
        let mut last_watched = None;
        for (number, array) in (first..).zip(arrays.iter().chain([&last])) {
            let entry = |unit: &Planned| Entry {
                unit: unit.name.clone(),
                title: unit.title.clone(),
                task: unit.task.clone(),
            };
            let manifest = Manifest {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                command: self.command.clone(),
                tasks: array.tasks.iter().map(|(&index, unit)| (index, entry(unit))).collect(),
            };
            // The manifest comes first: the job reads it, and later commands recognize the job by it.
            write_json(&folder.manifest_path(number), &manifest)?;
            let path = folder.script_path(number);
            write_atomic(&path, script::script(&common, number, array)?.as_bytes())?;
            let id = |awaited| match awaited {
                Awaited::New(at) => jobs.get(at).map_or(String::new(), u64::to_string),
                Awaited::Queued(id) => u64::to_string(&id),
            };
            let job = queue::submit(&path, array.after.option(id).as_deref())?;
            jobs.push(job);
            self.runner.console.line(&format!("job {job}: {} {}", array.kind.words(), titles(array)));
            for (&index, unit) in &array.tasks {
                let task = Watched {
                    folder: folder.clone(),
                    number,
                    place: ArrayTask { job, index },
                    title: unit.title.clone(),
                    kind: array.kind,
                };
                match array.kind {
                    Kind::Finish => last_watched = Some(task),
                    _ => watched.push(task),
                }
            }
        }
        let last = last_watched.ok_or_else(|| Error::Usage("the command has no last task".into()))?;
        Ok((watched, last))
    }
}

/// Copies the program as it is now into the run's folder, so that a later build does not change what the jobs run. Deletes
/// older copies if no job of this run is left that may start one.
fn copied(folder: &RunFolder, alone: bool) -> Result<PathBuf> {
    let (running, hash) = program()?;
    let name = format!("xtask-{}", &hash.to_hex()[..12]);
    let path = folder.path().join(&name);
    if !path.exists() {
        let fresh = folder.path().join(format!("xtask-new-{}", std::process::id()));
        std::fs::copy(&running, &fresh).map_err(Error::io("write", &fresh))?;
        std::fs::rename(&fresh, &path).map_err(Error::io("write", &path))?;
    }
    for other in if alone { list(folder.path())? } else { Vec::new() } {
        let is_copy = other.file_name().is_some_and(|other| other.to_string_lossy().starts_with("xtask-"));
        if is_copy && other != path {
            // A copy that cannot be deleted does no harm.
            _ = std::fs::remove_file(&other);
        }
    }
    Ok(path)
}

/// Returns the number of this user's jobs in the queue; each task of an array counts as one.
///
/// # Errors
/// [`Error::Slurm`] if the command is missing or Slurm does not answer.
pub fn jobs() -> Result<usize> {
    Ok(queue::mine()?.len())
}

/// Returns the unit that ends every command.
fn finish_unit() -> Planned {
    Planned {
        name: FINISH.to_owned(),
        title: "the end of the command".to_owned(),
        task: Task::Finish,
        after: Vec::new(),
        done: false,
        cost: Cost::default(),
    }
}

/// Lists the titles of the first tasks of an array.
fn titles(array: &Array<'_>) -> String {
    const SHOWN: usize = 6;
    let shown: Vec<&str> = array.tasks.values().take(SHOWN).map(|unit| &*unit.title).collect();
    let more = array.tasks.len() - shown.len();
    let more = if more == 0 { String::new() } else { format!(", and {more} more") };
    format!("{}{more}", shown.join(", "))
}

fn places(under_way: &[UnderWay]) -> BTreeMap<String, ArrayTask> {
    let units = under_way.iter().filter(|task| task.entry.task != Task::Finish);
    units.map(|task| (task.entry.unit.clone(), task.task.place)).collect()
}

fn not_finished(titles: &[String]) -> String {
    if titles.is_empty() {
        return "the last job did not finish: it was cancelled, or its node failed. Run the same command again".into();
    }
    format!(
        "{} tasks are not done: {}. Run the same command again to submit them",
        titles.len(),
        titles.join(", ")
    )
}

/// Explains why a unit is not done, from the notes and log of its last job; for the job that makes the table.
pub fn why_absent(manifest: &Path, unit: &str) -> String {
    let run = manifest.parent().and_then(Path::parent);
    let (Some(cache), Some(name)) =
        (run.and_then(Path::parent).and_then(Path::parent), run.and_then(Path::file_name))
    else {
        return "its job left no notes".into();
    };
    let folder = RunFolder::new(cache, &name.to_string_lossy());
    let last = folder.next_number().unwrap_or(1);
    let tried = (1..last).rev().find_map(|number| {
        let manifest = folder.manifest(number).ok()?;
        let index = manifest.tasks.iter().find(|(_, entry)| entry.unit == unit)?.0;
        Some(Failure::of(&folder, number, *index))
    });
    tried.map_or_else(
        || "no job was submitted for it; run the same command again".into(),
        |failure| failure.brief(),
    )
}
