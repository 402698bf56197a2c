//! What a person sees while work is going on, on standard error: a bar on a
//! terminal, plain lines from time to time elsewhere.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Where progress goes.
#[derive(Debug)]
pub struct Console {
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Terminal,
    Plain,
    Silent,
}

/// How often a step says something when nobody watches a bar.
const PLAIN_EVERY: Duration = Duration::from_secs(10);

impl Console {
    /// Bars on a terminal, plain lines otherwise.
    pub fn stderr() -> Self {
        Self { mode: if std::io::stderr().is_terminal() { Mode::Terminal } else { Mode::Plain } }
    }

    /// Says nothing.
    pub fn silent() -> Self {
        Self { mode: Mode::Silent }
    }

    /// One line of news.
    pub fn line(&self, text: &str) {
        if self.mode != Mode::Silent {
            eprintln!("{text}");
        }
    }

    /// Starts a step of `total` pieces; the step ends when it is dropped.
    pub fn step(&self, name: &str, total: u64, done: u64) -> Step {
        self.bar(name, Some(total), done, "{prefix:22} {wide_bar} {pos}/{len} {msg} {eta} left")
    }

    /// As [`Console::step`], for a step whose end is not known before it is reached.
    pub fn open_step(&self, name: &str) -> Step {
        self.bar(name, None, 0, "{prefix:22} {spinner} {pos} {msg} {per_sec}")
    }

    fn bar(&self, name: &str, total: Option<u64>, done: u64, template: &str) -> Step {
        let bar = ProgressBar::with_draw_target(
            total,
            match self.mode {
                Mode::Terminal => ProgressDrawTarget::stderr_with_hz(8),
                Mode::Plain | Mode::Silent => ProgressDrawTarget::hidden(),
            },
        );
        bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
        bar.set_prefix(name.to_owned());
        bar.set_position(done);
        bar.reset_eta();
        let now = Instant::now();
        Step { name: name.to_owned(), bar, mode: self.mode, start: (now, done), said: Mutex::new(now) }
    }
}

/// A step that is going on.
#[derive(Debug)]
pub struct Step {
    name: String,
    bar: ProgressBar,
    mode: Mode,
    start: (Instant, u64),
    said: Mutex<Instant>,
}

impl Step {
    /// `done` pieces of the step are done; `message` says what a count cannot.
    pub fn set(&self, done: u64, message: &str) {
        self.bar.set_position(done);
        self.bar.set_message(message.to_owned());
        self.speak(message);
    }

    /// `more` pieces are done.
    pub fn advance(&self, more: u64) {
        self.bar.inc(more);
        self.speak("");
    }

    fn speak(&self, message: &str) {
        if self.mode != Mode::Plain {
            return;
        }
        let mut said = self.said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if said.elapsed() < PLAIN_EVERY {
            return;
        }
        *said = Instant::now();
        let done = self.bar.position();
        let Some(total) = self.bar.length() else {
            eprintln!("{}: {done} {message}", self.name);
            return;
        };
        let (begun, first) = self.start;
        let rate = (done - first.min(done)) as f64 / begun.elapsed().as_secs_f64();
        let left = total.saturating_sub(done) as f64 / rate;
        let left = if left.is_finite() { format!(", {left:.0} s left") } else { String::new() };
        let gap = if message.is_empty() { "" } else { ", " };
        eprintln!("{}: {done}/{total}{gap}{message}{left}", self.name);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
