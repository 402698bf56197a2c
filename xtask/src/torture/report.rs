//! What a campaign found, as a table.

use base::text::{duration, thousands};
use experiment::grid::{Grid, Screen};
use serde::Serialize;

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As if nothing had been; what was damaged is made anew, or was of no consequence.
    Whole,
    /// Refused with an error.
    Refused,
    /// What came out is other than undisturbed; how.
    Wrong(String),
    /// It died of a panic or a signal, or did not end; how.
    Broke(String),
}

/// A kind of attempts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Line {
    /// What was done to the program.
    pub(super) what: String,
    pub(super) tried: usize,
    pub(super) whole: usize,
    pub(super) refused: usize,
    pub(super) wrong: usize,
    pub(super) broke: usize,
    /// Files of killed processes that nobody has cleared.
    pub(super) leaked: usize,
    /// The first faults, in words.
    pub(super) faults: Vec<String>,
}

/// Faults of a kind that are told in full.
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

/// What a campaign found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    pub(super) seed: u64,
    pub(super) seconds: f64,
    pub(super) lines: Vec<Line>,
    /// What could not be tried on this machine, and why.
    pub(super) untried: Vec<String>,
}

impl Report {
    /// Whether nothing came out wrong, nothing broke and nothing was left behind.
    pub(crate) fn held(&self) -> bool {
        !self.lines.iter().any(Line::is_fault)
    }

    /// For a person.
    pub(crate) fn terminal(&self, screen: Screen) -> String {
        let head = ["what was done", "tried", "as undisturbed", "refused", "wrong", "broke", "left behind"];
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
