//! Writes files atomically: under a temporary name in the same folder, then synced and renamed.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use serde::Serialize;

use super::error::{FileError, folder_of};
use super::temporary;

/// Writes the concatenation of `parts` to `path`, and creates its folder if missing.
///
/// # Errors
/// [`FileError::DiskFull`] with the folder and the bytes needed, [`FileError::Io`] otherwise. In both cases no partial
/// file remains and an existing file is unchanged.
pub fn write(path: &Path, parts: &[&[u8]]) -> Result<(), FileError> {
    let needed = parts.iter().map(|part| part.len() as u64).sum();
    write_with(path, needed, |file| parts.iter().try_for_each(|part| file.write_all(part)))
}

/// Writes `head` and then the `length` bytes of a reader.
///
/// # Errors
/// As for [`write`]; also [`FileError::Io`] for a reader that fails or gives a different number of bytes.
pub fn write_from(path: &Path, head: &[u8], mut rest: impl Read, length: u64) -> Result<(), FileError> {
    let needed = length.saturating_add(head.len() as u64);
    // Bytes that were read cannot be read again, so there is no second attempt.
    let mut read = false;
    write_with(path, needed, |file| {
        if std::mem::replace(&mut read, true) {
            return Err(io::Error::other("another process deleted it while it was being written"));
        }
        file.write_all(head)?;
        match io::copy(&mut rest, file)? {
            copied if copied == length => Ok(()),
            copied => Err(io::Error::other(format!("expected {length} bytes to write, found {copied}"))),
        }
    })
}

/// Writes a value as indented JSON with a final newline.
///
/// # Errors
/// As for [`write`].
///
/// # Panics
/// If JSON cannot represent the value, such as a map whose keys are not strings.
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<(), FileError> {
    let mut text = serde_json::to_vec_pretty(value).expect("records hold strings, numbers and lists only");
    text.push(b'\n');
    write(path, &[&text])
}

fn write_with(
    path: &Path,
    needed: u64,
    mut write: impl FnMut(&mut File) -> io::Result<()>,
) -> Result<(), FileError> {
    let folder = folder_of(path);
    let failed = |error: io::Error| FileError::of_write(path, needed, error);
    fs::create_dir_all(folder).map_err(failed)?;
    let mut attempt = 1;
    loop {
        let written = temporary::create(folder).and_then(|(temporary, mut file)| {
            let written = write(&mut file).and_then(|()| file.sync_all());
            written.and_then(|()| fs::rename(&temporary, path)).inspect_err(|_| {
                // Only the first error is reported.
                let _removed = fs::remove_file(&temporary);
            })
        });
        match written {
            Ok(()) => break,
            Err(error) => {
                let again = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::AlreadyExists);
                if !again || attempt == temporary::ATTEMPTS {
                    return Err(failed(error));
                }
                attempt += 1;
            }
        }
    }
    // Makes the rename durable. Not every file system allows this; the content is safe without it.
    let _synced = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::list::list;
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
        let full = |_: &mut File| File::options().write(true).open("/dev/full")?.write_all(b"x");
        assert!(matches!(write_with(&path, 1, full), Err(FileError::DiskFull { .. })));
        assert!(list(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn a_write_that_fails_keeps_the_old_file_and_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record.json");
        write_json(&path, &1).unwrap();
        // The parent folder is a file, so even the superuser is refused.
        let message = write_json(&path.join("inside.json"), &2).unwrap_err().to_string();
        assert!(message.contains("cannot write") && message.contains("record.json"), "{message}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
        assert_eq!(list(folder.path()).unwrap(), [path]);
    }
}
