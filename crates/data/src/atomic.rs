//! Files that exist whole or not at all.
//!
//! A file is written under another name in its own folder, synced and renamed. The temporary file is
//! locked by its writer for as long as it lives, so whatever a killed process left behind can be told from what another
//! process is writing just now, and [`remove_abandoned`] clears it.

use crate::error::DataError;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

const PREFIX: &str = ".tmp-";
/// Another process may clear our temporary file between its creation and its lock; then we write again.
const ATTEMPTS: usize = 5;

static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Writes the concatenation of `parts` to `path`, whose folder is made if missing.
///
/// # Errors
/// [`DataError::DiskFull`] with the folder and the bytes needed, [`DataError::Io`] otherwise. In both cases
/// nothing partial remains and a file that was there before is untouched.
pub fn write_atomically(path: &Path, parts: &[&[u8]]) -> Result<(), DataError> {
    let needed = parts.iter().map(|part| part.len() as u64).sum();
    write_with(path, needed, |file| parts.iter().try_for_each(|part| file.write_all(part)))
}

fn write_with(
    path: &Path,
    needed: u64,
    write: impl Fn(&mut File) -> io::Result<()>,
) -> Result<(), DataError> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            DataError::DiskFull { folder: folder.to_path_buf(), needed }
        }
        _ => DataError::io("write", path, error),
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
        blake3::hash(name.as_bytes()).to_hex()[..8].to_owned()
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
/// [`DataError::Io`] if the folder cannot be listed; a folder that does not exist is fine.
pub fn remove_abandoned(folder: &Path) -> Result<(), DataError> {
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
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let io = |error| DataError::io("list", folder, error);
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
        assert!(matches!(&error, DataError::DiskFull { needed: 1234, .. }));
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
        assert!(matches!(write_with(&path, 1, full), Err(DataError::DiskFull { .. })));
        assert!(list(folder.path()).unwrap().is_empty());
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
