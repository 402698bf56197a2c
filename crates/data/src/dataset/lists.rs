//! The lists of a set of real videos, and their comparison with the folder that was searched.

use super::{DatasetSpec, ListLayout, SpecBody, SplitSize, VideoFoldersSpec, VideoSource, files, parts};
use crate::cuts::CutConfig;
use crate::error::DataError;
use crate::split::{ListFile, ListedClip, Split, SplitLists, parse_views, read_hmdb51, read_ucf101};
use base::text::one_line;
use std::path::{Path, PathBuf};

/// Reads the lists, video endings and cut settings of a set of real videos and checks counts and names.
pub(super) fn listed(spec: &DatasetSpec) -> Result<(SplitLists, &[String], Option<CutConfig>), DataError> {
    let listed = read(spec)?;
    let names = listed.0.classes.iter().chain(listed.0.clips.iter().map(|clip| &clip.id));
    match names.into_iter().find(|name| name.is_empty() || name.chars().any(char::is_control)) {
        None => Ok(listed),
        Some(name) => Err(spec.error(format!(
            "expected names of classes and videos without control characters, found `{}`; rename it",
            one_line(name)
        ))),
    }
}

fn read(spec: &DatasetSpec) -> Result<(SplitLists, &[String], Option<CutConfig>), DataError> {
    match &spec.body {
        SpecBody::Synth(_) | SpecBody::Stills(_) | SpecBody::Views(_) => {
            Err(spec.error("a generated set has no lists"))
        }
        SpecBody::VideoFolders(folders) => Ok((grid(spec, folders), &folders.extensions, folders.cuts)),
        SpecBody::ViewFolders(views) => {
            let list = spec.path.parent().unwrap_or(Path::new("")).join(&views.events);
            Ok((parse_views(views, &ListFile::read(list)?)?, &views.extensions, None))
        }
        SpecBody::SplitFiles(files) => {
            let folder = spec.path.parent().unwrap_or(Path::new("")).join(&files.lists);
            let lists = match files.layout {
                ListLayout::Ucf101 => read_ucf101(&folder, files.split.len())?,
                ListLayout::Hmdb51 => read_hmdb51(&folder, files.split.len())?,
            };
            let sizes: Vec<SplitSize> = lists
                .splits
                .iter()
                .map(|split| SplitSize {
                    name: split.name.clone(),
                    train: split.train.len(),
                    test: split.test.len(),
                })
                .collect();
            let found = (lists.classes.len(), lists.clips.len(), &sizes);
            if found != (files.classes, files.clips, &files.split) {
                return Err(spec.error(format!(
                    "expected {} classes, {} clips, {}; the lists in {} have {} classes, {} clips, {}; restore the \
                     official lists",
                    files.classes,
                    files.clips,
                    describe_sizes(&files.split),
                    folder.display(),
                    found.0,
                    found.1,
                    describe_sizes(&sizes),
                )));
            }
            Ok((lists, &files.extensions, None))
        }
    }
}

fn describe_sizes(splits: &[SplitSize]) -> String {
    let one = |split: &SplitSize| format!("split {}: {} + {}", split.name, split.train, split.test);
    splits.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// One clip per class and group, sorted by id.
fn grid(spec: &DatasetSpec, folders: &VideoFoldersSpec) -> SplitLists {
    let ending = folders.extensions.first().map_or("", String::as_str);
    let mut clips = Vec::new();
    for (label, class) in folders.classes.iter().enumerate() {
        for group in &folders.groups {
            let name = folders.clip_name.replace("{class}", class).replace("{group}", group);
            let clip = ListedClip {
                id: format!("{class}/{name}"),
                label,
                file: PathBuf::from(format!("{class}/{name}.{ending}")),
                list: spec.path.clone(),
                line: 1,
                group: group.clone(),
                view: None,
            };
            clips.push(clip);
        }
    }
    clips.sort_by(|a, b| a.id.cmp(&b.id));
    let splits = folders.split.iter().map(|split| {
        let (test, train) = (0..clips.len()).partition(|&index| split.test.contains(&clips[index].group));
        Split { name: split.name.clone(), train, test, ..Split::default() }
    });
    let splits = splits.collect();
    SplitLists { classes: folders.classes.clone(), clips, splits }
}

/// The first listed file.
pub(super) fn example(lists: &SplitLists) -> String {
    lists.clips.first().map(|clip| clip.file.display().to_string()).unwrap_or_default()
}

/// Refuses a folder in which listed videos are missing.
pub(super) fn complete(
    spec: &DatasetSpec,
    lists: &SplitLists,
    extensions: &[String],
    found: &files::Found,
) -> Result<(), DataError> {
    let mut missing = Vec::new();
    let mut indices = Vec::new();
    for (index, (clip, source)) in lists.clips.iter().zip(&found.sources).enumerate() {
        let VideoSource::Missing { expected, why } = source else { continue };
        if let Some(message) = why {
            let (path, line, message) = (clip.list.clone(), clip.line, message.clone());
            return Err(DataError::Split { path, line, message });
        }
        missing.push(expected.clone());
        indices.push(index);
    }
    if missing.is_empty() {
        return Ok(());
    }
    let message = format!(
        "expected {} videos, found {}; missing: {}; {}{}; the layout is {} with the endings {}",
        lists.clips.len(),
        lists.clips.len() - missing.len(),
        parts::shorten(&missing),
        parts::count(&lists.splits, &indices),
        if found.surplus.is_empty() {
            String::new()
        } else {
            format!("; not of this data set: {}", parts::shorten(&found.surplus))
        },
        spec.layout(),
        extensions.join(", "),
    );
    let (dataset, root, surplus) = (spec.name.clone(), found.root.clone(), found.surplus.clone());
    Err(DataError::Layout { dataset, root, message, missing, surplus })
}
