//! HMDB-51: one file `CLASS_test_splitN.txt` per class and split, lines `NAME.avi FLAG`.

use super::{Gather, Line, ListFile, Part, SplitLists};
use crate::error::DataError;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Reads `splits` official splits from `folder`. Flags: 1 train, 2 test, 0 unused.
///
/// # Errors
/// [`DataError::File`] for a missing file (each class needs one per split), [`DataError::Split`] with
/// file and line for a line that is wrong, [`DataError::Spec`] for a clip named twice in a split.
pub fn read(folder: &Path, splits: usize) -> Result<SplitLists, DataError> {
    let io = |error| DataError::io("list split files in", folder, error);
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        if let Some(class) = name.to_str().and_then(|name| name.strip_suffix("_test_split1.txt")) {
            names.insert(class.to_owned());
        }
    }
    let mut lists = Vec::with_capacity(splits);
    for number in 1..=splits {
        let list = |class| ListFile::read(folder.join(format!("{class}_test_split{number}.txt")));
        lists.push(names.iter().map(list).collect::<Result<Vec<_>, _>>()?);
    }
    parse(folder, names.into_iter().collect(), &lists)
}

/// Reads lists that are in memory: for each split the list of each class, in the order of `classes`.
///
/// # Errors
/// The errors of [`read`], except those of reading files.
pub fn parse(folder: &Path, classes: Vec<String>, lists: &[Vec<ListFile>]) -> Result<SplitLists, DataError> {
    let mut gather = Gather::new(film);
    for (index, lists) in lists.iter().enumerate() {
        let split = index + 1;
        for (label, (class, list)) in classes.iter().zip(lists).enumerate() {
            list.each_line(|line| {
                let (file, flag) = line
                    .text
                    .rsplit_once([' ', '\t'])
                    .ok_or_else(|| line.error("expected `NAME.avi FLAG`, found no flag"))?;
                let part = part_of_flag(flag, &line)?;
                let file = file.trim_end();
                if file.contains('/') {
                    return Err(line.error(format!("expected a plain file name, found `{file}`")));
                }
                gather.add(split, part, class, label, file, &line)
            })?;
        }
    }
    gather.finish(classes, folder)
}

/// Reads the flag of a clip.
pub(super) fn part_of_flag(flag: &str, line: &Line<'_>) -> Result<Part, DataError> {
    match flag {
        "1" => Ok(Part::Train),
        "2" => Ok(Part::Test),
        "0" => Ok(Part::Unused),
        _ => Err(line.error(format!("expected flag 1 (train), 2 (test) or 0 (unused), found `{flag}`"))),
    }
}

/// Finds the film that a clip is cut from: the part of its name before `_CLASS_`. Film names are free text and may contain
/// the class, so the last occurrence counts; marks such as `f_cm_np1_ba_med_0` follow it.
pub(super) fn film<'a>(class: &str, name: &'a str) -> Option<&'a str> {
    name.rsplit_once(&format!("_{class}_")).map(|(film, _)| film).filter(|film| !film.is_empty())
}
