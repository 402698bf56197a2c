//! Bands of rows for threads, as ranges.

use std::num::NonZeroUsize;
use std::ops::Range;

use crate::bands::Bands;

/// The rows of a level cut into at most `threads` bands of at least `rows` rows
/// each.
pub(super) fn cut(width: usize, height: usize, threads: NonZeroUsize, rows: usize) -> Vec<Range<usize>> {
    let most = NonZeroUsize::new(height / rows.max(1)).unwrap_or(NonZeroUsize::MIN);
    Bands::new(width, height, threads.min(most)).ranges().collect()
}
