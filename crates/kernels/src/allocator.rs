//! An allocator for training that keeps and reuses large buffers. A program opts in:
//!
//! ```
//! #[global_allocator]
//! static ALLOCATOR: kernels::ReusingAllocator = kernels::ReusingAllocator;
//! ```
//!
//! A training step allocates the same large buffers every time, and frees all of them. The
//! system's allocator returns memory of that size to the operating system, which provides it
//! again page by page, zeroed: in one measurement a first write ran at 2.5 GB/s, a second at
//! 22. So blocks of a megabyte and more are kept when they are freed, and the next request of
//! that size gets one back. If none has that size, it gets a part of a larger one; kept neighbours
//! are one block again. So memory of forward passes also serves the gradients, which have other sizes.
//!
//! The kept memory is bounded: blocks in use and kept blocks together never exceed the peak of
//! the memory in use by more than an eighth; what was freed longest ago goes first.
//! On Linux large blocks request huge pages. Smaller blocks, and other systems, use the
//! system's allocator.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::{Mutex, PoisonError};

/// Smallest size of a block that is kept, in bytes.
const SMALLEST: usize = 1 << 20;
/// Granularity of block sizes in bytes, below [`LARGE`] and from there on.
const GRANULE: usize = 1 << 18;
const LARGE_GRANULE: usize = HUGE_PAGE;
const LARGE: usize = 16 << 20;
/// Size of a huge page in bytes.
const HUGE_PAGE: usize = 2 << 20;
/// Maximum number of blocks that are kept.
const SLOTS: usize = 512;

/// An allocator that keeps freed blocks of a megabyte and more for requests of their size. Blocks in use and kept blocks
/// together never exceed the peak of the memory in use by more than an eighth. The system's allocator serves smaller
/// requests, and all requests on systems other than Linux.
#[derive(Debug)]
pub struct ReusingAllocator;

/// Freed blocks, the longest kept first, and byte counts.
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
    /// Takes a kept block of this size, the one freed last (its pages are likely in a cache), or the start of the smallest larger
    /// one.
    fn take(&mut self, size: usize) -> Option<*mut u8> {
        let blocks = &self.blocks[..self.len];
        let fitting = || {
            let larger = blocks.iter().enumerate().filter(|(_, block)| block.1 > size);
            larger.min_by_key(|(_, block)| block.1).map(|(at, _)| at)
        };
        let at = blocks.iter().rposition(|&(_, of)| of == size).or_else(fitting)?;
        let (address, of) = &mut self.blocks[at];
        let start = *address;
        if *of > size {
            (*address, *of) = (start + size, *of - size);
            self.kept -= size;
        } else {
            self.remove(at);
        }
        Some(std::ptr::with_exposed_provenance_mut(start))
    }

    /// Keeps a freed block, as one with those that it touches.
    fn keep(&mut self, mut address: usize, mut size: usize) {
        while let Some(at) = self.blocks[..self.len]
            .iter()
            .position(|&(other, of)| other + of == address || address + size == other)
        {
            let (other, of) = self.remove(at);
            (address, size) = (address.min(other), size + of);
        }
        self.blocks[self.len] = (address, size);
        self.len += 1;
        self.kept += size;
    }

    fn remove(&mut self, at: usize) -> (usize, usize) {
        let block = self.blocks[at];
        self.blocks.copy_within(at + 1..self.len, at);
        self.len -= 1;
        self.kept -= block.1;
        block
    }

    /// Returns memory to the system until the bound holds.
    fn trim(&mut self) {
        let bound = self.most_used + self.most_used / 8;
        while self.len > 0 && (self.used + self.kept > bound || self.len == SLOTS) {
            let excess = (self.used + self.kept).saturating_sub(bound).next_multiple_of(GRANULE);
            let (address, size) = self.remove(0);
            // Of a block that is larger than the excess, the start is kept.
            let rest = if excess > 0 { size.saturating_sub(excess) } else { 0 };
            if rest > 0 {
                self.blocks.copy_within(0..self.len, 1);
                self.blocks[0] = (address, rest);
                self.len += 1;
                self.kept += rest;
            }
            // SAFETY: the range came from `system::map`, in one mapping or in several that touch, and nobody holds it.
            unsafe { system::unmap(std::ptr::with_exposed_provenance_mut(address + rest), size - rest) };
        }
    }

    /// Returns all blocks to the system, and restarts the count of the peak.
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

/// Returns the buffers that [`ReusingAllocator`] keeps to the system.
pub fn release_kept_buffers() {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner).release();
}

/// Returns the size of the block for a request, or `None` if the system's allocator serves it.
fn block_size(layout: Layout) -> Option<usize> {
    let size = layout.size();
    // Every mapping is aligned to a page.
    if size < SMALLEST || size > isize::MAX as usize / 2 || layout.align() > 4096 || !system::AVAILABLE {
        return None;
    }
    Some(size.next_multiple_of(if size < LARGE { GRANULE } else { LARGE_GRANULE }))
}

/// Allocates a block, and returns whether it is known to be zero.
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
// mapped range of its own of at least its size; kept ranges are disjoint, and one is handed out once until it is freed again.
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
        kept.keep(address.expose_provenance(), size);
        kept.trim();
    }
}

#[cfg(target_os = "linux")]
mod system {
    //! Memory directly from the kernel.

    use super::{HUGE_PAGE, LARGE};

    pub(super) const AVAILABLE: bool = true;

    /// Maps new zeroed memory, or returns null.
    pub(super) fn map(size: usize) -> *mut u8 {
        let huge = size >= LARGE;
        // Huge pages start at multiples of their size: maps more, and returns the ends.
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

    /// Returns memory to the system.
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
    fn zeros_are_zeros_in_memory_that_was_used() {
        let len = (37 << 20) / 4 + 123;
        for _ in 0..3 {
            let mut block = vec![0f32; len];
            assert!(block.iter().all(|&value| value == 0.0));
            block.fill(1.0);
        }
    }

    #[test]
    fn a_smaller_request_gets_a_part_of_a_block_which_is_whole_again_when_freed() {
        let mut kept = Kept { blocks: [(0, 0); SLOTS], len: 0, kept: 0, used: 0, most_used: 0 };
        let address = |block: Option<*mut u8>| block.map(|block| block.expose_provenance());
        kept.keep(10 * GRANULE, 8 * GRANULE);
        kept.keep(30 * GRANULE, 6 * GRANULE);
        assert_eq!(address(kept.take(4 * GRANULE)), Some(30 * GRANULE));
        assert_eq!(address(kept.take(8 * GRANULE)), Some(10 * GRANULE));
        assert_eq!(address(kept.take(4 * GRANULE)), None);
        assert_eq!((kept.len, kept.kept), (1, 2 * GRANULE));
        kept.keep(18 * GRANULE, 4 * GRANULE);
        kept.keep(30 * GRANULE, 4 * GRANULE);
        kept.keep(10 * GRANULE, 8 * GRANULE);
        assert_eq!((kept.len, kept.kept), (2, 18 * GRANULE));
        assert_eq!(address(kept.take(12 * GRANULE)), Some(10 * GRANULE));
    }

    #[test]
    fn blocks_in_use_never_overlap() {
        // A generator of whole numbers, so that sizes differ.
        let mut state = 1u64;
        let mut next = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as usize % below
        };
        let mut held: Vec<(Vec<u32>, u32)> = Vec::new();
        for round in 0..400 {
            if held.len() > 12 || (next(3) == 0 && !held.is_empty()) {
                let (block, mark) = held.swap_remove(next(held.len()));
                assert!(block.iter().step_by(997).all(|&value| value == mark));
            }
            held.push((vec![round; (SMALLEST + next(24) * GRANULE) / 4], round));
        }
        assert!(held.iter().all(|(block, mark)| block.iter().all(|value| value == mark)));
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
