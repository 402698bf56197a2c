//! Recall of each class.

use std::collections::BTreeMap;

use crate::scores::Scores;

/// Correct and all test videos of each class.
#[derive(Default)]
pub(super) struct Recall(BTreeMap<u32, (usize, usize)>);

impl Recall {
    /// Counts the videos of a test.
    pub(super) fn add(&mut self, scores: &Scores) {
        for (video, &label) in scores.labels.iter().enumerate() {
            let entry = self.0.entry(label).or_default();
            entry.0 += usize::from(scores.prediction(video) == label);
            entry.1 += 1;
        }
    }

    /// Of each class that was tested, in percent, to a tenth.
    pub(super) fn percent(&self, classes: &[String]) -> BTreeMap<String, f64> {
        self.0
            .iter()
            .map(|(&class, &(correct, all))| {
                let percent = 100.0 * correct as f64 / all as f64;
                (classes[class as usize].clone(), (percent * 10.0).round() / 10.0)
            })
            .collect()
    }
}
