//! Progress of running work on standard error: a bar on a terminal, plain
//! lines from time to time elsewhere.

mod whole;

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::text::{one_line, terminal};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::{Deserialize, Serialize};

use self::whole::Whole;
use crate::files::write_json;

/// The destination of progress and messages.
#[derive(Debug)]
pub struct Console {
    mode: Mode,
    /// All bars on a terminal: lines are written above them, not into them.
    bars: MultiProgress,
    /// File into which steps write their progress, for another process to read.
    report: Option<PathBuf>,
    /// The whole work, if it was announced.
    whole: Arc<Mutex<Whole>>,
    /// The line above the steps that shows it.
    header: Mutex<Option<ProgressBar>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Terminal,
    Plain,
    /// Errors only.
    Quiet,
    Silent,
}

/// Interval between the plain lines of a step, where there is no bar.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Interval between the plain lines of a board, which are longer.
const BOARD_EVERY: Duration = Duration::from_secs(30);
/// Interval between writes of a step's [`Progress`].
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// The progress of a step, as written to its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Name of the step.
    pub step: String,
    /// Number of pieces done.
    pub done: u64,
    /// Total number of pieces, if known.
    pub total: Option<u64>,
    /// Further state that the counts do not show.
    pub message: String,
}

impl Console {
    /// Bars on a terminal, plain lines otherwise.
    pub fn stderr() -> Self {
        Self::new(if std::io::stderr().is_terminal() { Mode::Terminal } else { Mode::Plain })
    }

    /// Prints errors and nothing else.
    pub fn quiet() -> Self {
        Self::new(Mode::Quiet)
    }

    /// Prints nothing.
    pub fn silent() -> Self {
        Self::new(Mode::Silent)
    }

    /// Plain lines; in addition, every step writes its progress to a file, for a process that watches it.
    pub fn reporting(report: PathBuf) -> Self {
        Self { report: Some(report), ..Self::new(Mode::Plain) }
    }

    fn new(mode: Mode) -> Self {
        let target = match mode {
            Mode::Terminal => ProgressDrawTarget::stderr_with_hz(8),
            Mode::Plain | Mode::Quiet | Mode::Silent => ProgressDrawTarget::hidden(),
        };
        let bars = MultiProgress::with_draw_target(target);
        Self { mode, bars, report: None, whole: Arc::default(), header: Mutex::default() }
    }

    /// Expects this many seconds of work. Steps then also show the time left of the whole command.
    pub fn expect(&self, seconds: f64) {
        lock(&self.whole).expect(seconds);
    }

    /// Begins a part of the expected work, which ends when the result is dropped. `title` is shown above the steps.
    pub fn part(&self, title: &str, seconds: f64) -> PartInProgress<'_> {
        lock(&self.whole).begin(title, seconds);
        self.show_header();
        PartInProgress { console: self }
    }

    /// Begins a part that was not expected, inside another one.
    pub fn unexpected_part(&self, seconds: f64) -> PartInProgress<'_> {
        lock(&self.whole).insert(seconds);
        PartInProgress { console: self }
    }

    /// Shows the line above the steps.
    fn show_header(&self) {
        if self.mode != Mode::Terminal {
            return;
        }
        let Some(line) = lock(&self.whole).line() else { return };
        let mut header = lock(&self.header);
        let bar = header.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{wide_msg}").expect("the template is a constant");
            self.bars.insert(0, ProgressBar::new_spinner().with_style(style))
        });
        bar.set_message(one_line(&line));
        bar.tick();
    }

    /// Removes the line above the steps.
    fn clear_header(&self) {
        if let Some(bar) = lock(&self.header).take() {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    /// Creates a board: lines that the next ones replace on a terminal, and that are repeated from time to time elsewhere.
    pub fn board(&self) -> Board {
        Board { mode: self.mode, bars: self.bars.clone(), shown: Mutex::default() }
    }

    /// Prints one line of news.
    pub fn line(&self, text: &str) {
        if matches!(self.mode, Mode::Terminal | Mode::Plain) {
            self.say(text);
        }
    }

    /// Prints one line about an error, except on a silent console.
    pub fn error(&self, text: &str) {
        if self.mode != Mode::Silent {
            self.say(text);
        }
    }

    /// Writes a line above all bars. If it cannot be written, because the terminal is gone or the disk behind it is full,
    /// it is dropped: nobody is reading, and the work continues.
    fn say(&self, text: &str) {
        match self.mode {
            Mode::Terminal => _ = self.bars.println(terminal(text)),
            Mode::Plain | Mode::Quiet | Mode::Silent => plain(text),
        }
    }

    /// Returns a writer to standard error for others, so that their lines do not run into a bar.
    pub fn lines(&self) -> Lines {
        Lines { terminal: (self.mode == Mode::Terminal).then(|| self.bars.clone()) }
    }

    /// Starts a step of `total` pieces; the step ends when it is dropped.
    pub fn step(&self, name: &str, total: u64, done: u64) -> Step {
        self.bar(name, Some(total), done, "{prefix:26!} {wide_bar} {pos}/{len} {msg} {eta} left")
    }

    /// Starts a step whose number of pieces is not known in advance; otherwise like [`Console::step`].
    pub fn open_step(&self, name: &str) -> Step {
        self.bar(name, None, 0, "{prefix:26!} {spinner} {pos} {msg} {per_sec}")
    }

    fn bar(&self, name: &str, total: Option<u64>, done: u64, template: &str) -> Step {
        let bar = self.bars.add(ProgressBar::with_draw_target(total, ProgressDrawTarget::hidden()));
        bar.set_style(ProgressStyle::with_template(template).expect("the template is a constant"));
        bar.set_prefix(one_line(name));
        bar.set_position(done);
        bar.reset_eta();
        let now = Instant::now();
        let report = self.report.clone().map(|path| (path, Mutex::new(None)));
        Step {
            name: name.to_owned(),
            bar,
            bars: self.bars.clone(),
            mode: self.mode,
            start: (now, done),
            said: Mutex::new(now),
            report,
            whole: Arc::clone(&self.whole),
            header: lock(&self.header).clone(),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A part of the expected work; it ends when this is dropped.
#[derive(Debug)]
pub struct PartInProgress<'a> {
    console: &'a Console,
}

impl Drop for PartInProgress<'_> {
    fn drop(&mut self) {
        let over = {
            let mut whole = lock(&self.console.whole);
            whole.end();
            whole.is_idle()
        };
        if over {
            self.console.clear_header();
        } else {
            self.console.show_header();
        }
    }
}

/// Standard error, above all bars.
#[derive(Debug, Clone)]
pub struct Lines {
    terminal: Option<MultiProgress>,
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        match &self.terminal {
            Some(bars) => _ = bars.println(text.trim_end_matches('\n')),
            None => _ = std::io::stderr().write_all(bytes),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes a line to standard error, if it can be written.
fn plain(text: &str) {
    _ = std::io::stderr().write_all(format!("{}\n", terminal(text)).as_bytes());
}

/// Lines that are shown together.
#[derive(Debug)]
pub struct Board {
    mode: Mode,
    bars: MultiProgress,
    shown: Mutex<Shown>,
}

/// The present contents of a board.
#[derive(Debug, Default)]
struct Shown {
    bars: Vec<ProgressBar>,
    text: String,
    said: Option<Instant>,
}

impl Board {
    /// Shows these lines in place of the previous ones.
    pub fn set(&self, lines: &[String]) {
        let mut shown = lock(&self.shown);
        match self.mode {
            Mode::Quiet | Mode::Silent => {}
            Mode::Plain => {
                let text = lines.join("\n");
                let due = shown.said.is_none_or(|said| said.elapsed() >= BOARD_EVERY);
                if due && text != shown.text {
                    plain(&text);
                    shown.said = Some(Instant::now());
                    shown.text = text;
                }
            }
            Mode::Terminal => {
                while shown.bars.len() > lines.len() {
                    if let Some(bar) = shown.bars.pop() {
                        bar.finish_and_clear();
                        self.bars.remove(&bar);
                    }
                }
                while shown.bars.len() < lines.len() {
                    let style =
                        ProgressStyle::with_template("{wide_msg}").expect("the template is a constant");
                    shown.bars.push(self.bars.add(ProgressBar::new_spinner().with_style(style)));
                }
                for (bar, line) in shown.bars.iter().zip(lines) {
                    bar.set_message(one_line(line));
                    bar.tick();
                }
            }
        }
    }

    /// Prints one line of news above the board.
    pub fn line(&self, text: &str) {
        match self.mode {
            Mode::Quiet | Mode::Silent => {}
            Mode::Plain => plain(text),
            // A line that cannot be written is dropped: nobody is reading.
            Mode::Terminal => _ = self.bars.println(terminal(text)),
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let shown = lock(&self.shown);
        for bar in &shown.bars {
            bar.finish_and_clear();
            self.bars.remove(bar);
        }
    }
}

/// A running step.
#[derive(Debug)]
pub struct Step {
    name: String,
    bar: ProgressBar,
    bars: MultiProgress,
    mode: Mode,
    start: (Instant, u64),
    said: Mutex<Instant>,
    /// File for its progress, and the time of the last write.
    report: Option<(PathBuf, Mutex<Option<Instant>>)>,
    whole: Arc<Mutex<Whole>>,
    /// The line above the steps, if it is shown.
    header: Option<ProgressBar>,
}

impl Step {
    /// Sets the number of pieces done; `message` shows what the counts do not.
    pub fn set(&self, done: u64, message: &str) {
        self.bar.set_position(done);
        self.bar.set_message(one_line(message));
        self.speak(message);
    }

    /// Adds `more` pieces to those done.
    pub fn advance(&self, more: u64) {
        self.bar.inc(more);
        self.speak("");
    }

    fn speak(&self, message: &str) {
        self.report(message);
        let mut whole = lock(&self.whole);
        if let Some(total) = self.bar.length().filter(|&total| total > 0) {
            whole.reach(self.bar.position() as f64 / total as f64);
        }
        if let (Some(header), Some(line)) = (&self.header, whole.line()) {
            header.set_message(one_line(&line));
        }
        let in_all = whole.time_left();
        drop(whole);
        if self.mode != Mode::Plain {
            return;
        }
        let mut said = lock(&self.said);
        if said.elapsed() < PLAIN_EVERY {
            return;
        }
        *said = Instant::now();
        let done = self.bar.position();
        let Some(total) = self.bar.length() else {
            plain(&format!("{}: {done} {message}", self.name));
            return;
        };
        let (begun, first) = self.start;
        let rate = (done - first.min(done)) as f64 / begun.elapsed().as_secs_f64();
        let left = total.saturating_sub(done) as f64 / rate;
        let left = if left.is_finite() { format!(", {left:.0} s left") } else { String::new() };
        let gap = if message.is_empty() { "" } else { ", " };
        let in_all = in_all.map_or(String::new(), |left| format!(" ({left})"));
        plain(&format!("{}: {done}/{total}{gap}{message}{left}{in_all}", self.name));
    }
}

impl Step {
    /// Writes the progress to the step's file, if it has one. It is only for display: a failed write is ignored.
    fn report(&self, message: &str) {
        let Some((path, last)) = &self.report else { return };
        let mut last = lock(last);
        if last.is_some_and(|last| last.elapsed() < REPORT_EVERY) {
            return;
        }
        *last = Some(Instant::now());
        let progress = Progress {
            step: self.name.clone(),
            done: self.bar.position(),
            total: self.bar.length(),
            message: message.to_owned(),
        };
        _ = write_json(path, &progress);
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
        self.bars.remove(&self.bar);
    }
}
