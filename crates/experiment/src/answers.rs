//! The answers of a tested net: a class for each video, or a distance for each pair.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::pair_scores::PairScores;
use crate::record::PairAnswers;
use crate::right::Right;
use crate::scores::Scores;
use crate::scores::predictions::Predictions;
use plan::spec::TestBy;

/// The answers of one test unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// Class scores.
    Classes(Scores),
    /// Distances of pairs.
    Pairs(PairScores),
}

impl Answers {
    /// Reads the answers of a test of the given kind.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read, [`Error::Damaged`] if it has another format.
    pub fn read(path: &Path, by: TestBy) -> Result<Self> {
        Ok(match by {
            TestBy::Softmax | TestBy::NearestNeighbour => Self::Classes(Scores::read(path)?),
            TestBy::Pairs => Self::Pairs(PairScores::read(path)?),
        })
    }

    /// Writes the answers, atomically.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        match self {
            Self::Classes(scores) => scores.write(path),
            Self::Pairs(pairs) => pairs.write(path),
        }
    }

    /// Returns the top-1 accuracy, or the area under the ROC curve, in percent.
    pub fn value(&self) -> f64 {
        match self {
            Self::Classes(scores) => scores.accuracy(),
            Self::Pairs(pairs) => pairs.area(),
        }
    }

    /// Returns the number of tested videos.
    pub fn videos(&self) -> usize {
        match self {
            Self::Classes(scores) => scores.videos.len(),
            Self::Pairs(pairs) => pairs.videos(),
        }
    }

    /// Returns the class scores.
    ///
    /// # Errors
    /// [`Error::Usage`] for a test by pairs.
    pub fn classes(&self) -> Result<&Scores> {
        match self {
            Self::Classes(scores) => Ok(scores),
            Self::Pairs(_) => Err(Error::Usage("a test by pairs has no class scores".into())),
        }
    }
}

/// The numbers of one test.
#[derive(Debug)]
pub struct TestAnswers {
    /// The top-1 accuracy, or the area under the ROC curve, in percent.
    pub value: f64,
    /// The correctness of each video; `None` for pairs.
    pub right: Option<Right>,
    /// The answers for pairs by the group of their first videos; `None` for other tests.
    pub pairs: Option<BTreeMap<String, PairAnswers>>,
}

/// The answers of all tests of a row.
#[derive(Debug)]
pub enum RowAnswers {
    /// Predicted classes of all tests.
    Classes(Predictions),
    /// Distances of pairs, test by test.
    Pairs(Vec<PairScores>),
}

impl RowAnswers {
    /// Reads the answers of tests of the given kind, one file per test.
    ///
    /// # Errors
    /// As [`Answers::read`].
    pub fn read(files: &[PathBuf], by: TestBy) -> Result<Self> {
        Ok(match by {
            TestBy::Softmax | TestBy::NearestNeighbour => Self::Classes(Predictions::read(files)?),
            TestBy::Pairs => {
                Self::Pairs(files.iter().map(|file| PairScores::read(file)).collect::<Result<_>>()?)
            }
        })
    }

    /// Returns the numbers of each test for the row's record.
    ///
    /// # Errors
    /// If the answers cannot be combined.
    pub fn tests(&self) -> Result<Vec<TestAnswers>> {
        Ok(match self {
            Self::Classes(tests) => {
                let right = tests.accuracies()?.into_iter().zip(tests.rights()?);
                right.map(|(value, right)| TestAnswers { value, right: Some(right), pairs: None }).collect()
            }
            Self::Pairs(tests) => {
                let one = |pairs: &PairScores| TestAnswers {
                    value: pairs.area(),
                    right: None,
                    pairs: Some(pairs.by_group()),
                };
                tests.iter().map(one).collect()
            }
        })
    }

    /// Returns the predicted classes; `None` for pairs.
    pub fn classes(&self) -> Option<&Predictions> {
        match self {
            Self::Classes(tests) => Some(tests),
            Self::Pairs(_) => None,
        }
    }
}
