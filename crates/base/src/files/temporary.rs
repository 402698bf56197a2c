//! Unique temporary names, and the removal of temporary files that killed processes left behind.
//!
//! Names are random, since process numbers are the same in every container. A process holds a lock on its name while it
//! uses it, so that abandoned files can be told from those in use.

use std::collections::BTreeSet;
use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::error::FileError;
use super::list::list;
use super::read::open;

const FILE: &str = ".tmp-";
const FOLDER: &str = ".scratch-";
const LOCK: &str = "lock";
/// Number of attempts: another process may delete a file between its creation and its lock, so that it is created again.
pub(super) const ATTEMPTS: usize = 5;

/// Returns sixteen hexadecimal digits from the system's random source.
fn random() -> String {
    format!("{:016x}", RandomState::new().build_hasher().finish())
}

/// Creates a new, locked file in a folder. The first time that this process does so in a folder, it removes what killed
/// processes left there.
pub(super) fn create(folder: &Path) -> io::Result<(PathBuf, File)> {
    if CLEARED.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.to_path_buf()) {
        // A folder that cannot be listed can still be written to.
        let _cleared = remove_abandoned(folder);
    }
    let path = folder.join(format!("{FILE}{}", random()));
    lock_new(&path).map(|file| (path, file))
}

/// Folders that this process has cleared.
static CLEARED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn lock_new(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    // Another process may have taken the file for abandoned before it was locked: it holds the lock until it has deleted the
    // file. On a file system without locks (some network ones), the file is only not protected from removal.
    let _locked = file.lock();
    if path.exists() { Ok(file) } else { Err(ErrorKind::NotFound.into()) }
}

/// Removes temporary files, and scratch folders with their content, that no living process holds; only directly in `folder`.
///
/// # Errors
/// [`FileError::Io`] if the folder cannot be listed; a folder that does not exist is fine.
pub fn remove_abandoned(folder: &Path) -> Result<(), FileError> {
    for path in list(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let locked = name.starts_with(FILE) || name.starts_with(FOLDER) && name.ends_with(LOCK);
        if !locked || !open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            continue;
        }
        tracing::debug!(path = %path.display(), "removing a leftover of an interrupted run");
        // Another process may have removed it first.
        if name.starts_with(FOLDER) {
            let _removed = fs::remove_dir_all(path.with_extension(""));
        }
        let _removed = fs::remove_file(&path);
    }
    Ok(())
}

/// A temporary folder for one process, deleted when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    lock: PathBuf,
    _held: File,
}

impl Scratch {
    /// Creates a scratch folder in `folder`, which is created if missing. Removes those that killed processes left there.
    ///
    /// # Errors
    /// [`FileError::Io`] if it cannot be created.
    pub fn new(folder: &Path) -> Result<Self, FileError> {
        let io = |source| FileError::io("create", folder, source);
        fs::create_dir_all(folder).map_err(io)?;
        remove_abandoned(folder)?;
        for _ in 0..ATTEMPTS {
            let path = folder.join(format!("{FOLDER}{}", random()));
            let lock = path.with_extension(LOCK);
            match lock_new(&lock) {
                Ok(_held) => {
                    fs::create_dir(&path).map_err(io)?;
                    return Ok(Self { path, lock, _held });
                }
                // Another process took it for abandoned before it was locked.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(io(error)),
            }
        }
        Err(io(ErrorKind::NotFound.into()))
    }

    /// Returns its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // The next scratch folder removes any leftovers.
        let _removed = fs::remove_dir_all(&self.path);
        let _removed = fs::remove_file(&self.lock);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_write_to_a_folder_removes_what_killed_processes_left_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".tmp-1"), b"left by a killed process").unwrap();
        let path = folder.path().join("table.md");
        super::super::write(&path, &[b"whole"]).unwrap();
        assert_eq!(list(folder.path()).unwrap(), [path]);
    }

    #[test]
    fn abandoned_files_go_and_living_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".tmp-1-1"), b"left by a killed process").unwrap();
        let (living, held) = create(folder.path()).unwrap();
        remove_abandoned(folder.path()).unwrap();
        assert_eq!(list(folder.path()).unwrap(), [living]);
        drop(held);
        remove_abandoned(folder.path()).unwrap();
        assert!(list(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn scratch_folders_are_apart_and_go_with_their_owners() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (Scratch::new(folder.path()).unwrap(), Scratch::new(folder.path()).unwrap());
        assert_ne!(one.path(), other.path());
        fs::write(one.path().join("x"), b"x").unwrap();
        drop(other);
        assert!(one.path().join("x").exists());
        drop(one);
        assert!(list(folder.path()).unwrap().is_empty());

        // Left by a killed process.
        fs::create_dir(folder.path().join(".scratch-1")).unwrap();
        fs::write(folder.path().join(".scratch-1/x"), b"x").unwrap();
        fs::write(folder.path().join(".scratch-1.lock"), b"").unwrap();
        let living = Scratch::new(folder.path()).unwrap();
        assert_eq!(list(folder.path()).unwrap(), [living.path(), &living.lock]);
    }

    #[test]
    fn names_do_not_come_twice() {
        let names: std::collections::BTreeSet<String> = (0..1000).map(|_| random()).collect();
        assert_eq!(names.len(), 1000);
    }
}
