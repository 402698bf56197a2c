//! Explains to the user why a task ended without finishing its unit.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use super::folder::{End, RunFolder, Start};
use super::queue;

/// Bytes at the end of a log in which its last lines are searched.
const TAIL: u64 = 16 << 10;

/// Lines of a log that are shown.
const LINES: usize = 8;

/// A task that ended without finishing its unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// Description of the event, with job, node and exit code.
    pub(super) what: String,
    /// The last lines of its log.
    pub(super) lines: Vec<String>,
    /// Advice to the user.
    pub(super) hint: String,
    /// True if the task itself ran; otherwise something before it is at fault.
    pub(super) ran: bool,
}

impl Failure {
    /// Gathers a failure from the notes and the log of a task; asks Slurm for the rest while it still has a record.
    pub(super) fn of(folder: &RunFolder, number: usize, index: u32) -> Self {
        let log = folder.log(number, index);
        let judged = judge(folder.start(number, index), folder.end(number, index), queue::remembered);
        let lines = if judged.ran { last_lines(&log) } else { Vec::new() };
        Self { what: format!("{}; log: {}", judged.what, log.display()), lines, ..judged }
    }

    /// Formats everything as several lines.
    pub(super) fn text(&self) -> String {
        let mut text = self.what.clone();
        for line in &self.lines {
            text.push_str("\n    | ");
            text.push_str(line);
        }
        format!("{text}\n    {}", self.hint)
    }

    /// Formats the failure as one line, with only the last line of the log.
    pub(super) fn brief(&self) -> String {
        let last = self.lines.last().map_or(String::new(), |line| format!("; last line of its log: {line}"));
        format!("{}{last}. {}", self.what, self.hint)
    }
}

fn judge(start: Option<Start>, end: Option<End>, remembered: impl Fn(&str) -> Option<String>) -> Failure {
    let again = "Run the same command again to submit the missing tasks.";
    let (what, hint, ran) = match (start, end) {
        (_, Some(End { job, node, code })) => {
            (format!("job {job} on {node} ended with exit code {code}{}", meaning(code)), advice(code), true)
        }
        (Some(Start { job, node }), None) => {
            let slurm = remembered(&job).map_or(String::new(), |said| format!(" (Slurm says: {said})"));
            let what = format!("job {job} on {node} stopped without reporting an error{slurm}");
            (
                what,
                "The node failed, or the job was cancelled or ran out of time or memory. Run the same command again: \
                    training resumes from its last checkpoint.",
                true,
            )
        }
        (None, None) => {
            ("it was not started: it was cancelled, or a task that it needs failed".to_owned(), again, false)
        }
    };
    Failure { what, lines: Vec::new(), hint: hint.to_owned(), ran }
}

fn meaning(code: i32) -> &'static str {
    match code {
        2 => " (the request is wrong)",
        3 => " (the data are wrong)",
        4 => " (the training diverged, or a unit that it needs is not done)",
        101 => " (a bug in the program)",
        126 | 127 => " (the program was not found on that node)",
        130 | 143 => " (it was asked to stop)",
        137 => " (it was killed)",
        139 | 134 | 135 => " (it crashed)",
        _ => "",
    }
}

fn advice(code: i32) -> &'static str {
    match code {
        126 | 127 => {
            "The cache has to be in a folder that all nodes see under the same path: choose one with --cache, and run the \
             command again."
        }
        130 | 143 => "Run the same command again: training resumes from its last checkpoint.",
        137 => {
            "It probably ran out of memory: raise `memory` in [engine.slurm], and run the same command again; \
             training resumes from its last checkpoint."
        }
        _ => "Do what the message says, and run the same command again to submit the missing tasks.",
    }
}

/// Reads the end of a log; logs are appended to and can be long.
fn tail(log: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = base::files::open(log).map_err(std::io::Error::other)?;
    file.seek(SeekFrom::Start(file.metadata()?.len().saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail)?;
    Ok(tail)
}

/// Returns the last lines of a log that are not blank, without control characters.
fn last_lines(log: &Path) -> Vec<String> {
    let Ok(tail) = tail(log) else { return Vec::new() };
    let text = String::from_utf8_lossy(&tail);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let printable = |line: &&str| line.chars().filter(|c| !c.is_control()).take(400).collect();
    lines[lines.len().saturating_sub(LINES)..].iter().map(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> Option<Start> {
        Some(Start { job: "12_3".into(), node: "n1".into() })
    }

    #[test]
    fn every_end_names_its_job_its_node_and_what_to_do() {
        let silent = |_: &str| None;
        let ended = |code| {
            let end = End { job: "12_3".into(), node: "n1".into(), code };
            judge(start(), Some(end), silent)
        };
        assert!(ended(137).what.contains("job 12_3 on n1 ended with exit code 137 (it was killed)"));
        assert!(ended(137).hint.contains("memory"));
        assert!(ended(127).hint.contains("--cache"));
        assert!(ended(130).hint.contains("last checkpoint"));
        let lost = judge(start(), None, |job| Some(format!("{job} NODE_FAIL, exit code 0:0")));
        assert!(lost.what.contains("n1") && lost.what.contains("NODE_FAIL") && lost.ran, "{}", lost.what);
        let never = judge(None, None, silent);
        assert!(!never.ran && never.what.contains("not started"), "{}", never.what);
    }

    #[test]
    fn the_end_of_a_log_is_shown_without_control_characters() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let long: String = (0..100).map(|n| format!("line {n}\n\n")).collect();
        std::fs::write(file.path(), format!("{long}error: \u{1b}[31mred\n")).unwrap();
        let lines = last_lines(file.path());
        assert_eq!((lines.len(), &*lines[0], &*lines[7]), (8, "line 93", "error: [31mred"));
        assert!(last_lines(Path::new("/nowhere")).is_empty());
    }
}
