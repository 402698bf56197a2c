//! Search for videos that lack cache files.

use super::config::PrepareConfig;
use super::key;
use crate::container::Kind;
use crate::dataset::{Dataset, Generator, SourceHashes, Video, VideoSource};
use crate::error::DataError;
use crate::source::Direction;
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Returns those of `videos` (indices into the data set) that lack a cache file, in the same order; only the first of
/// several with the same content. Files are looked up but not read: [`super::prepare`] verifies them.
///
/// Videos for which [`super::prepare`] would not write a file are left out: pictures that are rendered into memory, and
/// videos that cannot be read at all, which it reports.
///
/// # Errors
/// [`DataError::File`] if the hashes of the videos cannot be saved, [`DataError::Invalid`] for settings that give no key.
pub fn missing(
    dataset: &Dataset,
    config: &PrepareConfig,
    videos: &[usize],
    cache_dir: &Path,
) -> Result<Vec<usize>, DataError> {
    let hashes = SourceHashes::open(cache_dir);
    let sources: Vec<Option<String>> = videos
        .par_iter()
        .map(|&index| dataset.source_hash(dataset.videos.get(index)?, &hashes).ok())
        .collect();
    hashes.save()?;
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for (&index, source) in videos.iter().zip(&sources) {
        let Some(source) = source.as_deref().filter(|source| seen.insert(*source)) else { continue };
        let files = files(dataset, config, &dataset.videos[index], source, cache_dir)?;
        if files.iter().any(|file| !file.exists()) {
            found.push(index);
        }
    }
    Ok(found)
}

/// Paths of the files that a video with the given source hash has when it is ready.
fn files(
    dataset: &Dataset,
    config: &PrepareConfig,
    video: &Video,
    source: &str,
    cache_dir: &Path,
) -> Result<Vec<PathBuf>, DataError> {
    if let Some((Generator::Stills(_), _)) = dataset.rendering(video) {
        return Ok(Vec::new());
    }
    let frames = key::frames(source, config, dataset.cuts)?;
    let mut files = vec![key::path(cache_dir, Kind::Frames, &frames)];
    let Some(method) = &config.flow else { return Ok(files) };
    let mut flow = |kind, key: String| files.push(key::path(cache_dir, kind, &key));
    match (&video.source, dataset.extraction) {
        (VideoSource::Extracted(_), Some(extraction)) => {
            flow(Kind::ForwardFlow, key::imported(&frames, config, extraction)?);
        }
        _ => {
            let backward = config.backward.then_some(Direction::Backward);
            for direction in std::iter::once(Direction::Forward).chain(backward) {
                let kind = Kind::from(direction);
                flow(kind, key::flow(kind, &frames, config, method)?);
            }
        }
    }
    Ok(files)
}
