//! Ctrl-C, and waiting that can be cut short by it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use crate::error::{Error, Result};

/// A request to stop that long work looks at between its steps.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    flag: Arc<AtomicBool>,
    pause: Arc<(Mutex<()>, Condvar)>,
}

impl Interrupt {
    /// One that nobody raises.
    pub fn never() -> Self {
        Self::default()
    }

    /// One that Ctrl-C (or a polite kill) raises. The second Ctrl-C ends the
    /// process at once.
    ///
    /// # Errors
    /// [`Error::Usage`] when the process has a handler already.
    pub fn on_ctrl_c() -> Result<Self> {
        let interrupt = Self::default();
        let raised = interrupt.clone();
        ctrlc::set_handler(move || {
            if raised.flag.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            raised.pause.1.notify_all();
        })
        .map_err(|e| Error::Usage(format!("cannot watch for Ctrl-C: {e}")))?;
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
    pub fn wait(&self, time: Duration) {
        let guard = self.pause.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        drop(self.pause.1.wait_timeout(guard, time));
    }
}
