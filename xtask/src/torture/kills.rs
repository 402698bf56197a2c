//! Storms of kills: one or two processes at a time on one cache, killed at a random moment.

use std::process::Child;
use std::time::{Duration, Instant};

use experiment::Result;

use super::bed::{Bed, end};
use super::place::{Place, forget};
use super::report::{Line, Outcome, Report};
use super::snapshot::leftovers;

/// Number of kills before the work is done undisturbed and compared.
const A_STORM: usize = 25;

/// Kills processes until the time is up.
pub(super) fn storm(bed: &mut Bed<'_>, until: Instant, report: &mut Report) -> Result<()> {
    let mut line = Line::new("SIGKILL at a random moment, one or two processes on one cache");
    while Instant::now() < until || line.tried == 0 {
        let folder = bed.folder();
        let place = Place::at(&folder);
        for kill in 0..A_STORM {
            one(bed, &place)?;
            bed.interrupt.check()?;
            if Instant::now() > until && kill > 0 {
                break;
            }
            line.add(Outcome::Whole);
        }
        // The last kill counts with the outcome of the whole storm.
        line.add(bed.judge(&place, "a storm of kills")?);
        let left = leftovers(&folder)?;
        line.leaked += left.len();
        line.faults.extend(left.first().map(|path| format!("left behind: {}", path.display())));
        bed.console.line(&format!("{}: {} kills, {} wrong", line.what, line.tried, line.wrong));
        forget(&folder)?;
    }
    report.lines.push(line);
    Ok(())
}

/// Starts some work and kills it at a random moment.
#[expect(clippy::disallowed_methods, reason = "the delay is random, so there is no event to wait for")]
fn one(bed: &mut Bed<'_>, place: &Place) -> Result<()> {
    let count = 1 + bed.draw(2);
    let mut children: Vec<Child> = Vec::new();
    for _ in 0..count {
        let mut work = bed.some_work(place);
        children.push(bed.start(&mut work)?);
    }
    let longest = bed.takes.as_millis() as u64 / 2;
    std::thread::sleep(Duration::from_millis(bed.draw(longest)));
    children.iter_mut().for_each(end);
    Ok(())
}
