//! The videos that were accepted although ffmpeg reported errors in them.

use super::config::PrepareConfig;
use super::key;
use crate::container::{Container, Kind};
use crate::dataset::{Dataset, SourceHashes, VideoSource};
use crate::error::DataError;
use rayon::prelude::*;
use std::path::Path;

/// Counts those of `videos` (indices into the data set) whose cached frames were accepted with messages of ffmpeg. Only the
/// headers of the cache files are read; [`super::prepare`] verifies the files.
///
/// # Errors
/// [`DataError::File`] if a video or the cache cannot be read, [`DataError::CorruptCache`] for a damaged header,
/// [`DataError::Invalid`] for settings that give no key.
pub fn accepted(
    dataset: &Dataset,
    config: &PrepareConfig,
    videos: &[usize],
    cache_dir: &Path,
) -> Result<usize, DataError> {
    let hashes = SourceHashes::open(cache_dir);
    let counted: Vec<usize> = videos
        .par_iter()
        .filter_map(|&index| dataset.videos.get(index))
        .filter(|video| matches!(video.source, VideoSource::File(_)))
        .map(|video| {
            let key = key::frames(&dataset.source_hash(video, &hashes)?, config, dataset.cuts)?;
            let file = Container::open(&key::path(cache_dir, Kind::Frames, &key))?;
            Ok(usize::from(file.header().facts.messages.is_some()))
        })
        .collect::<Result<_, DataError>>()?;
    hashes.save()?;
    Ok(counted.into_iter().sum())
}
