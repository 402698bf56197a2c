//! Lists of `CLASS/NAME VALUE` lines, as JHMDB's come here: a flag for each clip, one file a split, or the fold of each clip,
//! one file for all splits.
//!
//! The group of a clip is its film, as in HMDB-51. Class indices are those of the sorted names.

use super::hmdb51::{film, part_of_flag};
use super::{Gather, Line, ListFile, Part, SplitLists};
use crate::error::DataError;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Reads `splits` lists `split1.txt`, `split2.txt`, ... from `folder`. Flags: 1 train, 2 test, 0 unused.
///
/// # Errors
/// [`DataError::File`] for a missing file, [`DataError::Split`] with file and line for a line that is wrong,
/// [`DataError::Spec`] for a clip named twice in a split.
pub fn read_flags(folder: &Path, splits: usize) -> Result<SplitLists, DataError> {
    let list = |number| ListFile::read(folder.join(format!("split{number}.txt")));
    let lists = (1..=splits).map(list).collect::<Result<Vec<_>, _>>()?;
    parse_flags(folder, &lists)
}

/// Reads lists that are in memory, one for each split.
///
/// # Errors
/// The errors of [`read_flags`], except those of reading files.
pub fn parse_flags(folder: &Path, lists: &[ListFile]) -> Result<SplitLists, DataError> {
    let classes = classes(lists)?;
    let mut gather = Gather::new(film);
    for (index, list) in lists.iter().enumerate() {
        each_clip(list, &classes, |class, label, name, flag, line| {
            gather.add(index + 1, part_of_flag(flag, line)?, class, label, name, line)
        })?;
    }
    gather.finish(classes.into_keys().collect(), folder)
}

/// Reads the fold of each clip, 1 to `folds`, from `folds.txt` in `folder`. Split k tests fold k and trains on the others.
///
/// # Errors
/// As [`read_flags`]; [`DataError::Split`] also for a film that is in two folds.
pub fn read_folds(folder: &Path, folds: usize) -> Result<SplitLists, DataError> {
    parse_folds(folder, folds, &ListFile::read(folder.join("folds.txt"))?)
}

/// Reads a list that is in memory.
///
/// # Errors
/// The errors of [`read_folds`], except those of reading files.
pub fn parse_folds(folder: &Path, folds: usize, list: &ListFile) -> Result<SplitLists, DataError> {
    let classes = classes(std::slice::from_ref(list))?;
    let mut gather = Gather::new(film);
    let mut fold_of: BTreeMap<String, usize> = BTreeMap::new();
    each_clip(list, &classes, |class, label, name, fold, line| {
        let number = fold.parse().ok().filter(|fold| (1..=folds).contains(fold));
        let number =
            number.ok_or_else(|| line.error(format!("expected a fold from 1 to {folds}, found `{fold}`")))?;
        let film = film(class, name).unwrap_or(name);
        let known = *fold_of.entry(film.to_owned()).or_insert(number);
        if known != number {
            return Err(line.error(format!(
                "expected all clips of one film in one fold, found `{film}` in folds {known} and {number}"
            )));
        }
        for split in 1..=folds {
            let part = if split == number { Part::Test } else { Part::Train };
            gather.add(split, part, class, label, name, line)?;
        }
        Ok(())
    })?;
    gather.finish(classes.into_keys().collect(), folder)
}

/// Returns the classes that the lists name, with their indices.
fn classes(lists: &[ListFile]) -> Result<BTreeMap<String, usize>, DataError> {
    let mut names = BTreeSet::new();
    for list in lists {
        list.each_line(|line| {
            names.insert(fields(&line)?.0.to_owned());
            Ok(())
        })?;
    }
    Ok(names.into_iter().zip(0..).collect())
}

/// Hands the class, its index, the name and the value of each line to `each`.
fn each_clip(
    list: &ListFile,
    classes: &BTreeMap<String, usize>,
    mut each: impl FnMut(&str, usize, &str, &str, &Line<'_>) -> Result<(), DataError>,
) -> Result<(), DataError> {
    list.each_line(|line| {
        let (class, name, value) = fields(&line)?;
        each(class, classes[class], name, value, &line)
    })
}

/// Splits a line into class, name and value.
fn fields<'a>(line: &Line<'a>) -> Result<(&'a str, &'a str, &'a str), DataError> {
    let found = line.text.rsplit_once([' ', '\t']);
    let found = found.and_then(|(path, value)| Some((path.trim_end().split_once('/')?, value)));
    match found {
        Some(((class, name), value)) if !name.contains('/') => Ok((class, name, value)),
        _ => Err(line.error(format!("expected `CLASS/NAME NUMBER`, found `{}`", line.text))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> ListFile {
        ListFile { path: "folds.txt".into(), bytes: text.as_bytes().to_vec() }
    }

    const FOLDS: &str =
        "run/Film@1_run_f_0 2\nrun/Film@1_run_f_1 2\nwalk/Film@1_walk_f_0 2\nwalk/Other_walk_0 1\n";

    #[test]
    fn each_fold_is_tested_once_and_films_stay_together() {
        let lists = parse_folds(Path::new("x"), 2, &list(FOLDS)).unwrap();
        assert_eq!(lists.classes, ["run", "walk"]);
        let groups: Vec<&str> = lists.clips.iter().map(|clip| &*clip.group).collect();
        assert_eq!(groups, ["Film@1", "Film@1", "Film@1", "Other"]);
        let tests: Vec<_> = lists.splits.iter().map(|split| (&split.test[..], &split.train[..])).collect();
        assert_eq!(tests, [(&[3][..], &[0, 1, 2][..]), (&[0, 1, 2], &[3])]);
        let crossed = FOLDS.replace("walk_f_0 2", "walk_f_0 1");
        let message = parse_folds(Path::new("x"), 2, &list(&crossed)).unwrap_err().to_string();
        assert!(message.contains("folds.txt:3") && message.contains("one film in one fold"), "{message}");
    }

    #[test]
    fn flags_make_parts() {
        let lists = parse_flags(Path::new("x"), &[list("run/a 1\nrun/b 2\nwalk/c 0\n")]).unwrap();
        assert_eq!((&lists.splits[0].train[..], &lists.splits[0].test[..]), (&[0][..], &[1][..]));
        assert_eq!(lists.clips.len(), 3);
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, expected) in [
            ("run/a 3", "expected a fold from 1 to 2, found `3`"),
            ("run/a", "expected `CLASS/NAME NUMBER`"),
            ("a 1", "expected `CLASS/NAME NUMBER`"),
            ("run/../a 1", "expected `CLASS/NAME NUMBER`"),
            ("../a 1", "absolute paths"),
        ] {
            let message = parse_folds(Path::new("x"), 2, &list(text)).unwrap_err().to_string();
            assert!(message.contains(expected) && message.contains("folds.txt:1"), "{text}: {message}");
        }
    }
}
