//! Peak host memory of a piece of work.

/// A measurement of the peak host memory of one piece of work in this process, such as a training.
#[derive(Debug)]
pub struct HostMemory {
    counted: bool,
}

impl HostMemory {
    /// Starts the measurement. Buffers kept from earlier work are released first.
    pub fn begin() -> Self {
        kernels::release_kept_buffers();
        // Resets the high-water mark to the present size (Linux, proc(5)).
        Self { counted: std::fs::write("/proc/self/clear_refs", "5").is_ok() }
    }

    /// Returns the peak memory of the process since then, in MiB; `None` if the system does not report it.
    pub fn peak_mib(&self) -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok().filter(|_| self.counted)?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
    }
}
