//! Opens files for reading, but only regular ones. A path may lead anywhere: a named pipe without a writer would block
//! forever, `/dev/zero` has no end, and Ctrl-C interrupts neither.

use std::fs::{File, FileType, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::error::FileError;

/// Maximum size in bytes of a text that is read whole: specs, lists, records, settings.
pub const TEXT: u64 = 64 << 20;

/// Opens a regular file, or a link that leads to one.
///
/// # Errors
/// [`FileError::Io`] if it cannot be opened, or is a folder, a pipe, a socket or a device.
pub fn open(path: &Path) -> Result<File, FileError> {
    let io = |source| FileError::io("read", path, source);
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // With this flag, opening a pipe does not wait for a writer.
        options.custom_flags(libc::O_NONBLOCK);
    }
    let file = options.open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?.file_type();
    if !found.is_file() {
        let instead = if found.is_dir() { "" } else { "; write its content to a file first" };
        let message = format!("expected a file, found {}{instead}", kind(found));
        return Err(io(io::Error::new(ErrorKind::InvalidInput, message)));
    }
    Ok(file)
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// As for [`open`]; also [`FileError::Io`] for a longer file.
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, FileError> {
    let mut bytes = Vec::new();
    let read = open(path)?.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|source| FileError::io("read", path, source))?;
    if bytes.len() as u64 > most {
        let message = format!("expected at most {most} bytes, found more");
        return Err(FileError::io("read", path, io::Error::new(ErrorKind::FileTooLarge, message)));
    }
    Ok(bytes)
}

/// Reads the text of a regular file of at most [`TEXT`] bytes.
///
/// # Errors
/// As for [`read`]; also [`FileError::Io`] for bytes that are not UTF-8.
pub fn read_text(path: &Path) -> Result<String, FileError> {
    String::from_utf8(read(path, TEXT)?).map_err(|error| {
        let message =
            format!("expected UTF-8 text, found an invalid byte at {}", error.utf8_error().valid_up_to());
        FileError::io("read", path, io::Error::new(ErrorKind::InvalidData, message))
    })
}

/// Reads a regular file of at most `most` bytes, or returns `None` if there is no such file.
///
/// # Errors
/// As for [`read`].
pub fn read_if_there(path: &Path, most: u64) -> Result<Option<Vec<u8>>, FileError> {
    match read(path, most) {
        Err(error) if error.is_missing() => Ok(None),
        read => read.map(Some),
    }
}

/// Describes a file type other than a regular file.
fn kind(found: FileType) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if found.is_fifo() {
            return "a named pipe";
        }
        if found.is_socket() {
            return "a socket";
        }
        if found.is_char_device() || found.is_block_device() {
            return "a device";
        }
    }
    if found.is_dir() { "a folder" } else { "something else" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[cfg(target_os = "linux")]
    #[test]
    fn only_files_are_read_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        std::os::unix::fs::symlink("/dev/zero", at("zero")).unwrap();
        std::os::unix::fs::symlink(at("pipe"), at("link")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (name, found) in
            [("pipe", "a named pipe"), ("link", "a named pipe"), ("zero", "a device"), (".", "a folder")]
        {
            let message = read(&at(name), TEXT).unwrap_err().to_string();
            assert!(message.contains(&format!("expected a file, found {found}")), "{message}");
        }
        // The system itself refuses to open a socket.
        assert!(read(&at("socket"), TEXT).is_err());
        fs::write(at("text"), "text").unwrap();
        std::os::unix::fs::symlink(at("text"), at("to text")).unwrap();
        assert_eq!(read_text(&at("to text")).unwrap(), "text");
    }

    #[test]
    fn what_is_too_long_is_missing_or_is_no_text_is_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert_eq!(read_if_there(&path, 3).unwrap(), None);
        fs::write(&path, b"ab\xff").unwrap();
        assert_eq!(read_if_there(&path, 3).unwrap().as_deref(), Some(&b"ab\xff"[..]));
        let message = read(&path, 2).unwrap_err().to_string();
        assert!(message.contains("expected at most 2 bytes"), "{message}");
        let message = read_text(&path).unwrap_err().to_string();
        assert!(message.contains("found an invalid byte at 2"), "{message}");
    }
}
