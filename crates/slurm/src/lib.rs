//! Units of work as job arrays of Slurm.
//!
//! What is to be done is found anew by every command: files say what is done, Slurm's queue says what is under way, and the
//! rest is submitted. Nothing else is remembered, so nothing is lost with a terminal, and a command that was killed
//! half-way through submitting is given again like any other. That no unit is done twice at once is the [`experiment::store`]'s
//! affair: a job that finds another one at its unit waits for it, and then finds it done.

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

/// The name of the last task of a command.
const FINISH: &str = "finish";

/// Videos are prepared in at least so many jobs, so that a few nodes all have something to do.
const LEAST_PARTS: usize = 16;

/// A command whose units are done by Slurm.
pub struct Slurm<'a> {
    /// What is asked. Nothing is computed on this machine, so its device is the CPU.
    pub runner: &'a Runner<'a>,
    /// Which of the two commands.
    pub goal: Goal<'a>,
    /// The command as it was given, for the jobs to read.
    pub command: Vec<String>,
    /// The folder that it was given in.
    pub given_in: PathBuf,
    /// The user's settings.
    pub config: SlurmConfig,
    /// Where networks are computed.
    pub device: DeviceChoice,
    /// Whether to come back as soon as all is submitted.
    pub detach: bool,
}

/// What is to be done.
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

/// What a command printed whose end ran as a job.
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
    /// Submits what is neither done nor under way, watches it, and gives what the command printed in the end.
    ///
    /// # Errors
    /// What concerns the whole command, as [`Runner::run`]; [`Error::Slurm`]; [`Error::Elsewhere`] when the user stops
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
                "the jobs are submitted; the same command without --detach shows how far they are".into();
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

    /// The scripts that would be submitted now, for a person; Slurm need not be there.
    ///
    /// # Errors
    /// As [`Slurm::run`], but for Slurm's.
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

    /// The cache, by its full path: jobs start elsewhere.
    fn cache(&self) -> Result<PathBuf> {
        let cache = &self.runner.workspace.cache;
        std::fs::create_dir_all(cache).map_err(Error::io("create", cache))?;
        cache.canonicalize().map_err(Error::io("find", cache))
    }

    /// The name of the question: whoever asks the same comes by the same jobs.
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

    /// All tasks in the queue that work on this cache, whichever command submitted them.
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
            // A task that says it is over only has to leave the queue.
            if folder.end(number, job.place.index).is_some() {
                continue;
            }
            let (title, kind) = (entry.title.clone(), Kind::of(&entry.task));
            let task = Watched { folder, number, place: job.place, title, kind };
            found.push(UnderWay { task, entry: entry.clone(), state: job.state });
        }
        Ok(found)
    }

    /// Takes tasks of this run out of the queue that would never run, and with them those that wait: whatever still has to be
    /// done is submitted again. Tasks of other commands that are held are not counted on.
    fn cancel_stuck(&self, under_way: &mut Vec<UnderWay>, folder: &RunFolder) -> Result<()> {
        if under_way.iter().any(|task| task.is_of(folder) && task.state == QueueState::Stuck) {
            let out = |task: &UnderWay| task.is_of(folder) && task.state != QueueState::Running;
            let places: Vec<ArrayTask> =
                under_way.iter().filter(|task| out(task)).map(|task| task.task.place).collect();
            queue::cancel(&places)?;
            self.runner.console.line(&format!(
                "Slurm held what it could not start; {} tasks are submitted again",
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
                "--fresh forgets what is done, and jobs are at work on it: cancel them first (scancel {}), or leave the flag out",
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

    /// The last task of the command: the table, which is made of what is done however the others end; of `prepare` a look at
    /// all videos, for which all have to be there.
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

    /// Submits what is missing. Gives all tasks to watch, and the last one.
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
        // It waits for less than there is to wait for now.
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
            // First what the job will read, and by which it is known when this process is gone.
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
        let last = last_watched.ok_or_else(|| Error::Usage("a command without an end".into()))?;
        Ok((watched, last))
    }
}

/// Copies the program to where the jobs find it as it is now, whatever is built before they start. Older copies go when no
/// job of this run is left that may start one.
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
            // One that stays is in nobody's way.
            _ = std::fs::remove_file(&other);
        }
    }
    Ok(path)
}

/// How many jobs of this user are in the queue, tasks of arrays one by one.
///
/// # Errors
/// [`Error::Slurm`] if the command is missing or Slurm does not answer.
pub fn jobs() -> Result<usize> {
    Ok(queue::mine()?.len())
}

/// The last task of every command.
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

/// The titles of the first tasks of an array.
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
        return "the last job did not run to its end: it was cancelled, or its node failed. Run the same command again".into();
    }
    format!(
        "{} tasks are not done: {}. Run the same command again: it submits what is not done",
        titles.len(),
        titles.join(", ")
    )
}

/// Why a unit is not done, by what its last job has left behind; for the job that makes the table.
pub fn why_absent(manifest: &Path, unit: &str) -> String {
    let run = manifest.parent().and_then(Path::parent);
    let (Some(cache), Some(name)) =
        (run.and_then(Path::parent).and_then(Path::parent), run.and_then(Path::file_name))
    else {
        return "its job has left nothing behind".into();
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
