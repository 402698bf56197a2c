//! Finding the videos of a data set below the user's folder.
//!
//! The whole folder is listed once, so that every missing and every surplus video can be named. A file matches its listed
//! name exactly or, if no file does, up to case and the form of accents, with another ending of the set, or as the kind of the
//! set allows: copies of UCF-101 exist with `v_HandStandPushups` and with `v_HandstandPushups`. A root may instead hold extracted frames and flow
//! ([`crate::extracted`]); then `[CLASS/]VIDEO` folders are matched with the listed names without their endings.

use super::names::{folded, split_ending};
use super::scan::{DEEPEST, Present, Scan};
use super::spec::NUMBER;
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
    pub(super) unreadable: Vec<(String, String)>,
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
        SpecBody::VideoFolders(ref folders) if folders.flat => 1,
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
    let mut index = Index::new(if frames { folders } else { videos }, spec, clips);
    let sources = clips.iter().map(|clip| {
        let name = clip.file.to_string_lossy().into_owned();
        let stem = split_ending(&name, spec.endings()).0.to_owned();
        // The flow of a folder is looked for beside the entry that the user sees, not beside what a link leads to.
        if frames {
            let found = index.take_folder(&stem);
            return source(stem, Ok(found), |path, _| VideoSource::Extracted(path));
        }
        let found = index.take_video(&name, &stem, clip);
        source(name, found, |_, real| VideoSource::File(real))
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
    by_name: BTreeMap<String, Vec<String>>,
    /// Number of listed clips of each group.
    groups: BTreeMap<&'a str, usize>,
    spec: &'a DatasetSpec,
}

impl<'a> Index<'a> {
    fn new(present: Present, spec: &'a DatasetSpec, clips: &'a [ListedClip]) -> Self {
        let by_folded = present.keys().map(|name| (folded(name), name.clone())).collect();
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut groups: BTreeMap<&str, usize> = BTreeMap::new();
        for key in present.keys() {
            let stem = split_ending(key, spec.endings()).0;
            let name = match spec.body {
                SpecBody::Kinetics(_) => stem.rsplit('/').next().unwrap_or_default().to_owned(),
                SpecBody::List(_) => folded(stem),
                _ => continue,
            };
            by_name.entry(name).or_default().push(key.clone());
        }
        for clip in clips.iter().filter(|_| matches!(spec.body, SpecBody::Kinetics(_))) {
            *groups.entry(&clip.group).or_default() += 1;
        }
        Self { present, folded: by_folded, by_name, groups, spec }
    }

    fn take(&mut self, name: &str) -> Option<PathBuf> {
        if let Some(path) = self.present.remove(name) {
            return Some(path);
        }
        self.folded.get(&folded(name)).and_then(|actual| self.present.remove(actual))
    }

    /// Finds a video; `Err` says why what was found cannot be taken.
    fn take_video(&mut self, name: &str, stem: &str, clip: &ListedClip) -> Result<Option<PathBuf>, String> {
        if let Some(found) = self.take(name) {
            return Ok(Some(found));
        }
        // Names composed from a pattern have the first ending; the file may have any.
        let endings = self.spec.endings();
        if let Some(found) = endings.iter().find_map(|ending| self.take(&format!("{stem}.{ending}"))) {
            return Ok(Some(found));
        }
        match self.spec.body {
            SpecBody::VideoFolders(_) => self.take_numbered(stem),
            // A list may leave the ending out, and the file may have another.
            SpecBody::List(_) => self.take_named(&folded(stem)),
            SpecBody::Kinetics(_) => {
                let found = self.take_named(stem.rsplit('/').next().unwrap_or_default())?;
                match (found, self.groups.get(&*clip.group)) {
                    // A file named by the film alone is the clip, if only one clip of that film is listed.
                    (None, Some(1)) => self.take_named(&clip.group),
                    (None, Some(several)) if self.by_name.contains_key(&clip.group) => Err(format!(
                        "`{}` could be any of {several} listed clips; name the files ID_START_END",
                        clip.group
                    )),
                    (found, _) => Ok(found),
                }
            }
            _ => Ok(None),
        }
    }

    fn take_named(&mut self, name: &str) -> Result<Option<PathBuf>, String> {
        match self.by_name.get(name).map(Vec::as_slice) {
            None | Some([]) => Ok(None),
            Some([key]) => Ok(self.present.remove(key)),
            Some(keys) => {
                Err(format!("it names several files, {}; leave one, or list its ending", keys.join(" and ")))
            }
        }
    }

    /// Finds the video of a name that leaves a number open.
    fn take_numbered(&mut self, stem: &str) -> Result<Option<PathBuf>, String> {
        let Some((before, after)) = stem.split_once(NUMBER) else { return Ok(None) };
        let is_it = |key: &&String| {
            let number = split_ending(key, self.spec.endings()).0.strip_prefix(before);
            let number = number.and_then(|rest| rest.strip_suffix(after));
            number
                .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let found: Vec<String> = self.present.keys().filter(is_it).cloned().collect();
        match &found[..] {
            [] => Ok(None),
            [key] => Ok(self.present.remove(key)),
            several => Err(format!("it could be any of {}; leave one", several.join(" and "))),
        }
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

/// Source of a listed clip, given the path that was found; `kind` gets that path and the real one. Links are followed wherever
/// they lead: anyone who can create them in the data root may also name files, and many people keep these sets as collections
/// of links. Only the *names* in lists are untrusted.
fn source(
    expected: String,
    found: Result<Option<PathBuf>, String>,
    kind: impl Fn(PathBuf, PathBuf) -> VideoSource,
) -> VideoSource {
    let why = match found {
        Ok(None) => None,
        Err(why) => Some(why),
        Ok(Some(path)) => match path.canonicalize() {
            Ok(real) => return kind(path, real),
            Err(error) => Some(format!("cannot follow {}: {error}", path.display())),
        },
    };
    VideoSource::Missing { expected, why }
}
