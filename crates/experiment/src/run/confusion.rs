//! What test videos were taken for, and the recall of each class.

use std::collections::BTreeMap;

use crate::scores::Scores;

/// Test videos by their class and by what they were taken for.
#[derive(Default)]
pub(super) struct Confusion(BTreeMap<(u32, u32), usize>);

impl Confusion {
    /// Counts the videos of a test.
    pub(super) fn add(&mut self, scores: &Scores) {
        for (video, &label) in scores.labels.iter().enumerate() {
            *self.0.entry((label, scores.prediction(video))).or_default() += 1;
        }
    }

    /// Under the names of the classes; what never happened is left out.
    pub(super) fn named(&self, classes: &[String]) -> BTreeMap<String, BTreeMap<String, usize>> {
        let name = |class: u32| classes[class as usize].clone();
        let mut named: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
        for (&(label, prediction), &videos) in &self.0 {
            named.entry(name(label)).or_default().insert(name(prediction), videos);
        }
        named
    }

    /// Recall of each class that was tested, in percent, to a tenth.
    pub(super) fn recall(&self, classes: &[String]) -> BTreeMap<String, f64> {
        let mut counts: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
        for (&(label, prediction), &videos) in &self.0 {
            let entry = counts.entry(label).or_default();
            entry.0 += if prediction == label { videos } else { 0 };
            entry.1 += videos;
        }
        let percent = |(class, (correct, all))| {
            let percent = 100.0 * correct as f64 / all as f64;
            (classes[class as usize].clone(), (percent * 10.0).round() / 10.0)
        };
        counts.into_iter().map(|(class, count): (u32, (usize, usize))| percent((class, count))).collect()
    }
}
