//! Class scores of a tested net, one Parquet file per test unit.
//!
//! Columns: `video` (string), `label` (u32), `split` (string), `seed` (u64),
//! then for each class one f32 column `score:<class>`, the mean of the softmax
//! over the video's frames and crops. There is one row per video, in the split's order. A net that was tested by its softmax layer also has f32 columns `logit:<class>`: the mean of
//! the softmax's inputs over the same views.

//!
//! [`predictions::Predictions`] answers queries on the scores of several tests.

pub(crate) mod file;
pub mod predictions;
mod recall;

use std::path::Path;

use polars::prelude::{Column, DataFrame, NamedFrom, PolarsError, Series};

use self::file::{failed, read_frame, strings, write_frame};
use crate::right::Right;
use crate::{Error, Result};

/// Name of the file of scores in a test unit.
pub(crate) const SCORES: &str = "scores.parquet";

/// The scores of one test unit.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// The split that was tested.
    pub split: String,
    /// The training seed.
    pub seed: u64,
    /// Class names, in label order.
    pub classes: Vec<String>,
    /// Video ids.
    pub videos: Vec<String>,
    /// True classes, one per video.
    pub labels: Vec<u32>,
    /// Scores, (videos, classes).
    pub scores: Vec<f32>,
    /// Mean logits, (videos, classes); empty if the test used no softmax layer, or is too old to have them.
    pub logits: Vec<f32>,
}

const SCORE: &str = "score:";
const LOGIT: &str = "logit:";

impl Scores {
    /// Returns the predicted class of a video: the highest score, the first of equal ones.
    pub fn prediction(&self, video: usize) -> u32 {
        let classes = self.classes.len();
        let scores = &self.scores[video * classes..][..classes];
        let mut best = 0;
        for (class, score) in scores.iter().enumerate() {
            if *score > scores[best] {
                best = class;
            }
        }
        best as u32
    }

    /// Returns the top-1 accuracy in percent.
    pub fn accuracy(&self) -> f64 {
        let correct = (0..self.videos.len()).filter(|&v| self.prediction(v) == self.labels[v]).count();
        100.0 * correct as f64 / self.videos.len() as f64
    }

    /// Returns the correctness of each video.
    pub fn right(&self) -> Right {
        (0..self.videos.len()).map(|video| self.prediction(video) == self.labels[video]).collect()
    }

    /// Returns the number of classes that come before a video's own by their scores; of equal scores the first class comes
    /// first, as in [`Scores::prediction`].
    pub fn rank(&self, video: usize) -> u32 {
        let classes = self.classes.len();
        let scores = &self.scores[video * classes..][..classes];
        let label = self.labels[video] as usize;
        let before = |(class, score): (usize, &f32)| {
            *score > scores[label] || (*score == scores[label] && class < label)
        };
        scores.iter().enumerate().filter(|one| before(*one)).count() as u32
    }

    /// Writes the file, atomically.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let n = self.videos.len();
        let mut columns = vec![
            Column::from(Series::new("video".into(), &self.videos)),
            Column::from(Series::new("label".into(), &self.labels)),
            Column::from(Series::new("split".into(), vec![self.split.as_str(); n])),
            Column::from(Series::new("seed".into(), vec![self.seed; n])),
        ];
        let mut of_classes = |prefix: &str, values: &[f32]| {
            for (class, name) in self.classes.iter().enumerate() {
                let column: Vec<f32> =
                    values.iter().skip(class).step_by(self.classes.len()).copied().collect();
                columns.push(Column::from(Series::new(format!("{prefix}{name}").into(), column)));
            }
        };
        of_classes(SCORE, &self.scores);
        if !self.logits.is_empty() {
            of_classes(LOGIT, &self.logits);
        }
        write_frame(path, n, columns)
    }

    /// Reads a file of scores.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be read, [`Error::Damaged`] if it has another format.
    pub fn read(path: &Path) -> Result<Self> {
        let scores = Self::from_frame(&read_frame(path)?).map_err(|e| failed(path, "read", e))?;
        scores.check().map_err(Error::damaged(path))?;
        Ok(scores)
    }

    /// Refuses scores that no test writes: a video without a score for each class, a score that is not finite, an unknown
    /// class.
    fn check(&self) -> std::result::Result<(), String> {
        let Self { classes, videos, labels, scores, logits, .. } = self;
        let (n, values) = (videos.len(), videos.len() * classes.len());
        if labels.len() != n || scores.len() != values {
            return Err(format!("expected a class and {} scores for each of {n} videos", classes.len()));
        }
        if let Some(label) = labels.iter().find(|label| **label as usize >= classes.len()) {
            return Err(format!("expected classes below {}, found {label}", classes.len()));
        }
        match scores.iter().chain(logits).find(|score| !score.is_finite()) {
            Some(score) => Err(format!("expected finite scores, found {score}")),
            None => Ok(()),
        }
    }

    fn from_frame(frame: &DataFrame) -> std::result::Result<Self, PolarsError> {
        let strings = |name| strings(frame, name);
        let classes: Vec<String> = frame
            .get_column_names()
            .iter()
            .filter_map(|name| name.strip_prefix(SCORE).map(str::to_owned))
            .collect();
        let videos = strings("video")?;
        let labels: Vec<u32> =
            frame.column("label")?.u32()?.iter().map(|label| label.unwrap_or(u32::MAX)).collect();
        let split = strings("split")?.into_iter().next().unwrap_or_default();
        let seed = frame.column("seed")?.u64()?.iter().next().flatten().unwrap_or_default();
        let of_classes = |prefix: &str| -> std::result::Result<Vec<f32>, PolarsError> {
            let mut values = vec![0.0; videos.len() * classes.len()];
            for (class, name) in classes.iter().enumerate() {
                let column = frame.column(&format!("{prefix}{name}"))?;
                for (video, value) in column.f32()?.iter().enumerate() {
                    // A missing value becomes NaN.
                    values[video * classes.len() + class] = value.unwrap_or(f32::NAN);
                }
            }
            Ok(values)
        };
        let scores = of_classes(SCORE)?;
        let kept = frame.get_column_names().iter().any(|name| name.starts_with(LOGIT));
        let logits = if kept { of_classes(LOGIT)? } else { Vec::new() };
        Ok(Self { split, seed, classes, videos, labels, scores, logits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores() -> Scores {
        Scores {
            split: "1".into(),
            seed: 3,
            classes: vec!["walk".into(), "run".into()],
            videos: vec!["a".into(), "b".into(), "c".into()],
            labels: vec![0, 1, 1],
            scores: vec![0.75, 0.25, 0.5, 0.5, 0.1, 0.9],
            logits: Vec::new(),
        }
    }

    #[test]
    fn scores_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.parquet");
        scores().write(&path).unwrap();
        assert_eq!(Scores::read(&path).unwrap(), scores());
        let both = Scores { logits: vec![1.0, -1.0, 0.0, 0.0, -2.0, 0.5], ..scores() };
        both.write(&path).unwrap();
        assert_eq!(Scores::read(&path).unwrap(), both);
    }

    /// For files without a checksum: old ones, and those of other origin.
    #[test]
    fn no_bit_of_a_file_makes_reading_it_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.parquet");
        scores().write(&path).unwrap();
        let whole = std::fs::read(&path).unwrap();
        let hook = std::panic::take_hook();
        // Silences the messages of the library's panics.
        std::panic::set_hook(Box::new(|_| {}));
        for bit in (0..8 * whole.len()).step_by(151) {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(&path, &bytes).unwrap();
            if let Ok(read) = Scores::read(&path) {
                assert!(read.check().is_ok());
            }
        }
        std::panic::set_hook(hook);
    }

    #[test]
    fn accuracy_counts_the_first_of_equal_scores() {
        assert!((scores().accuracy() - 200.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn a_damaged_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scores.parquet");
        std::fs::write(&path, b"PAR1 is not enough").unwrap();
        let message = Scores::read(&path).unwrap_err().to_string();
        assert!(message.contains("scores.parquet") && message.contains("delete it"), "{message}");
    }
}
