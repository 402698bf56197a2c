//! The lists of a set of real videos, and their comparison with the folder that was searched.

use super::files::Found;
use super::own::beside;
use super::spec::NUMBER;
use super::{
    DatasetSpec, ListLayout, SpecBody, SplitFilesSpec, SplitSize, VideoFoldersSpec, VideoSource, parts,
};
use crate::error::DataError;
use crate::split::{
    ListFile, ListedClip, Split, SplitLists, parse_views, read_flags, read_folds, read_hmdb51, read_ucf101,
};
use base::text::one_line;
use std::path::{Path, PathBuf};

/// Reads the lists of a set of real videos and checks counts and names. `frames` asks for extracted frames in place of
/// videos, where the folder itself is the list.
pub(super) fn listed(spec: &DatasetSpec, frames: bool) -> Result<SplitLists, DataError> {
    let listed = read(spec, frames)?;
    let names = listed.classes.iter().chain(listed.clips.iter().map(|clip| &clip.id));
    if let Some(name) = names.into_iter().find(|name| name.is_empty() || name.chars().any(char::is_control)) {
        return Err(spec.error(format!(
            "expected names of classes and videos without control characters, found `{}`; rename it",
            one_line(name)
        )));
    }
    if let Some([one, other]) = listed.clips.array_windows().find(|[one, other]| one.id == other.id) {
        return Err(spec.error(format!(
            "`{}` names two files, {} and {}; rename one",
            one.id,
            one_line(&one.file.to_string_lossy()),
            one_line(&other.file.to_string_lossy())
        )));
    }
    divided(spec, listed)
}

/// Refuses a split without training or test videos.
fn divided(spec: &DatasetSpec, lists: SplitLists) -> Result<SplitLists, DataError> {
    match lists.splits.iter().find(|split| split.train.is_empty() || split.test.is_empty()) {
        None => Ok(lists),
        Some(Split { name, train, test, .. }) => Err(spec.error(format!(
            "split {name}: expected training and test videos, found {} and {}; change the lists or the split",
            train.len(),
            test.len()
        ))),
    }
}

fn read(spec: &DatasetSpec, frames: bool) -> Result<SplitLists, DataError> {
    let folder = |name: &str| beside(&spec.path, Path::new(name));
    match &spec.body {
        SpecBody::Synth(_) | SpecBody::Stills(_) | SpecBody::Views(_) => {
            Err(spec.error("a generated set has no lists"))
        }
        SpecBody::VideoFolders(folders) => Ok(grid(spec, folders)),
        SpecBody::ViewFolders(views) => parse_views(views, &ListFile::read(folder(&views.events))?),
        SpecBody::Folder(own) => own.read(&spec.path, frames),
        SpecBody::List(own) => own.read(&spec.path),
        SpecBody::Kinetics(own) => own.read(&spec.path),
        SpecBody::SplitFiles(files) => official(spec, files, &folder(&files.lists)),
    }
}

/// Reads official lists and compares their sizes with those that the file states.
fn official(spec: &DatasetSpec, files: &SplitFilesSpec, folder: &Path) -> Result<SplitLists, DataError> {
    let lists = match files.layout {
        ListLayout::Ucf101 => read_ucf101(folder, files.split.len())?,
        ListLayout::Hmdb51 => read_hmdb51(folder, files.split.len())?,
        ListLayout::Flags => read_flags(folder, files.split.len())?,
        ListLayout::Folds => read_folds(folder, files.split.len())?,
    };
    let sizes: Vec<SplitSize> = lists
        .splits
        .iter()
        .map(|split| SplitSize { name: split.name.clone(), train: split.train.len(), test: split.test.len() })
        .collect();
    let found = (lists.classes.len(), lists.clips.len());
    let as_stated = sizes.len() == files.split.len()
        && files.split.iter().zip(&sizes).all(|(stated, found)| stated.allows(found));
    if found == (files.classes, files.clips) && as_stated {
        return Ok(lists);
    }
    let stated = files.split.iter().map(|split| (&*split.name, split.train, split.test));
    let found_sizes = sizes.iter().map(|split| (&*split.name, Some(split.train), Some(split.test)));
    Err(spec.error(format!(
        "expected {} classes, {} clips, {}; the lists in {} have {} classes, {} clips, {}; restore the official lists, \
         or correct the numbers if the lists are your own",
        files.classes,
        files.clips,
        describe_sizes(stated),
        folder.display(),
        found.0,
        found.1,
        describe_sizes(found_sizes),
    )))
}

fn describe_sizes<'a>(splits: impl Iterator<Item = (&'a str, Option<usize>, Option<usize>)>) -> String {
    let size = |size: Option<usize>| size.map_or("any".to_owned(), |size| size.to_string());
    let one = |(name, train, test)| format!("split {name}: {} + {}", size(train), size(test));
    splits.map(one).collect::<Vec<_>>().join(", ")
}

/// One clip per class and group, sorted by id.
fn grid(spec: &DatasetSpec, folders: &VideoFoldersSpec) -> SplitLists {
    let ending = folders.extensions.first().map_or("", String::as_str);
    let mut clips = Vec::new();
    for (label, class) in folders.classes.iter().enumerate() {
        for group in &folders.groups {
            let name = folders
                .clip_name
                .replace("{class}", class)
                .replace("{class-index}", &label.to_string())
                .replace("{group}", group);
            let folder = if folders.flat { String::new() } else { format!("{class}/") };
            let clip = ListedClip {
                // A number that is not stated is no part of the id.
                id: if name.contains(NUMBER) {
                    format!("{class}/{group}")
                } else {
                    format!("{class}/{name}")
                },
                label,
                file: PathBuf::from(format!("{folder}{name}.{ending}")),
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
    found: &Found,
    hint: &str,
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
    let endings = match spec.endings() {
        [] => String::new(),
        endings => format!(" with the endings {}", endings.join(", ")),
    };
    let message = format!(
        "expected {} videos, found {}; missing: {}; {}{}; the layout is {}{endings}{hint}",
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
    );
    let (dataset, root, surplus) = (spec.name.clone(), found.root.clone(), found.surplus.clone());
    Err(DataError::Layout { dataset, root, message, missing, surplus })
}

/// Leaves missing clips out of the lists, if the file says so; returns the sources of the others and the number left out.
///
/// # Errors
/// [`DataError::Spec`] if a split is left without training or test videos.
pub(super) fn reduce(
    spec: &DatasetSpec,
    lists: SplitLists,
    sources: Vec<VideoSource>,
) -> Result<(SplitLists, Vec<VideoSource>, usize), DataError> {
    let absent = |source: &VideoSource| matches!(source, VideoSource::Missing { why: None, .. });
    if !spec.leaves_out() || !sources.iter().any(absent) {
        return Ok((lists, sources, 0));
    }
    let before = lists.clips.len();
    let mut number = Vec::with_capacity(before);
    let mut clips = Vec::new();
    let mut kept = Vec::new();
    for (clip, source) in lists.clips.into_iter().zip(sources) {
        number.push((!absent(&source)).then_some(clips.len()));
        if !absent(&source) {
            clips.push(clip);
            kept.push(source);
        }
    }
    let part = |part: Vec<usize>| part.into_iter().filter_map(|index| number[index]).collect();
    let splits = lists.splits.into_iter().map(|split| Split {
        name: split.name,
        train: part(split.train),
        test: part(split.test),
        seen: part(split.seen),
    });
    let splits = splits.collect();
    let left_out = before - clips.len();
    let lists = divided(spec, SplitLists { classes: lists.classes, clips, splits })?;
    Ok((lists, kept, left_out))
}
