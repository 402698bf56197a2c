//! The thread pool of the networks.

use candle_core::Device;

/// Runs work on a thread of rayon's pool. Each of its parallel parts then begins on that thread; begun elsewhere, every part
/// of every step would put one thread to sleep and wake another. Work of a GPU stays on the thread that opened it.
pub(crate) fn in_pool<T: Send>(device: &Device, work: impl FnOnce() -> T + Send) -> T {
    if device.is_cpu() { rayon::scope(|_| work()) } else { work() }
}
