//! An allocator for a program that trains: large buffers are kept and used again. It is the program's choice:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: kernels::ReusingAllocator = kernels::ReusingAllocator;
//! ```
//!
//! A training step makes the same large buffers every time, and gives all of them back. The
//! system's allocator returns memory of that size to the operating system, which hands it out
//! again page by page, zeroed: on the machine where this was written a first write ran at
//! 2.5 GB/s, a second at 22. So blocks of a megabyte and more are kept when they are
//! freed, and the next request of that size gets one back.
//!
//! What is kept is bounded: blocks in use and blocks kept are together never more than an eighth
//! above the most that was ever in use at once; the block that was freed longest ago goes first.
//! On Linux large blocks ask for huge pages. Everything below a megabyte, and every
//! other system, is left to the system's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::{Mutex, PoisonError};

/// Blocks from this size on are kept.
const SMALLEST: usize = 1 << 20;
/// Block sizes are whole numbers of these: small blocks, and those from [`LARGE`] on.
const GRANULE: usize = 1 << 18;
const LARGE_GRANULE: usize = HUGE_PAGE;
const LARGE: usize = 16 << 20;
/// A huge page.
const HUGE_PAGE: usize = 2 << 20;
/// Blocks that can be kept.
const SLOTS: usize = 512;

/// Keeps freed blocks of a megabyte and more for requests of their size, never more of them than an eighth of the most memory
/// that was in use at once; the system's allocator serves the rest. Linux only: elsewhere it is the system's allocator.
#[derive(Debug)]
pub struct ReusingAllocator;

/// Freed blocks, the longest kept first, and the count of bytes.
struct Kept {
    blocks: [(usize, usize); SLOTS],
    len: usize,
    kept: usize,
    used: usize,
    most_used: usize,
}

static KEPT: Mutex<Kept> =
    Mutex::new(Kept { blocks: [(0, 0); SLOTS], len: 0, kept: 0, used: 0, most_used: 0 });

impl Kept {
    /// A kept block of exactly this size, the one freed last (its pages are likely in a cache).
    fn take(&mut self, size: usize) -> Option<*mut u8> {
        let at = self.blocks[..self.len].iter().rposition(|&(_, of)| of == size)?;
        let (address, _) = self.remove(at);
        Some(std::ptr::with_exposed_provenance_mut(address))
    }

    fn remove(&mut self, at: usize) -> (usize, usize) {
        let block = self.blocks[at];
        self.blocks.copy_within(at + 1..self.len, at);
        self.len -= 1;
        self.kept -= block.1;
        block
    }

    /// Gives blocks back to the system until the bound holds.
    fn trim(&mut self) {
        let bound = self.most_used + self.most_used / 8;
        while self.len > 0 && (self.used + self.kept > bound || self.len == SLOTS) {
            let (address, size) = self.remove(0);
            // SAFETY: the block came from `system::map` with this size, and nobody holds it.
            unsafe { system::unmap(std::ptr::with_exposed_provenance_mut(address), size) };
        }
    }

    /// Gives all blocks back to the system, and begins anew to count what is in use at once.
    fn release(&mut self) {
        self.most_used = 0;
        self.trim();
        self.most_used = self.used;
    }

    fn count_use(&mut self, size: usize) {
        self.used += size;
        self.most_used = self.most_used.max(self.used);
        self.trim();
    }
}

/// Gives the buffers that [`ReusingAllocator`] keeps for further use back to the system.
pub fn release_kept_buffers() {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).release();
}

/// The size of the block for a request, or none if the system's allocator is to serve it.
fn block_size(layout: Layout) -> Option<usize> {
    let size = layout.size();
    // A page is the alignment that every mapping has.
    if size < SMALLEST || size > isize::MAX as usize / 2 || layout.align() > 4096 || !system::AVAILABLE {
        return None;
    }
    Some(size.next_multiple_of(if size < LARGE { GRANULE } else { LARGE_GRANULE }))
}

/// A block, and whether it is known to be zero.
fn block(size: usize) -> (*mut u8, bool) {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let found = kept.take(size);
    kept.count_use(size);
    drop(kept);
    match found {
        Some(block) => (block, false),
        None => (system::map(size), true),
    }
}

// SAFETY: a request goes either to the system's allocator, always the same way for one layout, or to a
// mapping of its own of at least its size; a kept block is handed out once until it is freed again.
unsafe impl GlobalAlloc for ReusingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match block_size(layout) {
            Some(size) => block(size).0,
            // SAFETY: the caller's promise, handed on.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some(size) = block_size(layout) else {
            // SAFETY: the caller's promise, handed on.
            return unsafe { System.alloc_zeroed(layout) };
        };
        let (block, zero) = block(size);
        if !zero && !block.is_null() {
            // SAFETY: the block has at least this size and belongs to the caller from now on.
            unsafe { block.write_bytes(0, layout.size()) };
        }
        block
    }

    unsafe fn dealloc(&self, address: *mut u8, layout: Layout) {
        let Some(size) = block_size(layout) else {
            // SAFETY: the caller's promise, handed on; `alloc` took the same way.
            return unsafe { System.dealloc(address, layout) };
        };
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        kept.used -= size;
        let at = kept.len;
        kept.blocks[at] = (address.expose_provenance(), size);
        kept.len += 1;
        kept.kept += size;
        kept.trim();
    }
}

#[cfg(target_os = "linux")]
mod system {
    //! Memory straight from the kernel.

    use super::{HUGE_PAGE, LARGE};

    pub(super) const AVAILABLE: bool = true;

    /// New zeroed memory, or null.
    pub(super) fn map(size: usize) -> *mut u8 {
        let huge = size >= LARGE;
        // Huge pages start at multiples of their size: map more, and give the ends back.
        let mapped = if huge { size + HUGE_PAGE } else { size };
        // SAFETY: a new private mapping touches nothing that exists.
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                mapped,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return std::ptr::null_mut();
        }
        let start = start.cast::<u8>();
        if !huge {
            return start;
        }
        let skip = start.align_offset(HUGE_PAGE);
        // SAFETY: both ends lie inside the new mapping and outside the block; advice changes no contents.
        unsafe {
            let block = start.add(skip);
            if skip > 0 {
                unmap(start, skip);
            }
            if HUGE_PAGE - skip > 0 {
                unmap(block.add(size), HUGE_PAGE - skip);
            }
            libc::madvise(block.cast(), size, libc::MADV_HUGEPAGE);
            block
        }
    }

    /// Gives memory back.
    ///
    /// # Safety
    /// The range is part of a mapping by [`map`], and nobody uses it.
    pub(super) unsafe fn unmap(address: *mut u8, size: usize) {
        // SAFETY: the caller's promise. It fails only for bad arguments, and then the memory stays mapped.
        unsafe { libc::munmap(address.cast(), size) };
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    //! Other systems keep their own allocator.

    pub(super) const AVAILABLE: bool = false;

    pub(super) fn map(_size: usize) -> *mut u8 {
        std::ptr::null_mut()
    }

    pub(super) unsafe fn unmap(_address: *mut u8, _size: usize) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: ReusingAllocator = ReusingAllocator;

    #[test]
    fn a_freed_block_is_used_again_and_zeroed_when_zeros_are_asked_for() {
        // A size that no other test uses.
        let len = (37 << 20) / 4 + 123;
        let mut first = vec![1f32; len];
        first[len - 1] = 2.0;
        let address = first.as_ptr().expose_provenance();
        drop(first);
        let second = vec![0f32; len];
        assert_eq!(second.as_ptr().expose_provenance(), address);
        assert!(second.iter().all(|&value| value == 0.0));
    }

    #[test]
    fn small_blocks_and_strange_alignments_are_left_to_the_system() {
        assert_eq!(block_size(Layout::from_size_align(SMALLEST - 1, 4).unwrap()), None);
        assert_eq!(block_size(Layout::from_size_align(SMALLEST, 1 << 14).unwrap()), None);
    }

    #[test]
    fn blocks_are_whole_granules_and_waste_little() {
        if !system::AVAILABLE {
            return;
        }
        for size in [SMALLEST, SMALLEST + 1, LARGE - 1, LARGE, LARGE + 1, 303 << 20] {
            let block = block_size(Layout::from_size_align(size, 4).unwrap()).unwrap();
            assert!(block >= size && block <= size + size / 4 && block.is_multiple_of(GRANULE));
        }
    }

    #[test]
    fn what_is_kept_is_bounded() {
        for megabytes in (40..140).step_by(7) {
            drop(vec![1u8; megabytes << 20]);
            let kept = KEPT.lock().unwrap();
            assert!(kept.used + kept.kept <= kept.most_used + kept.most_used / 8);
        }
    }
}
