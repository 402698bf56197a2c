//! Errors of reading and writing files.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// A file or folder that could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The operating system returned an error.
    #[error("cannot {action} {}: {source}{}", path.display(), self.hint())]
    Io {
        /// The failed action as a verb: "read", "create", "list".
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The disk is full.
    #[error(
        "no space left in {}: {needed} bytes are needed for one file; free some space or choose another \
         folder. No partial file remains; run the same command again to go on from here",
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
    /// Creates an I/O error with the action and the path.
    pub fn io(action: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { action, path: path.into(), source }
    }

    /// Creates the error of writing `needed` bytes: [`Self::DiskFull`] with the folder for a full disk, else [`Self::Io`].
    pub fn of_write(path: &Path, needed: u64, source: io::Error) -> Self {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
                Self::DiskFull { folder: folder_of(path).to_path_buf(), needed }
            }
            _ => Self::io("write", path, source),
        }
    }

    /// Returns `true` if the failed action was a write, so that the machine is at fault and not the file.
    #[must_use]
    pub fn is_of_writing(&self) -> bool {
        match self {
            Self::Io { action, .. } => !READS.contains(action),
            Self::DiskFull { .. } => true,
        }
    }

    /// Returns `true` if there is no such file.
    #[must_use]
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == ErrorKind::NotFound)
    }

    /// Returns `true` if a write was not permitted, so that another folder would help.
    #[must_use]
    pub fn is_unwritable(&self) -> bool {
        use ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
        let Self::Io { action, source, .. } = self else { return false };
        matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) && !READS.contains(action)
    }

    /// Returns advice for common system errors.
    fn hint(&self) -> &'static str {
        match self {
            Self::Io { .. } if self.is_unwritable() => "; choose a folder that you may write to",
            Self::Io { action, source, .. }
                if source.kind() == ErrorKind::FileTooLarge && !READS.contains(action) =>
            {
                "; raise the file size limit (ulimit -f), or choose a file system without one"
            }
            Self::Io { source, .. } if source.kind() == ErrorKind::PermissionDenied => {
                "; ask its owner for read permission"
            }
            _ => "",
        }
    }
}

/// Actions of [`FileError::Io`] that do not write.
const READS: [&str; 4] = ["read", "open", "list", "follow"];

/// Returns the folder of a file, `.` for a bare file name.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_allowed_comes_with_what_helps() {
        let refused = |action| FileError::io(action, "results", ErrorKind::PermissionDenied.into());
        assert!(refused("write").is_unwritable() && !refused("read").is_unwritable());
        assert!(refused("create").to_string().ends_with("; choose a folder that you may write to"));
        assert!(refused("list").to_string().contains("for read permission"));
        assert!(!FileError::io("read", "x", ErrorKind::NotFound.into()).to_string().contains(';'));
    }
}
