//! The memory that there is, and work that would take more: refused before anything is made, since the system ends a process
//! that asks for too much without a word.

use std::fs;

use base::text::gibibytes;
use candle_core::Device;

use crate::{Error, Result};

/// Where control groups say what a process may take, of either version.
const LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// Bytes of memory of this machine, or as many as this process may take of it; nothing where the system does not tell.
#[must_use]
pub fn there_is() -> Option<u64> {
    let limits = LIMITS.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    limits.chain(of_machine("MemTotal:")).min()
}

/// Bytes of memory that programs could still take; nothing where the system does not tell.
#[must_use]
pub fn available() -> Option<u64> {
    of_machine("MemAvailable:").min(there_is())
}

fn of_machine(key: &str) -> Option<u64> {
    entry(&fs::read_to_string("/proc/meminfo").ok()?, key)
}

/// Bytes that Linux lists under a key.
fn entry(info: &str, key: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok()?.checked_mul(1024)
}

/// Refuses work that takes more memory than there is. Of a GPU's nothing is known here; it says itself what it cannot hold.
///
/// # Errors
/// [`Error::Usage`].
pub(crate) fn suffices(what: &str, bytes: f64, device: &Device) -> Result<()> {
    match there_is() {
        Some(there_is) if device.is_cpu() && bytes > there_is as f64 => Err(Error::Usage(format!(
            "{what} takes about {}, and this machine has {}; expected a smaller network, batch or clip (a smaller \
             --profile has all of them), or a larger machine",
            gibibytes(bytes),
            gibibytes(there_is as f64)
        ))),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_beyond_all_memory_is_refused_and_other_work_is_not() {
        assert!(suffices("a training", 1e6, &Device::Cpu).is_ok());
        assert_eq!(entry("MemFree: 1 kB\nMemTotal:       16384 kB\n", "MemTotal:"), Some(16 << 20));
        if there_is().is_some() {
            let message = suffices("a training", 1e18, &Device::Cpu).unwrap_err().to_string();
            assert!(message.contains("a training takes about"), "{message}");
        }
    }
}
