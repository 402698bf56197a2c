//! Work that needs more is refused before it starts, since the system kills a process that takes too much
//! without an error message.

use base::memory::there_is;
use base::text::gibibytes;
use candle_core::Device;

use crate::{Error, Result};

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
        if there_is().is_some() {
            let message = suffices("a training", 1e18, &Device::Cpu).unwrap_err().to_string();
            assert!(message.contains("a training takes about"), "{message}");
        }
    }
}
