//! Memory of this machine, as the system reports it.

use std::fs;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_in_bytes() {
        assert_eq!(entry("MemFree: 1 kB\nMemTotal:       16384 kB\n", "MemTotal:"), Some(16 << 20));
        assert_eq!(entry("MemFree: 1 kB\n", "MemTotal:"), None);
    }
}
