//! Finding the videos of a data set below the user's folder.
//!
//! The whole folder is listed once, so that every missing and every surplus video can be named. A
//! file matches its listed name exactly or, if no file does, up to case: copies of UCF-101 exist
//! with `v_HandStandPushups` and with `v_HandstandPushups`.

use crate::atomic::list;
use crate::error::DataError;
use crate::split::{ListedClip, inside_root};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How many names an error shows.
const SHOWN: usize = 5;

/// The videos of a data set that were found.
pub(super) struct Found {
    /// Real path of each listed clip, in order.
    pub(super) files: Vec<PathBuf>,
    /// Videos that no list names, relative to the root.
    pub(super) surplus: Vec<String>,
}

/// Looks up every clip below `root`.
pub(super) fn find(
    dataset: &str,
    root: &Path,
    clips: &[ListedClip],
    extensions: &[String],
) -> Result<Found, DataError> {
    let root = root.canonicalize().map_err(|e| DataError::io("open data root", root, e))?;
    let mut present = scan(&root, extensions)?;
    let folded: BTreeMap<String, String> =
        present.keys().map(|name| (name.to_lowercase(), name.clone())).collect();
    let mut files = Vec::with_capacity(clips.len());
    let mut missing = Vec::new();
    for clip in clips {
        let name = clip.file.to_string_lossy();
        let path = present
            .remove(name.as_ref())
            .or_else(|| folded.get(&name.to_lowercase()).and_then(|actual| present.remove(actual)));
        let Some(path) = path else {
            missing.push(name.into_owned());
            continue;
        };
        files.push(inside_root(&root, &path).map_err(|message| DataError::Split {
            path: clip.list.clone(),
            line: clip.line,
            message,
        })?);
    }
    let surplus: Vec<String> = present.into_keys().collect();
    if missing.is_empty() {
        return Ok(Found { files, surplus });
    }
    let message = format!(
        "expected {} videos, found {}; missing: {}{}; the layout is CLASS/FILE with the endings {}",
        clips.len(),
        files.len(),
        shorten(&missing),
        if surplus.is_empty() {
            String::new()
        } else {
            format!("; not of this data set: {}", shorten(&surplus))
        },
        extensions.join(", "),
    );
    Err(DataError::Layout { dataset: dataset.to_owned(), root, message, missing, surplus })
}

/// Every video in a sub-folder of `root`, by its relative name.
fn scan(root: &Path, extensions: &[String]) -> Result<BTreeMap<String, PathBuf>, DataError> {
    let mut present = BTreeMap::new();
    for folder in list(root)? {
        let Some(class) = folder.file_name().filter(|_| folder.is_dir()) else { continue };
        let class = class.to_string_lossy().into_owned();
        for path in list(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            if extensions.iter().any(|known| known.eq_ignore_ascii_case(ending)) {
                present.insert(format!("{class}/{name}"), path);
            }
        }
    }
    Ok(present)
}

fn shorten(names: &[String]) -> String {
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
