//! `kind = "folder"`: a folder of one's own videos, with the classes as folders.

use super::super::names::{VIDEO_ENDINGS, composed, has_ending, split_ending};
use super::super::scan::{DEEPEST, Present, Scan};
use super::divide::DivideSpec;
use super::place::{beside, no_folder, wrong};
use crate::error::DataError;
use crate::split::{ListedClip, SplitLists};
use base::text::one_line;
use regex::Regex;
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// `kind = "folder"`: videos as `CLASS/FILE`, or as `train/CLASS/FILE` and `test/CLASS/FILE`. Videos may lie deeper below
/// the folder of their class. The program counts them.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FolderSpec {
    #[serde(rename = "kind")]
    #[schemars(skip)]
    _kind: String,
    /// Title, one line.
    pub title: String,
    /// Folder of the videos; a relative path begins at the folder of this file.
    pub root: PathBuf,
    /// Folder names of the classes, in order of class index. Default: all folders with videos, in alphabetical order.
    pub classes: Option<Vec<String>>,
    /// File name endings of videos, without the dot. Default: all common ones.
    pub extensions: Option<Vec<String>>,
    /// Regular expression that finds the group (actor, film, place) in the name of a video, such as "_(g[0-9]+)_". The group
    /// is the text in the first pair of brackets, or else the whole match. Default: each video is its own group.
    pub group: Option<String>,
    /// Division into training and test videos.
    pub split: DivideSpec,
}

impl FolderSpec {
    /// Describes a folder that has no file. The folders `train` and `test` (or `val`, `validation`) make the split; without
    /// them, three tenths of each class are tested.
    pub(in super::super) fn of(root: PathBuf) -> Self {
        let has = |name: &str| root.join(name).is_dir();
        let test = ["test", "val", "validation"].into_iter().find(|name| has(name));
        let split = match test {
            Some(test) if has("train") => DivideSpec::by_folders("train", test),
            _ => DivideSpec::share(0.3),
        };
        let title = one_line(&format!("Videos in {}", root.display()));
        Self { _kind: "folder".to_owned(), title, root, classes: None, extensions: None, group: None, split }
    }

    /// Layout of the videos below the root, in words.
    pub(in super::super) fn layout(&self) -> &'static str {
        if self.split.test_folders.is_some() { "train/CLASS/FILE and test/CLASS/FILE" } else { "CLASS/FILE" }
    }

    pub(in super::super) fn check(&self) -> Result<(), String> {
        self.split.rule()?;
        if let Some(classes) = &self.classes {
            distinct(classes)?;
        }
        self.pattern().map(drop)
    }

    /// Returns `true` for the name of a video.
    pub(in super::super) fn is_video(&self, name: &str) -> bool {
        match &self.extensions {
            None => split_ending(name, &[]).1.is_some(),
            Some(endings) => has_ending(name, endings),
        }
    }

    fn pattern(&self) -> Result<Option<Regex>, String> {
        let Some(text) = &self.group else { return Ok(None) };
        Regex::new(text)
            .map(Some)
            .map_err(|error| format!("group: expected a regular expression, found `{text}`: {error}"))
    }

    /// Splits a path below the root into the part (`train`, `test`; empty without such folders), the class and the rest.
    /// `None` for a file at another place.
    pub(super) fn placed<'a>(&self, file: &'a str) -> Option<(&'a str, &'a str)> {
        let below = match (&self.split.train_folders, &self.split.test_folders) {
            (Some(train), Some(test)) => {
                let (part, below) = file.split_once('/')?;
                train.iter().chain(test).any(|known| known == part).then_some(below)?
            }
            _ => file,
        };
        below.split_once('/')
    }

    /// Searches the folder and divides what it holds. `frames` asks for folders of extracted frames in place of videos; where
    /// there are no videos, these are taken too.
    ///
    /// # Errors
    /// [`DataError::Spec`] for a folder that does not fit, [`DataError::File`] for one that cannot be read.
    pub(in super::super) fn read(&self, at: &Path, frames: bool) -> Result<SplitLists, DataError> {
        let root = beside(at, &self.root);
        if !root.is_dir() {
            return Err(no_folder(at, &root));
        }
        let scan = Scan::of(&root, DEEPEST, |name| self.is_video(name))?;
        // The folder is the list, so nothing may be missing from it.
        let matters = |name: &str| match (&self.classes, name.split('/').next()) {
            (Some(classes), Some(first)) if self.split.train_folders.is_none() => {
                classes.iter().any(|class| composed(class) == composed(first))
            }
            _ => true,
        };
        if let Some((_, reason)) = scan.unreadable.iter().find(|(name, _)| matters(name)) {
            return Err(wrong(
                at,
                format!(
                    "expected to read all of {}, found: {reason}; allow it, or name the classes with `classes`",
                    root.display()
                ),
            ));
        }
        let files = if frames || scan.videos.is_empty() { &scan.frames } else { &scan.videos };
        self.lists(at, files, &root).map_err(|message| wrong(at, message))
    }

    fn lists(&self, at: &Path, files: &Present, root: &Path) -> Result<SplitLists, String> {
        let parts = self.split.train_folders.iter().chain(&self.split.test_folders).flatten();
        if let Some(missing) = parts.into_iter().find(|part| !root.join(part.as_str()).is_dir()) {
            return Err(format!("split: expected the folder {missing} in {}, found none", root.display()));
        }
        let class_of = |file: &str| self.placed(file).map(|(class, _)| composed(class));
        let folders: BTreeSet<String> = files.keys().filter_map(|file| class_of(file)).collect();
        let classes: Vec<String> = match &self.classes {
            Some(classes) => classes.clone(),
            None => folders.iter().cloned().collect(),
        };
        if let Some(class) = classes.iter().find(|class| !folders.contains(&composed(class)))
            && !folders.is_empty()
        {
            return Err(format!(
                "classes: expected a folder with videos for `{class}` in {}, found none{}",
                root.display(),
                base::there_are(class, folders.iter().map(String::as_str))
            ));
        }
        let label_of: BTreeMap<String, usize> =
            classes.iter().enumerate().map(|(label, class)| (composed(class), label)).collect();
        let pattern = self.pattern()?;
        let further = self.extensions.as_deref().unwrap_or_default();
        let stem_of = |file: &str| composed(split_ending(file, further).0);
        // Two files that differ in their ending alone keep it, so that each has an id of its own.
        let mut stems: BTreeMap<String, usize> = BTreeMap::new();
        for file in files.keys() {
            *stems.entry(stem_of(file)).or_default() += 1;
        }
        let mut clips = Vec::new();
        for file in files.keys() {
            let Some(&label) = class_of(file).and_then(|class| label_of.get(&class)) else { continue };
            let stem = stem_of(file);
            let id = if stems.get(&stem) == Some(&1) { stem } else { composed(file) };
            let group = match &pattern {
                None => id.clone(),
                Some(pattern) => group_of(pattern, id.rsplit_once('/').map_or(&*id, |(_, name)| name))?,
            };
            let (file, list) = (PathBuf::from(file), at.to_path_buf());
            clips.push(ListedClip { id, label, view: None, group, file, list, line: 1 });
        }
        if clips.is_empty() {
            let endings =
                self.extensions.as_ref().map_or_else(|| VIDEO_ENDINGS.join(", "), |some| some.join(", "));
            let seen = match files.first_key_value() {
                None => "none".to_owned(),
                Some((first, _)) => format!("{} at other places, such as {}", files.len(), one_line(first)),
            };
            return Err(format!(
                "expected videos in {} as {}, with one of the endings {endings}; found {seen}",
                root.display(),
                self.layout()
            ));
        }
        clips.sort_by(|a, b| a.id.cmp(&b.id));
        let splits = self.split.divide(&clips)?;
        Ok(SplitLists { classes, clips, splits })
    }
}

/// Refuses names of classes that are empty or listed twice.
pub(super) fn distinct(classes: &[String]) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match classes.iter().find(|class| class.is_empty() || !seen.insert(composed(class))) {
        None if classes.is_empty() => Err("classes is empty; leave it out to take all folders".to_owned()),
        None => Ok(()),
        Some(class) => Err(format!("classes: `{class}` is empty or listed twice")),
    }
}

/// The group in a video's name.
fn group_of(pattern: &Regex, name: &str) -> Result<String, String> {
    let found = pattern.captures(name).and_then(|found| found.get(1).or_else(|| found.get(0)));
    match found.map(|group| group.as_str()).filter(|group| !group.is_empty()) {
        Some(group) => Ok(group.to_owned()),
        None => Err(format!(
            "group: expected a match of `{}` in the name of each video, found none in `{}`",
            pattern.as_str(),
            one_line(name)
        )),
    }
}
