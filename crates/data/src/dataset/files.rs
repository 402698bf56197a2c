//! Finding the videos of a data set below the user's folder.
//!
//! The whole folder is listed once, so that every missing and every surplus video can be named. A file matches its listed
//! name exactly or, if no file does, up to case and the form of accents or with another ending of the set: copies of UCF-101
//! exist with `v_HandStandPushups` and with `v_HandstandPushups`. A root may instead hold extracted frames and flow
//! ([`crate::extracted`]); then `[CLASS/]VIDEO` folders are matched with the listed names without their endings.

use super::names::{folded, split_ending};
use super::scan::{DEEPEST, Present, Scan};
use super::{DatasetSpec, SpecBody, VideoSource};
use crate::error::DataError;
use crate::extracted::{self, Extraction};
use crate::split::ListedClip;
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
    /// Folders that could not be read, with the reasons.
    pub(super) unreadable: Vec<String>,
}

/// Looks up every clip below `root`: folders of frames if `extraction` is given or if there are no videos, otherwise videos.
pub(super) fn find(
    spec: &DatasetSpec,
    root: &Path,
    clips: &[ListedClip],
    extraction: Option<Extraction>,
) -> Result<Found, DataError> {
    let root = root.canonicalize().map_err(|e| DataError::io("open data root", root, e))?;
    let scan = search(spec, &root)?;
    match (extraction, scan.frames.first_key_value()) {
        (Some(_), None) => {
            let views = if spec.views().is_empty() { "" } else { "VIEW/" };
            return Err(DataError::MissingRoot {
                dataset: spec.name.clone(),
                expected: format!(
                    "videos as {}, or frames and flow as {views}[CLASS/]VIDEO/img_00001.jpg",
                    spec.layout()
                ),
                found: format!("a flow bound was given, but {} has no extracted flow", root.display()),
            });
        }
        (None, Some((_, folder))) if scan.videos.is_empty() && extracted::has_flow(folder)? => {
            return Err(DataError::BoundNeeded { dataset: spec.name.clone(), folder: folder.clone() });
        }
        _ => {}
    }
    Ok(pick(spec, root, clips, scan, extraction.is_some()))
}

/// Searches the folder as deep as the layout of the set goes.
pub(super) fn search(spec: &DatasetSpec, root: &Path) -> Result<Scan, DataError> {
    let is_video = |name: &str| spec.is_video(name);
    let depth = match spec.body {
        SpecBody::Folder(_) | SpecBody::List(_) | SpecBody::Kinetics(_) => {
            return Scan::of(root, DEEPEST, is_video);
        }
        SpecBody::ViewFolders(_) => 3,
        _ => 2,
    };
    let mut scan = Scan::of(root, depth, is_video)?;
    let level = |name: &str| name.matches('/').count() + 1;
    let views = spec.views();
    let in_view = |name: &str| {
        views.is_empty()
            || name.split_once('/').is_some_and(|(view, _)| views.iter().any(|known| known == view))
    };
    scan.videos.retain(|name, _| level(name) == depth && in_view(name));
    scan.frames.retain(|name, _| level(name) + 1 >= depth && in_view(name));
    Ok(scan)
}

/// Finds each clip among the videos, or among the folders of frames.
pub(super) fn pick(
    spec: &DatasetSpec,
    root: PathBuf,
    clips: &[ListedClip],
    scan: Scan,
    frames: bool,
) -> Found {
    let Scan { videos, frames: folders, unreadable, .. } = scan;
    let frames = frames || (videos.is_empty() && !folders.is_empty());
    let mut index = Index::new(if frames { folders } else { videos }, spec);
    let sources = clips.iter().map(|clip| {
        let name = clip.file.to_string_lossy().into_owned();
        let stem = split_ending(&name, spec.endings()).0.to_owned();
        if !frames {
            return source(name.clone(), index.take_video(&name, &stem, clip), VideoSource::File);
        }
        // The flow of a folder is looked for beside the entry that the user sees, not beside what a link leads to.
        let found = index.take_folder(&stem);
        source(stem, found.clone(), |real| VideoSource::Extracted(found.clone().unwrap_or(real)))
    });
    let sources = sources.collect();
    Found { root, sources, surplus: index.present.into_keys().collect(), unreadable }
}

/// Videos or folders of frames, by their names in several forms.
struct Index<'a> {
    present: Present,
    folded: BTreeMap<String, String>,
    /// Keys by what a list may call a video: its path without ending, or, where the lists do not say in which folder it is, its
    /// name alone.
    by_name: BTreeMap<String, String>,
    spec: &'a DatasetSpec,
}

impl<'a> Index<'a> {
    fn new(present: Present, spec: &'a DatasetSpec) -> Self {
        let by_folded = present.keys().map(|name| (folded(name), name.clone())).collect();
        let stem = |key: &String| split_ending(key, spec.endings()).0.to_owned();
        let name = |key: &String| stem(key).rsplit('/').next().unwrap_or_default().to_owned();
        let by_name = match spec.body {
            SpecBody::Kinetics(_) => present.keys().map(|key| (name(key), key.clone())).collect(),
            SpecBody::List(_) => present.keys().map(|key| (folded(&stem(key)), key.clone())).collect(),
            _ => BTreeMap::new(),
        };
        Self { present, folded: by_folded, by_name, spec }
    }

    fn take(&mut self, name: &str) -> Option<PathBuf> {
        if let Some(path) = self.present.remove(name) {
            return Some(path);
        }
        self.folded.get(&folded(name)).and_then(|actual| self.present.remove(actual))
    }

    fn take_video(&mut self, name: &str, stem: &str, clip: &ListedClip) -> Option<PathBuf> {
        if let Some(found) = self.take(name) {
            return Some(found);
        }
        // Names composed from a pattern have the first ending; the file may have any.
        let endings = self.spec.endings();
        if let Some(found) = endings.iter().find_map(|ending| self.take(&format!("{stem}.{ending}"))) {
            return Some(found);
        }
        let names = match self.spec.body {
            // A list may leave the ending out.
            SpecBody::List(_) => vec![folded(name)],
            // Of Kinetics, a video may hold the listed seconds or the whole film.
            _ => vec![stem.rsplit('/').next().unwrap_or_default().to_owned(), clip.group.clone()],
        };
        names.iter().find_map(|name| self.present.remove(self.by_name.get(name)?))
    }

    /// `VIDEO` alone stands for `CLASS/VIDEO`.
    fn take_folder(&mut self, stem: &str) -> Option<PathBuf> {
        let flat = match stem.split('/').collect::<Vec<_>>()[..] {
            [view, _, video] if !self.spec.views().is_empty() => format!("{view}/{video}"),
            _ => stem.rsplit_once('/').map_or(stem, |(_, flat)| flat).to_owned(),
        };
        self.take(stem).or_else(|| self.take(&flat))
    }
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
