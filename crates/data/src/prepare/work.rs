//! What all videos of a preparation share.

use super::config::{PrepareConfig, Progress};
use crate::dataset::Dataset;
use crate::decode::Decoder;
use crate::error::DataError;
use crate::extracted::Extraction;
use flow::Estimator;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What all videos share.
pub(super) struct Work<'a> {
    pub(super) dataset: &'a Dataset,
    pub(super) config: &'a PrepareConfig,
    pub(super) cache_dir: &'a Path,
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
        progress: &'a dyn Progress,
        stop: &'a AtomicBool,
    ) -> Result<Self, DataError> {
        config.check(dataset)?;
        Ok(Self {
            dataset,
            config,
            cache_dir,
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

    /// What is known of extracted flow.
    pub(super) fn extraction(&self) -> Result<Extraction, DataError> {
        self.dataset.extraction.ok_or_else(|| {
            DataError::invalid(
                format!("extracted video of `{}`", self.dataset.name),
                "a stated bound",
                "none",
            )
        })
    }

    /// Looked for only once a video has to be decoded.
    pub(super) fn decoder(&self) -> Result<&Decoder, DataError> {
        if let Some(decoder) = self.decoder.get() {
            return Ok(decoder);
        }
        let decoder = Decoder::with_program(&self.config.ffmpeg)?;
        Ok(self.decoder.get_or_init(|| decoder))
    }
}
