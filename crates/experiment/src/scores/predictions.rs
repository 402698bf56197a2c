//! The predicted classes of all tests of a row, as one data frame for queries.
//!
//! A line is a video in one test. Lines are ordered by test, and within a test in the split's order. Sums of weights are
//! added in that order, on which their last bits depend.

use std::path::Path;

use polars::prelude::{
    BooleanChunked, Column, DataFrame, NamedFrom, PolarsError, PolarsResult, Series, StringChunked,
};

use super::Scores;
use crate::outcomes::Outcomes;
use crate::right::Right;
use crate::{Error, Result};

/// The number of the test, from 0.
pub(super) const TEST: &str = "test";
/// Its split, training seed and number of videos.
const SPLIT: &str = "split";
const SEED: &str = "seed";
const VIDEOS: &str = "videos";
pub(super) const VIDEO: &str = "video";
/// The block with which a bootstrap resamples the video.
const BLOCK: &str = "block";
/// Its true class, and its predicted class.
pub(super) const CLASS: &str = "class";
pub(super) const TAKEN_FOR: &str = "taken for";
/// True if they are equal.
pub(super) const RIGHT: &str = "right";

/// The predictions of several tests.
#[derive(Debug, Clone)]
pub struct Predictions {
    pub(super) frame: DataFrame,
    tests: usize,
}

impl Predictions {
    /// Reads the predictions of tests from files of scores, in their order.
    ///
    /// # Errors
    /// As [`Scores::read`]; [`Error::Usage`] without files.
    pub fn read(files: impl IntoIterator<Item = impl AsRef<Path>>) -> Result<Self> {
        Self::of(&files.into_iter().map(|file| Scores::read(file.as_ref())).collect::<Result<Vec<_>>>()?)
    }

    /// Derives the predictions of tests from their scores.
    ///
    /// # Errors
    /// [`Error::Usage`] without tests.
    pub fn of(tests: &[Scores]) -> Result<Self> {
        let mut frames = tests.iter().zip(0..).map(|(scores, test)| lines(scores, test));
        let first =
            frames.next().ok_or_else(|| Error::Usage("expected scores of a test, found none".into()))?;
        let frame = first.and_then(|first| frames.try_fold(first, |all, next| all.vstack(&next?)));
        Ok(Self { frame: frame.map_err(unanswered)?, tests: tests.len() })
    }

    /// Returns the number of tests.
    pub fn tests(&self) -> usize {
        self.tests
    }

    /// Sorts the tests by split and seed.
    ///
    /// # Errors
    /// If the query fails.
    pub fn sorted(&self) -> Result<Self> {
        let order = polars::prelude::SortMultipleOptions::default().with_maintain_order(true);
        let frame = self.frame.sort([SPLIT, SEED], order).map_err(unanswered)?;
        Ok(Self { frame, ..*self })
    }

    /// Returns `true` if the tests of both have the same splits, seeds, videos and true classes, in the same order.
    ///
    /// # Errors
    /// If the query fails.
    pub fn are_of_the_videos_of(&self, other: &Self) -> Result<bool> {
        let of = |one: &Self| one.frame.select([SPLIT, SEED, VIDEO, CLASS]).map_err(unanswered);
        Ok(self.tests == other.tests && of(self)?.equals(&of(other)?))
    }

    /// Counts the answers that only `self`, and only `other`, got right.
    ///
    /// # Errors
    /// [`Error::Usage`] if they are of different videos.
    pub fn only_one_right(&self, other: &Self) -> Result<[usize; 2]> {
        if !self.are_of_the_videos_of(other)? {
            return Err(Error::Usage(
                "expected tests of the same videos, found different ones; compare rows of one run".into(),
            ));
        }
        let (a, b) = (self.right().map_err(unanswered)?, other.right().map_err(unanswered)?);
        let count = |mask: &BooleanChunked| mask.num_trues();
        Ok([count(&(a & &!b)), count(&(b & &!a))])
    }

    /// Returns the top-1 accuracy of each test, in percent.
    ///
    /// # Errors
    /// If the query fails.
    pub fn accuracies(&self) -> Result<Vec<f64>> {
        let right = self.right_by_test().map_err(unanswered)?;
        Ok(right.iter().map(|right| 100.0 * right.num_trues() as f64 / right.len() as f64).collect())
    }

    /// Returns the correctness of each video, for each test.
    ///
    /// # Errors
    /// If the query fails.
    pub fn rights(&self) -> Result<Vec<Right>> {
        let right = self.right_by_test().map_err(unanswered)?;
        Ok(right.iter().map(|right| right.iter().map(|is| is == Some(true)).collect()).collect())
    }

    /// Adds all videos to a row's outcomes; `share` is the weight of a test in the row's mean.
    ///
    /// # Errors
    /// If the query fails.
    pub fn add_to(&self, outcomes: &mut Outcomes, share: f64) -> Result<()> {
        let columns = || -> PolarsResult<(&StringChunked, &BooleanChunked, Vec<u64>)> {
            let videos = self.frame.column(VIDEOS)?.u64()?.into_no_null_iter().collect();
            Ok((self.frame.column(BLOCK)?.str()?, self.right()?, videos))
        };
        let (blocks, right, videos) = columns().map_err(unanswered)?;
        for ((block, right), videos) in blocks.iter().zip(right.iter()).zip(videos) {
            outcomes.add(block.unwrap_or_default(), right == Some(true), share / videos as f64);
        }
        Ok(())
    }

    fn right(&self) -> PolarsResult<&BooleanChunked> {
        self.frame.column(RIGHT)?.bool()
    }

    fn right_by_test(&self) -> PolarsResult<Vec<BooleanChunked>> {
        let tests = self.frame.partition_by_stable([TEST], false)?;
        tests.iter().map(|test| test.column(RIGHT)?.bool().cloned()).collect()
    }
}

/// Builds the lines of one test.
fn lines(scores: &Scores, test: u32) -> PolarsResult<DataFrame> {
    let n = scores.videos.len();
    let all = 0..n;
    let taken: Vec<u32> = all.clone().map(|video| scores.prediction(video)).collect();
    let right: Vec<bool> = taken.iter().zip(&scores.labels).map(|(taken, label)| taken == label).collect();
    let blocks: Vec<&str> = all.map(|video| scores.block(video)).collect();
    let columns = vec![
        Column::from(Series::new(TEST.into(), vec![test; n])),
        Column::from(Series::new(SPLIT.into(), vec![scores.split.as_str(); n])),
        Column::from(Series::new(SEED.into(), vec![scores.seed; n])),
        Column::from(Series::new(VIDEOS.into(), vec![n as u64; n])),
        Column::from(Series::new(VIDEO.into(), &scores.videos)),
        Column::from(Series::new(BLOCK.into(), blocks)),
        Column::from(Series::new(CLASS.into(), &scores.labels)),
        Column::from(Series::new(TAKEN_FOR.into(), taken)),
        Column::from(Series::new(RIGHT.into(), right)),
    ];
    DataFrame::new(n, columns)
}

/// Makes the error for a failed query on scores.
pub(crate) fn unanswered(e: PolarsError) -> Error {
    Error::Usage(format!("cannot combine the scores of a row: {e}; test it again with --fresh"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A test of two classes, from the scores of the second class and the true classes.
    fn test(split: &str, seed: u64, videos: &[(&str, f32, u32)]) -> Scores {
        Scores {
            split: split.into(),
            seed,
            classes: vec!["walk".into(), "run".into()],
            videos: videos.iter().map(|(video, ..)| (*video).to_owned()).collect(),
            groups: Vec::new(),
            labels: videos.iter().map(|(_, _, label)| *label).collect(),
            scores: videos.iter().flat_map(|(_, second, _)| [1.0 - second, *second]).collect(),
            logits: Vec::new(),
        }
    }

    /// Tests of different sizes; "b" is in two of them, and twice in one.
    fn tests() -> Vec<Scores> {
        vec![
            test("2", 1, &[("c", 0.9, 1), ("b", 0.5, 1), ("b", 0.7, 1)]),
            test("1", 1, &[("a", 0.2, 0), ("b", 0.4, 1), ("d", 0.8, 0), ("e", 0.6, 1), ("f", 0.1, 0)]),
            test("1", 0, &[("a", 0.2, 0)]),
        ]
    }

    #[test]
    fn sums_are_those_of_a_loop_to_the_last_bit() {
        let tests = tests();
        let mut expected = Outcomes::default();
        for scores in &tests {
            for (video, name) in scores.videos.iter().enumerate() {
                let right = scores.prediction(video) == scores.labels[video];
                expected.add(name, right, 0.3 / scores.videos.len() as f64);
            }
        }
        let predictions = Predictions::of(&tests).unwrap();
        let mut found = Outcomes::default();
        predictions.add_to(&mut found, 0.3).unwrap();
        assert_eq!(found, expected);
        let accuracies: Vec<f64> = tests.iter().map(Scores::accuracy).collect();
        assert_eq!(predictions.accuracies().unwrap(), accuracies);
        let rights: Vec<Right> = tests.iter().map(Scores::right).collect();
        assert_eq!((predictions.rights().unwrap(), predictions.tests()), (rights, 3));
    }

    #[test]
    fn files_are_read_as_one_frame() {
        let folder = tempfile::tempdir().unwrap();
        let write = |(number, scores): (usize, &Scores)| {
            let path = folder.path().join(format!("{number}.parquet"));
            scores.write(&path).unwrap();
            path
        };
        let files: Vec<_> = tests().iter().enumerate().map(write).collect();
        let read = Predictions::read(&files).unwrap();
        assert!(read.frame.equals(&Predictions::of(&tests()).unwrap().frame));
        std::fs::remove_file(&files[1]).unwrap();
        let message = Predictions::read(&files).unwrap_err().to_string();
        assert!(message.contains("1.parquet"), "{message}");
        let message = Predictions::of(&[]).unwrap_err().to_string();
        assert!(message.contains("found none"), "{message}");
    }

    #[test]
    fn views_of_an_actor_stay_together() {
        let groups = vec!["x".to_owned(), "x".to_owned(), "y".to_owned()];
        let views = Scores { groups, ..tests().remove(0) };
        let mut outcomes = Outcomes::default();
        Predictions::of(std::slice::from_ref(&views)).unwrap().add_to(&mut outcomes, 1.0).unwrap();
        assert_eq!(outcomes.videos.keys().collect::<Vec<_>>(), ["x", "y"]);
        assert!((outcomes.accuracy() - views.accuracy()).abs() < 1e-9);
    }

    #[test]
    fn tests_are_paired_in_the_order_of_splits_and_seeds_as_by_a_loop() {
        let (mut a, mut b) = (tests(), tests());
        b.reverse();
        // Two answers change.
        b[1].scores[2..4].copy_from_slice(&[0.2, 0.8]);
        b[1].scores[6..8].copy_from_slice(&[0.9, 0.1]);
        let [first, second] = [&a, &b].map(|tests| Predictions::of(tests).unwrap().sorted().unwrap());
        let key = |scores: &Scores| (scores.split.clone(), scores.seed);
        a.sort_by_key(key);
        b.sort_by_key(key);
        let mut expected = [0, 0];
        for (a, b) in a.iter().zip(&b) {
            for (&was, &is) in a.right().bits().iter().zip(b.right().bits()) {
                expected[0] += usize::from(was && !is);
                expected[1] += usize::from(is && !was);
            }
        }
        assert_eq!(expected, [1, 1]);
        assert_eq!(first.only_one_right(&second).unwrap(), expected);
        assert_eq!(second.only_one_right(&first).unwrap(), expected);
    }

    #[test]
    fn tests_of_other_videos_are_not_paired() {
        let all = Predictions::of(&tests()).unwrap();
        let refused = |tests: &[Scores]| {
            let other = Predictions::of(tests).unwrap();
            let message = all.only_one_right(&other).unwrap_err().to_string();
            !all.are_of_the_videos_of(&other).unwrap()
                && message.contains("expected tests of the same videos")
        };
        let with = |change: fn(&mut Vec<Scores>)| {
            let mut tests = tests();
            change(&mut tests);
            tests
        };
        assert!(refused(&with(|tests| drop(tests.pop()))), "a test fewer");
        assert!(refused(&with(|tests| tests[0].seed = 7)), "another seed");
        assert!(refused(&with(|tests| tests[0].videos[0] = "z".into())), "another video");
        assert!(refused(&with(|tests| tests[0].labels[0] = 0)), "another class");
        assert!(refused(&with(|tests| tests[1].videos.swap(0, 1))), "another order");
        assert!(refused(&tests()[..1]), "missing videos");
        assert!(all.are_of_the_videos_of(&all).unwrap());
    }
}
