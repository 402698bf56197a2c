//! Configuration of [`super::prepare`], and the interface for its progress.

use crate::codec::Codec;
use crate::dataset::Dataset;
use crate::error::DataError;
use flow::{Batched, Method, TvL1Params};
use std::path::PathBuf;
use std::sync::Arc;

/// Configuration of a preparation. All settings but `accept_messages`, `backward`, `verify` and `ffmpeg` change the cached
/// content.
#[derive(Debug, Clone)]
pub struct PrepareConfig {
    /// Short side S of the cached frames and fields, in pixels.
    pub short_side: usize,
    /// Storage of frames.
    pub frame_codec: Codec,
    /// Storage of flow.
    pub flow_codec: Codec,
    /// Bound of stored flow, in pixels per frame: byte 0 stands for its negative, byte 255 for the bound itself. Vectors
    /// beyond it are clipped and counted. `None`: each component of each field is mapped over its own range, as in
    /// Two-Stream ConvNets.
    pub flow_bound: Option<f32>,
    /// Method that estimates flow; `None`: no flow is computed or imported, for networks that see only frames. Frames are
    /// cached separately from flow, so frames without flow serve a later request with flow, and vice versa.
    pub flow: Option<Method>,
    /// Also computes backward flow, for bi-directional stacking.
    pub backward: bool,
    /// Also takes videos for which ffmpeg reports errors, with their frames as they are. Their cache files say so, and are
    /// refused without this setting.
    pub accept_messages: bool,
    /// Estimator of TV-L1 in place of the CPU, for many pairs of a video at once. Its fields may differ from the CPU's in
    /// the last bit of a stored byte, so they have their own files, whose names depend on its name. It does not affect other
    /// methods.
    pub batched: Option<Arc<dyn Batched>>,
    /// Checks every byte of an existing file before use and rebuilds a damaged file. Otherwise only header and index are
    /// checked, for processes that work on files that another one has just prepared. Entries are checked whenever they are
    /// read; a damaged one is then an error.
    pub verify: bool,
    /// The `ffmpeg` binary, usually just `ffmpeg`. Looked for only if a real video has to be decoded.
    pub ffmpeg: PathBuf,
}

impl PrepareConfig {
    /// The estimator of many pairs at once and its parameters, if there is one for the method.
    pub(super) fn batched(&self) -> Option<(&dyn Batched, &TvL1Params)> {
        match (&self.batched, &self.flow) {
            (Some(batched), Some(Method::TvL1(params))) => Some((&**batched, params)),
            _ => None,
        }
    }

    /// Refuses settings that cannot be used, in general or for this data set.
    pub(super) fn check(&self, dataset: &Dataset) -> Result<(), DataError> {
        let refuse =
            |what: &str, expected: &str, found: String| Err(DataError::invalid(what, expected, found));
        let bound = || format!("{:?}", self.flow_bound);
        if !(16..=4096).contains(&self.short_side) {
            return refuse("short side of the frames", "16 to 4096 pixels", self.short_side.to_string());
        }
        if self.frame_codec == Codec::Float32 {
            let expected = "raw8, which keeps them exactly, or jpeg";
            return refuse("storage of the frames", expected, "float32".to_owned());
        }
        if self.flow_bound.is_some_and(|bound| !(bound.is_finite() && bound > 0.0)) {
            return refuse("bound of the flow", "a number of pixels above 0", bound());
        }
        if self.flow_bound.is_some() && self.flow_codec == Codec::Float32 {
            return refuse("bound of the flow", "none, since float32 stores every vector exactly", bound());
        }
        if self.backward && self.flow.is_none() {
            return refuse("flow", "a method, since backward flow is requested", "none".to_owned());
        }
        if self.backward && dataset.extraction.is_some() {
            let expected = "only forward flow, since extracted folders hold no other";
            let found = "a request for backward flow; give the videos themselves as data root".to_owned();
            return refuse(&format!("flow of `{}`", dataset.name), expected, found);
        }
        Ok(())
    }
}

/// Receives the progress of [`super::prepare`]. Called from several threads.
pub trait Progress: Sync {
    /// Starts the preparation of `total` videos.
    fn begin(&self, total: usize);
    /// Reports that `n` more videos are finished, successfully or not.
    fn advance(&self, n: usize);
    /// Reports something that the user should know: a failed video, a rebuilt cache file.
    fn note(&self, text: &str);
}

/// Ignores all progress.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _total: usize) {}
    fn advance(&self, _n: usize) {}
    fn note(&self, _text: &str) {}
}
