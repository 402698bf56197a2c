//! State that all videos of a preparation share.

use super::config::{PrepareConfig, Progress};
use crate::dataset::{Dataset, SourceHashes, Video, VideoSource};
use crate::decode::Decoder;
use crate::error::DataError;
use crate::extracted::Extraction;
use flow::Estimator;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The state that all videos share.
pub(super) struct Work<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) config: &'a PrepareConfig,
    pub(super) cache_dir: &'a Path,
    /// Hashes that name the files of the cache.
    hashes: &'a SourceHashes,
    pub(super) progress: &'a dyn Progress,
    pub(super) stop: &'a AtomicBool,
    pub(super) resizing_noted: AtomicBool,
    pub(super) estimator: Option<Estimator>,
    decoder: OnceLock<Decoder>,
    pub(super) reused: AtomicUsize,
    pub(super) built: AtomicUsize,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        dataset: &'a Dataset,
        config: &'a PrepareConfig,
        cache_dir: &'a Path,
        hashes: &'a SourceHashes,
        progress: &'a dyn Progress,
        stop: &'a AtomicBool,
    ) -> Result<Self, DataError> {
        config.check(dataset)?;
        Ok(Self {
            dataset,
            config,
            cache_dir,
            hashes,
            progress,
            stop,
            resizing_noted: AtomicBool::new(false),
            estimator: config.flow.clone().map(Estimator::new).transpose()?,
            decoder: OnceLock::new(),
            reused: AtomicUsize::new(0),
            built: AtomicUsize::new(0),
        })
    }

    pub(super) fn reused(&self) -> usize {
        self.reused.load(Ordering::Relaxed)
    }

    pub(super) fn built(&self) -> usize {
        self.built.load(Ordering::Relaxed)
    }

    /// Refuses a video that has changed since its hash was taken. The decoded frames may be those of a different video, and
    /// would keep the name of the first one for ever.
    pub(super) fn unchanged(&self, video: &Video, source: &str) -> Result<(), DataError> {
        let now = match &video.source {
            // A different file can have the same size and time.
            VideoSource::File(path) => {
                self.hashes.forget(path);
                self.dataset.source_hash(video, self.hashes)?
            }
            VideoSource::Extracted(_) => self.dataset.source_hash(video, self.hashes)?,
            VideoSource::Generated { .. } | VideoSource::Missing { .. } => return Ok(()),
        };
        if now == source {
            return Ok(());
        }
        let found = format!("{now}; do not change it and run the command again");
        Err(DataError::invalid(format!("video {} changed while it was read", video.id), source, found))
    }

    /// The settings of the extraction.
    pub(super) fn extraction(&self) -> Result<Extraction, DataError> {
        self.dataset.extraction.ok_or_else(|| {
            DataError::invalid(
                format!("bound of the extracted flow of `{}`", self.dataset.name),
                "a number of pixels, since the files do not record it; state it with --extracted-bound",
                "none",
            )
        })
    }

    /// The decoder. It is looked for only once a video has to be decoded.
    pub(super) fn decoder(&self) -> Result<&Decoder, DataError> {
        if let Some(decoder) = self.decoder.get() {
            return Ok(decoder);
        }
        let decoder = Decoder::with_program(&self.config.ffmpeg)?;
        Ok(self.decoder.get_or_init(|| decoder))
    }
}
