//! The confusion of classes and the recall of each class, over all tests of a row.

use std::collections::BTreeMap;

use polars::prelude::{Column, DataFrame, DataFrameJoinOps, NamedFrom, PolarsResult, Series};

use super::predictions::{CLASS, Predictions, RIGHT, TAKEN_FOR, VIDEO, unanswered};
use crate::{Error, Result};

/// The names of a video's true class and of its predicted class.
const CLASS_NAME: &str = "class's name";
const TAKEN_FOR_NAME: &str = "taken for's name";

impl Predictions {
    /// Counts test videos by true and predicted class; pairs of classes that do not occur are left out.
    ///
    /// # Errors
    /// [`Error::Usage`] for a class without a name in `classes`.
    pub fn confusion(&self, classes: &[String]) -> Result<BTreeMap<String, BTreeMap<String, usize>>> {
        self.all_have_names(classes)?;
        let count = || -> PolarsResult<DataFrame> {
            let counts = self.frame.group_by_stable([CLASS, TAKEN_FOR])?.select([VIDEO]).count()?;
            let counts = counts.inner_join(&names(classes, CLASS, CLASS_NAME)?, [CLASS], [CLASS])?;
            counts.inner_join(&names(classes, TAKEN_FOR, TAKEN_FOR_NAME)?, [TAKEN_FOR], [TAKEN_FOR])
        };
        let counts = count().map_err(unanswered)?;
        let columns = || -> PolarsResult<_> {
            let text = |name: &str| counts.column(name)?.str();
            Ok((text(CLASS_NAME)?, text(TAKEN_FOR_NAME)?, counts.column("video_count")?.u32()?))
        };
        let (class, taken_for, videos) = columns().map_err(unanswered)?;
        let mut named: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for ((class, taken_for), videos) in class.iter().zip(taken_for.iter()).zip(videos.iter()) {
            let (Some(class), Some(taken_for), Some(videos)) = (class, taken_for, videos) else { continue };
            named.entry(class.to_owned()).or_default().insert(taken_for.to_owned(), videos as usize);
        }
        Ok(named)
    }

    /// Returns the recall of each tested class in percent, rounded to a tenth.
    ///
    /// # Errors
    /// [`Error::Usage`] for a class without a name in `classes`.
    pub fn recall(&self, classes: &[String]) -> Result<BTreeMap<String, f64>> {
        self.all_have_names(classes)?;
        let count = || -> PolarsResult<DataFrame> {
            let right = self.frame.filter(self.frame.column(RIGHT)?.bool()?)?;
            let right = right.group_by_stable([CLASS])?.select([RIGHT]).count()?;
            let all = self.frame.group_by_stable([CLASS])?.select([VIDEO]).count()?;
            let counts = all.left_join(&right, [CLASS], [CLASS])?;
            counts.inner_join(&names(classes, CLASS, CLASS_NAME)?, [CLASS], [CLASS])
        };
        let counts = count().map_err(unanswered)?;
        let columns = || -> PolarsResult<_> {
            let number = |name: &str| counts.column(name)?.u32();
            Ok((counts.column(CLASS_NAME)?.str()?, number("right_count")?, number("video_count")?))
        };
        let (class, right, all) = columns().map_err(unanswered)?;
        let recall = class.iter().zip(right.iter()).zip(all.iter()).filter_map(|((class, right), all)| {
            // A class without correct videos has no count of them.
            let percent = 100.0 * f64::from(right.unwrap_or(0)) / f64::from(all?);
            Some((class?.to_owned(), (percent * 10.0).round() / 10.0))
        });
        Ok(recall.collect())
    }

    fn all_have_names(&self, classes: &[String]) -> Result<()> {
        for column in [CLASS, TAKEN_FOR] {
            let highest =
                self.frame.column(column).and_then(|column| Ok(column.u32()?.iter().flatten().max()));
            if let Some(class) = highest.map_err(unanswered)?.filter(|class| *class as usize >= classes.len())
            {
                return Err(Error::Usage(format!(
                    "expected scores of {} classes, found class {class}; test the row again with --fresh",
                    classes.len()
                )));
            }
        }
        Ok(())
    }
}

/// Builds a frame with the numbers of classes in column `number` and their names in column `name`.
fn names(classes: &[String], number: &str, name: &str) -> PolarsResult<DataFrame> {
    let numbers: Vec<u32> = (0..).take(classes.len()).collect();
    let columns = [Series::new(number.into(), numbers), Series::new(name.into(), classes)];
    DataFrame::new(classes.len(), columns.map(Column::from).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::Scores;

    fn classes() -> Vec<String> {
        ["walk", "run", "jump"].map(str::to_owned).to_vec()
    }

    /// A test of videos with a true and a predicted class each.
    fn test(seed: u64, videos: &[(&str, u32, u32)]) -> Scores {
        let scores = videos
            .iter()
            .flat_map(|(_, _, taken)| (0..3).map(move |class| f32::from(u8::from(class == *taken))));
        Scores {
            split: "1".into(),
            seed,
            classes: classes(),
            videos: videos.iter().map(|(video, ..)| (*video).to_owned()).collect(),
            labels: videos.iter().map(|(_, label, _)| *label).collect(),
            scores: scores.collect(),
            logits: Vec::new(),
        }
    }

    /// Two tests of different videos; one has a video twice.
    fn tests() -> Vec<Scores> {
        vec![
            test(0, &[("a", 0, 0), ("b", 0, 1), ("c", 2, 0), ("c", 2, 2)]),
            test(1, &[("a", 0, 0), ("d", 2, 1), ("e", 2, 1)]),
        ]
    }

    #[test]
    fn counts_are_those_of_a_loop() {
        let (tests, classes) = (tests(), classes());
        let mut confusion: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        let mut counts: BTreeMap<String, (f64, f64)> = BTreeMap::new();
        for scores in &tests {
            for (video, &label) in scores.labels.iter().enumerate() {
                let [class, taken] =
                    [label, scores.prediction(video)].map(|class| classes[class as usize].clone());
                let count = counts.entry(class.clone()).or_default();
                count.0 += f64::from(u8::from(class == taken));
                count.1 += 1.0;
                *confusion.entry(class).or_default().entry(taken).or_default() += 1;
            }
        }
        let percent = |(right, all): (f64, f64)| (1000.0 * right / all).round() / 10.0;
        let recall: BTreeMap<_, _> =
            counts.into_iter().map(|(class, count)| (class, percent(count))).collect();
        let predictions = Predictions::of(&tests).unwrap();
        assert_eq!(predictions.confusion(&classes).unwrap(), confusion);
        assert_eq!(predictions.recall(&classes).unwrap(), recall);
        assert_eq!(recall, BTreeMap::from([("jump".to_owned(), 25.0), ("walk".to_owned(), 66.7)]));
    }

    #[test]
    fn a_class_without_a_right_video_has_no_recall_and_one_that_was_not_tested_is_left_out() {
        let predictions = Predictions::of(&[test(0, &[("a", 1, 0)])]).unwrap();
        assert_eq!(predictions.recall(&classes()).unwrap(), BTreeMap::from([("run".to_owned(), 0.0)]));
    }

    #[test]
    fn a_class_without_a_name_is_refused() {
        let predictions = Predictions::of(&tests()).unwrap();
        let message = predictions.recall(&classes()[..2]).unwrap_err().to_string();
        assert!(message.contains("expected scores of 2 classes, found class 2"), "{message}");
        assert!(predictions.confusion(&classes()[..2]).is_err());
    }
}
