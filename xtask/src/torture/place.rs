//! Folders of a campaign.

use std::path::{Path, PathBuf};

use experiment::{Error, Result};

/// A cache and a folder of results.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) cache: PathBuf,
    pub(super) results: PathBuf,
}

impl Place {
    pub(super) fn at(folder: &Path) -> Self {
        Self { cache: folder.join("cache"), results: folder.join("results") }
    }
}

/// Deletes a folder that is no longer needed.
pub(super) fn forget(folder: &Path) -> Result<()> {
    std::fs::remove_dir_all(folder).map_err(Error::io("delete", folder))
}

/// Copies a folder, with hard links where possible.
pub(super) fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to).map_err(Error::io("create", to))?;
    for path in base::files::list(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &target)?;
        } else if std::fs::hard_link(&path, &target).is_err() {
            // Links are otherwise safe, because files are replaced and never changed in place.
            std::fs::copy(&path, &target).map_err(Error::io("copy", &path))?;
        }
    }
    Ok(())
}
