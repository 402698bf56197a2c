//! `kind = "list"`: lists of videos with their labels, in the forms that other programs of the field write.

use super::super::names::split_ending;
use super::columns::{Entry, entries, refuse};
use super::divide::{DivideSpec, Rule};
use super::folder::distinct;
use super::place::{beside, wrong};
use crate::error::DataError;
use crate::split::{ListFile, ListedClip, Split, SplitLists, safe_relative};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// `kind = "list"`: lists with a line `PATH LABEL` or `PATH LABEL GROUP` for each video, with PATH below the data root. A label
/// is the name of a class or its index from 0.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ListSpec {
    #[serde(rename = "kind")]
    #[schemars(skip)]
    _kind: String,
    /// Title, one line.
    pub title: String,
    /// Folder of the videos; a relative path begins at the folder of this file. Default: the folder that --data-root names.
    pub root: Option<PathBuf>,
    /// Meaning of the columns. Default: path and label.
    #[serde(default = "path_and_label")]
    pub columns: Vec<Column>,
    /// Names of the classes, in order of class index. Default: the labels, in order.
    pub classes: Option<Vec<String>>,
    /// File of the names of the classes, one a line in order of class index, beside this file.
    pub class_list: Option<PathBuf>,
    /// The lists of each split, beside this file. Split k is made of the k-th pair.
    pub lists: Option<Vec<ListPair>>,
    /// A single list of all videos, beside this file; `[split]` divides them.
    pub videos: Option<PathBuf>,
    /// Division of `videos` into training and test videos.
    pub split: Option<DivideSpec>,
    /// Treatment of listed videos that are missing.
    #[serde(default)]
    pub missing: Missing,
    /// Further file name endings of videos, without the dot.
    #[serde(default)]
    pub extensions: Vec<String>,
}

/// The lists of a split.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ListPair {
    /// List of the training videos.
    pub train: PathBuf,
    /// List of the test videos.
    pub test: PathBuf,
}

/// A column of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Column {
    /// Path below the data root.
    Path,
    /// Name or index of the class.
    Label,
    /// Group of videos that must stay together.
    Group,
    /// Ignored.
    Ignore,
}

/// Treatment of listed videos that are missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missing {
    /// A missing video is an error.
    #[default]
    Error,
    /// Missing videos are left out of their splits, and every table says how many.
    LeaveOut,
}

fn path_and_label() -> Vec<Column> {
    vec![Column::Path, Column::Label]
}

impl ListSpec {
    pub(in super::super) fn check(&self) -> Result<(), String> {
        let count = |column| self.columns.iter().filter(|&&known| known == column).count();
        if count(Column::Path) != 1 || count(Column::Label) != 1 || count(Column::Group) > 1 {
            return Err("columns: expected one `path`, one `label` and at most one `group`".to_owned());
        }
        if self.classes.is_some() && self.class_list.is_some() {
            return Err("expected one of classes and class-list, found both".to_owned());
        }
        if let Some(classes) = &self.classes {
            distinct(classes)?;
        }
        match (&self.lists, &self.videos, &self.split) {
            (Some(lists), None, None) if !lists.is_empty() => {}
            (None, Some(_), Some(split)) => {
                if let Rule::Folders { .. } = split.rule()? {
                    return Err(
                        "split: train-folders and test-folders belong to kind = \"folder\"; use lists"
                            .to_owned(),
                    );
                }
            }
            _ => return Err("expected lists (with train and test), or videos with [split]".to_owned()),
        }
        needs_root(self.missing, self.root.is_some())
    }

    /// Reads the lists, whose paths begin at the folder of the data-set file `at`.
    ///
    /// # Errors
    /// [`DataError::File`] for a list that cannot be read; those of [`ListSpec::parse`].
    pub(in super::super) fn read(&self, at: &Path) -> Result<SplitLists, DataError> {
        let open = |path: &PathBuf| ListFile::read(beside(at, path));
        let pairs = self.lists.iter().flatten().flat_map(|pair| [&pair.train, &pair.test]);
        let files = pairs.chain(&self.videos).map(open).collect::<Result<Vec<_>, _>>()?;
        self.parse(at, &files, self.class_list.as_ref().map(open).transpose()?.as_ref())
    }

    /// Reads lists that are in memory: training and test list of each split, or the single list of all videos; and the list of
    /// the classes, if the file names one.
    ///
    /// # Errors
    /// [`DataError::Split`] with file and line for a line that is wrong, [`DataError::Spec`] for lists that contradict each
    /// other.
    pub fn parse(
        &self,
        at: &Path,
        files: &[ListFile],
        classes: Option<&ListFile>,
    ) -> Result<SplitLists, DataError> {
        // Each list with its split and part; a single list is divided afterwards.
        let part_of = |number: usize| (number / 2, number % 2 == 1);
        let place = |column| self.columns.iter().position(|&known| known == column);
        let (Some(path_at), Some(label_at)) = (place(Column::Path), place(Column::Label)) else {
            return Err(wrong(at, "columns: expected `path` and `label`"));
        };
        let mut read: Vec<(&ListFile, (usize, bool), Vec<Entry>)> = Vec::new();
        for (number, list) in files.iter().enumerate() {
            read.push((list, part_of(number), entries(list, self.columns.len(), path_at, label_at)?));
        }
        let group_at = place(Column::Group);
        let labels = read.iter().flat_map(|(_, _, entries)| entries).map(|entry| &*entry.fields[label_at]);
        let classes = self.class_names(at, classes, labels)?;
        let index: BTreeMap<&str, usize> =
            classes.iter().enumerate().map(|(label, name)| (name.as_str(), label)).collect();

        let mut clips: BTreeMap<String, ListedClip> = BTreeMap::new();
        let mut parts: BTreeMap<(usize, String), (bool, usize)> = BTreeMap::new();
        for (list, part, entries) in &read {
            for Entry { line, fields } in entries {
                let refuse = |message: String| refuse(&list.path, *line, message);
                let text = &fields[label_at];
                let by_index = || text.parse::<usize>().ok().filter(|&label| label < classes.len());
                let label = index.get(&**text).copied().or_else(by_index).ok_or_else(|| {
                    refuse(format!(
                        "expected the name of a class or an index below {}, found `{text}`",
                        classes.len()
                    ))
                })?;
                let file = safe_relative(&fields[path_at]).map_err(refuse)?;
                let id = split_ending(&fields[path_at], &self.extensions).0.to_owned();
                let group = group_at.map_or_else(|| id.clone(), |at| fields[at].clone());
                let clip = ListedClip {
                    id: id.clone(),
                    label,
                    view: None,
                    group,
                    file,
                    list: list.path.clone(),
                    line: *line,
                };
                let known = clips.entry(id.clone()).or_insert_with(|| clip.clone());
                if (known.label, &known.group, &known.file) != (clip.label, &clip.group, &clip.file) {
                    return Err(refuse(format!(
                        "`{id}` is listed otherwise in {}:{}; give it one label, one group and one path",
                        known.list.display(),
                        known.line
                    )));
                }
                let (split, test) = *part;
                if let Some((other, before)) = parts.insert((split, id.clone()), (test, *line)) {
                    let place = if other == test {
                        format!("in line {before} already")
                    } else {
                        "for training too".to_owned()
                    };
                    return Err(refuse(format!("`{id}` is listed {place}; list each video once in a split")));
                }
            }
        }
        let clips: Vec<ListedClip> = clips.into_values().collect();
        if clips.is_empty() {
            return Err(wrong(at, "expected lists with videos, found empty ones"));
        }
        let splits = match &self.split {
            Some(split) => split.divide(&clips).map_err(|message| wrong(at, message))?,
            None => {
                let number: BTreeMap<&str, usize> =
                    clips.iter().enumerate().map(|(index, clip)| (&*clip.id, index)).collect();
                let count = self.lists.as_ref().map_or(0, Vec::len);
                let mut splits: Vec<Split> =
                    (1..=count).map(|n| Split { name: n.to_string(), ..Split::default() }).collect();
                for ((split, id), (test, _)) in &parts {
                    let Some(split) = splits.get_mut(*split) else { continue };
                    let part = if *test { &mut split.test } else { &mut split.train };
                    part.push(number[&**id]);
                }
                splits
            }
        };
        Ok(SplitLists { classes, clips, splits })
    }

    /// The names of the classes: those of the file, or else the labels, numbers in the order of their values.
    fn class_names<'a>(
        &self,
        at: &Path,
        list: Option<&ListFile>,
        labels: impl Iterator<Item = &'a str>,
    ) -> Result<Vec<String>, DataError> {
        if let Some(classes) = &self.classes {
            return Ok(classes.clone());
        }
        if let Some(list) = list {
            let mut names: Vec<String> = Vec::new();
            list.each_line(|line| {
                if names.iter().any(|known| known == line.text) {
                    return Err(refuse(
                        &list.path,
                        line.number,
                        format!("class `{}` is listed twice", line.text),
                    ));
                }
                names.push(line.text.to_owned());
                Ok(())
            })?;
            return Ok(names);
        }
        let labels: BTreeSet<&str> = labels.collect();
        let numbers: Option<BTreeSet<usize>> = labels.iter().map(|label| label.parse().ok()).collect();
        Ok(match numbers {
            // An index beyond the number of classes would have no name.
            Some(numbers) if numbers.iter().copied().eq(0..numbers.len()) => {
                numbers.into_iter().map(|number| number.to_string()).collect()
            }
            Some(numbers) => {
                return Err(wrong(
                    at,
                    format!(
                        "expected labels from 0 without gaps, found {} labels from {} to {}; name the classes with `classes` or \
                     `class-list`",
                        numbers.len(),
                        numbers.first().copied().unwrap_or(0),
                        numbers.last().copied().unwrap_or(0)
                    ),
                ));
            }
            None => labels.into_iter().map(str::to_owned).collect(),
        })
    }
}

/// Missing videos can only be left out by a file that says where the videos are.
pub(super) fn needs_root(missing: Missing, has_root: bool) -> Result<(), String> {
    if missing == Missing::LeaveOut && !has_root {
        return Err(
            "missing = \"leave-out\" needs `root`, since the sizes of the splits depend on the folder"
                .to_owned(),
        );
    }
    Ok(())
}
