//! The facts of a folder from which a new data-set file is drafted.

use super::super::names::{composed, split_ending};
use super::super::scan::{DEEPEST, Scan};
use super::folder::FolderSpec;
use crate::error::DataError;
use base::files::list;
use regex::Regex;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The content of a folder of videos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFacts {
    /// Number of videos of each class.
    pub classes: BTreeMap<String, usize>,
    /// Number of videos by their ending in lower case.
    pub endings: BTreeMap<String, usize>,
    /// Videos that lie in no folder of a class.
    pub strays: Vec<String>,
    /// Folders at the place of a class that hold no videos.
    pub empty: Vec<String>,
    /// Number of videos whose names differ from that of another in the last number alone, with two such names.
    pub numbered: Option<(usize, [String; 2])>,
    /// Folders that could not be read, with the reason.
    pub unreadable: Vec<String>,
    /// The folders of training and of test videos, if there are such.
    pub parts: Option<(String, String)>,
    /// A pattern that finds a group in the name of each video, if one of the known patterns does.
    pub group: Option<&'static str>,
    /// Number of groups that it finds.
    pub groups: usize,
    /// True if the folder holds extracted frames and no videos.
    pub frames: bool,
}

/// Patterns of groups in published data sets: `_g07_` in UCF-101; the word before the first underscore in Weizmann and KTH,
/// which is the actor.
const GROUPS: [&str; 2] = ["_(g[0-9]+)_", "^([A-Za-z]+[0-9]*)_"];

impl FolderFacts {
    /// Looks at a folder.
    ///
    /// # Errors
    /// [`DataError::File`] if it cannot be read.
    pub fn of(root: &Path) -> Result<Self, DataError> {
        let spec = FolderSpec::of(root.to_path_buf());
        let scan = Scan::of(root, DEEPEST, |name| spec.is_video(name))?;
        let frames = scan.videos.is_empty() && !scan.frames.is_empty();
        let files = if frames { &scan.frames } else { &scan.videos };
        let (mut classes, mut endings) = (BTreeMap::new(), BTreeMap::new());
        let (mut strays, mut names) = (Vec::new(), Vec::new());
        for file in files.keys() {
            let (stem, ending) = split_ending(file, &[]);
            if let Some(ending) = ending.filter(|_| !frames) {
                *endings.entry(ending.to_lowercase()).or_default() += 1;
            }
            match spec.placed(file) {
                Some((class, _)) => {
                    *classes.entry(composed(class)).or_default() += 1;
                    names.push((class, stem.rsplit_once('/').map_or(stem, |(_, name)| name)));
                }
                None => strays.push(file.clone()),
            }
        }
        let (group, groups) = group(&names, classes.len());
        let numbered = numbered(&names);
        let empty = empty(&spec, root, &classes);
        let parts = match (&spec.split.train_folders, &spec.split.test_folders) {
            (Some(train), Some(test)) => train.first().cloned().zip(test.first().cloned()),
            _ => None,
        };
        Ok(Self {
            classes,
            endings,
            strays,
            empty,
            numbered,
            unreadable: scan.unreadable.into_iter().map(|(_, reason)| reason).collect(),
            parts,
            group,
            groups,
            frames,
        })
    }

    /// Number of videos in the folders of classes.
    pub fn videos(&self) -> usize {
        self.classes.values().sum()
    }
}

/// Finds the folders at the place of a class that hold no videos.
fn empty(spec: &FolderSpec, root: &Path, classes: &BTreeMap<String, usize>) -> Vec<String> {
    let parts = spec.split.train_folders.iter().chain(&spec.split.test_folders).flatten();
    let mut tops: Vec<PathBuf> = parts.map(|part| root.join(part)).collect();
    if tops.is_empty() {
        tops.push(root.to_path_buf());
    }
    let folders = tops.iter().flat_map(|top| list(top).unwrap_or_default()).filter(|path| path.is_dir());
    let names = folders.map(|folder| composed(&folder.file_name().unwrap_or_default().to_string_lossy()));
    let empty: BTreeSet<String> =
        names.filter(|name| !name.starts_with('.') && !classes.contains_key(name)).collect();
    empty.into_iter().collect()
}

/// Counts the videos whose names differ from that of another of their class in the last number alone, as clips of one film
/// often do.
fn numbered(names: &[(&str, &str)]) -> Option<(usize, [String; 2])> {
    let mut by_beginning: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for &(class, name) in names {
        let beginning = name.trim_end_matches(|c: char| c.is_ascii_digit());
        // A name that is a word and a number says nothing of a film.
        if beginning.len() < name.len() && beginning.matches(['_', '-', ' ', '.']).count() >= 3 {
            by_beginning.entry((class, beginning)).or_default().push(name);
        }
    }
    let several: Vec<&Vec<&str>> = by_beginning.values().filter(|names| names.len() > 1).collect();
    let [one, other, ..] = several.first()?[..] else { return None };
    Some((several.iter().map(|names| names.len()).sum(), [one.to_owned(), other.to_owned()]))
}

/// The first known pattern that finds a group in every name, with the number of groups. A word that is the same throughout a
/// class names the class, and one that differs in every video the video.
fn group(names: &[(&str, &str)], classes: usize) -> (Option<&'static str>, usize) {
    for text in GROUPS {
        let Ok(pattern) = Regex::new(text) else { continue };
        let find = |name| pattern.captures(name).and_then(|found| found.get(1)).map(|group| group.as_str());
        let found: Option<BTreeSet<(&str, &str)>> =
            names.iter().map(|&(class, name)| Some((class, find(name)?))).collect();
        let Some(in_classes) = found else { continue };
        let groups: BTreeSet<&str> = in_classes.iter().map(|&(_, group)| group).collect();
        if in_classes.len() > classes && groups.len() >= 2 && groups.len() < names.len() {
            return (Some(text), groups.len());
        }
    }
    (None, 0)
}

#[cfg(test)]
mod tests {
    use super::{group, numbered};

    #[test]
    fn clips_of_one_film_are_suspected_by_their_names() {
        let film = [
            ("pullup", "20_good_form_pullups_f_0"),
            ("pullup", "20_good_form_pullups_f_1"),
            ("run", "run_2"),
        ];
        let (count, [one, _]) = numbered(&film).unwrap();
        assert_eq!((count, &*one), (2, "20_good_form_pullups_f_0"));
        assert_eq!(numbered(&[("run", "clip_001"), ("run", "clip_002")]), None);
    }

    #[test]
    fn groups_are_told_from_classes_and_from_videos() {
        let ucf = [("Walk", "v_Walk_g01_c01"), ("Walk", "v_Walk_g02_c01"), ("Walk", "v_Walk_g02_c02")];
        assert_eq!(group(&ucf, 1), (Some("_(g[0-9]+)_"), 2));
        let weizmann = [("run", "daria_run"), ("run", "eli_run"), ("walk", "daria_walk")];
        assert_eq!(group(&weizmann, 2), (Some("^([A-Za-z]+[0-9]*)_"), 2));
        assert_eq!(group(&[("run", "run_1"), ("run", "run_2"), ("walk", "walk_1")], 2), (None, 0));
        assert_eq!(group(&[("run", "a_1"), ("run", "b_2"), ("walk", "c_1")], 2), (None, 0));
        assert_eq!(group(&[("run", "plain")], 1), (None, 0));
    }
}
