//! UCF-101: `classInd.txt`, `trainlist01.txt`, `testlist01.txt` and so on.

use super::{Gather, Line, ListFile, Part, SplitLists};
use crate::dataset::split_ending;
use crate::error::DataError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Reads `splits` official splits from `folder`.
///
/// # Errors
/// [`DataError::File`] for a missing file, [`DataError::Split`] with file and line for a line that is
/// wrong, [`DataError::Spec`] for a clip named twice in a split.
pub fn read(folder: &Path, splits: usize) -> Result<SplitLists, DataError> {
    let classes = ListFile::read(folder.join("classInd.txt"))?;
    let mut parts = Vec::with_capacity(splits);
    for number in 1..=splits {
        let list = |part: &str| ListFile::read(folder.join(format!("{part}list{number:02}.txt")));
        parts.push([list("train")?, list("test")?]);
    }
    parse(folder, &classes, &parts)
}

/// Reads lists that are in memory: the classes, then training and test list of each split.
///
/// # Errors
/// The errors of [`read`], except those of reading files.
pub fn parse(folder: &Path, classes: &ListFile, parts: &[[ListFile; 2]]) -> Result<SplitLists, DataError> {
    let classes = self::classes(classes)?;
    let labels: BTreeMap<&str, usize> =
        classes.iter().enumerate().map(|(label, name)| (name.as_str(), label)).collect();
    let mut gather = Gather::new(group);
    for (index, [train, test]) in parts.iter().enumerate() {
        let number = index + 1;
        train.each_line(|line| {
            let (path, index) = line
                .text
                .rsplit_once([' ', '\t'])
                .ok_or_else(|| line.error("expected `CLASS/FILE.avi INDEX`, found no index"))?;
            let (class, file, label) = clip(path.trim_end(), &labels, &line)?;
            if index.parse() != Ok(label + 1) {
                return Err(
                    line.error(format!("expected index {} of class {class}, found `{index}`", label + 1))
                );
            }
            gather.add(number, Part::Train, class, label, file, &line)
        })?;
        test.each_line(|line| {
            let (path, index) = labelled(line.text);
            let (class, file, label) = clip(path, &labels, &line)?;
            if let Some(index) = index.filter(|&index| index != label + 1) {
                return Err(line.error(format!(
                    "expected index {} of class {class}, or none; found `{index}`",
                    label + 1
                )));
            }
            gather.add(number, Part::Test, class, label, file, &line)
        })?;
    }
    gather.finish(classes, folder)
}

/// Reads the class names: `INDEX NAME` per line, indices from 1 without gaps.
fn classes(file: &ListFile) -> Result<Vec<String>, DataError> {
    let mut classes: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    file.each_line(|line| {
        let (index, name) = line
            .text
            .split_once([' ', '\t'])
            .ok_or_else(|| line.error(format!("expected `INDEX CLASS`, found `{}`", line.text)))?;
        let (next, name) = (classes.len() + 1, name.trim());
        if index.parse() != Ok(next) {
            return Err(line.error(format!("expected class index {next}, found `{index}`")));
        }
        if !seen.insert(name.to_owned()) {
            return Err(line.error(format!("class `{name}` is listed twice")));
        }
        classes.push(name.to_owned());
        Ok(())
    })?;
    Ok(classes)
}

/// Splits a line of a test list into the path and the class index, which the official lists leave out and other tools write.
fn labelled(text: &str) -> (&str, Option<usize>) {
    let (path, index) =
        text.rsplit_once([' ', '\t']).map_or((text, ""), |(path, index)| (path.trim_end(), index));
    match index.parse() {
        // A name may end in a number: what is before an index has the ending of a video.
        Ok(index) if split_ending(path, &[]).1.is_some() => (path, Some(index)),
        _ => (text, None),
    }
}

/// Splits `CLASS/FILE.avi` into class folder and file, and finds the label.
fn clip<'a>(
    path: &'a str,
    labels: &BTreeMap<&str, usize>,
    line: &Line<'_>,
) -> Result<(&'a str, &'a str, usize), DataError> {
    let (class, file) = match path.split_once('/') {
        Some((class, file)) if !file.contains('/') => (class, file),
        _ => {
            return Err(line.error(format!("expected CLASS/FILE.avi below the data root, found `{path}`")));
        }
    };
    let label =
        *labels.get(class).ok_or_else(|| line.error(format!("class `{class}` is not in classInd.txt")))?;
    Ok((class, file, label))
}

/// Finds the group of a clip: `g07` of `v_CLASS_g07_c02`.
fn group<'a>(_class: &str, name: &'a str) -> Option<&'a str> {
    let numbered = |text: &str, mark| {
        text.strip_prefix(mark).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let (rest, clip) = name.rsplit_once('_')?;
    let (_, group) = rest.rsplit_once('_')?;
    (numbered(group, 'g') && numbered(clip, 'c')).then_some(group)
}
