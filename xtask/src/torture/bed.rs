//! The test bed of a campaign: runs the program within limits and compares its results with undisturbed work.

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

/// The commands that are run repeatedly: they prepare videos with flow, train, test and fuse.
const WORK: [&[&str]; 2] = [
    &["run", "two-stream/table1b", "--profile", "smoke", "--row", "single-on", "stack-5-on"],
    &["run", "two-stream/table3", "--profile", "smoke", "--row", "spatial", "temporal", "average"],
];

/// Time limit of a command, which takes seconds when undisturbed.
const LIMIT: Duration = Duration::from_secs(120);

/// Interval between checks of a process.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// The outcome of a process.
#[derive(Debug)]
pub(super) struct Ended {
    /// Exit code; `None` after a signal.
    pub(super) code: Option<i32>,
    /// True if it was killed because it exceeded the time limit.
    pub(super) stuck: bool,
    /// Its standard output.
    pub(super) output: String,
    /// Its standard error.
    pub(super) said: String,
}

impl Ended {
    /// Returns `true` if it succeeded.
    pub(super) fn well(&self) -> bool {
        self.code == Some(0)
    }

    /// Describes a panic, a signal or a timeout; `None` if it succeeded or failed with an error.
    pub(super) fn broke(&self) -> Option<String> {
        let said = self.said.lines().last().unwrap_or_default();
        match self.code {
            _ if self.stuck => Some(format!("did not end within {LIMIT:?}; {said}")),
            // The exit code of a panic.
            Some(101) => Some(format!("panicked; {}", self.said.replace('\n', " / "))),
            None => Some(format!("killed by a signal; {said}")),
            Some(_) => None,
        }
    }
}

/// The program under test and its folders.
pub(super) struct Bed<'a> {
    program: PathBuf,
    scratch: Scratch,
    random: ChaCha8Rng,
    pub(super) console: &'a Console,
    pub(super) interrupt: &'a Interrupt,
    /// The place of the undisturbed work.
    pub(super) reference: Place,
    pub(super) whole: Snapshot,
    /// Duration of the undisturbed work.
    pub(super) takes: Duration,
}

impl<'a> Bed<'a> {
    /// Creates a test bed and does the work undisturbed.
    pub(super) fn new(seed: u64, console: &'a Console, interrupt: &'a Interrupt) -> Result<Self> {
        let scratch = Scratch::new(&std::env::temp_dir().join("torture"))?;
        let reference = Place::at(&scratch.path().join("reference"));
        let program = std::env::current_exe().map_err(Error::io("find", "the program itself"))?;
        let random = random::generator("torture", seed, "campaign");
        let (whole, takes) = (Snapshot::default(), Duration::ZERO);
        let mut bed = Self { program, scratch, random, console, interrupt, reference, whole, takes };
        let begun = Instant::now();
        if let Some(fault) = bed.finish(&bed.reference.clone())? {
            return Err(Error::Usage(format!("the program fails undisturbed; nothing was tried: {fault}")));
        }
        bed.takes = begun.elapsed();
        bed.whole = Snapshot::of(&bed.reference)?;
        Ok(bed)
    }

    /// Draws a random number below `below`.
    pub(super) fn draw(&mut self, below: u64) -> u64 {
        self.random.next_u64() % below.max(1)
    }

    /// Returns the path of a new folder, which is not created.
    pub(super) fn folder(&mut self) -> PathBuf {
        let name = format!("{:016x}", self.random.next_u64());
        self.scratch.path().join(name)
    }

    /// Copies the undisturbed work to a new place.
    pub(super) fn copy(&mut self) -> Result<Place> {
        let place = Place::at(&self.folder());
        copy_folder(&self.reference.cache, &place.cache)?;
        copy_folder(&self.reference.results, &place.results)?;
        Ok(place)
    }

    /// Returns a random command of the work.
    pub(super) fn some_work(&mut self, place: &Place) -> Command {
        let which = self.draw(WORK.len() as u64) as usize;
        self.work(which, place)
    }

    fn work(&self, which: usize, place: &Place) -> Command {
        let mut command = self.command(WORK[which], place);
        command.arg("--results").arg(&place.results).args(["--checkpoint-every", "0"]);
        command
    }

    /// Returns a command that runs the program with these arguments and the cache of a place.
    pub(super) fn command<S: AsRef<OsStr>>(
        &self,
        words: impl IntoIterator<Item = S>,
        place: &Place,
    ) -> Command {
        let mut command = Command::new(&self.program);
        command.args(words).arg("--cache").arg(&place.cache).stdin(Stdio::null());
        command
    }

    /// Starts a process and discards its output.
    pub(super) fn start(&self, command: &mut Command) -> Result<Child> {
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        quiet.spawn().map_err(Error::io("start", &self.program))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the standard library has no other way to wait for a process with a time limit"
    )]
    /// Runs a process until it ends or exceeds the time limit.
    pub(super) fn run(&self, command: &mut Command) -> Result<Ended> {
        // Files, because pipes would have to be read during the wait.
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

    /// Does all the work in a place. Returns a description of the first failure, if any.
    pub(super) fn finish(&self, place: &Place) -> Result<Option<String>> {
        for which in 0..WORK.len() {
            let ended = self.run(&mut self.work(which, place))?;
            if !ended.well() {
                return Ok(Some(ended.broke().unwrap_or(ended.said)));
            }
        }
        Ok(None)
    }

    /// Does the work in a place once more and compares the result with undisturbed work.
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

    /// Checks that the undisturbed work itself has not changed; otherwise no comparison is valid.
    pub(super) fn is_undisturbed(&self) -> Result<()> {
        // A program that fails by now has refused everything.
        if let Some(fault) = self.finish(&self.reference)? {
            return Err(Error::Usage(format!(
                "the program fails undisturbed at the end, so the campaign says nothing: {fault}"
            )));
        }
        match self.whole.differences(&Snapshot::of(&self.reference)?).first() {
            None => Ok(()),
            Some(first) => Err(Error::Usage(format!("the undisturbed work itself has changed: {first}"))),
        }
    }
}

/// Kills a process and waits for its end.
pub(super) fn end(child: &mut Child) {
    // An error means that it has already ended.
    let _ended = child.kill();
    let _status = child.wait();
}
