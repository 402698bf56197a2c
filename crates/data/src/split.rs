//! The official split files of UCF-101 and HMDB-51, read as they are published, and those of JHMDB.
//!
//! | quirk | treatment |
//! |---|---|
//! | UCF-101 lines end in CR LF, other copies in LF | both are accepted |
//! | class `HandstandPushups`, files `v_HandStandPushups_*` | the class is taken from the folder; files are matched with either spelling when they are looked up |
//! | HMDB-51 lines end in a blank | blanks at the ends of lines are dropped |
//! | names with ``! ( ) # [ ] & + ; ~ @`` | names are never taken for patterns, comments or shell words |
//! | `climb` and `climb_stairs`, `kick` and `kick_ball` | the class is the whole file name without `_test_splitN.txt` |
//! | flag 0 | the clip belongs to the data set, but to no part of that split |
//! | a byte order mark at the beginning of a list | is dropped |
//! | labels in a test list of UCF-101, as other tools write them | are compared with the class |
//!
//! HMDB-51 class indices are those of the sorted plain names (`kick` before `kick_ball`).

mod draw;
mod folds;
mod hmdb51;
mod listed;
mod ucf101;
mod views;

use base::text::one_line;

use crate::dataset::{View, split_ending};
use crate::error::DataError;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

pub use draw::{draw_of, of_draw, plain};
pub use folds::folds;
pub use hmdb51::{parse as parse_hmdb51, read as read_hmdb51};
pub use listed::{parse_flags, parse_folds, read_flags, read_folds};
pub use ucf101::{parse as parse_ucf101, read as read_ucf101};
pub use views::parse as parse_views;

/// A clip as a split file names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedClip {
    /// Id within the data set: `CLASS/NAME`, as listed, without the ending.
    pub id: String,
    /// Class index.
    pub label: usize,
    /// Event and camera view, in a set of several views.
    pub view: Option<View>,
    /// Group of videos of the class that must stay together, see [`crate::dataset::Video::group`].
    pub group: String,
    /// Path relative to the data root, as listed.
    pub file: PathBuf,
    /// The file that lists the clip first.
    pub list: PathBuf,
    /// The line there, from 1.
    pub line: usize,
}

/// The parts of one split, as indices of clips in ascending order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Split {
    /// Name, "1" to "3" for the official ones.
    pub name: String,
    /// Training videos.
    pub train: Vec<usize>,
    /// Test videos.
    pub test: Vec<usize>,
    /// Test events as the training views see them, in a set of several views, of which each split holds one out.
    pub seen: Vec<usize>,
}

/// The content of a folder of split files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitLists {
    /// Class names by index.
    pub classes: Vec<String>,
    /// All clips, sorted by id.
    pub clips: Vec<ListedClip>,
    /// The splits in order.
    pub splits: Vec<Split>,
}

/// One non-empty line of a split file, blanks and line ends removed.
pub(crate) struct Line<'a> {
    file: &'a Path,
    pub(crate) number: usize,
    pub(crate) text: &'a str,
}

impl Line<'_> {
    fn error(&self, message: impl Into<String>) -> DataError {
        DataError::Split {
            path: self.file.to_path_buf(),
            line: self.number,
            message: one_line(&message.into()),
        }
    }
}

/// A split file: its path, for messages, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListFile {
    /// The file.
    pub path: PathBuf,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl ListFile {
    /// Reads a file.
    ///
    /// # Errors
    /// [`DataError::File`].
    pub fn read(path: PathBuf) -> Result<Self, DataError> {
        let bytes = base::files::read(&path, base::files::TEXT)?;
        Ok(Self { path, bytes })
    }

    /// Hands each non-empty line to `each`.
    pub(crate) fn each_line(
        &self,
        mut each: impl FnMut(Line<'_>) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        // Editors of some systems put a byte order mark first.
        let bytes = self.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.bytes);
        for (index, bytes) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let line = |text| Line { file: &self.path, number: index + 1, text };
            let text = str::from_utf8(bytes)
                .map_err(|_| line("").error("expected text in UTF-8, found other bytes; restore the list"))?
                .trim();
            if !text.is_empty() {
                each(line(text))?;
            }
        }
        Ok(())
    }
}

/// The part of a split that a clip belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Test,
    Unused,
}

/// Finds the group, given a class and a file name without its ending. `None` if the name has no group; the whole name is
/// then the group.
type GroupOf = for<'a> fn(&str, &'a str) -> Option<&'a str>;

/// Gathers clips and splits while lists are read.
struct Gather {
    group: GroupOf,
    clips: BTreeMap<String, ListedClip>,
    /// Ids and parts of each split, by its number.
    parts: BTreeMap<usize, Vec<(String, Part)>>,
}

impl Gather {
    fn new(group: GroupOf) -> Self {
        Self { group, clips: BTreeMap::new(), parts: BTreeMap::new() }
    }

    fn add(
        &mut self,
        split: usize,
        part: Part,
        class: &str,
        label: usize,
        file: &str,
        line: &Line<'_>,
    ) -> Result<(), DataError> {
        let path = safe_relative(&format!("{class}/{file}")).map_err(|message| line.error(message))?;
        let stem = split_ending(file, &[]).0;
        let id = format!("{class}/{stem}");
        let known = self.clips.entry(id.clone()).or_insert_with(|| ListedClip {
            id: id.clone(),
            label,
            view: None,
            group: (self.group)(class, stem).unwrap_or(stem).to_owned(),
            file: path,
            list: line.file.to_path_buf(),
            line: line.number,
        });
        if known.label != label {
            return Err(line.error(format!(
                "`{id}` has class {label} here and class {} in {}:{}",
                known.label,
                known.list.display(),
                known.line
            )));
        }
        self.parts.entry(split).or_default().push((id, part));
        Ok(())
    }

    fn finish(self, classes: Vec<String>, folder: &Path) -> Result<SplitLists, DataError> {
        let index: BTreeMap<&String, usize> =
            self.clips.keys().enumerate().map(|(index, id)| (id, index)).collect();
        let mut splits = Vec::new();
        for (number, parts) in self.parts {
            let mut split = Split { name: number.to_string(), ..Split::default() };
            let mut seen = BTreeMap::new();
            for (id, part) in &parts {
                if let Some(before) = seen.insert(id, *part) {
                    let message = format!(
                        "split {} names `{id}` twice, as {before:?} and as {part:?}; each clip belongs to one part",
                        split.name
                    );
                    return Err(DataError::Spec { path: folder.to_path_buf(), message });
                }
                match part {
                    Part::Train => split.train.push(index[id]),
                    Part::Test => split.test.push(index[id]),
                    Part::Unused => {}
                }
            }
            split.train.sort_unstable();
            split.test.sort_unstable();
            splits.push(split);
        }
        Ok(SplitLists { classes, clips: self.clips.into_values().collect(), splits })
    }
}

/// Makes one split for each view, which it holds out. The split trains on the training events as the other views see them
/// and tests on the test events as this view sees them; [`Split::seen`] is the test events as the others see them. `videos`
/// gives the view of each video and whether its event is tested.
pub(crate) fn hold_out_views(
    views: usize,
    videos: impl Iterator<Item = (usize, bool)> + Clone,
) -> Vec<Split> {
    let split = |held_out: usize| {
        let mut split = Split { name: (held_out + 1).to_string(), ..Split::default() };
        for (index, (view, tested)) in videos.clone().enumerate() {
            match (tested, view == held_out) {
                (false, false) => split.train.push(index),
                (true, true) => split.test.push(index),
                (true, false) => split.seen.push(index),
                (false, true) => {}
            }
        }
        split
    };
    (0..views).map(split).collect()
}

/// Reads a path from a list and refuses it if its text alone could lead out of the data root.
pub(crate) fn safe_relative(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || text.is_empty() || text.ends_with('/') || text.contains('\0') || text.contains("//") {
        return Err(format!(
            "expected CLASS/FILE below the data root, found `{text}`: absolute paths, `.` and `..` are refused"
        ));
    }
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::safe_relative;

    #[test]
    fn paths_that_leave_the_root_are_refused() {
        for text in ["/etc/passwd", "../x.avi", "a/../../x.avi", "./x", "a//b", "a/", "", "a/\0.avi"] {
            assert!(safe_relative(text).is_err(), "{text}");
        }
        for text in ["a/b.avi", "run/..x..avi", "wave/#1 & (2)![x];~@+.avi", "-x/-y.avi"] {
            assert!(safe_relative(text).is_ok(), "{text}");
        }
    }
}
