//! The layout in which the authors of ST-ResNet published frames and flow: in two trees, without classes.
//!
//! ```text
//! ROOT/jpegs_256/VIDEO/frame000001.jpg
//! ROOT/tvl1_flow/u/VIDEO/frame000001.jpg    horizontal
//! ROOT/tvl1_flow/v/VIDEO/frame000001.jpg    vertical
//! ```
//!
//! Names in a tree of flow are written with `u/` or `v/` before them, so that one list of names holds all three folders.

use crate::error::DataError;
use base::files::list;
use std::path::{Path, PathBuf};

/// The tree of flow, beside that of the frames, and its parts.
const FLOW: &str = "tvl1_flow";
pub(super) const COMPONENTS: [&str; 2] = ["u/", "v/"];

/// Returns `true` for the name of a tree of frames: `jpegs_` and the short side of the frames.
pub(crate) fn is_tree_of_frames(name: &str) -> bool {
    let side = name.strip_prefix("jpegs_").unwrap_or("");
    !side.is_empty() && side.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns `true` for the name of the tree of flow.
pub(crate) fn is_tree_of_flow(name: &str) -> bool {
    name == FLOW
}

/// Returns the two folders of flow of a video whose frames lie in `frames`, whether they exist or not; `None` if the frames
/// lie in no such tree, or if there is no tree of flow beside it. The case of a name may differ between the trees, as in
/// `v_HandStandPushups`.
pub(super) fn flow_folders(frames: &Path) -> Result<Option<[PathBuf; 2]>, DataError> {
    let (Some(video), Some(tree)) = (frames.file_name(), frames.parent()) else { return Ok(None) };
    let (Some(name), Some(root)) = (tree.file_name(), tree.parent()) else { return Ok(None) };
    let flow = root.join(FLOW);
    if !is_tree_of_frames(&name.to_string_lossy()) || !flow.is_dir() {
        return Ok(None);
    }
    let mut found = COMPONENTS.map(|component| flow.join(component).join(video));
    for folder in &mut found {
        if folder.exists() {
            continue;
        }
        let Some(component) = folder.parent().filter(|component| component.is_dir()) else { continue };
        let video = video.to_string_lossy().to_lowercase();
        let same = |path: &PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase() == video)
        };
        if let Some(other) = list(component)?.into_iter().find(same) {
            *folder = other;
        }
    }
    Ok(Some(found))
}
