//! Published weights: from a pinned file of the Hugging Face hub to a network's parameters.
//!
//! A [`WeightSource`] gives the file, its SHA-256 and the naming of its tensors. [`fetch`]
//! downloads the file into the project's cache once; [`load`] fills a network.
//!
//! Names, addresses and the cache's layout are those of `hf-hub` ([`hf_hub::Repo`],
//! [`hf_hub::Cache`]), so that a cache may be copied from or to other programs. The download
//! is our own, with the HTTP client of `hf-hub`, because that crate's download (0.5)
//! - verifies nothing, and uses the server's checksum and commit as parts of paths,
//! - appends to a partial file even if the server ignores the range and sends all of it,
//! - cannot be interrupted, has no time limits, and panics on some answers.
//!
//! Here the pinned checksum names the file (as the hub names large files). A file in the cache
//! needs no request to the server, and no text from the server becomes part of a path.

mod advice;
mod error;
mod hub;
mod place;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use candle_core::Device;
use models::{Architecture, Modality, Stream};
use nn::Params;
use nn::tensors::{self, Tensors};
use sha2::{Digest, Sha256};

pub use error::WeightsError;
pub use hub::Hub;
pub use models::NameMap;
pub use plan::WeightSource;

use crate::{Console, Interrupt, Result};

/// Downloads the file of a source into `cache`/weights, unless it is there, and checks its sum.
/// The server is that of `HF_ENDPOINT`, or the hub's own.
///
/// The next call resumes an interrupted download.
///
/// # Errors
/// [`WeightsError`] if the file cannot be downloaded or is not the pinned one,
/// [`Error::Interrupted`](crate::Error::Interrupted), [`Error::File`](crate::Error::Io).
pub fn fetch(
    source: &WeightSource,
    cache: &Path,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    Hub::from_env()?.fetch(source, cache, console, interrupt)
}

/// Returns the file of a source, if it is in `cache`/weights; its sum is not checked.
pub fn cached(source: &WeightSource, cache: &Path) -> Option<PathBuf> {
    source.check().ok()?;
    let blob = place::BlobPlaces::new(source, &cache.join("weights")).blob;
    blob.exists().then_some(blob)
}

/// Computes the SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// [`Error::File`](crate::Error::Io), [`Error::Interrupted`](crate::Error::Interrupted).
pub fn sha256(path: &Path, interrupt: &Interrupt) -> Result<String> {
    let mut file = base::files::open(path)?;
    let mut sum = Sha256::new();
    place::add(&mut sum, &mut file, path, interrupt)?;
    Ok(place::hex(sum))
}

/// The treatment of the classifier when weights are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Its weights are loaded like all others.
    Keep,
    /// It keeps its fresh values; those of the file are ignored.
    Replace,
}

/// Fills a network with the tensors of a file, such as [`fetch`] returns. Weights for frames also fill a network for
/// other inputs: the filters of the first layer are averaged.
///
/// # Errors
/// [`WeightsError::Content`] if the file cannot be read, or a tensor is missing,
/// surplus or of a wrong shape; then the network is unchanged.
pub fn load(
    path: &Path,
    names: NameMap,
    model: &dyn Architecture,
    params: &Params,
    head: Head,
) -> Result<()> {
    let refused = |reason: String| WeightsError::Content { path: path.into(), names, reason };
    let (adopted, ours) = read_named(path, names, model)?;
    let fresh = |name: &str| head == Head::Replace && model.is_classifier(name);
    params.transfer(&adopted, &fresh).map_err(|error| {
        let theirs = match &error {
            nn::Error::TensorMismatch { name, .. } => ours.get(name).filter(|theirs| *theirs != name),
            _ => None,
        };
        let theirs = theirs.map(|theirs| format!(" (`{theirs}` in the file)")).unwrap_or_default();
        refused(format!("{error}{theirs}"))
    })?;
    Ok(())
}

/// Reads the tensors of a file for a stream of a network, under that network's names, including the classifier.
///
/// # Errors
/// [`WeightsError::Content`] if the file cannot be read or has unknown names.
pub fn read_stream(
    path: &Path,
    names: NameMap,
    model: &dyn Architecture,
    stream: Modality,
) -> Result<Tensors> {
    let refused = |reason: String| WeightsError::Content { path: path.into(), names, reason };
    let Stream { prefix, alone, .. } = model.stream(stream).map_err(|e| refused(e.to_string()))?;
    let (adopted, _) = read_named(path, names, &*alone)?;
    Ok(adopted.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect())
}

/// Reads the tensors of a file under our names, with the name of each in the file. Names that a wrapper has prefixed and
/// types other than 32-bit floats are refused with what to do: nothing is converted unasked.
fn read_named(
    path: &Path,
    names: NameMap,
    model: &dyn Architecture,
) -> Result<(Tensors, BTreeMap<String, String>)> {
    let refused = |reason: String| WeightsError::Content { path: path.into(), names, reason };
    let stored = tensors::read(path, &Device::Cpu).map_err(|e| refused(e.to_string()))?;
    let used = model
        .our_names(names, stored.keys().map(String::as_str))
        .map_err(|e| refused(advice::of_names(&stored).unwrap_or_else(|| e.to_string())))?;
    let advice = advice::of_names(&stored).or_else(|| advice::of_types(&stored, used.values()));
    if let Some(advice) = advice {
        return Err(refused(advice).into());
    }
    Ok(model.published(names, &stored).map_err(|e| refused(e.to_string()))?)
}
