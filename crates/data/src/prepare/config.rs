//! What is asked of [`super::prepare`], and who hears how far it is.

use crate::codec::Codec;
use crate::dataset::Dataset;
use crate::error::DataError;
use flow::{Batched, Method, TvL1Params};
use std::path::PathBuf;
use std::sync::Arc;

/// What to prepare. Everything but `backward`, `verify` and `ffmpeg` changes the cached content.
#[derive(Debug, Clone)]
pub struct PrepareConfig {
    /// Short side S of the cached frames and fields, in pixels.
    pub short_side: usize,
    /// How frames are stored.
    pub frame_codec: Codec,
    /// How flow is stored.
    pub flow_codec: Codec,
    /// Pixels per frame that the bytes 0 and 255 stand for, negative and positive; what exceeds it is clipped and
    /// counted. `None`: every component of every field is mapped over its own range, as in Two-Stream ConvNets.
    pub flow_bound: Option<f32>,
    /// How flow is estimated; `None`: no flow is made or taken over, for networks that see frames alone. Frames are cached apart
    /// from flow, so frames without flow serve a later request with flow, and the other way round.
    pub flow: Option<Method>,
    /// Backward flow as well, for bi-directional stacking.
    pub backward: bool,
    /// What estimates TV-L1 in place of the CPU, many pairs of a video at once. Its fields may differ from the CPU's in
    /// the last bit of a stored byte, so they have files of their own, named after it too; without it, and for other
    /// methods, files are named as ever.
    pub batched: Option<Arc<dyn Batched>>,
    /// Whether every byte of a file that is there is checked first, and a damaged file made again. Otherwise its header and index
    /// are, for processes that work on what another one has just prepared: entries are checked when they are read in any case, and
    /// a damaged one is an error then.
    pub verify: bool,
    /// The `ffmpeg` binary, usually just `ffmpeg`. Looked for only if a real video has to be decoded.
    pub ffmpeg: PathBuf,
}

impl PrepareConfig {
    /// What estimates many pairs at once, where there is such a thing for the method.
    pub(super) fn batched(&self) -> Option<(&dyn Batched, &TvL1Params)> {
        match (&self.batched, &self.flow) {
            (Some(batched), Some(Method::TvL1(params))) => Some((&**batched, params)),
            _ => None,
        }
    }

    /// Refuses settings that cannot be used, or not for this data set.
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
            return refuse("bound of the flow", "none, since float32 stores every vector as it is", bound());
        }
        if self.backward && self.flow.is_none() {
            return refuse("flow", "a method, since backward flow was asked for", "none".to_owned());
        }
        if self.backward && dataset.extraction.is_some() {
            let expected = "forward flow alone, which is what extracted folders hold";
            let found = "backward flow was asked for; give the videos themselves as data root".to_owned();
            return refuse(&format!("flow of `{}`", dataset.name), expected, found);
        }
        Ok(())
    }
}

/// Hears how far [`super::prepare`] is. Called from several threads.
pub trait Progress: Sync {
    /// `total` videos are to be prepared.
    fn begin(&self, total: usize);
    /// `n` more videos are done, well or badly.
    fn advance(&self, n: usize);
    /// Something that a person should know: a failed video, a rebuilt cache file.
    fn note(&self, text: &str);
}

/// Says nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _total: usize) {}
    fn advance(&self, _n: usize) {}
    fn note(&self, _text: &str) {}
}
