//! Groups units into job arrays and finds the dependencies of each array.
//!
//! Units with the same dependencies and the same resources make one array. If each unit of an array waits for one unit of
//! another array, as tests do for their trainings, the arrays are linked task by task (`aftercorr`).

use std::collections::{BTreeMap, BTreeSet};

use crate::config::SlurmConfig;
use experiment::run::{Planned, Task};
use plan::cost::{Cost, Speed};

/// Maximum number of tasks in one array: Slurm's default limit (`MaxArraySize` 1001).
const MOST_TASKS: usize = 1000;

/// A task of an array that was submitted before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ArrayTask {
    /// The array's job id.
    pub(super) job: u64,
    /// The task's index.
    pub(super) index: u32,
}

impl std::fmt::Display for ArrayTask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}_{}", self.job, self.index)
    }
}

/// An array that another one waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Awaited {
    /// The array at this position of the same submission.
    New(usize),
    /// A job that is in the queue.
    Queued(u64),
}

/// The dependencies of an array.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum After {
    /// Nothing.
    Nothing,
    /// Each task waits for the task with the same index.
    SameTask(Awaited),
    /// All tasks wait for the success of these tasks, or of whole arrays if the index is `None`.
    Success(Vec<(Awaited, Option<u32>)>),
    /// All tasks wait for the end of these arrays, whether they succeed or fail.
    End(Vec<Awaited>),
}

/// Resources that each job of an array requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resources {
    pub(super) minutes: u64,
    pub(super) memory_mib: u64,
    pub(super) cpus: usize,
    pub(super) gpus: usize,
    pub(super) ranks: usize,
}

/// An array to be submitted.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array<'a> {
    pub(super) kind: Kind,
    pub(super) resources: Resources,
    /// Units by their index in the array.
    pub(super) tasks: BTreeMap<u32, &'a Planned>,
    pub(super) after: After,
}

/// The kind of work that the units of an array do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Prepare,
    Train,
    Test,
    Fuse,
    Finish,
}

impl Kind {
    pub(super) fn of(task: &Task) -> Self {
        match task {
            Task::Prepare { .. } => Self::Prepare,
            Task::Train(_) => Self::Train,
            Task::Test(_) => Self::Test,
            Task::Fuse(_) => Self::Fuse,
            Task::Finish => Self::Finish,
        }
    }

    /// Returns the kind as a word for the user.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Prepare => "preparing",
            Self::Train => "training",
            Self::Test => "testing",
            Self::Fuse => "fusing",
            Self::Finish => "finishing",
        }
    }
}

impl Resources {
    /// Returns the resources of a unit: its own estimate in coarse steps, or the user's settings.
    fn of(kind: Kind, cost: &Cost, config: &SlurmConfig, gpu: bool) -> Self {
        let ranks = if kind == Kind::Train { config.ranks } else { 1 };
        let speed = match gpu {
            true => Speed::TRUSTED_GPU.times(ranks),
            false => Speed::TRUSTED_CORE.times(config.cpus * ranks),
        };
        let seconds = cost.seconds(&speed);
        let minutes = match config.time {
            Some(time) => time.as_secs().div_ceil(60),
            None => stepped(10.0 + seconds / 60.0, 10),
        };
        let gib = f64::from(1 << 30);
        // With a GPU, host memory holds only batches and the libraries.
        let bytes = if gpu { 8.0 * gib } else { 1.5 * gib + 1.25 * cost.bytes };
        let memory_mib = match config.memory {
            Some(bytes) => bytes >> 20,
            None => stepped(bytes / f64::from(1 << 20), 2048),
        };
        Self { minutes, memory_mib, cpus: config.cpus, gpus: if gpu { config.gpus } else { 0 }, ranks }
    }
}

/// Returns the least of `first`, 2 `first`, 4 `first`, ... that is not below `value`.
fn stepped(value: f64, first: u64) -> u64 {
    let mut step = first;
    while (step as f64) < value && step < 1 << 40 {
        step *= 2;
    }
    step
}

/// Groups the units that are neither done nor queued into arrays, in the order in which to submit them.
pub(super) fn arrays<'a>(
    units: &'a [Planned],
    queued: &BTreeMap<String, ArrayTask>,
    config: &SlurmConfig,
    gpu: bool,
) -> Vec<Array<'a>> {
    let by_name: BTreeMap<&str, &Planned> = units.iter().map(|unit| (&*unit.name, unit)).collect();
    let open = |name: &str| by_name.get(name).is_some_and(|unit| !unit.done);
    // All direct and indirect dependencies of each unit. Units are listed after those that they need.
    let mut before: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut depth: BTreeMap<&str, usize> = BTreeMap::new();
    let mut levels: BTreeMap<usize, Vec<&Planned>> = BTreeMap::new();
    for unit in units.iter().filter(|unit| !unit.done) {
        let needs = || unit.after.iter().map(String::as_str).filter(|name| open(name));
        let all = needs().flat_map(|need| before[need].iter().copied().chain([need])).collect();
        let level = needs().map(|need| depth[need] + 1).max().unwrap_or(0);
        before.insert(&unit.name, all);
        depth.insert(&unit.name, level);
        if !queued.contains_key(&unit.name) {
            levels.entry(level).or_default().push(unit);
        }
    }

    let mut arrays: Vec<Array<'a>> = Vec::new();
    let mut placed: BTreeMap<&str, (Awaited, u32)> = queued
        .iter()
        .filter_map(|(name, place)| {
            Some((by_name.get(name.as_str())?.name.as_str(), (Awaited::Queued(place.job), place.index)))
        })
        .collect();
    for mut level in levels.into_values() {
        // The longest units first, so that the last ones to start are short.
        level.sort_by(|a, b| weight(&b.cost).total_cmp(&weight(&a.cost)));
        for unit in level {
            let kind = Kind::of(&unit.task);
            let resources = Resources::of(kind, &unit.cost, config, gpu && kind != Kind::Fuse);
            let needs: Vec<&str> = unit.after.iter().map(String::as_str).filter(|name| open(name)).collect();
            // Indirect dependencies are implied, so only direct ones are given to Slurm.
            let direct = needs.iter().filter(|need| !needs.iter().any(|other| before[other].contains(*need)));
            let mut after: Vec<(Awaited, u32)> = direct.map(|need| placed[need]).collect();
            after.sort_unstable();
            after.dedup();
            let (after, index) = match after[..] {
                [] => (After::Nothing, None),
                [(array, index)] => (After::SameTask(array), Some(index)),
                _ => (After::Success(whole(&after, &arrays)), None),
            };
            let room = |array: &Array<'_>| match index {
                Some(index) => !array.tasks.contains_key(&index),
                None => array.tasks.len() < MOST_TASKS,
            };
            let fits = |array: &Array<'_>| {
                array.kind == kind && array.resources == resources && array.after == after && room(array)
            };
            let at = arrays.iter().position(fits).unwrap_or_else(|| {
                arrays.push(Array { kind, resources, tasks: BTreeMap::new(), after: after.clone() });
                arrays.len() - 1
            });
            let index = index.unwrap_or(arrays[at].tasks.len() as u32);
            arrays[at].tasks.insert(index, unit);
            placed.insert(&unit.name, (Awaited::New(at), index));
        }
    }
    for array in &mut arrays {
        let only = if array.tasks.len() == 1 { array.tasks.keys().next().copied() } else { None };
        if let (After::SameTask(other), Some(index)) = (&array.after, only) {
            array.after = After::Success(vec![(*other, Some(index))]);
        }
    }
    arrays
}

/// Returns the array of the job that ends the command, after all other jobs have ended.
pub(super) fn finish<'a>(
    unit: &'a Planned,
    after: Vec<Awaited>,
    config: &SlurmConfig,
    gpu: bool,
) -> Array<'a> {
    let resources = Resources::of(Kind::Finish, &unit.cost, config, gpu);
    let after = if after.is_empty() { After::Nothing } else { After::End(after) };
    Array { kind: Kind::Finish, resources, tasks: BTreeMap::from([(0, unit)]), after }
}

fn weight(cost: &Cost) -> f64 {
    cost.seconds(&Speed::TRUSTED_CORE)
}

/// Shortens a list of tasks to wait for: an array of this submission whose tasks are all listed is named as a whole.
fn whole(tasks: &[(Awaited, u32)], arrays: &[Array<'_>]) -> Vec<(Awaited, Option<u32>)> {
    let mut by_array: BTreeMap<Awaited, Vec<u32>> = BTreeMap::new();
    for &(array, index) in tasks {
        by_array.entry(array).or_default().push(index);
    }
    let mut short = Vec::new();
    for (array, indices) in by_array {
        match array {
            Awaited::New(at) if arrays[at].tasks.len() == indices.len() => short.push((array, None)),
            _ => short.extend(indices.into_iter().map(|index| (array, Some(index)))),
        }
    }
    short
}

impl After {
    /// Returns the value of `--dependency`; `id` gives the job ids of the arrays of this submission.
    pub(super) fn option(&self, id: impl Fn(Awaited) -> String) -> Option<String> {
        let list = |kind: &str, jobs: &mut dyn Iterator<Item = String>| {
            Some(std::iter::once(kind.to_owned()).chain(jobs).collect::<Vec<_>>().join(":"))
        };
        match self {
            Self::Nothing => None,
            Self::SameTask(array) => Some(format!("aftercorr:{}", id(*array))),
            Self::Success(tasks) => list(
                "afterok",
                &mut tasks.iter().map(|(array, index)| match index {
                    None => id(*array),
                    Some(index) => format!("{}_{index}", id(*array)),
                }),
            ),
            Self::End(arrays) => list("afterany", &mut arrays.iter().map(|array| id(*array))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use experiment::run::Of;

    fn unit(name: &str, after: &[&str], operations: f64) -> Planned {
        let of = Of { table: "p/t".into(), row: "r".into(), unit: name.into() };
        let task = match name.split('-').next() {
            Some("train") => Task::Train(of),
            Some("test") => Task::Test(of),
            Some("fuse") => Task::Fuse(of),
            _ => Task::Prepare { table: "p/t".into(), set: "s".into(), recipe: "r".into(), videos: vec![0] },
        };
        Planned {
            name: name.into(),
            title: name.into(),
            task,
            after: after.iter().map(|&name| name.to_owned()).collect(),
            done: false,
            cost: Cost { operations, ..Cost::default() },
        }
    }

    fn told(arrays: &[Array<'_>]) -> Vec<String> {
        let id = |array| match array {
            Awaited::New(at) => format!("<{at}>"),
            Awaited::Queued(id) => id.to_string(),
        };
        let tasks = |array: &Array<'_>| {
            let tasks = array.tasks.iter().map(|(index, unit)| format!("{index}={}", unit.name));
            tasks.collect::<Vec<_>>().join(" ")
        };
        arrays
            .iter()
            .map(|array| match array.after.option(id) {
                None => tasks(array),
                Some(after) => format!("{} after {after}", tasks(array)),
            })
            .collect()
    }

    /// Two parts of videos, two trainings with their tests, and their fusion; the second training starts from a third.
    fn table() -> Vec<Planned> {
        let videos = ["prepare-0", "prepare-1"];
        let all = |more: &[&'static str]| [&videos[..], more].concat();
        vec![
            unit("prepare-0", &[], 1.0),
            unit("prepare-1", &[], 1.0),
            unit("train-a", &videos, 1e9),
            unit("test-a", &all(&["train-a"]), 1e3),
            unit("train-first", &videos, 3e9),
            unit("train-b", &all(&["train-first"]), 1e9),
            unit("test-b", &all(&["train-b"]), 1e3),
            unit("fuse-ab", &["test-a", "test-b"], 0.0),
        ]
    }

    #[test]
    fn units_that_wait_for_the_same_make_an_array_the_longest_first() {
        let units = table();
        let arrays = arrays(&units, &BTreeMap::new(), &SlurmConfig::default(), false);
        assert_eq!(
            told(&arrays),
            [
                "0=prepare-0 1=prepare-1",
                "0=train-first 1=train-a after afterok:<0>",
                "0=train-b after afterok:<1>_0",
                "1=test-a after afterok:<1>_1",
                "0=test-b after afterok:<2>_0",
                "0=fuse-ab after afterok:<3>:<4>",
            ]
        );
    }

    #[test]
    fn tests_go_with_their_trainings_task_by_task() {
        let units = [
            unit("train-a", &[], 1.0),
            unit("train-b", &[], 2.0),
            unit("test-a", &["train-a"], 1.0),
            unit("test-b", &["train-b"], 1.0),
            // Another test of the same net.
            unit("test-c", &["train-b"], 1.0),
        ];
        let arrays = arrays(&units, &BTreeMap::new(), &SlurmConfig::default(), false);
        assert_eq!(
            told(&arrays),
            ["0=train-b 1=train-a", "0=test-b 1=test-a after aftercorr:<0>", "0=test-c after afterok:<0>_0"]
        );
    }

    #[test]
    fn what_is_done_or_queued_is_not_submitted_again() {
        let mut units = table();
        units[0].done = true;
        units[1].done = true;
        units[4].done = true;
        let queued = BTreeMap::from([("train-a".to_owned(), ArrayTask { job: 7, index: 1 })]);
        let arrays = arrays(&units, &queued, &SlurmConfig::default(), false);
        assert_eq!(
            told(&arrays),
            [
                "0=train-b",
                "1=test-a after afterok:7_1",
                "0=test-b after afterok:<0>_0",
                "0=fuse-ab after afterok:<1>:<2>",
            ]
        );
        for unit in &mut units {
            unit.done = true;
        }
        assert!(super::arrays(&units, &queued, &SlurmConfig::default(), false).is_empty());
    }

    #[test]
    fn an_array_has_no_more_tasks_than_slurm_takes() {
        let units: Vec<Planned> = (0..2500).map(|n| unit(&format!("train-{n}"), &[], 1.0)).collect();
        let arrays = arrays(&units, &BTreeMap::new(), &SlurmConfig::default(), false);
        assert_eq!(arrays.iter().map(|array| array.tasks.len()).collect::<Vec<_>>(), [1000, 1000, 500]);
    }

    #[test]
    fn resources_follow_the_estimate_unless_they_are_set() {
        let config = SlurmConfig { cpus: 4, ..SlurmConfig::default() };
        let cost = Cost { operations: 4e9 * 4.0 * 3600.0, bytes: 4e9, ..Cost::default() };
        let found = Resources::of(Kind::Train, &cost, &config, false);
        assert_eq!((found.minutes, found.memory_mib, found.cpus, found.gpus), (80, 8192, 4, 0));
        let set = SlurmConfig {
            time: Some(Duration::from_secs(90)),
            memory: Some(3 << 30),
            gpus: 2,
            ranks: 4,
            ..config
        };
        let found = Resources::of(Kind::Train, &cost, &set, true);
        assert_eq!((found.minutes, found.memory_mib, found.gpus, found.ranks), (2, 3072, 2, 4));
        assert_eq!(Resources::of(Kind::Test, &cost, &set, true).ranks, 1);
    }
}
