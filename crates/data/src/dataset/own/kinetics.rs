//! `kind = "kinetics"`: the published lists of Kinetics, comma-separated with a header.

use super::columns::{Entry, refuse, table};
use super::list::{Missing, needs_root};
use super::place::{beside, wrong};
use crate::error::DataError;
use crate::split::{ListFile, ListedClip, Split, SplitLists, safe_relative};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// `kind = "kinetics"`: lists with the columns `label`, `youtube_id`, `time_start` and `time_end`. A video is any file below
/// the data root with the name `ID_START_END` (seconds, six digits each) or `ID`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct KineticsSpec {
    #[serde(rename = "kind")]
    #[schemars(skip)]
    _kind: String,
    /// Title, one line.
    pub title: String,
    /// Folder of the videos; a relative path begins at the folder of this file. Default: the folder that --data-root names.
    pub root: Option<PathBuf>,
    /// List of the training videos, beside this file.
    pub train: PathBuf,
    /// List of the test videos, beside this file: of Kinetics the validation list, since the test list has no labels.
    pub test: PathBuf,
    /// Treatment of listed videos that are missing. Of Kinetics, many are no longer online.
    #[serde(default)]
    pub missing: Missing,
}

impl KineticsSpec {
    pub(in super::super) fn check(&self) -> Result<(), String> {
        needs_root(self.missing, self.root.is_some())
    }

    /// Reads both lists, whose paths begin at the folder of the data-set file `at`.
    ///
    /// # Errors
    /// [`DataError::File`] for a list that cannot be read; those of [`KineticsSpec::parse`].
    pub(in super::super) fn read(&self, at: &Path) -> Result<SplitLists, DataError> {
        let open = |path: &PathBuf| ListFile::read(beside(at, path));
        Self::parse(at, [&open(&self.train)?, &open(&self.test)?])
    }

    /// Reads lists that are in memory: that of the training videos and that of the test videos.
    ///
    /// # Errors
    /// [`DataError::Split`] with file and line for a line that is wrong, [`DataError::Spec`] for empty lists.
    pub fn parse(at: &Path, lists: [&ListFile; 2]) -> Result<SplitLists, DataError> {
        let mut listed: Vec<(&ListFile, Vec<Row>)> = Vec::new();
        for list in lists {
            listed.push((list, rows(list)?));
        }
        let labels: BTreeSet<&str> =
            listed.iter().flat_map(|(_, rows)| rows).map(|row| &*row.label).collect();
        let classes: Vec<String> = labels.into_iter().map(str::to_owned).collect();
        let index: BTreeMap<&str, usize> =
            classes.iter().enumerate().map(|(label, name)| (name.as_str(), label)).collect();
        // Each clip, and whether it is tested.
        let mut clips: BTreeMap<String, (ListedClip, bool)> = BTreeMap::new();
        for ((list, rows), tested) in listed.iter().zip([false, true]) {
            for Row { line, label, video, span } in rows {
                let name = match span {
                    Some((start, end)) => format!("{video}_{start:06}_{end:06}"),
                    None => video.clone(),
                };
                let id = format!("{label}/{name}");
                let file =
                    safe_relative(&format!("{id}.mp4")).map_err(|what| refuse(&list.path, *line, what))?;
                if let Some((known, _)) = clips.get(&id) {
                    return Err(refuse(
                        &list.path,
                        *line,
                        format!("`{id}` is listed in {}:{} already", known.list.display(), known.line),
                    ));
                }
                let clip = ListedClip {
                    id: id.clone(),
                    label: index[&**label],
                    view: None,
                    // Clips of one film stay together.
                    group: video.clone(),
                    file,
                    list: list.path.clone(),
                    line: *line,
                };
                clips.insert(id, (clip, tested));
            }
        }
        if clips.is_empty() {
            return Err(wrong(at, "expected lists with videos, found empty ones"));
        }
        let (clips, tests): (Vec<ListedClip>, Vec<bool>) = clips.into_values().unzip();
        let (test, train) = (0..tests.len()).partition(|&index| tests[index]);
        let split = Split { name: "1".to_owned(), train, test, ..Split::default() };
        Ok(SplitLists { classes, clips, splits: vec![split] })
    }
}

/// A line of a list.
struct Row {
    line: usize,
    label: String,
    video: String,
    /// First and last second.
    span: Option<(u32, u32)>,
}

fn rows(list: &ListFile) -> Result<Vec<Row>, DataError> {
    let entries = table(list)?;
    let Some((header, entries)) = entries.split_first() else {
        return Err(refuse(
            &list.path,
            1,
            "expected a header and a line for each video, found an empty list",
        ));
    };
    let column = |name: &str| header.fields.iter().position(|field| field.eq_ignore_ascii_case(name));
    let (Some(label_at), Some(video_at)) = (column("label"), column("youtube_id")) else {
        return Err(refuse(
            &list.path,
            header.line,
            format!(
                "expected a header with the columns label and youtube_id, found {}; the list of Kinetics' test videos has no \
                 labels: use the validation list",
                header.fields.join(", ")
            ),
        ));
    };
    let span_at = column("time_start").zip(column("time_end"));
    let row = |Entry { line, fields }: &Entry| {
        let field = |at: usize| {
            fields.get(at).filter(|field| !field.is_empty()).ok_or_else(|| {
                refuse(
                    &list.path,
                    *line,
                    format!("expected {} columns, found {}", header.fields.len(), fields.len()),
                )
            })
        };
        let seconds = |at: usize| {
            let text = field(at)?;
            let whole = text.parse::<f64>().ok().filter(|seconds| (0.0..1e6).contains(seconds));
            whole.map(|seconds| seconds as u32).ok_or_else(|| {
                refuse(&list.path, *line, format!("expected a time in seconds, found `{text}`"))
            })
        };
        let span =
            span_at.map(|(start, end)| Ok::<_, DataError>((seconds(start)?, seconds(end)?))).transpose()?;
        Ok(Row { line: *line, label: field(label_at)?.clone(), video: field(video_at)?.clone(), span })
    };
    entries.iter().map(row).collect()
}
