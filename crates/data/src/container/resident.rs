//! Cache files held in memory.
//!
//! Training reads the entries of the same files again and again, in any order. A small file is therefore read and verified once
//! and then stays in memory, while all such files take at most a quarter of the memory that was free. A larger file, or one
//! for which there is no room, is read entry by entry.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::record::Record;

/// Largest file held in memory, in bytes: some hundred entries at the scale of two CPU cores, a few at the papers'.
const LARGEST: u64 = 8 << 20;

/// Bytes that further files may take.
static FREE: LazyLock<AtomicU64> =
    LazyLock::new(|| AtomicU64::new(base::memory::available().map_or(0, |bytes| bytes / 4)));

/// The verified content of a file.
#[derive(Debug)]
pub(super) struct Resident {
    pub(super) records: Vec<Record>,
    pub(super) payload: Vec<u8>,
    /// Returned once no reader of the file is left.
    pub(super) _room: Room,
}

/// A share of the memory for files.
#[derive(Debug)]
pub(super) struct Room(u64);

impl Room {
    /// Takes room for a file; `None` if the file is too large or too much is taken.
    pub(super) fn take(bytes: u64) -> Option<Self> {
        if bytes > LARGEST {
            return None;
        }
        let left = |free: u64| free.checked_sub(bytes);
        FREE.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_ok().then_some(Self(bytes))
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        FREE.fetch_add(self.0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_file_gets_no_room() {
        assert!(Room::take(LARGEST + 1).is_none());
        assert!(Room::take(u64::MAX).is_none());
    }
}
