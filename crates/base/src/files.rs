//! Files that exist whole or not at all.
//!
//! A file is written under another name in its own folder, synced and renamed. The temporary file is
//! locked by its writer for as long as it lives, so whatever a killed process left behind can be told from what another
//! process is writing just now, and [`remove_abandoned`] clears it.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;

const PREFIX: &str = ".tmp-";
/// Another process may clear our temporary file between its creation and its lock; then we write again.
const ATTEMPTS: usize = 5;

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot {action} {}: {source}{}", path.display(), self.hint())]
    Io {
        /// What was being done, as a verb: "read", "create", "list".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The disk is full.
    #[error(
        "no space left in {}: {needed} bytes were needed for one file; free some space or choose another \
         folder. Nothing partial was left behind, and the work goes on from here when run again",
        folder.display()
    )]
    DiskFull {
        /// The folder that was written to.
        folder: PathBuf,
        /// Bytes of the file that did not fit.
        needed: u64,
    },
}

impl FileError {
    /// An I/O error with the action and the path.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    /// Whether something was to be written where that is not allowed: another folder would help.
    #[must_use]
    pub fn is_unwritable(&self) -> bool {
        use ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let Self::Io { action, source, .. } = self else { return false };
        matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) && !READS.contains(action)
    }

    /// What to do about a system error that users meet.
    fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } if self.is_unwritable() => "; choose a folder that you may write to",
            Self::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                "; ask its owner for the right to read it"
            }
            _ => "",
        }
    }
}

/// The actions of [`FileError::Io`] that change nothing.
const READS: [&str; 4] = ["read", "open", "list", "follow"];

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Writes the concatenation of `parts` to `path`, whose folder is made if missing.
///
/// # Errors
/// [`FileError::DiskFull`] with the folder and the bytes needed, [`FileError::Io`] otherwise. In both cases
/// nothing partial remains and a file that was there before is untouched.
pub fn write(path: &Path, parts: &[&[u8]]) -> Result<(), FileError> {
    let needed = parts.iter().map(|part| part.len() as u64).sum();
    write_with(path, needed, |file| parts.iter().try_for_each(|part| file.write_all(part)))
}

/// Writes a value as indented JSON with a final newline.
///
/// # Errors
/// As [`write`].
///
/// # Panics
/// For a value that JSON cannot hold, such as a map whose keys are no strings.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let mut text = serde_json::to_vec_pretty(value).expect("records hold strings, numbers and lists only");
    text.push(b'\n');
    write(path, &[&text])
}

fn write_with(
    path: &Path,
    needed: u64,
    write: impl Fn(&mut File) -> io::Result<()>,
) -> Result<(), FileError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            FileError::DiskFull { folder: folder.to_path_buf(), needed }
        }
        _ => FileError::io("write", path, error),
    };
    fs::create_dir_all(folder).map_err(failed)?;
    let mut attempt = 1;
    loop {
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let temporary = folder.join(format!("{PREFIX}{}-{}-{count}", host(), process::id()));
        let written = create(&temporary).and_then(|mut file| {
            write(&mut file)?;
            file.sync_all()?;
            fs::rename(&temporary, path)
        });
        match written {
            Ok(()) => break,
            Err(error) => {
                // The error that counts is the first one. A file of that name that was there is somebody else's.
                if error.kind() != ErrorKind::AlreadyExists {
                    let _removed = fs::remove_file(&temporary);
                }
                let again = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists);
                if !again || attempt == ATTEMPTS {
                    return Err(failed(error));
                }
                attempt += 1;
            }
        }
    }
    // Makes the rename itself durable; not every file system allows it, and none needs it for the content.
    let _synced = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// Tells machines apart that share a folder: their processes may have the same numbers.
fn host() -> &'static str {
    static HOST: OnceLock<String> = OnceLock::new();
    HOST.get_or_init(|| {
        let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        format!("{:08x}", hasher.finish() as u32)
    })
}

fn create(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new().write(true).create_new(true).open(path)?;
    // Without locks (some network file systems) the file merely is not protected from being cleared.
    let _locked = file.try_lock();
    Ok(file)
}

/// Removes temporary files that no living process holds, from `folder` itself.
///
/// # Errors
/// [`FileError::Io`] if the folder cannot be listed; a folder that does not exist is fine.
pub fn remove_abandoned(folder: &Path) -> Result<(), FileError> {
    for path in list(folder)? {
        let temporary = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(PREFIX));
        if temporary && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            tracing::debug!(path = %path.display(), "removing what an interrupted run left behind");
            // Another process may be faster.
            let _removed = fs::remove_file(&path);
        }
    }
    Ok(())
}

/// Paths in a folder, sorted; empty if there is no such folder.
///
/// # Errors
/// [`FileError::Io`] if it cannot be listed.
pub fn list(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let io = |error| FileError::io("list", folder, error);
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(io)?.path());
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_names_folder_and_need_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.var");
        fs::write(&path, b"before").unwrap();
        let error = write_with(&path, 1234, |file| {
            file.write_all(b"half of")?;
            Err(ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(matches!(&error, FileError::DiskFull { needed: 1234, .. }));
        assert!(error.to_string().contains(&folder.path().display().to_string()), "{error}");
        assert_eq!(list(folder.path()).unwrap(), std::slice::from_ref(&path));
        assert_eq!(fs::read(&path).unwrap(), b"before");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernels_own_answer_for_a_full_device_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.var");
        let full = |_: &mut File| OpenOptions::new().write(true).open("/dev/full")?.write_all(b"x");
        assert!(matches!(write_with(&path, 1, full), Err(FileError::DiskFull { .. })));
        assert!(list(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn a_write_that_fails_keeps_the_old_file_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        write_json(&path, &1).unwrap();
        // A folder that is a file: refused for the superuser, too.
        let message = write_json(&path.join("inside.json"), &2).unwrap_err().to_string();
        assert!(message.contains("cannot write") && message.contains("record.json"), "{message}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        assert_eq!(list(folder.path()).unwrap(), [path]);
    }

    #[test]
    fn what_is_not_allowed_comes_with_what_helps() {
        let refused = |action| FileError::io(action, "results", ErrorKind::PermissionDenied.into());
        assert!(refused("write").is_unwritable() && !refused("read").is_unwritable());
        assert!(refused("create").to_string().ends_with("; choose a folder that you may write to"));
        assert!(refused("list").to_string().contains("the right to read it"));
        assert!(!FileError::io("read", "x", ErrorKind::NotFound.into()).to_string().contains(';'));
    }

    #[test]
    fn abandoned_files_go_and_living_ones_stay() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(".tmp-1-1"), b"left by a killed process").unwrap();
        let living = folder.path().join(".tmp-2-1");
        let held = create(&living).unwrap();
        remove_abandoned(folder.path()).unwrap();
        assert_eq!(list(folder.path()).unwrap(), [living]);
        drop(held);
        remove_abandoned(folder.path()).unwrap();
        assert!(list(folder.path()).unwrap().is_empty());
    }
}
