//! Ctrl-C, and interruptible waiting.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::{Error, Result};

/// Interval between checks of the flag while waiting.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The exit code after a second Ctrl-C, the same as a shell's for the signal.
const KILLED: i32 = 130;

/// A request to stop, which long work checks between its steps.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    flag: Arc<AtomicBool>,
}

impl Interrupt {
    /// Returns an interrupt that is never raised.
    pub fn never() -> Self {
        Self::default()
    }

    /// Returns an interrupt that Ctrl-C, SIGTERM or the end of the terminal raises. The second signal ends the process at
    /// once. A process that was started to outlive its terminal (`nohup`) does so. From now on, a file that grows beyond
    /// `ulimit -f` causes a write error and does not kill the process.
    ///
    /// # Errors
    /// [`Error::Usage`] if the system refuses the signal handlers.
    pub fn on_ctrl_c() -> Result<Self> {
        let interrupt = Self::default();
        let watch = |signal| {
            // This order matters: the first signal must not see the flag that it sets itself.
            flag::register_conditional_shutdown(signal, KILLED, Arc::clone(&interrupt.flag))?;
            flag::register(signal, Arc::clone(&interrupt.flag))
        };
        let watched = || -> io::Result<()> {
            watch(SIGINT)?;
            watch(SIGTERM)?;
            #[cfg(unix)]
            {
                use signal_hook::consts::{SIGHUP, SIGXFSZ};
                if !is_ignored(SIGHUP) {
                    watch(SIGHUP)?;
                }
                flag::register(SIGXFSZ, Arc::default())?;
            }
            Ok(())
        };
        watched().map_err(|e| Error::Usage(format!("cannot watch for Ctrl-C: {e}")))?;
        Ok(interrupt)
    }

    /// Returns `true` if the work should stop.
    pub fn raised(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// Returns the flag itself, for crates that do not know `Interrupt`.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// Checks the interrupt.
    ///
    /// # Errors
    /// [`Error::Interrupted`] once it is raised.
    pub fn check(&self) -> Result<()> {
        if self.raised() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Waits for `time`, or until the interrupt is raised.
    #[expect(clippy::disallowed_methods, reason = "a handler of signals sets a flag and can wake nobody")]
    pub fn wait(&self, time: Duration) {
        let begun = Instant::now();
        while !self.raised()
            && let Some(left) = time.checked_sub(begun.elapsed())
        {
            std::thread::sleep(left.min(LOOK_EVERY));
        }
    }
}

/// Returns `true` if the process was started with a signal ignored (Linux, proc(5)).
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
