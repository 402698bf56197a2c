//! Published weights: from a pinned file of the Hugging Face hub to a network's parameters.
//!
//! A [`WeightSource`] says which file, which bytes (its SHA-256) and how its tensors are
//! named. [`fetch`] puts the file into the project's cache once; [`load`] fills a network.
//!
//! Names, addresses and the cache's layout are `hf-hub`'s ([`hf_hub::Repo`],
//! [`hf_hub::Cache`]), so that a cache may be copied from or to other programs. The download
//! is ours, with the HTTP client that `hf-hub` brings, because its own (0.5)
//! - verifies nothing, and takes the checksum and the commit from the server as parts of paths,
//! - appends to a partial file even when the server ignores the range and sends all of it,
//! - cannot be interrupted, has no time limits, and panics on some answers.
//!
//! Here the file is named by the pinned sum (as the hub names large files), so a file that is
//! there needs no question to the server, and no text of the server's becomes a path.

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

/// Puts the file of a source into `cache`/weights, unless it is there, and checks its sum.
/// The server is the one that `HF_ENDPOINT` names, or the hub's own.
///
/// An interrupted download goes on where it was with the next call.
///
/// # Errors
/// [`WeightsError`] when the file cannot be had or is another one than was pinned,
/// [`Error::Interrupted`](crate::Error::Interrupted), [`Error::File`](crate::Error::Io).
pub fn fetch(
    source: &WeightSource,
    cache: &Path,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<PathBuf> {
    Hub::from_env()?.fetch(source, cache, console, interrupt)
}

/// The file of a source, if it is in `cache`/weights; its sum is not looked at.
pub fn cached(source: &WeightSource, cache: &Path) -> Option<PathBuf> {
    source.check().ok()?;
    let blob = place::BlobPlaces::new(source, &cache.join("weights")).blob;
    blob.exists().then_some(blob)
}

/// The SHA-256 of a file, in hexadecimal digits.
///
/// # Errors
/// [`Error::File`](crate::Error::Io), [`Error::Interrupted`](crate::Error::Interrupted).
pub fn sha256(path: &Path, interrupt: &Interrupt) -> Result<String> {
    let mut file = base::files::open(path)?;
    let mut sum = Sha256::new();
    place::add(&mut sum, &mut file, path, interrupt)?;
    Ok(place::hex(sum))
}

/// What becomes of the classifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    /// Its weights are loaded like all others.
    Keep,
    /// It keeps the fresh values it was made with, whatever the file holds for it.
    Replace,
}

/// Fills a network with the tensors of a file, such as [`fetch`] returns. Weights for frames also fill a network for
/// anything else: the filters of the first layer are averaged.
///
/// # Errors
/// [`WeightsError::Content`] when the file cannot be read, or when a tensor is missing,
/// surplus or of another shape; then nothing has changed.
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

/// The tensors of a file as those of a network that is a stream of another: under the other's names, its classifier
/// among them.
///
/// # Errors
/// [`WeightsError::Content`] when the file cannot be read, or holds names that are nobody's.
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

/// The tensors of a file under our names, and for each of these the name in the file.
fn read_named(
    path: &Path,
    names: NameMap,
    model: &dyn Architecture,
) -> Result<(Tensors, BTreeMap<String, String>)> {
    let refused = |reason: String| WeightsError::Content { path: path.into(), names, reason };
    let stored = tensors::read(path, &Device::Cpu).map_err(|e| refused(e.to_string()))?;
    Ok(model.published(names, &stored).map_err(|e| refused(e.to_string()))?)
}
