//! The most memory that a piece of work holds, of the machine's own.

/// The account of one piece of work in this process, such as a training.
#[derive(Debug)]
pub struct HostMemory {
    counted: bool,
}

impl HostMemory {
    /// Begins to count. Buffers that work before has left are given back first.
    pub fn begin() -> Self {
        kernels::release_kept_buffers();
        // Sets the high-water mark to what is held now (Linux, proc(5)).
        Self { counted: std::fs::write("/proc/self/clear_refs", "5").is_ok() }
    }

    /// The most that the process held since then, in MiB; nothing where the system does not tell.
    pub fn peak_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok().filter(|_| self.counted)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
    }
}
