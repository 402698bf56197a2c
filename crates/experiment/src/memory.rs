//! Available memory. Work that needs more is refused before it starts, since the system kills a process that takes too much
//! without an error message.

use std::fs;

use base::text::gibibytes;
use candle_core::Device;

use crate::{Error, Result};

/// Files with the memory limit of a control group, version 2 and version 1.
const LIMITS: [&str; 2] = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];

/// Returns the bytes of memory of this machine, or the limit of this process; `None` if the system does not report it.
#[must_use]
pub fn there_is() -> Option<u64> {
    let limits = LIMITS.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok());
    limits.chain(of_machine("MemTotal:")).min()
}

/// Returns the bytes of memory still available to programs; `None` if the system does not report it.
#[must_use]
pub fn available() -> Option<u64> {
    of_machine("MemAvailable:").min(there_is())
}

fn of_machine(key: &str) -> Option<u64> {
    entry(&fs::read_to_string("/proc/meminfo").ok()?, key)
}

/// Returns the bytes that `/proc/meminfo` lists under a key.
fn entry(info: &str, key: &str) -> Option<u64> {
    let line = info.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok()?.checked_mul(1024)
}

/// Refuses work that needs more memory than this machine has. GPU memory is not checked; the GPU reports its own errors.
///
/// # Errors
/// [`Error::Usage`] if the memory does not suffice.
pub(crate) fn suffices(what: &str, bytes: f64, device: &Device) -> Result<()> {
    match there_is() {
        Some(there_is) if device.is_cpu() && bytes > there_is as f64 => Err(Error::Usage(format!(
            "{what} takes about {}, and this machine has {}; use a smaller network, batch or clip (a smaller \
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
