//! The share of a batch that one rank computes.

use std::ops::Range;

use crate::{Error, Result};

/// The places of a batch that one rank computes: the same range of places for each task. The rank's own batch holds this
/// range of the first task, then of the second, and so on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// Range of places for each task.
    places: Range<usize>,
    /// Number of places for each task in the whole batch.
    of: usize,
    tasks: usize,
}

impl Share {
    /// Returns the share of rank `rank` of `size`. Shares differ by at most one place.
    ///
    /// # Errors
    /// [`Error::Ranks`] if there are more ranks than places.
    pub fn of_rank(rank: usize, size: usize, places: usize, tasks: usize) -> Result<Self> {
        if size > places {
            return Err(Error::Ranks {
                problem: format!(
                    "{size} ranks cannot share a batch of {places}; start at most {places}, or enlarge the batch"
                ),
            });
        }
        Ok(Self { places: rank * places / size..(rank + 1) * places / size, of: places, tasks })
    }

    /// Returns the range of places for each task.
    #[must_use]
    pub fn places(&self) -> Range<usize> {
        self.places.clone()
    }

    /// Returns this share as a fraction of the batch: the weight of the mean over this rank's samples in the mean over all.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.places.len() as f64 / self.of as f64
    }

    /// Returns the positions of this rank's `count` values, row by row, among those of the whole batch: one range for each
    /// task.
    ///
    /// # Errors
    /// [`Error::Ranks`] if `count` is not a multiple of the number of places.
    pub fn ranges(&self, count: usize) -> Result<Vec<Range<usize>>> {
        let places = self.places.len() * self.tasks;
        if places == 0 || !count.is_multiple_of(places) {
            return Err(Error::Ranks {
                problem: format!("{count} values cannot be divided among {places} places of a batch"),
            });
        }
        let each = count / places;
        let at = |task: usize, place: usize| (task * self.of + place) * each;
        Ok((0..self.tasks).map(|task| at(task, self.places.start)..at(task, self.places.end)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_disjoint_and_whole() {
        for (size, places, tasks) in [(1, 4, 1), (2, 5, 1), (3, 7, 2), (4, 4, 3)] {
            let shares: Vec<_> =
                (0..size).map(|rank| Share::of_rank(rank, size, places, tasks).unwrap()).collect();
            assert!((shares.iter().map(Share::weight).sum::<f64>() - 1.0).abs() < 1e-12);
            let mut seen = vec![0; places * tasks * 6];
            for share in &shares {
                assert!(share.places().len().abs_diff(places / size) <= 1);
                for range in share.ranges(share.places().len() * tasks * 6).unwrap() {
                    seen[range].iter_mut().for_each(|seen| *seen += 1);
                }
            }
            assert!(seen.iter().all(|&seen| seen == 1), "{size} ranks, {places} places, {tasks} tasks");
        }
    }

    #[test]
    fn more_ranks_than_places_are_refused() {
        let message = Share::of_rank(0, 5, 4, 1).unwrap_err().to_string();
        assert!(message.contains("5 ranks cannot share a batch of 4"), "{message}");
        assert!(Share::of_rank(0, 2, 4, 1).unwrap().ranges(5).is_err());
    }
}
