//! The report of a campaign, as a table.

use base::text::{duration, thousands};
use experiment::grid::{Grid, Screen};
use serde::Serialize;

/// The outcome of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The same result as undisturbed work: the damage was repaired or had no effect.
    Whole,
    /// The program refused with an error.
    Refused,
    /// A result that differs from undisturbed work, with a description.
    Wrong(String),
    /// A panic, a signal or a timeout, with a description.
    Broke(String),
}

/// The counts of one kind of attempt.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Line {
    /// Description of the attempts.
    pub(super) what: String,
    pub(super) tried: usize,
    pub(super) whole: usize,
    pub(super) refused: usize,
    pub(super) wrong: usize,
    pub(super) broke: usize,
    /// Number of files of killed processes that were not cleared.
    pub(super) leaked: usize,
    /// Descriptions of the first faults.
    pub(super) faults: Vec<String>,
}

/// Maximum number of faults of a kind that are described.
const TOLD: usize = 5;

impl Line {
    pub(super) fn new(what: impl Into<String>) -> Self {
        let what = what.into();
        Self { what, tried: 0, whole: 0, refused: 0, wrong: 0, broke: 0, leaked: 0, faults: Vec::new() }
    }

    pub(super) fn add(&mut self, outcome: Outcome) {
        self.tried += 1;
        let fault = match outcome {
            Outcome::Whole => return self.whole += 1,
            Outcome::Refused => return self.refused += 1,
            Outcome::Wrong(how) => {
                self.wrong += 1;
                how
            }
            Outcome::Broke(how) => {
                self.broke += 1;
                how
            }
        };
        if self.faults.len() < TOLD {
            self.faults.push(fault);
        }
    }

    fn is_fault(&self) -> bool {
        self.wrong + self.broke + self.leaked > 0
    }
}

/// The report of a campaign.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    pub(super) seed: u64,
    pub(super) seconds: f64,
    pub(super) lines: Vec<Line>,
    /// Attempts that are not possible on this machine, with the reasons.
    pub(super) untried: Vec<String>,
}

impl Report {
    /// Returns `true` if there was no wrong result, no crash, no timeout and no leftover file.
    pub(crate) fn held(&self) -> bool {
        !self.lines.iter().any(Line::is_fault)
    }

    /// Formats the report for a terminal.
    pub(crate) fn terminal(&self, screen: Screen) -> String {
        let head = ["attempt", "tried", "unaffected", "refused", "wrong", "crashed or hung", "left behind"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        for line in &self.lines {
            let counts = [line.tried, line.whole, line.refused, line.wrong, line.broke, line.leaked];
            let counts = counts.map(|count| thousands(count as u64));
            lines.push(std::iter::once(line.what.clone()).chain(counts).collect());
        }
        let faults = self.lines.iter().flat_map(|line| {
            line.faults.iter().map(|fault| format!("\n{}: {fault}", line.what)).collect::<Vec<_>>()
        });
        let untried = self.untried.iter().map(|why| format!("\nnot tried: {why}"));
        format!(
            "{}\nseed {}, {}{}",
            Grid::new(lines, 1).terminal(screen),
            self.seed,
            duration(self.seconds),
            faults.chain(untried).collect::<String>()
        )
    }
}
