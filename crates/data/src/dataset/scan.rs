//! A search through the user's folder: videos and folders of frames at any depth.

use crate::error::DataError;
use crate::extracted;
use base::files::list;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Videos or folders by their path below the root, with `/` between its parts.
pub(super) type Present = BTreeMap<String, PathBuf>;

/// Largest number of files and folders that a search looks at.
const MOST: usize = 5_000_000;

/// Deepest level at which a user's own set may hold videos; `CLASS/FILE` is at level 2.
pub(super) const DEEPEST: usize = 6;

/// Folders that file systems make for themselves.
const SYSTEM: [&str; 3] = ["lost+found", "$RECYCLE.BIN", "System Volume Information"];

/// The content of a folder.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Files with one of the requested endings.
    pub(super) videos: Present,
    /// Folders that hold numbered frames.
    pub(super) frames: Present,
    /// Folders and files that could not be read, by their names below the root, each with the reason.
    pub(super) unreadable: Vec<(String, String)>,
    /// Real paths of the folders above, so that a link to one of them is not followed in a circle.
    above: BTreeSet<PathBuf>,
    looked_at: usize,
}

impl Scan {
    /// Searches a folder and its sub-folders for videos and folders of frames down to `depth` levels, of which the entries of
    /// `root` are the first.
    /// Hidden files and folders are left out, and those that file systems make for themselves. A folder that cannot be read is noted and left out: a disk's `lost+found` or somebody's
    /// private folder does not matter unless a listed video is missing.
    ///
    /// # Errors
    /// [`DataError::File`] if `root` itself cannot be listed, [`DataError::Invalid`] for a folder with millions of files.
    pub(super) fn of(
        root: &Path,
        depth: usize,
        is_video: impl Fn(&str) -> bool + Copy,
    ) -> Result<Self, DataError> {
        let mut scan = Self::default();
        let entries = list(root)?;
        scan.folder(root, "", entries, depth, is_video)?;
        if !scan.unreadable.is_empty() {
            tracing::warn!(
                root = %root.display(),
                count = scan.unreadable.len(),
                first = scan.unreadable[0].1,
                "leaving out what cannot be read"
            );
        }
        Ok(scan)
    }

    fn folder(
        &mut self,
        folder: &Path,
        prefix: &str,
        entries: Vec<PathBuf>,
        depth: usize,
        is_video: impl Fn(&str) -> bool + Copy,
    ) -> Result<(), DataError> {
        let Ok(real) = folder.canonicalize() else { return Ok(()) };
        if !self.above.insert(real.clone()) {
            return Ok(());
        }
        for path in entries {
            self.looked_at += 1;
            if self.looked_at > MOST {
                let found = "more; name a folder that holds the videos alone";
                return Err(DataError::invalid(
                    folder.display().to_string(),
                    format!("at most {MOST} files"),
                    found,
                ));
            }
            let name = path.file_name().unwrap_or_default();
            let unicode = name.to_str().is_some();
            let name = name.to_string_lossy().into_owned();
            if name.starts_with('.') || SYSTEM.contains(&&*name) {
                continue;
            }
            let below = format!("{prefix}{name}");
            // Two such names can look the same.
            if !unicode && (is_video(&name) || path.is_dir()) {
                let reason = format!("{}: expected a name in UTF-8; rename it", path.display());
                self.unreadable.push((below, reason));
                continue;
            }
            if is_video(&name) && !path.is_dir() {
                self.videos.insert(below, path);
                continue;
            }
            if !path.is_dir() {
                continue;
            }
            // The flow of a tree is found by its frames.
            if extracted::is_tree_of_flow(&name) {
                continue;
            }
            match extracted::has_frames(&path, is_video) {
                Ok(true) => _ = self.frames.insert(below, path),
                Ok(false) if depth < 2 => {}
                Ok(false) => {
                    let entries = list(&path)?;
                    // A tree of frames has no classes.
                    let tree = extracted::is_tree_of_frames(&name);
                    let prefix = if tree { prefix.to_owned() } else { format!("{below}/") };
                    self.folder(&path, &prefix, entries, depth - 1, is_video)?;
                }
                Err(error) => self.unreadable.push((below, error.to_string())),
            }
        }
        self.above.remove(&real);
        Ok(())
    }
}
