//! What a tested net answered: a class for each video, or a distance for each pair.

use std::path::Path;

use crate::claim::Outcomes;
use crate::error::{Error, Result};
use crate::pair_scores::PairScores;
use crate::scores::Scores;
use plan::spec::TestBy;

/// The answers of one test unit.
#[derive(Debug, Clone, PartialEq)]
pub enum Answers {
    /// Scores of classes.
    Classes(Scores),
    /// Distances of pairs.
    Pairs(PairScores),
}

impl Answers {
    /// Reads the answers of a test of that kind.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Damaged`] for a file that is not of this form.
    pub fn read(path: &Path, by: TestBy) -> Result<Self> {
        Ok(match by {
            TestBy::Softmax | TestBy::NearestNeighbour => Self::Classes(Scores::read(path)?),
            TestBy::Pairs => Self::Pairs(PairScores::read(path)?),
        })
    }

    /// Writes them, atomically.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        match self {
            Self::Classes(scores) => scores.write(path),
            Self::Pairs(pairs) => pairs.write(path),
        }
    }

    /// Top-1 accuracy, or the area under the ROC curve, in percent.
    pub fn value(&self) -> f64 {
        match self {
            Self::Classes(scores) => scores.accuracy(),
            Self::Pairs(pairs) => pairs.area(),
        }
    }

    /// Adds the videos to a row's outcomes; `share` is the weight of this unit in the row's mean.
    pub fn add_to(&self, outcomes: &mut Outcomes, share: f64) {
        match self {
            Self::Classes(scores) => scores.add_to(outcomes, share),
            Self::Pairs(pairs) => pairs.add_to(outcomes, share),
        }
    }

    /// Videos that were tested.
    pub fn videos(&self) -> usize {
        match self {
            Self::Classes(scores) => scores.videos.len(),
            Self::Pairs(pairs) => pairs.videos(),
        }
    }

    /// The scores, if there are classes.
    ///
    /// # Errors
    /// [`Error::Usage`] for a test by pairs.
    pub fn classes(&self) -> Result<&Scores> {
        match self {
            Self::Classes(scores) => Ok(scores),
            Self::Pairs(_) => Err(Error::Usage("a test by pairs has no scores of classes".into())),
        }
    }
}
