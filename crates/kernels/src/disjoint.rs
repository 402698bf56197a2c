//! One output buffer written by several tasks, each of which has its own ranges.
//!
//! The convolution works on tiles of positions and channels: the parts that a task
//! writes are many short ranges, which `chunks_mut` cannot express.

use std::marker::PhantomData;
use std::ops::Range;

/// A mutable slice that hands out ranges through a shared reference.
pub(crate) struct Disjoint<'a> {
    start: *mut f32,
    len: usize,
    borrowed: PhantomData<&'a mut [f32]>,
}

// SAFETY: the value is a pointer and a length. Sending or sharing it gives no access by
// itself; access goes through `range`, whose callers promise that ranges do not overlap.
unsafe impl Send for Disjoint<'_> {}
// SAFETY: as above.
unsafe impl Sync for Disjoint<'_> {}

impl<'a> Disjoint<'a> {
    /// Takes the buffer over for the lifetime of the parallel region.
    pub(crate) fn new(buffer: &'a mut [f32]) -> Self {
        Self { start: buffer.as_mut_ptr(), len: buffer.len(), borrowed: PhantomData }
    }

    /// Returns the given range of the buffer.
    ///
    /// # Safety
    /// No two ranges that are alive at the same time may overlap.
    #[expect(clippy::mut_from_ref, reason = "the caller promises that ranges do not overlap")]
    pub(crate) unsafe fn range(&self, range: Range<usize>) -> &mut [f32] {
        assert!(range.start <= range.end && range.end <= self.len);
        // SAFETY: the range is inside the buffer (checked above), the buffer is borrowed
        // mutably for 'a, and the caller keeps ranges apart.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(range.start), range.len()) }
    }
}
