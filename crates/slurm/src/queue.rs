//! Calls Slurm's commands to list, submit and cancel jobs.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use super::array::ArrayTask;
use experiment::error::{Error, Result};

/// A queued job of this user: one task of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queued {
    /// The array's job id and the task's index.
    pub(super) place: ArrayTask,
    pub(super) state: QueueState,
    /// Node on which it runs.
    pub(super) node: String,
    /// Slurm's reason why it is not running.
    pub(super) reason: String,
    /// Its name.
    pub(super) name: String,
}

/// State of a job that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueState {
    /// Waiting to start.
    Pending,
    /// Running, starting up or finishing.
    Running,
    /// Unable to start: held, or waiting for a job that failed.
    Stuck,
}

/// Output format of `squeue`, one line for each task of an array: array, index, state, nodes, reason, name.
const FORMAT: &str = "%F|%K|%T|%N|%r|%j";

/// Returns all jobs of this user that are not over.
///
/// # Errors
/// [`Error::Slurm`] if the command is missing or Slurm does not answer.
pub(super) fn mine() -> Result<Vec<Queued>> {
    let output =
        slurm("squeue", Command::new("squeue").args(["--me", "--noheader", "--array", "-o", FORMAT]))?;
    Ok(output.lines().filter_map(parse).collect())
}

/// Parses a line of `squeue`. Returns `None` for jobs that are over or do not belong to an array.
fn parse(line: &str) -> Option<Queued> {
    let mut fields = line.splitn(6, '|');
    let mut next = || fields.next();
    let (array, index, state, node, reason, name) = (next()?, next()?, next()?, next()?, next()?, next()?);
    let stuck = |reason: &str| {
        let reason = reason.to_ascii_lowercase().replace(['_', ' '], "");
        reason.contains("held") || reason == "dependencyneversatisfied" || reason == "badconstraints"
    };
    let state = match state {
        "PENDING" if stuck(reason) => QueueState::Stuck,
        "REQUEUE_HOLD" | "SPECIAL_EXIT" | "REVOKED" => QueueState::Stuck,
        "PENDING" | "REQUEUED" | "REQUEUE_FED" => QueueState::Pending,
        "RUNNING" | "CONFIGURING" | "COMPLETING" | "SUSPENDED" | "STOPPED" | "SIGNALING" | "STAGE_OUT"
        | "RESIZING" | "RESV_DEL_HOLD" => QueueState::Running,
        _ => return None,
    };
    Some(Queued {
        place: ArrayTask { job: array.parse().ok()?, index: index.parse().ok()? },
        state,
        node: node.to_owned(),
        reason: reason.to_owned(),
        name: name.to_owned(),
    })
}

/// Submits a script and returns the job's id.
///
/// # Errors
/// [`Error::Slurm`] with Slurm's own message.
pub(super) fn submit(script: &Path, dependency: Option<&str>) -> Result<u64> {
    let mut command = Command::new("sbatch");
    command.arg("--parsable");
    if let Some(dependency) = dependency {
        command.arg(format!("--dependency={dependency}")).arg("--kill-on-invalid-dep=yes");
    }
    let output = slurm("sbatch", command.arg(script))?;
    // The id, followed by the cluster's name if there are several clusters.
    let id = output.trim().lines().last().and_then(|line| line.split(';').next()?.parse().ok());
    id.ok_or_else(|| Error::Slurm {
        command: "sbatch",
        message: format!("expected a job id, found `{}`", output.trim()),
    })
}

/// Cancels tasks.
///
/// # Errors
/// [`Error::Slurm`] with Slurm's own message.
pub(super) fn cancel(tasks: &[ArrayTask]) -> Result<()> {
    // The length of a command line is limited.
    for some in tasks.chunks(500) {
        let ids = some.iter().map(ToString::to_string);
        slurm("scancel", Command::new("scancel").args(ids))?;
    }
    Ok(())
}

/// Returns Slurm's record of a job that is over: its state and exit code, such as "TIMEOUT" and "0:15". Slurm deletes the
/// record after some minutes, unless the cluster keeps accounts.
pub(super) fn remembered(job: &str) -> Option<String> {
    let shown = slurm("scontrol", Command::new("scontrol").args(["show", "job", "--oneliner", job])).ok();
    let of_shown = shown.and_then(|text| {
        let fields: BTreeMap<&str, &str> =
            text.lines().next()?.split_whitespace().filter_map(|field| field.split_once('=')).collect();
        Some(format!("{}, exit code {}", fields.get("JobState")?, fields.get("ExitCode")?))
    });
    of_shown.or_else(|| {
        let mut command = Command::new("sacct");
        command.args([
            "--noheader",
            "--parsable2",
            "--allocations",
            "--format=State,ExitCode",
            "--jobs",
            job,
        ]);
        let text = slurm("sacct", &mut command).ok()?;
        let (state, code) = text.lines().next()?.split_once('|')?;
        Some(format!("{state}, exit code {code}"))
    })
}

/// Runs one of Slurm's commands and returns its standard output.
fn slurm(name: &'static str, command: &mut Command) -> Result<String> {
    let fail = |message: String| Error::Slurm { command: name, message };
    let Output { status, stdout, stderr } = match command.output() {
        Ok(output) => output,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(fail(
                "not found on this machine; --engine slurm needs a machine from which jobs can be submitted"
                    .into(),
            ));
        }
        Err(e) => return Err(fail(e.to_string())),
    };
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&stderr);
    let said: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(fail(if said.is_empty() { status.to_string() } else { said.join("; ") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_queue_is_read_line_by_line() {
        let found = parse("12|3|RUNNING|n1|None|table1b-synth-mini-0a1b.2").unwrap();
        assert_eq!(
            (found.place.to_string(), found.state, &*found.node),
            ("12_3".into(), QueueState::Running, "n1")
        );
        assert_eq!(found.name, "table1b-synth-mini-0a1b.2");
        let state = |line: &str| parse(line).map(|queued| queued.state);
        assert_eq!(state("12|3|PENDING||Dependency|x.1"), Some(QueueState::Pending));
        assert_eq!(state("12|3|PENDING||DependencyNeverSatisfied|x.1"), Some(QueueState::Stuck));
        assert_eq!(state("12|3|PENDING||launch failed requeued held|x.1"), Some(QueueState::Stuck));
        assert_eq!(state("12|3|PENDING||JobHeldAdmin|x.1"), Some(QueueState::Stuck));
        assert_eq!(state("12|3|COMPLETING|n1|None|x.1"), Some(QueueState::Running));
        assert_eq!(state("12|3|COMPLETED|n1|None|x.1"), None);
        assert_eq!(state("12|N/A|RUNNING|n1|None|other"), None);
        for line in ["", "12", "a|b|RUNNING|||", "12|3|NEW STATE|n1|None|x"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let message = slurm("squeue", &mut Command::new("/nowhere/squeue")).unwrap_err().to_string();
        assert!(message.contains("squeue") && message.contains("not found on this machine"), "{message}");
        let message = slurm("squeue", Command::new("bash").args(["-c", "echo no >&2; exit 1"])).unwrap_err();
        assert!(message.to_string().ends_with(": no"), "{message}");
    }
}
