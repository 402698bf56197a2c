//! Finding the videos of a data set below the user's folder.
//!
//! The whole folder is listed once, so that every missing and every surplus video can be named. A file matches its listed
//! name exactly or, if no file does, up to case or with another ending of the set: copies of UCF-101 exist
//! with `v_HandStandPushups` and with `v_HandstandPushups`. A root may instead hold extracted frames and flow
//! ([`crate::extracted`]); then `[CLASS/]VIDEO` folders are matched with the listed names without their endings.

use super::{DatasetSpec, VideoSource};
use crate::error::DataError;
use crate::extracted::{self, Extraction};
use crate::split::ListedClip;
use base::files::list;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The videos found below the user's folder.
pub(super) struct Found {
    /// The folder's real path.
    pub(super) root: PathBuf,
    /// Source of each listed clip, in order; [`VideoSource::Missing`] for a clip that was not found.
    pub(super) sources: Vec<VideoSource>,
    /// Videos that no list names, relative to the root.
    pub(super) surplus: Vec<String>,
}

/// Videos or folders by their path below the root.
type Present = BTreeMap<String, PathBuf>;

/// Looks up every clip below `root`: a folder of frames if `extraction` is given, otherwise a video.
pub(super) fn find(
    spec: &DatasetSpec,
    root: &Path,
    clips: &[ListedClip],
    extensions: &[String],
    extraction: Option<Extraction>,
) -> Result<Found, DataError> {
    let root = root.canonicalize().map_err(|e| DataError::io("open data root", root, e))?;
    let (mut videos, mut folders) = (Present::new(), Present::new());
    let views = spec.views();
    for view in views {
        let folder = root.join(view);
        if folder.is_dir() {
            scan(&folder, &format!("{view}/"), extensions, &mut videos, &mut folders)?;
        }
    }
    if views.is_empty() {
        scan(&root, "", extensions, &mut videos, &mut folders)?;
    }
    let unfit = |found: String| DataError::MissingRoot {
        dataset: spec.name.clone(),
        expected: format!(
            "videos as {}, or frames and flow as {}[CLASS/]VIDEO/img_00001.jpg",
            spec.layout(),
            if views.is_empty() { "" } else { "VIEW/" }
        ),
        found,
    };
    let from_folders = extraction.is_some() || videos.is_empty();
    let sources = match (extraction, folders.first_key_value()) {
        (Some(_), None) => {
            let found = format!("a flow bound was given, but {} has no extracted flow", root.display());
            return Err(unfit(found));
        }
        (None, Some((_, path))) if videos.is_empty() && extracted::has_flow(path)? => {
            return Err(DataError::BoundNeeded { dataset: spec.name.clone(), folder: path.clone() });
        }
        // Frames alone need no bound.
        (_, Some(_)) if from_folders => {
            let folded = folded(&folders);
            let mut each = |clip: &ListedClip| {
                // `CLASS/VIDEO`, or `VIDEO` alone; the listed names end in `.avi`.
                let file = clip.file.to_string_lossy();
                let name = file.rsplit_once('.').map_or(&*file, |(name, _)| name);
                let flat = match name.split('/').collect::<Vec<_>>()[..] {
                    [view, _, video] => format!("{view}/{video}"),
                    _ => name.rsplit_once('/').map_or(name, |(_, flat)| flat).to_owned(),
                };
                let found = take(&mut folders, &folded, name).or_else(|| take(&mut folders, &folded, &flat));
                // The flow of a folder is looked for beside the entry that the user sees, not beside what a link leads to.
                source(name.to_owned(), found.clone(), |real| {
                    VideoSource::Extracted(found.clone().unwrap_or(real))
                })
            };
            clips.iter().map(&mut each).collect()
        }
        _ => {
            let folded = folded(&videos);
            let mut each = |clip: &ListedClip| {
                let name = clip.file.to_string_lossy().into_owned();
                let stem = name.rsplit_once('.').map_or(&*name, |(stem, _)| stem);
                // Names composed from a pattern have the first ending; the file may have any.
                let others = extensions.iter().map(|ending| format!("{stem}.{ending}"));
                let mut names = std::iter::once(name.clone()).chain(others);
                let found = names.find_map(|name| take(&mut videos, &folded, &name));
                source(name, found, VideoSource::File)
            };
            clips.iter().map(&mut each).collect()
        }
    };
    let left = if from_folders { folders } else { videos };
    Ok(Found { root, sources, surplus: left.into_keys().collect() })
}

/// Source of a listed clip. Links are followed wherever they lead: anyone who can create them in the data root may also
/// name files, and many people keep these sets as collections of links. Only the *names* in lists are untrusted.
fn source(expected: String, found: Option<PathBuf>, kind: impl Fn(PathBuf) -> VideoSource) -> VideoSource {
    match found.map(|path| (path.canonicalize(), path)) {
        Some((Ok(path), _)) => kind(path),
        Some((Err(error), path)) => {
            VideoSource::Missing { expected, why: Some(format!("cannot follow {}: {error}", path.display())) }
        }
        None => VideoSource::Missing { expected, why: None },
    }
}

/// Maps each name in lower case to the name itself.
fn folded(present: &Present) -> BTreeMap<String, String> {
    present.keys().map(|name| (name.to_lowercase(), name.clone())).collect()
}

fn take(present: &mut Present, folded: &BTreeMap<String, String>, name: &str) -> Option<PathBuf> {
    let up_to_case =
        |present: &mut Present| folded.get(&name.to_lowercase()).and_then(|actual| present.remove(actual));
    present.remove(name).or_else(|| up_to_case(present))
}

/// Collects every video in a sub-folder of `root` and every folder of frames at either depth, by `prefix` and its name
/// below `root`.
fn scan(
    root: &Path,
    prefix: &str,
    extensions: &[String],
    videos: &mut Present,
    folders: &mut Present,
) -> Result<(), DataError> {
    for folder in list(root)? {
        let Some(class) = folder.file_name().filter(|_| folder.is_dir()) else { continue };
        let class = class.to_string_lossy().into_owned();
        if extracted::has_frames(&folder, extensions)? {
            folders.insert(format!("{prefix}{class}"), folder);
            continue;
        }
        for path in list(&folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
            if extensions.iter().any(|known| known.eq_ignore_ascii_case(ending)) {
                videos.insert(format!("{prefix}{class}/{name}"), path);
            } else if path.is_dir() && extracted::has_frames(&path, extensions)? {
                // A tree of frames has no classes.
                let class = if extracted::is_tree_of_frames(&class) { "" } else { &*format!("{class}/") };
                folders.insert(format!("{prefix}{class}{name}"), path);
            }
        }
    }
    Ok(())
}
