//! Divides rows into bands for threads, as ranges.

use std::num::NonZeroUsize;
use std::ops::Range;

use crate::bands::Bands;

/// Cuts the rows of a level into at most `threads` bands of at least `rows` rows
/// each.
pub(super) fn cut(width: usize, height: usize, threads: NonZeroUsize, rows: usize) -> Vec<Range<usize>> {
    let most = NonZeroUsize::new(height / rows.max(1)).unwrap_or(NonZeroUsize::MIN);
    Bands::new(width, height, threads.min(most)).ranges().collect()
}
