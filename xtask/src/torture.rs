//! A campaign to break the program: it is killed, its files are damaged, its disk fills up, its inputs change while they are
//! read, and what it is given is not what it should be. After each everything is done again undisturbed and compared with
//! what nothing disturbed, to the last byte of every cache file, weight and score and to the last digit of every record.
//!
//! What is tried follows from a seed; when a kill strikes does not.

mod bed;
mod changes;
mod damage;
mod disk;
mod inputs;
mod kills;
mod snapshot;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use base::text::{duration, thousands};
use experiment::table::plain;
use experiment::{Console, Interrupt, Result};
use serde::Serialize;

use self::bed::Bed;

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    /// About how long it takes.
    pub(crate) time: Duration,
    /// Decides what is tried.
    pub(crate) seed: u64,
}

/// What became of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
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
    what: String,
    tried: usize,
    whole: usize,
    refused: usize,
    wrong: usize,
    broke: usize,
    /// Files of killed processes that nobody has cleared.
    leaked: usize,
    /// The first faults, in words.
    faults: Vec<String>,
}

/// Faults of a kind that are told in full.
const TOLD: usize = 5;

impl Line {
    fn new(what: impl Into<String>) -> Self {
        let what = what.into();
        Self { what, tried: 0, whole: 0, refused: 0, wrong: 0, broke: 0, leaked: 0, faults: Vec::new() }
    }

    fn add(&mut self, outcome: Outcome) {
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
    seed: u64,
    seconds: f64,
    lines: Vec<Line>,
    /// What could not be tried on this machine, and why.
    untried: Vec<String>,
}

impl Report {
    /// Whether nothing came out wrong, nothing broke and nothing was left behind.
    pub(crate) fn held(&self) -> bool {
        !self.lines.iter().any(Line::is_fault)
    }

    /// For a person.
    pub(crate) fn terminal(&self) -> String {
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
            plain(lines, 1),
            self.seed,
            duration(self.seconds),
            faults.chain(untried).collect::<String>()
        )
    }
}

/// A seed that nobody chose.
pub(crate) fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Runs a campaign.
///
/// # Errors
/// What makes a campaign impossible: no folder to work in, or a program that fails undisturbed.
pub(crate) fn run(request: &Request, console: &Console, interrupt: &Interrupt) -> Result<Report> {
    let begun = Instant::now();
    let mut bed = Bed::new(request.seed, console, interrupt)?;
    let mut report = Report { seed: request.seed, seconds: 0.0, lines: Vec::new(), untried: Vec::new() };
    type Part = fn(&mut Bed<'_>, Instant, &mut Report) -> Result<()>;
    // Each gets a share of the time that is left.
    let parts: [(Part, u32); 5] = [
        (inputs::try_all, 8),
        (disk::fill, 4),
        (changes::replace, 4),
        (damage::damage, 2),
        (kills::storm, 1),
    ];
    for (part, share) in parts {
        let left = request.time.saturating_sub(begun.elapsed());
        let known = report.lines.len();
        part(&mut bed, Instant::now() + left / share, &mut report)?;
        interrupt.check()?;
        for Line { what, tried, wrong, broke, leaked, .. } in &report.lines[known..] {
            console
                .line(&format!("{what}: {tried} tried, {wrong} wrong, {broke} broke, {leaked} left behind"));
        }
    }
    bed.is_undisturbed()?;
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}
