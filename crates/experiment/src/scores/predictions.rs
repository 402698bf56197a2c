//! The predicted classes of all tests of a row, as one data frame for queries.
//!
//! A line is a video in one test. Lines are ordered by test, and within a test in the split's order. Sums of weights are
//! added in that order, on which their last bits depend.

use std::path::Path;

use polars::prelude::{BooleanChunked, Column, DataFrame, NamedFrom, PolarsError, PolarsResult, Series};

use super::Scores;
use crate::right::Right;
use crate::{Error, Result};

/// The number of the test, from 0.
pub(super) const TEST: &str = "test";
/// Its split and training seed.
const SPLIT: &str = "split";
const SEED: &str = "seed";
pub(super) const VIDEO: &str = "video";
/// Its true class, and its predicted class.
pub(super) const CLASS: &str = "class";
pub(super) const TAKEN_FOR: &str = "taken for";
/// Number of classes that come before the true one.
const RANK: &str = "rank";
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

    /// Returns the top-5 accuracy in percent, mean over tests: the share of videos whose class is among the five with the
    /// highest scores.
    ///
    /// # Errors
    /// If the query fails.
    pub fn top5(&self) -> Result<f64> {
        let of = |test: &DataFrame| -> PolarsResult<f64> {
            let ranks = test.column(RANK)?.u32()?;
            let among = ranks.iter().filter(|rank| rank.is_some_and(|rank| rank < 5)).count();
            Ok(100.0 * among as f64 / test.height() as f64)
        };
        let tests = self.frame.partition_by_stable([TEST], false).map_err(unanswered)?;
        let sum = tests.iter().map(of).sum::<PolarsResult<f64>>().map_err(unanswered)?;
        Ok(sum / self.tests as f64)
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
    let ranks: Vec<u32> = all.map(|video| scores.rank(video)).collect();
    let columns = vec![
        Column::from(Series::new(TEST.into(), vec![test; n])),
        Column::from(Series::new(SPLIT.into(), vec![scores.split.as_str(); n])),
        Column::from(Series::new(SEED.into(), vec![scores.seed; n])),
        Column::from(Series::new(VIDEO.into(), &scores.videos)),
        Column::from(Series::new(CLASS.into(), &scores.labels)),
        Column::from(Series::new(TAKEN_FOR.into(), taken)),
        Column::from(Series::new(RANK.into(), ranks)),
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
    fn answers_are_those_of_the_scores() {
        let tests = tests();
        let predictions = Predictions::of(&tests).unwrap();
        let accuracies: Vec<f64> = tests.iter().map(Scores::accuracy).collect();
        assert_eq!(predictions.accuracies().unwrap(), accuracies);
        let rights: Vec<Right> = tests.iter().map(Scores::right).collect();
        assert_eq!((predictions.rights().unwrap(), predictions.tests()), (rights, 3));
    }

    /// Ranks of equal scores follow the order of classes, as predictions do.
    #[test]
    fn the_true_class_is_among_the_five_best() {
        let scores = |own: f32| [0.1, 0.3, 0.2, 0.2, 0.2, own, 0.0];
        let test = Scores {
            classes: (0..7).map(|class| format!("c{class}")).collect(),
            videos: ["a", "b", "c"].map(str::to_owned).to_vec(),
            labels: vec![5; 3],
            // Before class 5 come: none; class 1 and, being equal and earlier, 2, 3, 4; all others but 6.
            scores: [scores(0.9), scores(0.2), scores(0.05)].concat(),
            ..test("1", 0, &[])
        };
        assert_eq!([0, 1, 2].map(|video| test.rank(video)), [0, 4, 5]);
        let found = Predictions::of(&[test]).unwrap().top5().unwrap();
        assert!((found - 200.0 / 3.0).abs() < 1e-9, "{found}");
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
}
