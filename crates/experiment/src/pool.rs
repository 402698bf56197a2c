//! The thread pool of the networks.

/// Runs work on a thread of rayon's pool. Each of its parallel parts then begins on that thread; begun elsewhere, every part
/// of every step would put one thread to sleep and wake another.
pub(crate) fn in_pool<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    rayon::scope(|_| work())
}
