//! Uninitialised buffers for operations that write every value.

/// Allocates an uninitialised buffer of `len` values.
///
/// Zeroing a buffer that is about to be overwritten costs a pass over memory, which for
/// large feature maps is a considerable part of an operation's time.
///
/// # Safety
/// Every value must be written before it is read.
#[expect(clippy::uninit_vec, reason = "the promise of the caller, stated above")]
pub(crate) unsafe fn unwritten(len: usize) -> Vec<f32> {
    let mut buffer = Vec::with_capacity(len);
    // SAFETY: the capacity is there, an `f32` has no invalid bit pattern and no drop, and the
    // caller writes every value before reading it.
    unsafe { buffer.set_len(len) };
    buffer
}
