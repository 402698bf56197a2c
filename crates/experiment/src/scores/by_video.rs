//! Pairs rows video by video, so that a bootstrap draws the same videos for all of them.

use std::collections::BTreeMap;

use polars::prelude::{
    Column, DataFrame, DataFrameJoinOps, NamedFrom, PolarsResult, Series, SortMultipleOptions,
};

use super::predictions::unanswered;
use crate::Result;
use crate::outcomes::Outcomes;

const VIDEO: &str = "video";

/// Summed weights of a row's correct observations of a video, and of all its observations.
pub(crate) type Observed = (f64, f64);

/// Returns the observations of each row on the videos that all rows have, ordered by name; rows are ordered by id.
///
/// # Errors
/// If the query fails.
pub(crate) fn paired(rows: &BTreeMap<String, Outcomes>) -> Result<Vec<Vec<Observed>>> {
    let join = || -> PolarsResult<Vec<Vec<Observed>>> {
        let mut frames = rows.values().enumerate().map(|(row, outcomes)| frame(row, outcomes));
        let Some(first) = frames.next() else { return Ok(Vec::new()) };
        let joined = frames.try_fold(first?, |all, next| all.inner_join(&next?, [VIDEO], [VIDEO]))?;
        // The order of a join is unspecified, and draws are positions in it.
        let joined = joined.sort([VIDEO], SortMultipleOptions::default())?;
        (0..rows.len()).map(|row| observed(&joined, row)).collect()
    };
    join().map_err(unanswered)
}

fn names(row: usize) -> [String; 2] {
    [format!("right {row}"), format!("all {row}")]
}

fn frame(row: usize, outcomes: &Outcomes) -> PolarsResult<DataFrame> {
    let videos: Vec<&str> = outcomes.videos.keys().map(String::as_str).collect();
    let (right, all): (Vec<f64>, Vec<f64>) = outcomes.videos.values().copied().unzip();
    let height = videos.len();
    let mut columns = vec![Column::from(Series::new(VIDEO.into(), videos))];
    columns.extend(
        names(row).into_iter().zip([right, all]).map(|(name, of)| Series::new(name.into(), of).into()),
    );
    DataFrame::new(height, columns)
}

fn observed(joined: &DataFrame, row: usize) -> PolarsResult<Vec<Observed>> {
    let [right, all] = names(row);
    let (right, all) = (joined.column(&right)?.f64()?, joined.column(&all)?.f64()?);
    Ok(right.into_no_null_iter().zip(all.into_no_null_iter()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(videos: &[(&str, bool, f64)]) -> Outcomes {
        let mut outcomes = Outcomes::default();
        for (video, correct, weight) in videos {
            outcomes.add(video, *correct, *weight);
        }
        outcomes
    }

    /// Rows with videos that others lack, and one video that was observed twice.
    fn rows() -> BTreeMap<String, Outcomes> {
        BTreeMap::from([
            (
                "one".to_owned(),
                row(&[("d", true, 0.1), ("b", true, 0.2), ("a", false, 0.3), ("b", false, 0.7)]),
            ),
            (
                "three".to_owned(),
                row(&[("a", true, 1.0), ("b", true, 1.0), ("c", true, 1.0), ("d", false, 1.0)]),
            ),
            ("two".to_owned(), row(&[("b", false, 0.3), ("d", true, 0.5)])),
        ])
    }

    #[test]
    fn rows_are_paired_as_by_a_loop() {
        let rows = rows();
        let common: Vec<&String> = rows["one"]
            .videos
            .keys()
            .filter(|v| rows.values().all(|row| row.videos.contains_key(*v)))
            .collect();
        let expected: Vec<Vec<Observed>> =
            rows.values().map(|row| common.iter().map(|v| row.videos[*v]).collect()).collect();
        assert_eq!(common, ["b", "d"]);
        assert_eq!(paired(&rows).unwrap(), expected);
    }

    #[test]
    fn rows_without_a_common_video_have_nothing_to_pair() {
        let mut rows = rows();
        rows.insert("four".to_owned(), row(&[("z", true, 1.0)]));
        assert_eq!(paired(&rows).unwrap(), vec![Vec::new(); 4]);
        rows.insert("none".to_owned(), Outcomes::default());
        assert_eq!(paired(&rows).unwrap(), vec![Vec::new(); 5]);
        assert_eq!(paired(&BTreeMap::new()).unwrap(), Vec::<Vec<Observed>>::new());
    }
}
