//! The place of a campaign: the program, what it does undisturbed, and running it within limits.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base::files::Scratch;
use base::random;
use experiment::{Console, Error, Interrupt, Result};
use rand_chacha::ChaCha8Rng;
use rand_core::RngCore;

use super::place::{Place, copy_folder};
use super::report::Outcome;
use super::snapshot::Snapshot;

/// What is done, again and again: trainings, tests, a fusion, and videos with flow.
const WORK: [&[&str]; 2] = [
    &["run", "two-stream/table1b", "--profile", "smoke", "--row", "single-on", "stack-5-on"],
    &["run", "two-stream/table3", "--profile", "smoke", "--row", "spatial", "temporal", "average"],
];

/// How long any of it may take; undisturbed it takes seconds.
const LIMIT: Duration = Duration::from_secs(120);

/// How often a process is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// How a process ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; none after a signal.
    pub(super) code: Option<i32>,
    /// Whether it was ended since it took too long.
    pub(super) stuck: bool,
    /// What it wrote to standard output.
    pub(super) output: String,
    /// The last that it wrote to standard error.
    pub(super) said: String,
}

impl Ended {
    /// Whether it did what it was asked to.
    pub(super) fn well(&self) -> bool {
        self.code == Some(0)
    }

    /// Whether it neither did it nor refused to, and how it ended.
    pub(super) fn broke(&self) -> Option<String> {
        let said = self.said.lines().last().unwrap_or_default();
        match self.code {
            _ if self.stuck => Some(format!("no end within {LIMIT:?}; {said}")),
            // 101 is a panic's.
            Some(101) => Some(format!("a panic; {}", self.said.replace('\n', " / "))),
            None => Some(format!("a signal; {said}")),
            Some(_) => None,
        }
    }
}

/// The program and where it is tried.
pub(super) struct Bed<'a> {
    program: PathBuf,
    scratch: Scratch,
    random: ChaCha8Rng,
    pub(super) console: &'a Console,
    pub(super) interrupt: &'a Interrupt,
    /// What nothing disturbed.
    pub(super) reference: Place,
    pub(super) whole: Snapshot,
    /// How long that took.
    pub(super) takes: Duration,
}

impl<'a> Bed<'a> {
    /// Does the work undisturbed.
    pub(super) fn new(seed: u64, console: &'a Console, interrupt: &'a Interrupt) -> Result<Self> {
        let scratch = Scratch::new(&std::env::temp_dir().join("torture"))?;
        let reference = Place::at(&scratch.path().join("reference"));
        let program = std::env::current_exe().map_err(Error::io("find", "the program itself"))?;
        let random = random::generator("torture", seed, "campaign");
        let (whole, takes) = (Snapshot::default(), Duration::ZERO);
        let mut bed = Self { program, scratch, random, console, interrupt, reference, whole, takes };
        let begun = Instant::now();
        if let Some(fault) = bed.finish(&bed.reference.clone())? {
            return Err(Error::Usage(format!("the program fails undisturbed, so nothing is tried: {fault}")));
        }
        bed.takes = begun.elapsed();
        bed.whole = Snapshot::of(&bed.reference)?;
        Ok(bed)
    }

    /// A number below another.
    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.random.next_u64() % below.max(1)
    }

    /// A new folder.
    pub(super) fn folder(&mut self) -> PathBuf {
        let name = format!("{:016x}", self.random.next_u64());
        self.scratch.path().join(name)
    }

    /// A copy of what nothing disturbed.
    pub(super) fn copy(&mut self) -> Result<Place> {
        let place = Place::at(&self.folder());
        copy_folder(&self.reference.cache, &place.cache)?;
        copy_folder(&self.reference.results, &place.results)?;
        Ok(place)
    }

    /// One of the commands of the work.
    pub(super) fn some_work(&mut self, place: &Place) -> Command {
        let which = self.draw(WORK.len() as u64) as usize;
        self.work(which, place)
    }

    fn work(&self, which: usize, place: &Place) -> Command {
        let mut command = self.command(WORK[which], place);
        command.arg("--results").arg(&place.results).args(["--checkpoint-every", "0"]);
        command
    }

    /// The program with these words and a cache.
    pub(super) fn command<S: AsRef<OsStr>>(
        &self,
        words: impl IntoIterator<Item = S>,
        place: &Place,
    ) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).arg("--cache").arg(&place.cache).stdin(Stdio::null());
        command
    }

    /// Starts a process whose words nobody reads.
    pub(super) fn start(&self, command: &mut Command) -> Result<Child> {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.spawn().map_err(Error::io("start", &self.program))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the standard library waits for a process with a limit in no other way"
    )]
    /// Runs a process to its end, or to that of the time it may take.
    pub(super) fn run(&self, command: &mut Command) -> Result<Ended> {
        // Pipes would have to be read meanwhile.
        let names = ["out", "err"].map(|name| self.scratch.path().join(name));
        let file = |path: &PathBuf| std::fs::File::create(path).map_err(Error::io("create", path));
        let child = command.stdout(file(&names[0])?).stderr(file(&names[1])?);
        let mut child = child.spawn().map_err(Error::io("start", &self.program))?;
        let begun = Instant::now();
        let (code, stuck) = loop {
            if let Some(status) = child.try_wait().map_err(Error::io("wait for", &self.program))? {
                break (status.code(), false);
            }
            if begun.elapsed() > LIMIT || self.interrupt.raised() {
                end(&mut child);
                self.interrupt.check()?;
                break (None, true);
            }
            std::thread::sleep(LOOK_EVERY);
        };
        let [output, said] = names.map(|path| base::files::read_text(&path).unwrap_or_default());
        Ok(Ended { code, stuck, output, said })
    }

    /// Does all the work in a place, until it is done; what went wrong, if anything did.
    pub(super) fn finish(&self, place: &Place) -> Result<Option<String>> {
        for which in 0..WORK.len() {
            let ended = self.run(&mut self.work(which, place))?;
            if !ended.well() {
                return Ok(Some(ended.broke().unwrap_or(ended.said)));
            }
        }
        Ok(None)
    }

    /// What a place has come to after the work was done in it once more.
    pub(super) fn judge(&self, place: &Place, disturbed: &str) -> Result<Outcome> {
        for which in 0..WORK.len() {
            let ended = self.run(&mut self.work(which, place))?;
            if let Some(how) = ended.broke() {
                return Ok(Outcome::Broke(format!("{disturbed}: {how}")));
            }
            if !ended.well() {
                return Ok(Outcome::Refused);
            }
        }
        let differences = self.whole.differences(&self.whole.of_links(place)?);
        Ok(match differences.first() {
            None => Outcome::Whole,
            Some(first) => Outcome::Wrong(format!("{disturbed}: {first}, {} in all", differences.len())),
        })
    }

    /// What nothing disturbed has to stay as it was, or nothing that was compared with it says anything.
    pub(super) fn is_undisturbed(&self) -> Result<()> {
        match self.whole.differences(&Snapshot::of(&self.reference)?).first() {
            None => Ok(()),
            Some(first) => Err(Error::Usage(format!("what all was compared with has changed: {first}"))),
        }
    }
}

/// Ends a process that cannot refuse.
pub(super) fn end(child: &mut Child) {
    // An error means that it has ended already.
    let _ended = child.kill();
    let _status = child.wait();
}
