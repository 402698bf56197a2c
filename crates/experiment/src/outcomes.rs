//! The correct answers of a row, video by video: the data that a bootstrap resamples.

use std::collections::BTreeMap;

/// The outcomes of one row: for every test video (the block of the
/// bootstrap) its observations over splits and seeds. Sums are added in the order of the observations, on which their
/// last bits depend.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcomes {
    /// For each video: the sum of the weights of its correct observations, and
    /// of all its observations.
    pub videos: BTreeMap<String, (f64, f64)>,
}

impl Outcomes {
    /// Adds one observation of a video.
    pub fn add(&mut self, video: &str, correct: bool, weight: f64) {
        self.add_share(video, f64::from(u8::from(correct)), weight);
    }

    /// Adds one observation that is correct to the degree `share`, 0 to 1.
    pub fn add_share(&mut self, video: &str, share: f64, weight: f64) {
        let entry = self.videos.entry(video.to_owned()).or_default();
        entry.0 += share * weight;
        entry.1 += weight;
    }

    /// Returns the top-1 accuracy in percent.
    pub fn accuracy(&self) -> f64 {
        let (correct, all) = self.videos.values().fold((0.0, 0.0), |sum, v| (sum.0 + v.0, sum.1 + v.1));
        100.0 * correct / all
    }
}
