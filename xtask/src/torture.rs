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
mod place;
mod report;
mod snapshot;

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use experiment::{Console, Interrupt, Result};

use self::bed::Bed;
use self::report::{Line, Report};

/// A part of a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Inputs that are not what they should be.
    Inputs,
    /// A full disk.
    Disk,
    /// Videos that change while they are read.
    Changes,
    /// Flipped bits and cut files.
    Damage,
    /// SIGKILL.
    Kills,
}

impl Part {
    /// Tries until the time is up, and once at least.
    fn run(self, bed: &mut Bed<'_>, until: Instant, report: &mut Report) -> Result<()> {
        match self {
            Self::Inputs => inputs::try_all(bed, until, report),
            Self::Disk => disk::fill(bed, until, report),
            Self::Changes => changes::replace(bed, until, report),
            Self::Damage => damage::damage(bed, until, report),
            Self::Kills => kills::storm(bed, until, report),
        }
    }

    /// How much of the time it gets beside the others.
    fn weight(self) -> u32 {
        match self {
            Self::Inputs | Self::Changes => 2,
            Self::Disk | Self::Kills => 3,
            Self::Damage => 6,
        }
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// About how long it takes.
    pub(crate) time: Duration,
    /// Decides what is tried.
    pub(crate) seed: u64,
    /// The parts that are run; all if none is named.
    pub(crate) parts: Vec<Part>,
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
    let parts = if request.parts.is_empty() { Part::value_variants() } else { &request.parts };
    for (at, part) in parts.iter().enumerate() {
        // Time that a part did not need is the others'.
        let left = request.time.saturating_sub(begun.elapsed());
        let rest: u32 = parts[at..].iter().map(|part| part.weight()).sum();
        let known = report.lines.len();
        part.run(&mut bed, Instant::now() + left * part.weight() / rest, &mut report)?;
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
