//! Preparation of videos: a cache of frames and flow, made in parallel over videos.
//!
//! For each video: decode or render it, resize it, store the frames; compute flow from the frames *as they are read
//! back from the cache*, so that the result does not depend on what was cached before; store the flow. A cache file is
//! named by a hash of everything that its content depends on (`<kind>/<first two digits>/<hash>.var`),
//! never by the name of a video. A change of input or settings therefore makes new files, a killed run continues
//! where it stopped, and two videos with the same content share their files.
//!
//! Every cache file is verified to the last byte before it is used, unless that is switched off
//! ([`PrepareConfig::verify`]); a damaged one is reported and rebuilt.
//! One bad video never stops the rest: all failures are returned together, each with the id, the class, the role in every
//! split and the cause, and are listed in a file beside the cache ([`PrepareReport::list`]).
//!
//! Generated still pictures are the exception: rendering a picture takes less time than writing its file, so they
//! are kept in memory (`W * H * 3` bytes each) and no cache file is made.
//!
//! A data set of extracted frames and flow ([`crate::extracted`]) is handled the same way, but its flow is imported
//! instead of computed.

mod accepted;
mod config;
mod content;
mod estimate;
mod import;
mod key;
mod missing;
mod report;
mod video;
mod work;

use crate::container::{Header, Kind};
use crate::dataset::{Dataset, SourceHashes};
use crate::error::DataError;
use crate::source::VideoReader as _;
use base::FileError;
use base::files::{list, remove_abandoned};
use flow::FlowError;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use video::Content;

pub use accepted::accepted;
pub use config::{PrepareConfig, Progress, Silent};
pub use missing::missing;
pub use report::{PrepareReport, Prepared, VideoFailure};
pub use video::PreparedVideo;

/// The reason for which [`prepare`] did not return every video.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// Nothing can be prepared: no ffmpeg, no space, no write permission, or an invalid setting.
    #[error(transparent)]
    Setup(#[from] DataError),
    /// Some videos failed; the others are ready, and the caller decides.
    #[error("{0}")]
    Videos(Box<PrepareReport>),
    /// The caller asked to stop. Finished videos are kept.
    #[error("interrupted after {done} of {total} videos; run the same command again to go on from here")]
    Interrupted {
        /// Videos ready.
        done: usize,
        /// Videos requested.
        total: usize,
    },
}

/// Prepares `videos` (indices into the data set) in `cache_dir`, on rayon's current thread pool.
///
/// The result does not depend on the number of threads, on what was cached before or on interruptions.
///
/// # Errors
/// [`PrepareError`]: a set-up that cannot work, failed videos together with the ones that are ready, or `stop`.
pub fn prepare(
    dataset: &Dataset,
    config: &PrepareConfig,
    videos: &[usize],
    cache_dir: &Path,
    progress: &dyn Progress,
    stop: &AtomicBool,
) -> Result<Prepared, PrepareError> {
    clear_abandoned(cache_dir)?;
    let hashes = SourceHashes::open(cache_dir);
    let work = work::Work::new(dataset, config, cache_dir, &hashes, progress, stop)?;
    progress.begin(videos.len());

    // Videos with the same content are one piece of work, so that no file is made twice at once.
    let sources: Vec<Result<String, DataError>> = videos
        .par_iter()
        .map(|&index| {
            let video = dataset.videos.get(index).ok_or_else(|| {
                DataError::invalid("index of a video", format!("below {}", dataset.videos.len()), index)
            })?;
            dataset.source_hash(video, &hashes)
        })
        .collect();
    hashes.save()?;
    let mut cautions = dataset.cautions.clone();
    if dataset.generator().is_none() {
        let hash = |(&video, source): (&usize, &Result<String, DataError>)| {
            Some((video, source.as_ref().ok()?.clone()))
        };
        cautions.extend(dataset.copies_among(&videos.iter().zip(&sources).filter_map(hash).collect()));
    }
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut results: Vec<Option<Result<PreparedVideo, DataError>>> = videos.iter().map(|_| None).collect();
    let mut order: Vec<&str> = Vec::new();
    for (position, source) in sources.iter().enumerate() {
        if let Ok(source) = source {
            let positions = groups.entry(source).or_default();
            if positions.is_empty() {
                order.push(source);
            }
            positions.push(position);
        }
    }

    // `fatal` stops the rest: such an error would hit every video.
    let fatal = AtomicBool::new(false);
    let done: Vec<(&str, Result<Content, DataError>)> = order
        .into_par_iter()
        .with_max_len(1)
        .map(|source| {
            let positions = &groups[source];
            if fatal.load(Ordering::Relaxed) || stop.load(Ordering::Relaxed) {
                return (source, Err(DataError::Interrupted));
            }
            let video = &dataset.videos[videos[positions[0]]];
            let content = work.content(video, source);
            if let Err(error) = &content {
                if is_fatal(error) {
                    fatal.store(true, Ordering::Relaxed);
                } else if !matches!(error, DataError::Interrupted) {
                    progress.note(&format!("{}: {error}", video.id));
                }
            }
            progress.advance(positions.len());
            (source, content)
        })
        .collect();

    // Hashes of videos that changed have been forgotten.
    hashes.save()?;
    let mut prepared =
        Prepared { reused: work.reused(), built: work.built(), cautions, ..Prepared::default() };
    let mut failures = Vec::new();
    for (source, content) in done {
        let first = groups[source][0];
        for &position in &groups[source] {
            let video = &dataset.videos[videos[position]];
            results[position] = match &content {
                Ok(content) => Some(Ok(PreparedVideo::new(video.id.clone(), video.label, content.clone()))),
                // The first video of a group gets the error itself, below; the others repeat its words.
                Err(_) if position == first => None,
                Err(error) => Some(Err(copy_of(&dataset.videos[videos[first]].id, error))),
            };
        }
        match content {
            Ok(content) => {
                prepared.bytes += content.bytes();
                for file in content.flow() {
                    let Header { width, height, count, clipped, .. } = file.header();
                    prepared.vectors += (width * height * count) as u64;
                    prepared.clipped += clipped;
                }
            }
            Err(error) => results[first] = Some(Err(error)),
        }
    }
    for ((position, result), source) in results.into_iter().enumerate().zip(sources) {
        match result.unwrap_or_else(|| Err(source.err().unwrap_or(DataError::Interrupted))) {
            Ok(video) => {
                prepared.pairs += video.fields();
                prepared.repeated += video.repeated;
                prepared.not_judged += usize::from(video.judged == Some(false));
                prepared.accepted += usize::from(video.messages.is_some());
                prepared.videos.push(video);
            }
            Err(cause) => failures.push(VideoFailure::new(dataset, videos[position], cause)),
        }
    }
    if let Some(at) = failures.iter().position(|failure| is_fatal(&failure.cause)) {
        return Err(PrepareError::Setup(failures.swap_remove(at).cause));
    }
    if failures.iter().any(|failure| matches!(failure.cause, DataError::Interrupted)) {
        return Err(PrepareError::Interrupted { done: prepared.videos.len(), total: videos.len() });
    }
    if failures.is_empty() {
        report::forget(dataset, cache_dir)?;
        return Ok(prepared);
    }
    let report = PrepareReport::new(dataset, videos.len(), failures, prepared, cache_dir)?;
    Err(PrepareError::Videos(Box::new(report)))
}

/// The error of a video with the same bytes as the one that failed.
fn copy_of(first: &str, error: &DataError) -> DataError {
    match error {
        DataError::Interrupted => DataError::Interrupted,
        error => DataError::SameBytes { first: first.to_owned(), cause: error.to_string() },
    }
}

/// Returns `true` for an error that concerns the machine rather than one video.
fn is_fatal(error: &DataError) -> bool {
    match error {
        DataError::File(FileError::DiskFull { .. })
        | DataError::FfmpegMissing { .. }
        | DataError::FfmpegUnusable { .. } => true,
        DataError::Flow(FlowError::Device { .. }) => true,
        DataError::File(FileError::Io { action, .. }) => *action == "write",
        _ => false,
    }
}

/// Removes files that killed runs left behind.
fn clear_abandoned(cache_dir: &Path) -> Result<(), DataError> {
    remove_abandoned(cache_dir)?;
    for kind in [Kind::Frames, Kind::ForwardFlow, Kind::BackwardFlow] {
        for folder in list(&cache_dir.join(kind.folder()))? {
            if folder.is_dir() {
                remove_abandoned(&folder)?;
            }
        }
    }
    Ok(())
}
