//! Shows the progress of all jobs of a command in one view.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::array::{ArrayTask, Kind};
use super::failure::Failure;
use super::folder::RunFolder;
use super::queue::{self, QueueState, Queued};
use experiment::{Console, Error, Interrupt, Result};

/// Time between two queries to Slurm.
const ASK_EVERY: Duration = Duration::from_secs(5);
/// Time between two looks for the last job's note, which are cheap.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Time that a task may be out of the queue before its notes must be visible on this machine: network file systems are
/// slow to show files written elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);
/// Maximum number of running tasks that are listed one by one.
const SHOWN: usize = 12;

/// A task to be watched.
#[derive(Debug, Clone)]
pub(super) struct Watched {
    pub(super) folder: RunFolder,
    pub(super) number: usize,
    pub(super) place: ArrayTask,
    pub(super) title: String,
    pub(super) kind: Kind,
}

/// State of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Doing {
    Waiting(String),
    Running(String),
    Done,
    Failed,
    /// Out of the queue, but without a note of its end yet.
    Gone,
}

/// Watches until the last task has ended, or has left the queue without a note. Returns the titles of the failed tasks.
///
/// # Errors
/// [`Error::Elsewhere`] when the user stops watching; the jobs go on.
pub(super) fn watch(
    tasks: &[Watched],
    last: &Watched,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<Vec<String>> {
    let board = console.board();
    let mut doing = vec![Doing::Waiting(String::new()); tasks.len()];
    let mut gone: BTreeMap<ArrayTask, Instant> = BTreeMap::new();
    let mut failures = Vec::new();
    let mut told: BTreeSet<String> = BTreeSet::new();
    let mut asked: Option<Instant> = None;
    let mut over = false;
    while !over {
        if interrupt.raised() {
            return Err(left(tasks, last));
        }
        over = last.folder.end(last.number, last.place.index).is_some();
        if !over && asked.is_some_and(|asked| asked.elapsed() < ASK_EVERY) {
            interrupt.wait(LOOK_EVERY);
            continue;
        }
        asked = Some(Instant::now());
        let queue = match queue::mine() {
            Ok(queue) => queue,
            Err(error) => {
                // Slurm's controller may be restarting, which does not affect the jobs.
                if told.insert(error.to_string()) {
                    board.line(&format!("{error}; retrying until Slurm answers"));
                }
                continue;
            }
        };
        let queued: BTreeMap<ArrayTask, &Queued> = queue.iter().map(|job| (job.place, job)).collect();
        gone.retain(|place, _| !queued.contains_key(place));
        over = over
            || (!queued.contains_key(&last.place)
                && (was_cancelled(last.place) || waited(&mut gone, last.place, over)));
        for (task, doing) in tasks.iter().zip(&mut doing) {
            if matches!(doing, Doing::Done | Doing::Failed) {
                continue;
            }
            *doing = now(task, queued.get(&task.place).copied());
            if *doing == Doing::Gone && !waited(&mut gone, task.place, over) {
                continue;
            }
            if matches!(doing, Doing::Failed | Doing::Gone) {
                *doing = Doing::Failed;
                let failure = Failure::of(&task.folder, task.number, task.place.index);
                if failure.ran {
                    board.line(&format!("{} {} failed: {}", task.kind.words(), task.title, failure.text()));
                }
                failures.push(task.title.clone());
            }
            if let (Doing::Waiting(_), Some(job)) = (&*doing, queued.get(&task.place))
                && job.state == QueueState::Stuck
                && told.insert(task.title.clone())
            {
                board.line(&format!(
                    "{} {} is held by Slurm: {}. Fix the cause (`sinfo -R` lists problems of nodes), then stop this \
                     command and run it again",
                    task.kind.words(),
                    task.title,
                    job.reason
                ));
            }
        }
        board.set(&lines(tasks, &doing));
    }
    Ok(failures)
}

/// Returns `true` if a task has been out of the queue for longer than [`PATIENCE`], or if everything is over.
fn waited(gone: &mut BTreeMap<ArrayTask, Instant>, place: ArrayTask, over: bool) -> bool {
    over || gone.entry(place).or_insert_with(Instant::now).elapsed() > PATIENCE
}

/// Returns `true` if Slurm says that a task was cancelled, so that it will write no note of its end.
fn was_cancelled(place: ArrayTask) -> bool {
    queue::remembered(&place.to_string()).is_some_and(|said| said.starts_with("CANCELLED"))
}

fn now(task: &Watched, queued: Option<&Queued>) -> Doing {
    let Watched { folder, number, place, .. } = task;
    match (folder.end(*number, place.index), queued) {
        (Some(end), _) if end.code == 0 => Doing::Done,
        // A task that is queued again deletes its note when it starts.
        (Some(_), None) => Doing::Failed,
        (_, Some(job)) if job.state == QueueState::Running => {
            let progress = folder.progress(*number, place.index).map(|p| {
                let total = p.total.map_or(String::new(), |total| format!("/{total}"));
                let step = if p.step == task.title { String::new() } else { format!(" {}", p.step) };
                format!("{step} {}{total} {}", p.done, p.message)
            });
            Doing::Running(format!("{}:{}", job.node, progress.unwrap_or_default()))
        }
        (_, Some(job)) => Doing::Waiting(job.reason.clone()),
        (None, None) => Doing::Gone,
    }
}

fn left(tasks: &[Watched], last: &Watched) -> Error {
    let jobs: BTreeSet<u64> = tasks.iter().chain([last]).map(|task| task.place.job).collect();
    let jobs: Vec<String> = jobs.iter().map(u64::to_string).collect();
    Error::Elsewhere {
        message: format!(
            "the jobs keep running and finish the table; run the same command to watch them again. To cancel them: scancel {}",
            jobs.join(" ")
        ),
        code: 130,
    }
}

/// Formats the view: a line of counts for each kind, then the running tasks, then the reasons why others wait.
fn lines(tasks: &[Watched], doing: &[Doing]) -> Vec<String> {
    let mut lines = Vec::new();
    let kinds: BTreeSet<Kind> = tasks.iter().map(|task| task.kind).collect();
    for kind in kinds {
        let of_kind =
            || tasks.iter().zip(doing).filter(|(task, _)| task.kind == kind).map(|(_, doing)| doing);
        let count = |test: fn(&Doing) -> bool| of_kind().filter(|doing| test(doing)).count();
        let done = count(|doing| *doing == Doing::Done);
        let mut line = format!("{:10} {done}/{} done", kind.words(), of_kind().count());
        for (number, word) in [
            (count(|doing| matches!(doing, Doing::Running(_))), "running"),
            (count(|doing| matches!(doing, Doing::Waiting(_) | Doing::Gone)), "waiting"),
            (count(|doing| *doing == Doing::Failed), "failed"),
        ] {
            if number > 0 {
                line.push_str(&format!(", {number} {word}"));
            }
        }
        lines.push(line);
    }
    let running: Vec<String> = tasks
        .iter()
        .zip(doing)
        .filter_map(|(task, doing)| match doing {
            Doing::Running(how) => Some(format!("  {} on {how}", task.title)),
            _ => None,
        })
        .collect();
    lines.extend(running.iter().take(SHOWN).cloned());
    if running.len() > SHOWN {
        lines.push(format!("  and {} more", running.len() - SHOWN));
    }
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for doing in doing {
        // Waiting for other jobs or for a free node is normal.
        if let Doing::Waiting(reason) = doing
            && !["", "None", "Dependency", "Priority", "Resources"].contains(&&**reason)
        {
            *reasons.entry(reason).or_default() += 1;
        }
    }
    lines.extend(reasons.iter().map(|(reason, count)| format!("  {count} waiting: Slurm says {reason}")));
    lines
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn task(title: &str, kind: Kind, index: u32) -> Watched {
        let folder = RunFolder::new(Path::new("/nowhere"), "run");
        Watched { folder, number: 1, place: ArrayTask { job: 7, index }, title: title.into(), kind }
    }

    #[test]
    fn the_view_counts_and_shows_what_runs_and_why_others_wait() {
        let tasks = [
            task("single-on", Kind::Train, 0),
            task("stack-10-on", Kind::Train, 1),
            task("slow-fusion", Kind::Train, 2),
            task("single-on test", Kind::Test, 3),
            task("stack-10-on test", Kind::Test, 4),
        ];
        let doing = [
            Doing::Done,
            Doing::Running("n1: training 12/640 loss 2.1".into()),
            Doing::Waiting("ReqNodeNotAvail, UnavailableNodes:n2".into()),
            Doing::Failed,
            Doing::Waiting("Dependency".into()),
        ];
        insta::assert_snapshot!(lines(&tasks, &doing).join("\n"), @r"
        training   1/3 done, 1 running, 1 waiting
        testing    0/2 done, 1 waiting, 1 failed
          stack-10-on on n1: training 12/640 loss 2.1
          1 waiting: Slurm says ReqNodeNotAvail, UnavailableNodes:n2
        ");
    }

    #[test]
    fn who_stops_watching_is_told_how_to_go_on_and_how_to_stop() {
        let tasks = [task("single-on", Kind::Train, 0)];
        let error = left(&tasks, &task("end", Kind::Finish, 0));
        assert_eq!(error.exit_code(), 130);
        assert!(error.to_string().contains("scancel 7"), "{error}");
    }
}
