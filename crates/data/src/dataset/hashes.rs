//! Content hashes of video files, remembered between runs.
//!
//! Hashing a whole data set takes as long as reading it, so a small index beside the cache keeps path, size,
//! modification time and hash. A file whose size or time differs is hashed again. The index is only a
//! convenience: if it is damaged or missing, it is rebuilt.

use crate::error::DataError;
use crate::extracted::ExtractedFolder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::UNIX_EPOCH;

/// Largest index in bytes, enough for millions of files.
const LARGEST_INDEX: u64 = 256 << 20;

/// Largest video file, in bytes. A file is read twice before its first frame is decoded.
const LARGEST_VIDEO: u64 = 16 << 30;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    /// Bytes of a file, or of all files of a folder.
    size: u64,
    /// Nanoseconds since 1970; for a folder a hash of the names, sizes and times of its files.
    changed: u64,
    hash: String,
}

/// Hashes by path; shared by threads.
#[derive(Debug)]
pub struct SourceHashes {
    index: PathBuf,
    known: Mutex<BTreeMap<String, Known>>,
    /// True if a hash was computed that the index may lack.
    learnt: AtomicBool,
    /// Number of files and folders that were looked at.
    #[cfg(test)]
    looked_at: std::sync::atomic::AtomicUsize,
}

impl SourceHashes {
    /// Opens the index of a cache folder; nothing needs to exist yet.
    #[must_use]
    pub fn open(cache_dir: &Path) -> Self {
        let index = cache_dir.join("sources.json");
        let known = Mutex::new(read(&index).unwrap_or_default());
        Self {
            index,
            known,
            learnt: AtomicBool::new(false),
            #[cfg(test)]
            looked_at: Default::default(),
        }
    }

    /// Returns the BLAKE3 hash of a file's content, in hex, and its size in bytes.
    ///
    /// # Errors
    /// [`DataError::File`].
    pub fn hash(&self, path: &Path) -> Result<(String, u64), DataError> {
        let io = |error| DataError::io("read", path, error);
        let file = base::files::open(path)?;
        let meta = file.metadata().map_err(io)?;
        let (size, changed) = (meta.len(), changed(&meta));
        if size > LARGEST_VIDEO {
            let found = format!("{size} bytes");
            return Err(DataError::invalid(format!("video {}", path.display()), "at most 16 GiB", found));
        }
        let hash = self.known_or(path, size, changed, || {
            let mut hasher = blake3::Hasher::new();
            hasher.update_reader(file).map_err(io)?;
            Ok(hasher.finalize().to_hex().to_string())
        })?;
        Ok((hash, size))
    }

    /// Forgets the hash of a file, so that the next request computes it again.
    pub(crate) fn forget(&self, path: &Path) {
        if let Some(name) = path.to_str() {
            self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
    }

    /// Returns the BLAKE3 hash of the names and contents of a folder's pictures, in hex, and the number of files. The index
    /// keeps one entry for the folder, not one for each of its files.
    ///
    /// # Errors
    /// [`DataError::File`].
    pub fn hash_folder(&self, folder: &ExtractedFolder) -> Result<(String, usize), DataError> {
        let mut state = blake3::Hasher::new();
        let (mut total, mut dated, mut count) = (0, true, 0);
        for name in folder.files() {
            let path = folder.path_of(name);
            let meta = fs::metadata(&path).map_err(|e| DataError::io("read", &path, e))?;
            let time = changed(&meta);
            dated &= time.is_some();
            state.update(name.as_bytes()).update(&[0]).update(&meta.len().to_le_bytes());
            state.update(&time.unwrap_or(0).to_le_bytes());
            total += meta.len();
            count += 1;
        }
        let mut first = [0; 8];
        first.copy_from_slice(&state.finalize().as_bytes()[..8]);
        let state = dated.then(|| u64::from_le_bytes(first));
        let hash = self.known_or(&folder.path, total, state, || {
            let mut hasher = blake3::Hasher::new();
            for name in folder.files() {
                let path = folder.path_of(name);
                hasher.update(name.as_bytes()).update(&[0]);
                let mut one = blake3::Hasher::new();
                let read = one.update_reader(base::files::open(&path)?);
                read.map_err(|error| DataError::io("read", &path, error))?;
                hasher.update(one.finalize().as_bytes());
            }
            Ok(hasher.finalize().to_hex().to_string())
        })?;
        Ok((hash, count))
    }

    /// Returns the remembered hash of a path in this state, or a new one. A path that is not Unicode or has no modification
    /// time is hashed each time.
    fn known_or(
        &self,
        path: &Path,
        size: u64,
        changed: Option<u64>,
        hash: impl FnOnce() -> Result<String, DataError>,
    ) -> Result<String, DataError> {
        #[cfg(test)]
        self.looked_at.fetch_add(1, Ordering::Relaxed);
        let (Some(name), Some(changed)) = (path.to_str(), changed) else { return hash() };
        {
            let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(known) =
                known.get(name).filter(|known| (known.size, known.changed) == (size, changed))
            {
                return Ok(known.hash.clone());
            }
        }
        let hash = hash()?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(name.to_owned(), Known { size, changed, hash: hash.clone() });
        self.learnt.store(true, Ordering::Relaxed);
        Ok(hash)
    }

    /// Writes the index if it changed, merged with entries that other processes wrote in the meantime. Without a new hash nothing
    /// is read or written: a command saves several times, and the index has an entry for each video.
    ///
    /// # Errors
    /// The errors of [`base::files::write`].
    pub fn save(&self) -> Result<(), DataError> {
        if !self.learnt.swap(false, Ordering::Relaxed) {
            return Ok(());
        }
        self.merge().inspect_err(|_| self.learnt.store(true, Ordering::Relaxed))
    }

    fn merge(&self) -> Result<(), DataError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let on_disk = read(&self.index).unwrap_or_default();
        let mut all = on_disk.clone();
        all.extend(known);
        if all == on_disk {
            return Ok(());
        }
        let json = serde_json::to_vec(&all).map_err(|e| DataError::io("write", &self.index, e.into()))?;
        let checksum = blake3::hash(&json).to_hex();
        Ok(base::files::write(&self.index, &[checksum.as_bytes(), b"\n", &json])?)
    }
}

fn changed(meta: &Metadata) -> Option<u64> {
    let since = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_nanos()).ok()
}

/// Reads an index: a line with the checksum of the rest, then JSON. `None` if it is missing or damaged.
fn read(index: &Path) -> Option<BTreeMap<String, Known>> {
    let bytes = base::files::read(index, LARGEST_INDEX).ok()?;
    let (checksum, json) = bytes.split_at_checked(65)?;
    if checksum[..64] != *blake3::hash(json).to_hex().as_bytes() {
        tracing::warn!(index = %index.display(), "the index of video hashes is damaged; rebuilding it");
        return None;
    }
    serde_json::from_slice(json).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Dataset, DatasetSpec, OpenOptions};

    #[test]
    fn hashes_are_remembered_and_notice_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("#1 (a).avi");
        fs::write(&file, b"one").unwrap();
        let hashes = SourceHashes::open(folder.path());
        let (first, size) = hashes.hash(&file).unwrap();
        assert_eq!((first.as_str(), size), (blake3::hash(b"one").to_hex().as_str(), 3));
        hashes.save().unwrap();

        // The remembered hash is used: plant another one to see it.
        let again = SourceHashes::open(folder.path());
        again.known.lock().unwrap().values_mut().for_each(|known| known.hash = "planted".to_owned());
        assert_eq!(again.hash(&file).unwrap().0, "planted");
        fs::write(&file, b"changed").unwrap();
        assert_eq!(again.hash(&file).unwrap().0, blake3::hash(b"changed").to_hex().as_str());

        // A command that computes no hash leaves the index alone.
        again.save().unwrap();
        let idle = SourceHashes::open(folder.path());
        idle.hash(&file).unwrap();
        fs::remove_file(folder.path().join("sources.json")).unwrap();
        idle.save().unwrap();
        assert!(!folder.path().join("sources.json").exists());

        fs::write(folder.path().join("sources.json"), b"rubbish").unwrap();
        assert_eq!(SourceHashes::open(folder.path()).hash(&file).unwrap().1, 7);
    }

    /// On a network's disk, each look takes a millisecond.
    #[test]
    fn the_fingerprints_of_all_splits_look_at_each_video_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        let text = "kind = 'folder'\ntitle = 'Mine'\nroot = 'clips'\n[split]\nfolds = 3\n";
        fs::write(&path, text).unwrap();
        for name in ["run/a", "run/b", "run/c", "walk/d", "walk/e", "walk/f"] {
            let file = folder.path().join("clips").join(name).with_extension("avi");
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, name).unwrap();
        }
        let set = Dataset::open_with(&DatasetSpec::load(&path).unwrap(), &OpenOptions::default()).unwrap();
        let hashes = SourceHashes::open(folder.path());
        let (prints, copies) = set.fingerprints(&hashes).unwrap();
        assert_eq!((prints.len(), copies.len()), (3, 0));
        assert_eq!(hashes.looked_at.load(Ordering::Relaxed), 6);
    }
}
