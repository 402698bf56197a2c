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

use experiment::{Console, Interrupt, Result};

use self::bed::Bed;
use self::report::{Line, Report};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    /// About how long it takes.
    pub(crate) time: Duration,
    /// Decides what is tried.
    pub(crate) seed: u64,
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
