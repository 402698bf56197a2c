//! Bands of rows for threads.

use std::ops::Range;

/// Rows that are too few to be worth another thread.
const FEWEST_ROWS: usize = 16;

/// Pixels of a level that are too few to be worth another thread: handing out
/// work takes longer than doing it.
const FEWEST_PIXELS: usize = 8 * 1024;

/// The rows of a level cut into at most `threads` bands of about equal height,
/// each of at least `rows` rows.
pub(super) fn cut(width: usize, height: usize, threads: usize, rows: usize) -> Vec<Range<usize>> {
    let by_rows = height / rows.max(FEWEST_ROWS);
    let by_pixels = width * height / FEWEST_PIXELS;
    let bands = threads.min(by_rows).min(by_pixels).max(1);
    (0..bands).map(|band| band * height / bands..(band + 1) * height / bands).collect()
}

/// Does `work` on each part: the first on the calling thread, the others on
/// rayon's. A single part touches no pool.
pub(super) fn on_each<T: Send>(parts: Vec<T>, work: impl Fn(T) + Sync) {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else {
        return;
    };
    if parts.len() == 0 {
        return work(first);
    }
    rayon::scope(|scope| {
        for part in parts {
            let work = &work;
            scope.spawn(move |_| work(part));
        }
        work(first);
    });
}
