//! Errors about a data-set file, and the paths that it names.

use crate::error::DataError;
use std::path::{Path, PathBuf};

/// The path that a key of the data-set file `at` names; a relative one begins at the folder of the file.
pub(in super::super) fn beside(at: &Path, path: &Path) -> PathBuf {
    at.parent().map_or_else(|| path.to_path_buf(), |folder| folder.join(path))
}

/// An error about the data-set file `at`.
pub(in super::super) fn wrong(at: &Path, message: impl Into<String>) -> DataError {
    DataError::Spec { path: at.to_path_buf(), message: message.into() }
}

/// The error of a root that is no folder.
pub(in super::super) fn no_folder(at: &Path, root: &Path) -> DataError {
    wrong(
        at,
        format!("root: expected a folder of videos, found none at {}; correct the path", root.display()),
    )
}
