//! Properties of a data set that make its numbers say less than they seem to.

use super::parts::shorten;
use crate::split::Split;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A reason to read a number with care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caution {
    /// Names of the splits that it concerns.
    pub splits: Vec<String>,
    /// The reason, in words.
    pub text: String,
}

impl Caution {
    /// The caution as far as it concerns some of the splits, in words.
    pub fn of(&self, used: &BTreeSet<&str>) -> Option<String> {
        let splits: Vec<String> =
            self.splits.iter().filter(|split| used.contains(&***split)).cloned().collect();
        (!splits.is_empty()).then(|| Self { splits, text: self.text.clone() }.to_string())
    }
}

impl fmt::Display for Caution {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let splits = if self.splits.len() == 1 { "split" } else { "splits" };
        write!(out, "{splits} {}: {}", self.splits.join(", "), self.text)
    }
}

/// Class and group of a video, for [`of`].
pub(super) struct Place<'a> {
    pub(super) label: usize,
    pub(super) group: &'a str,
}

/// Finds what can be seen without the videos: classes and groups that a split does not divide as a test needs it. With
/// `groups_by_class`, a name stands for another group in each class, as `g01` does in UCF-101.
pub(super) fn of(
    classes: &[String],
    videos: &[Place<'_>],
    splits: &[Split],
    groups_by_class: bool,
) -> Vec<Caution> {
    let mut found = Found::default();
    for split in splits {
        let mut add = |text: String| found.add(&split.name, text);
        let labels = |part: &[usize]| part.iter().map(|&video| videos[video].label).collect::<BTreeSet<_>>();
        let (train, test) = (labels(&split.train), labels(&split.test));
        let without = |part: &BTreeSet<usize>| -> Vec<String> {
            (0..classes.len())
                .filter(|label| !part.contains(label))
                .map(|label| classes[label].clone())
                .collect()
        };
        if classes.len() == 1 {
            add("there is only one class, so every answer is right and 100 % means nothing".to_owned());
        }
        let untrained = without(&train);
        if !untrained.is_empty() {
            add(format!(
                "{} without training videos, so never predicted: {}",
                base::text::counted(untrained.len(), "class"),
                shorten(&untrained)
            ));
        }
        let untested = without(&test);
        if !untested.is_empty() {
            add(format!(
                "{} without test videos: {}",
                base::text::counted(untested.len(), "class"),
                shorten(&untested)
            ));
        }
        if split.test.len() < classes.len() {
            add(format!(
                "{} for {}",
                base::text::counted(split.test.len(), "test video"),
                base::text::counted(classes.len(), "class")
            ));
        }
        let groups = |part: &[usize]| -> BTreeSet<(usize, &str)> {
            let place = |&video: &usize| {
                let Place { label, group } = videos[video];
                (if groups_by_class { label } else { 0 }, group)
            };
            part.iter().map(place).collect()
        };
        let (train, test) = (groups(&split.train), groups(&split.test));
        let both: Vec<String> = train.intersection(&test).map(|(_, group)| (*group).to_owned()).collect();
        if !both.is_empty() {
            add(format!(
                "{} with videos in training and in test: {}",
                base::text::counted(both.len(), "group"),
                shorten(&both)
            ));
        }
    }
    found.list()
}

/// Finds test videos with the same content as a training video, given the hash of each video of the splits.
pub(super) fn of_copies(
    splits: &[Split],
    ids: &dyn Fn(usize) -> String,
    hash_of: &BTreeMap<usize, String>,
) -> Vec<Caution> {
    let mut found = Found::default();
    for split in splits {
        let trained: BTreeMap<&String, usize> =
            split.train.iter().filter_map(|&video| Some((hash_of.get(&video)?, video))).collect();
        let copies: Vec<String> = split
            .test
            .iter()
            .filter_map(|&video| Some((video, *trained.get(hash_of.get(&video)?)?)))
            .map(|(test, train)| format!("{} = {}", ids(test), ids(train)))
            .collect();
        if !copies.is_empty() {
            let what = base::text::counted(copies.len(), "test video");
            found.add(
                &split.name,
                format!("{what} with the content of a training video: {}", shorten(&copies)),
            );
        }
    }
    found.list()
}

/// Texts in the order in which they were found, each with its splits.
#[derive(Default)]
struct Found(Vec<Caution>);

impl Found {
    fn add(&mut self, split: &str, text: String) {
        match self.0.iter_mut().find(|caution| caution.text == text) {
            Some(caution) => caution.splits.push(split.to_owned()),
            None => self.0.push(Caution { splits: vec![split.to_owned()], text }),
        }
    }

    fn list(self) -> Vec<Caution> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(classes: usize, videos: &[(usize, &'static str)], test: &[usize]) -> Vec<String> {
        let classes: Vec<String> = (0..classes).map(|label| format!("c{label}")).collect();
        let places: Vec<Place<'_>> = videos.iter().map(|&(label, group)| Place { label, group }).collect();
        let (test, train) = (0..videos.len()).partition(|video| test.contains(video));
        let split = |name: &str| Split { name: name.into(), train, test, ..Split::default() };
        of(&classes, &places, &[split("1")], false).iter().map(Caution::to_string).collect()
    }

    #[test]
    fn what_makes_numbers_meaningless_is_said() {
        let good = [(0, "a"), (0, "b"), (1, "c"), (1, "d")];
        assert_eq!(found(2, &good, &[1, 3]), [""; 0]);
        assert_eq!(
            found(1, &[(0, "a"), (0, "b")], &[1]),
            ["split 1: there is only one class, so every answer is right and 100 % means nothing"]
        );
        assert_eq!(
            found(2, &good, &[1]),
            ["split 1: 1 class without test videos: c1", "split 1: 1 test video for 2 classes"]
        );
        assert_eq!(
            found(2, &good, &[0, 1, 3]),
            ["split 1: 1 class without training videos, so never predicted: c0"]
        );
        let shared = [(0, "a"), (0, "b"), (1, "c"), (1, "b")];
        assert_eq!(found(2, &shared, &[1, 2]), ["split 1: 1 group with videos in training and in test: b"]);
    }

    #[test]
    fn splits_with_the_same_fault_share_a_sentence_and_copies_are_found() {
        let split = |name: &str, train: &[usize], test: &[usize]| Split {
            name: name.into(),
            train: train.to_vec(),
            test: test.to_vec(),
            ..Split::default()
        };
        let splits = [split("1", &[0, 1], &[2]), split("2", &[2], &[0, 1])];
        let hashes = BTreeMap::from([(0, "x".to_owned()), (1, "y".to_owned()), (2, "x".to_owned())]);
        let copies = of_copies(&splits, &|video| format!("v{video}"), &hashes);
        let copies: Vec<String> = copies.iter().map(Caution::to_string).collect();
        assert_eq!(
            copies,
            [
                "split 1: 1 test video with the content of a training video: v2 = v0",
                "split 2: 1 test video with the content of a training video: v0 = v2"
            ]
        );
        let places =
            [Place { label: 0, group: "a" }, Place { label: 0, group: "b" }, Place { label: 0, group: "c" }];
        let found = of(&["c".to_owned()], &places, &splits, false);
        assert_eq!(found[0].splits, ["1", "2"]);
    }
}
