//! Names of cache files: hashes of everything that the content depends on.

use super::config::PrepareConfig;
use crate::container::{Kind, VERSION};
use crate::cuts::CutConfig;
use crate::error::DataError;
use crate::extracted::Extraction;
use flow::Method;
use std::path::{Path, PathBuf};

/// Version of the methods. Raised when decoding, resizing, cut search or flow change their results without a change of
/// settings.
const METHOD: u32 = 2;

/// Key of the frames of a video with the given source hash.
pub(super) fn frames(
    source: &str,
    config: &PrepareConfig,
    cuts: Option<CutConfig>,
) -> Result<String, DataError> {
    let settings = (VERSION, METHOD, config.short_side, config.frame_codec, cuts);
    hash(&[Kind::Frames.folder(), source, &json(&settings)?])
}

/// Key of the flow computed from the frames with the key `frames`. An estimator of many pairs adds its name, because the
/// last bit of a stored byte may differ from the CPU's.
pub(super) fn flow(
    kind: Kind,
    frames: &str,
    config: &PrepareConfig,
    method: &Method,
) -> Result<String, DataError> {
    let settings = json(&(VERSION, METHOD, config.flow_codec, config.flow_bound, method))?;
    match config.batched() {
        Some((batched, _)) => hash(&[kind.folder(), frames, &settings, batched.name()]),
        None => hash(&[kind.folder(), frames, &settings]),
    }
}

/// Key of the flow that was extracted together with the frames with the key `frames`. Flow that was not compared with its
/// frames has a different key, so that it is never taken for flow that was.
pub(super) fn imported(
    frames: &str,
    config: &PrepareConfig,
    extraction: Extraction,
) -> Result<String, DataError> {
    let settings = (VERSION, METHOD, config.flow_codec, extraction.bound, extraction.check);
    hash(&["imported-flow", frames, &json(&settings)?])
}

/// Path of a cache file.
pub(super) fn path(cache_dir: &Path, kind: Kind, key: &str) -> PathBuf {
    cache_dir.join(kind.folder()).join(&key[..2]).join(format!("{key}.var"))
}

fn json(settings: &impl serde::Serialize) -> Result<String, DataError> {
    serde_json::to_string(settings)
        .map_err(|error| DataError::invalid("settings of the cache", "finite numbers", error))
}

fn hash(parts: &[&str]) -> Result<String, DataError> {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    Ok(hasher.finalize().to_hex().to_string())
}
