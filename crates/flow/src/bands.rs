//! Bands of rows, one for each thread.
//!
//! Every pass over a level is cut into bands, and a row is computed by the
//! same operations whatever its band, so the result does not depend on the
//! number of threads. A level with one band is computed on the calling thread
//! without a thread pool; several bands go to rayon's pool.

use std::num::NonZeroUsize;
use std::ops::Range;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

/// Minimum number of rows in a band, since the iterations of a band repeat some
/// rows of its neighbours.
const FEWEST_ROWS: usize = 24;

/// Minimum number of pixels in a band; fewer are not worth waking a thread.
const FEWEST_PIXELS: usize = 4096;

/// The division of a level's rows into bands.
#[derive(Debug, Clone)]
pub(crate) struct Bands {
    /// The first row of each band, then the number of rows.
    bounds: Vec<usize>,
}

impl Bands {
    /// Makes one band per thread, or fewer on a small level.
    pub(crate) fn new(width: usize, height: usize, threads: NonZeroUsize) -> Self {
        let most = (height / FEWEST_ROWS).min(width * height / FEWEST_PIXELS).max(1);
        let count = threads.get().min(most);
        Self { bounds: (0..=count).map(|band| band * height / count).collect() }
    }

    pub(crate) fn count(&self) -> usize {
        self.bounds.len() - 1
    }

    /// Returns the rows of each band, from the top.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        self.bounds.windows(2).map(|pair| pair[0]..pair[1])
    }
}

/// Runs `work` for each band: a single band on the calling thread, several in the pool.
pub(crate) fn each<T: Send>(parts: impl IntoIterator<Item = T>, work: impl Fn(T) + Send + Sync) {
    let mut parts: Vec<T> = parts.into_iter().collect();
    if parts.len() == 1 {
        parts.drain(..).for_each(work);
    } else {
        parts.into_par_iter().with_max_len(1).for_each(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_cover_the_rows_once_and_are_few_where_rows_are_few() {
        for threads in 1..9 {
            for (width, height) in [(1, 1), (64, 48), (584, 388), (9000, 25), (3, 4000)] {
                let bands = Bands::new(width, height, NonZeroUsize::new(threads).unwrap());
                let rows: Vec<usize> = bands.ranges().flatten().collect();
                assert_eq!(rows, (0..height).collect::<Vec<_>>());
                assert!((1..=threads).contains(&bands.count()));
                assert!(bands.count() == 1 || bands.ranges().all(|rows| rows.len() >= FEWEST_ROWS));
            }
        }
    }
}
