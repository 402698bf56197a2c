//! A campaign to break the program: kills, damaged files, full disks, inputs that change while they are read, and invalid
//! inputs. After each attempt the work is done again undisturbed. The result must equal undisturbed work in every byte of
//! cache files, weights and scores, and in every digit of records.
//!
//! A seed determines the attempts, but not the exact moment of a kill.

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
    /// Invalid inputs.
    Inputs,
    /// A full disk.
    Disk,
    /// Videos that change while they are read.
    Changes,
    /// Flipped bits and truncated files.
    Damage,
    /// SIGKILL.
    Kills,
}

impl Part {
    /// Makes attempts until the time is up, and at least one.
    fn run(self, bed: &mut Bed<'_>, until: Instant, report: &mut Report) -> Result<()> {
        match self {
            Self::Inputs => inputs::try_all(bed, until, report),
            Self::Disk => disk::fill(bed, until, report),
            Self::Changes => changes::replace(bed, until, report),
            Self::Damage => damage::damage(bed, until, report),
            Self::Kills => kills::storm(bed, until, report),
        }
    }

    /// Returns its share of the time, relative to the other parts.
    fn weight(self) -> u32 {
        match self {
            Self::Inputs | Self::Changes => 2,
            Self::Disk | Self::Kills => 3,
            Self::Damage => 6,
        }
    }
}

/// A request for a campaign.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// Approximate duration.
    pub(crate) time: Duration,
    /// Seed of the attempts.
    pub(crate) seed: u64,
    /// Parts to run; all if empty.
    pub(crate) parts: Vec<Part>,
}

/// Returns a random seed.
pub(crate) fn any_seed() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Runs a campaign.
///
/// # Errors
/// If there is no folder to work in, or the program fails undisturbed.
pub(crate) fn run(request: &Request, console: &Console, interrupt: &Interrupt) -> Result<Report> {
    let begun = Instant::now();
    let mut bed = Bed::new(request.seed, console, interrupt)?;
    let mut report = Report { seed: request.seed, seconds: 0.0, lines: Vec::new(), untried: Vec::new() };
    let parts = if request.parts.is_empty() { Part::value_variants() } else { &request.parts };
    for (at, part) in parts.iter().enumerate() {
        // Time that a part did not use goes to the others.
        let left = request.time.saturating_sub(begun.elapsed());
        let rest: u32 = parts[at..].iter().map(|part| part.weight()).sum();
        let known = report.lines.len();
        part.run(&mut bed, Instant::now() + left * part.weight() / rest, &mut report)?;
        interrupt.check()?;
        for Line { what, tried, wrong, broke, leaked, .. } in &report.lines[known..] {
            console.line(&format!(
                "{what}: {tried} tried, {wrong} wrong, {broke} crashed or hung, {leaked} files left behind"
            ));
        }
    }
    bed.is_undisturbed()?;
    report.seconds = begun.elapsed().as_secs_f64();
    Ok(report)
}
