//! The roles of videos in the splits, in words and numbers.

use crate::split::Split;
use std::fmt;

/// Number of names that a message shows.
const SHOWN: usize = 5;

/// The use of a video in a split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Training.
    Train,
    /// Testing.
    Test,
}

/// A video's role in a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Name of the split.
    pub split: String,
    /// Use of the video in that split.
    pub role: Role,
}

impl fmt::Display for Part {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let role = match self.role {
            Role::Train => "train",
            Role::Test => "test",
        };
        write!(out, "split {} {role}", self.split)
    }
}

/// Roles of a video in the splits that use it.
pub(super) fn of(splits: &[Split], video: usize) -> Vec<Part> {
    let role = |split: &Split| {
        let within = |part: &[usize]| part.binary_search(&video).is_ok();
        let role = match (within(&split.train), within(&split.test) || within(&split.seen)) {
            (true, _) => Role::Train,
            (false, true) => Role::Test,
            (false, false) => return None,
        };
        Some(Part { split: split.name.clone(), role })
    };
    splits.iter().filter_map(role).collect()
}

/// Counts what each split lacks, given the missing videos in ascending order:
/// "split 1 lacks 3 of 9537 training and 1 of 3783 test videos; split 2 ...".
pub(crate) fn count(splits: &[Split], lacking: &[usize]) -> String {
    let of = |part: &[usize]| part.iter().filter(|video| lacking.binary_search(video).is_ok()).count();
    let one = |split: &Split| {
        format!(
            "split {} lacks {} of {} training and {} of {} test videos",
            split.name,
            of(&split.train),
            split.train.len(),
            of(&split.test) + of(&split.seen),
            split.test.len() + split.seen.len()
        )
    };
    splits.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// Lists the first few names and the number of the others.
pub(crate) fn shorten(names: &[String]) -> String {
    let mut text = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
