//! Ctrl-C, and waiting that can be cut short by it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::error::{Error, Result};

/// How often one who waits looks whether to stop.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The exit code after a second Ctrl-C, as a shell has it for the signal.
const KILLED: i32 = 130;

/// A request to stop that long work looks at between its steps.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    flag: Arc<AtomicBool>,
}

impl Interrupt {
    /// One that nobody raises.
    pub fn never() -> Self {
        Self::default()
    }

    /// One that Ctrl-C, a polite kill or the end of the terminal raises. The second one ends the process at once. A process
    /// that was started to outlive its terminal (`nohup`) does. From now on a file that grows beyond `ulimit -f` is an error
    /// of whoever writes it, and kills nobody.
    ///
    /// # Errors
    /// [`Error::Usage`] where the system does not let signals be watched.
    pub fn on_ctrl_c() -> Result<Self> {
        let interrupt = Self::default();
        let watch = |signal| {
            // In this order: the first one must not find its own mark.
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

    /// Whether to stop.
    pub fn raised(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    /// The flag itself, for crates that know no `Interrupt`.
    pub fn flag(&self) -> &AtomicBool {
        &self.flag
    }

    /// # Errors
    /// [`Error::Interrupted`] once the interrupt is raised.
    pub fn check(&self) -> Result<()> {
        if self.raised() { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Waits for `time`, or less when the interrupt is raised.
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

/// Whether whoever started the process has it ignore a signal (Linux, proc(5)).
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}
