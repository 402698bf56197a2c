//! The result of a preparation: videos that are ready, and videos that failed. Nothing disappears silently from a split.

use base::text::{gigabytes, points};

use super::video::PreparedVideo;
use crate::dataset::{Caution, Dataset, Part, lacking, shorten};
use crate::error::DataError;
use std::fmt::{self, Write as _};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The result of [`super::prepare`].
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    /// The videos that are ready, in the requested order.
    pub videos: Vec<PreparedVideo>,
    /// Number of cache files found intact.
    pub reused: usize,
    /// Number of cache files written.
    pub built: usize,
    /// Bytes of all cache files used.
    pub bytes: u64,
    /// Flow vectors in them.
    pub vectors: u64,
    /// Flow vectors that exceeded the bound and were clipped.
    pub clipped: u64,
    /// Number of frame pairs of all videos.
    pub pairs: usize,
    /// Number of these pairs that show the same picture up to coding noise. They are kept: their flow is about zero.
    pub repeated: usize,
    /// Number of extracted videos in which too little moves to compare the flow with the frames.
    pub not_judged: usize,
    /// Properties of the data set that make its numbers say less than they seem to.
    pub cautions: Vec<Caution>,
    /// Number of videos that were accepted although ffmpeg reports errors in them.
    pub accepted: usize,
}

impl fmt::Display for Prepared {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames: usize = self.videos.iter().map(|video| video.frames).sum();
        let size = gigabytes(self.bytes as f64);
        let flow = if self.videos.iter().any(PreparedVideo::has_flow) { " with their flow" } else { "" };
        write!(out, "{} videos, {frames} frames, are ready{flow}, {size}", self.videos.len())?;
        if self.clipped > 0 {
            let percent = 100.0 * self.clipped as f64 / self.vectors.max(1) as f64;
            write!(out, "; {percent:.3} % of the flow vectors exceed the bound and are clipped")?;
        }
        if self.repeated > 0 {
            let percent = 100.0 * self.repeated as f64 / self.pairs.max(1) as f64;
            write!(
                out,
                "; {} of {} frame pairs ({} %) repeat a picture",
                self.repeated,
                self.pairs,
                points(percent)
            )?;
        }
        if self.not_judged > 0 {
            write!(out, "; in {} of the videos too little moves to check the flow", self.not_judged)?;
        }
        if self.accepted > 0 {
            write!(
                out,
                "; ffmpeg reports errors in {} of the videos, which are accepted as they are",
                self.accepted
            )?;
        }
        self.cautions.iter().try_for_each(|caution| write!(out, "; caution: {caution}"))?;
        Ok(())
    }
}

/// A video that could not be prepared.
#[derive(Debug)]
pub struct VideoFailure {
    /// Index in the data set.
    pub index: usize,
    /// Id in the data set.
    pub id: String,
    /// Name of its class.
    pub class: String,
    /// The part of each split that lacks it; empty for a video that no split uses.
    pub parts: Vec<Part>,
    /// Cause of the failure.
    pub cause: DataError,
}

impl VideoFailure {
    pub(super) fn new(dataset: &Dataset, index: usize, cause: DataError) -> Self {
        let video = dataset.videos.get(index);
        Self {
            index,
            id: video.map_or_else(String::new, |video| video.id.clone()),
            class: video.and_then(|video| dataset.classes.get(video.label)).cloned().unwrap_or_default(),
            parts: dataset.parts(index),
            cause,
        }
    }

    fn is_missing(&self) -> bool {
        matches!(&self.cause, DataError::MissingVideo { why: None, .. })
    }

    /// "split 1 train, split 2 test".
    fn parts(&self) -> String {
        if self.parts.is_empty() {
            return "in no split".to_owned();
        }
        self.parts.iter().map(Part::to_string).collect::<Vec<_>>().join(", ")
    }
}

impl fmt::Display for VideoFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} (class {}; {}): {}", self.id, self.class, self.parts(), self.cause)
    }
}

/// The result of a run in which some videos failed.
#[derive(Debug)]
pub struct PrepareReport {
    /// Number of videos requested.
    pub expected: usize,
    /// The failures in the requested order, including missing videos.
    pub failures: Vec<VideoFailure>,
    /// Videos that each split lacks, in words.
    pub splits: String,
    /// The likely reason for missing videos, in words.
    pub hint: String,
    /// The file with every failure and every surplus video, a line each.
    pub list: PathBuf,
    /// All other videos.
    pub prepared: Prepared,
}

impl PrepareReport {
    pub(super) fn new(
        dataset: &Dataset,
        expected: usize,
        failures: Vec<VideoFailure>,
        prepared: Prepared,
        cache_dir: &Path,
    ) -> Result<Self, DataError> {
        let mut indices: Vec<usize> = failures.iter().map(|failure| failure.index).collect();
        indices.sort_unstable();
        let splits = lacking(&dataset.splits, &indices);
        let list = list_path(dataset, cache_dir);
        base::files::write(&list, &[listing(&failures, &dataset.surplus).as_bytes()])?;
        let hint = dataset.hint.clone();
        Ok(Self { expected, failures, splits, hint, list, prepared })
    }
}

impl fmt::Display for PrepareReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ready = self.prepared.videos.len();
        write!(
            out,
            "expected {} videos, {ready} are ready and {} failed:",
            self.expected,
            self.failures.len()
        )?;
        let (missing, bad): (Vec<_>, Vec<_>) = self.failures.iter().partition(|failure| failure.is_missing());
        bad.iter().try_for_each(|failure| write!(out, "\n  {failure}"))?;
        if !missing.is_empty() {
            let ids: Vec<String> = missing.iter().map(|failure| failure.id.clone()).collect();
            write!(out, "\n  {} missing: {}", ids.len(), shorten(&ids))?;
        }
        write!(out, "\n{}{}\nall of them are listed in {}", self.splits, self.hint, self.list.display())
    }
}

/// Path of the list of the last run's failures.
fn list_path(dataset: &Dataset, cache_dir: &Path) -> PathBuf {
    cache_dir.join(format!("failed-{}.tsv", dataset.name))
}

/// Removes the list of an earlier run.
pub(super) fn forget(dataset: &Dataset, cache_dir: &Path) -> Result<(), DataError> {
    let list = list_path(dataset, cache_dir);
    match fs::remove_file(&list) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(DataError::io("write", &list, error)),
        _ => Ok(()),
    }
}

/// Tab-separated: id, class, parts, cause; surplus videos at the end.
fn listing(failures: &[VideoFailure], surplus: &[String]) -> String {
    let flat = |text: String| text.replace(['\t', '\n', '\r'], " ");
    let mut text = String::from("id\tclass\tparts\tcause\n");
    for failure in failures {
        let fields = [&failure.id, &failure.class, &failure.parts(), &failure.cause.to_string()];
        let line = fields.map(|field| flat(field.clone())).join("\t");
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{line}");
    }
    for name in surplus {
        let _ = writeln!(text, "{}\t\t\tsurplus: the data set does not list it", flat(name.clone()));
    }
    text
}
