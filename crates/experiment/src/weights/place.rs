//! Places of a file of weights in the cache.

use std::fs;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use hf_hub::{Cache, CacheRepo, Repo, RepoType};
use sha2::{Digest, Sha256};

use super::WeightSource;
use crate::{Error, Interrupt, Result};

/// Bytes read between two checks of the interrupt.
pub(super) const BLOCK: usize = 256 << 10;

/// The places of one file, in the hub's layout.
pub(super) struct BlobPlaces {
    /// The file itself, named by its sum.
    pub(super) blob: PathBuf,
    /// The part of it downloaded so far.
    pub(super) part: PathBuf,
    /// The lock of the downloading process.
    pub(super) lock: PathBuf,
    repo: CacheRepo,
}

impl BlobPlaces {
    /// Returns the places of a checked source below the folder of all weights.
    pub(super) fn new(source: &WeightSource, weights: &Path) -> Self {
        let repo = Cache::new(weights.into()).repo(repository(source));
        let blob = repo.blob_path(&source.sha256);
        Self { part: blob.with_extension("part"), lock: blob.with_extension("lock"), blob, repo }
    }

    /// Computes the checksum of the file, if it exists.
    pub(super) fn sum(&self, interrupt: &Interrupt) -> Result<Option<String>> {
        let mut file = match base::files::open(&self.blob) {
            Ok(file) => file,
            Err(error) if error.is_missing() => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut sum = Sha256::new();
        add(&mut sum, &mut file, &self.blob, interrupt)?;
        Ok(Some(hex(sum)))
    }

    /// Moves the complete and checked download to its place.
    pub(super) fn keep(&self) -> Result<()> {
        fs::rename(&self.part, &self.blob).map_err(Error::io("write", &self.blob))
    }

    /// Links the file under its commit and its own name, where other programs for the hub look
    /// for it. We do not need the link, so a file system without links is fine.
    pub(super) fn list(&self, source: &WeightSource, commit: &str) {
        let pointer = self.repo.pointer_path(commit).join(&source.file);
        let up = "../".repeat(2 + source.file.matches('/').count());
        let folder = pointer.parent().unwrap_or(&pointer);
        let linked =
            fs::create_dir_all(folder).and_then(|()| link(&format!("{up}blobs/{}", source.sha256), &pointer));
        if linked.is_ok() && source.revision != commit {
            let _listed = self.repo.create_ref(commit);
        }
    }
}

#[cfg(unix)]
fn link(to: &str, at: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(to, at)
}

#[cfg(not(unix))]
fn link(to: &str, at: &Path) -> std::io::Result<()> {
    let folder = at.parent().unwrap_or(at);
    fs::hard_link(folder.join(to), at)
}

/// Returns the repository of a source in the form of `hf-hub`.
pub(super) fn repository(source: &WeightSource) -> Repo {
    Repo::with_revision(source.repository.clone(), RepoType::Model, source.revision.clone())
}

/// Adds the rest of a file to a checksum, and returns its number of bytes.
pub(super) fn add(sum: &mut Sha256, file: &mut File, path: &Path, interrupt: &Interrupt) -> Result<u64> {
    let mut block = vec![0; BLOCK];
    let mut bytes = 0;
    loop {
        interrupt.check()?;
        match file.read(&mut block) {
            Ok(0) => return Ok(bytes),
            Ok(read) => {
                sum.update(&block[..read]);
                bytes += read as u64;
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io("read", path)(e)),
        }
    }
}

/// Formats a checksum in hexadecimal digits.
pub(super) fn hex(sum: Sha256) -> String {
    sum.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
