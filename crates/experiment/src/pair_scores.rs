//! Distances of pairs in a net's feature space, one Parquet file per test unit.
//!
//! Columns: `group`, `video`, `other` (strings), `similar` (bool), `distance` (f32), `split` (string), `seed` (u64). A row is a
//! pair of a frame of `video` and one of `other`. Similar pairs show the same event at the same time; `group` is the actor of
//! `video`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use polars::prelude::{Column, DataFrame, NamedFrom, PolarsError, Series};

use crate::error::Result;
use crate::record::PairAnswers;
use crate::scores::file::{failed, read_frame, strings, write_frame};

/// The pairs of one test unit.
#[derive(Debug, Clone, PartialEq)]
pub struct PairScores {
    /// The split that was tested.
    pub split: String,
    /// The training seed.
    pub seed: u64,
    /// The group (actor) of each pair's first frame, resampled as one block.
    pub groups: Vec<String>,
    /// The video of each pair's first frame.
    pub videos: Vec<String>,
    /// The video of each pair's second frame.
    pub others: Vec<String>,
    /// True for each pair that shows the same event at the same time.
    pub similar: Vec<bool>,
    /// The Euclidean distance of each pair's features.
    pub distances: Vec<f32>,
}

impl PairScores {
    /// Computes for each similar pair the fraction of dissimilar pairs that are farther apart, counting equal distances by
    /// half. The mean is the area under the ROC curve (the Mann-Whitney statistic).
    fn placements(&self) -> impl Iterator<Item = (&str, f64)> {
        let of = |similar: bool| {
            let kept = self.similar.iter().enumerate().filter(move |(_, is)| **is == similar);
            kept.map(|(pair, _)| pair)
        };
        let mut apart: Vec<f32> = of(false).map(|pair| self.distances[pair]).collect();
        apart.sort_by(f32::total_cmp);
        of(true).map(move |pair| {
            let distance = self.distances[pair];
            let nearer = apart.partition_point(|other| *other < distance);
            let not_farther = apart.partition_point(|other| *other <= distance);
            let farther = (2 * apart.len() - nearer - not_farther) as f64 / 2.0;
            (self.groups[pair].as_str(), farther / apart.len().max(1) as f64)
        })
    }

    /// Returns the area under the ROC curve of "similar" by distance, in percent; guessing gives 50.
    pub fn area(&self) -> f64 {
        let (right, all) =
            self.by_group().values().fold((0.0, 0), |sum, one| (sum.0 + one.right, sum.1 + one.all));
        100.0 * right / all as f64
    }

    /// Returns the answers for the similar pairs, group by group.
    pub fn by_group(&self) -> BTreeMap<String, PairAnswers> {
        let mut groups = BTreeMap::new();
        for (group, placement) in self.placements() {
            let answers = groups.entry(group.to_owned()).or_insert(PairAnswers { right: 0.0, all: 0 });
            answers.right += placement;
            answers.all += 1;
        }
        groups
    }

    /// Returns the number of videos of first frames.
    pub fn videos(&self) -> usize {
        self.videos.iter().collect::<BTreeSet<_>>().len()
    }

    /// Writes the file, atomically.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn write(&self, path: &Path) -> Result<()> {
        let n = self.videos.len();
        let columns = vec![
            Column::from(Series::new("group".into(), &self.groups)),
            Column::from(Series::new("video".into(), &self.videos)),
            Column::from(Series::new("other".into(), &self.others)),
            Column::from(Series::new("similar".into(), &self.similar)),
            Column::from(Series::new("distance".into(), &self.distances)),
            Column::from(Series::new("split".into(), vec![self.split.as_str(); n])),
            Column::from(Series::new("seed".into(), vec![self.seed; n])),
        ];
        write_frame(path, n, columns)
    }

    /// Reads a file of pairs.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Damaged`] for a file of another format.
    pub fn read(path: &Path) -> Result<Self> {
        let pairs = Self::from_frame(&read_frame(path)?).map_err(|e| failed(path, "read", e))?;
        let Self { groups, videos, others, distances, .. } = &pairs;
        let finite = distances.iter().all(|distance| distance.is_finite());
        if !finite || [groups, videos, others].iter().any(|names| names.len() != distances.len()) {
            let expected = "expected a group, two videos and a finite distance of each pair";
            return Err(crate::Error::damaged(path)(expected));
        }
        Ok(pairs)
    }

    fn from_frame(frame: &DataFrame) -> std::result::Result<Self, PolarsError> {
        let strings = |name| strings(frame, name);
        Ok(Self {
            split: strings("split")?.into_iter().next().unwrap_or_default(),
            seed: frame.column("seed")?.u64()?.iter().next().flatten().unwrap_or_default(),
            groups: strings("group")?,
            videos: strings("video")?,
            others: strings("other")?,
            similar: frame.column("similar")?.bool()?.iter().map(|similar| similar == Some(true)).collect(),
            distances: frame.column("distance")?.f32()?.iter().map(|d| d.unwrap_or(f32::NAN)).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs() -> PairScores {
        let text = |list: [&str; 6]| list.map(str::to_owned).to_vec();
        PairScores {
            split: "2".into(),
            seed: 3,
            groups: text(["e", "e", "f", "f", "f", "e"]),
            videos: text(["e-1", "e-1", "f-1", "f-1", "f-1", "e-1"]),
            others: text(["e-2", "f-2", "f-2", "e-2", "e-3", "f-3"]),
            similar: vec![true, false, true, false, false, false],
            distances: vec![1.0, 4.0, 3.0, 2.0, 3.0, 0.5],
        }
    }

    #[test]
    fn the_area_counts_pairs_in_the_right_order() {
        // For the similar pair at 1, three of four dissimilar ones are farther; for that at 3, one is, and one is as far.
        assert!((pairs().area() - 100.0 * (0.75 + 0.375) / 2.0).abs() < 1e-9);
        let groups = pairs().by_group();
        assert_eq!(groups["e"], PairAnswers { right: 0.75, all: 1 });
        assert_eq!(groups["f"], PairAnswers { right: 0.375, all: 1 });
        let apart = PairScores { distances: vec![0.0, 1.0, 0.0, 1.0, 1.0, 1.0], ..pairs() };
        assert_eq!(apart.area(), 100.0);
        let equal = PairScores { distances: vec![1.0; 6], ..pairs() };
        assert_eq!(equal.area(), 50.0);
    }

    #[test]
    fn pairs_come_back_as_they_were() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.parquet");
        pairs().write(&path).unwrap();
        assert_eq!(PairScores::read(&path).unwrap(), pairs());
        assert_eq!(pairs().videos(), 2);
        std::fs::write(&path, b"PAR1 is not enough").unwrap();
        assert!(PairScores::read(&path).unwrap_err().to_string().contains("pairs.parquet"));
    }
}
