//! `[split]`: the rules that divide a user's videos into training and test videos.

use crate::split::{ListedClip, Split};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// `[split]` of a user's set. Exactly one of `test-share`, `folds`, `test-groups` and `test-folders` chooses the test videos.
/// Videos of one group are never divided.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DivideSpec {
    /// Share of the videos of each class to test, above 0 and below 1. Makes one split.
    pub test_share: Option<f64>,
    /// Number of folds. Split k tests fold k and trains on the others.
    pub folds: Option<usize>,
    /// Groups to test; the others are trained on. Makes one split.
    pub test_groups: Option<Vec<String>>,
    /// Folders of the training videos, with the folders of the classes in them.
    pub train_folders: Option<Vec<String>>,
    /// Folders of the test videos, with the folders of the classes in them. Makes one split.
    pub test_folders: Option<Vec<String>>,
    /// Seed of `test-share` and `folds`.
    #[serde(default)]
    pub seed: u64,
}

/// The rule that a file chose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule<'a> {
    Share(f64),
    Folds(usize),
    Groups(&'a [String]),
    Folders { train: &'a [String], test: &'a [String] },
}

/// Largest number of folds.
const MOST_FOLDS: usize = 1000;

impl DivideSpec {
    /// The rule for a share of the videos of each class.
    pub(super) fn share(test_share: f64) -> Self {
        Self {
            test_share: Some(test_share),
            folds: None,
            test_groups: None,
            train_folders: None,
            test_folders: None,
            seed: 0,
        }
    }

    /// The rule for folders of training and test videos.
    pub(super) fn by_folders(train: &str, test: &str) -> Self {
        let (train, test) = (Some(vec![train.to_owned()]), Some(vec![test.to_owned()]));
        Self { test_share: None, train_folders: train, test_folders: test, ..Self::share(0.5) }
    }

    /// The rule that the keys state; `Err` says what is wrong with them.
    pub(super) fn rule(&self) -> Result<Rule<'_>, String> {
        let Self { test_share, folds, test_groups, train_folders, test_folders, seed: _ } = self;
        match (test_share, folds, test_groups, train_folders, test_folders) {
            (Some(share), None, None, None, None) if *share > 0.0 && *share < 1.0 => Ok(Rule::Share(*share)),
            (Some(share), None, None, None, None) => {
                Err(format!("split: test-share must be above 0 and below 1, found {share}"))
            }
            (None, Some(folds), None, None, None) if (2..=MOST_FOLDS).contains(folds) => {
                Ok(Rule::Folds(*folds))
            }
            (None, Some(folds), None, None, None) => {
                Err(format!("split: folds must be 2 to {MOST_FOLDS}, found {folds}"))
            }
            (None, None, Some(groups), None, None) if !groups.is_empty() => Ok(Rule::Groups(groups)),
            (None, None, Some(_), None, None) => {
                Err("split: test-groups is empty; name some groups".to_owned())
            }
            (None, None, None, Some(train), Some(test)) => {
                match train.iter().find(|folder| test.contains(folder)) {
                    _ if train.is_empty() || test.is_empty() => {
                        Err("split: train-folders and test-folders must each name a folder".to_owned())
                    }
                    Some(folder) => Err(format!("split: `{folder}` is both a training and a test folder")),
                    None => Ok(Rule::Folders { train, test }),
                }
            }
            _ => Err(
                "split: expected one of test-share, folds, test-groups, or train-folders with test-folders"
                    .to_owned(),
            ),
        }
    }

    /// Divides clips that are sorted by id; `Err` says why the rule does not fit them.
    pub(super) fn divide(&self, clips: &[ListedClip]) -> Result<Vec<Split>, String> {
        match self.rule()? {
            Rule::Share(share) => {
                let tested = tested_share(&units(clips, self.seed), share);
                Ok(vec![split(1, clips, |clip| tested.contains(&*clip.group))])
            }
            Rule::Folds(n) => {
                let fold_of = folds(units(clips, self.seed), n)?;
                let one = |k| split(k + 1, clips, |clip| fold_of.get(&*clip.group) == Some(&k));
                Ok((0..n).map(one).collect())
            }
            Rule::Groups(groups) => {
                let known: BTreeSet<&str> = clips.iter().map(|clip| &*clip.group).collect();
                if let Some(group) = groups.iter().find(|group| !known.contains(&***group)) {
                    let suggested = base::there_are(group, known);
                    return Err(format!(
                        "split: test-groups names `{group}`, of which there is no video{suggested}"
                    ));
                }
                let tested: BTreeSet<&str> = groups.iter().map(|group| &**group).collect();
                Ok(vec![split(1, clips, |clip| tested.contains(&*clip.group))])
            }
            Rule::Folders { test, .. } => {
                let tested = |clip: &ListedClip| {
                    clip.file.iter().next().is_some_and(|folder| test.iter().any(|test| **test == *folder))
                };
                Ok(vec![split(1, clips, tested)])
            }
        }
    }
}

fn split(number: usize, clips: &[ListedClip], tested: impl Fn(&ListedClip) -> bool) -> Split {
    let (test, train) = (0..clips.len()).partition(|&index| tested(&clips[index]));
    Split { name: number.to_string(), train, test, ..Split::default() }
}

/// Videos that stay together: a group, with the number of its videos of each class.
struct Unit<'a> {
    group: &'a str,
    classes: BTreeMap<usize, f64>,
    /// Place in an order that the seed chooses.
    place: [u8; 32],
}

impl Unit<'_> {
    fn size(&self) -> f64 {
        self.classes.values().sum()
    }
}

/// The groups in the order that the seed chooses, which depends on their names alone.
fn units(clips: &[ListedClip], seed: u64) -> Vec<Unit<'_>> {
    let mut by_group: BTreeMap<&str, BTreeMap<usize, f64>> = BTreeMap::new();
    for clip in clips {
        *by_group.entry(&clip.group).or_default().entry(clip.label).or_default() += 1.0;
    }
    let unit = |(group, classes): (_, _)| {
        let text: &str = group;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_le_bytes()).update(text.as_bytes());
        Unit { group, classes, place: *hasher.finalize().as_bytes() }
    };
    let mut units: Vec<Unit<'_>> = by_group.into_iter().map(unit).collect();
    units.sort_by_key(|unit| unit.place);
    units
}

/// Groups to test, so that of each class about this share is tested. Of a class of two groups or more, one group at least is
/// tested and one trained on, unless that would leave another class without.
fn tested_share<'a>(units: &[Unit<'a>], share: f64) -> BTreeSet<&'a str> {
    let mut sizes: BTreeMap<usize, f64> = BTreeMap::new();
    for (&label, &count) in units.iter().flat_map(|unit| &unit.classes) {
        *sizes.entry(label).or_default() += count;
    }
    let wanted: BTreeMap<usize, f64> = sizes
        .into_iter()
        .map(|(label, size)| (label, if size < 2.0 { 0.0 } else { (share * size).clamp(1.0, size - 1.0) }))
        .collect();
    let mut chosen = Chosen { wanted, taken: BTreeMap::new(), tested: BTreeSet::new() };
    for unit in units {
        // A group is tested if that brings its classes nearer to their shares.
        if chosen.cost(unit, 1.0) < 0.0 {
            chosen.change(unit, 1.0);
        }
    }
    // Large groups can leave a class without a test video, or without a training video.
    let of_classes = by_class(units);
    for (by, full) in [(-1.0, true), (1.0, false)] {
        for of_class in of_classes.values().filter(|of_class| of_class.len() > 1) {
            if !of_class.iter().all(|unit| chosen.tested.contains(unit.group) == full) {
                continue;
            }
            let cheapest = |a: &&&Unit<'_>, b: &&&Unit<'_>| chosen.cost(a, by).total_cmp(&chosen.cost(b, by));
            if let Some(unit) = of_class.iter().min_by(cheapest) {
                chosen.change(unit, by);
            }
        }
    }
    chosen.tested
}

/// The groups with videos of each class, in the order of `units`. Each group is looked at once, whatever the number of classes.
fn by_class<'u, 'a>(units: &'u [Unit<'a>]) -> BTreeMap<usize, Vec<&'u Unit<'a>>> {
    let mut of_classes: BTreeMap<usize, Vec<&Unit<'_>>> = BTreeMap::new();
    for unit in units {
        for &label in unit.classes.keys() {
            of_classes.entry(label).or_default().push(unit);
        }
    }
    of_classes
}

/// The groups chosen for the test, and the videos of each class among them.
struct Chosen<'a> {
    wanted: BTreeMap<usize, f64>,
    taken: BTreeMap<usize, f64>,
    tested: BTreeSet<&'a str>,
}

impl<'a> Chosen<'a> {
    /// By how much the classes move away from their shares if a group is added (`by` 1) or taken out (`by` -1).
    fn cost(&self, unit: &Unit<'_>, by: f64) -> f64 {
        let of_class = |(label, count): (&usize, &f64)| {
            let (have, want) = (self.taken.get(label).copied().unwrap_or(0.0), self.wanted[label]);
            (have + by * count - want).abs() - (have - want).abs()
        };
        unit.classes.iter().map(of_class).sum()
    }

    fn change(&mut self, unit: &Unit<'a>, by: f64) {
        if by > 0.0 {
            self.tested.insert(unit.group);
        } else {
            self.tested.remove(unit.group);
        }
        unit.classes.iter().for_each(|(&label, count)| *self.taken.entry(label).or_default() += by * count);
    }
}

/// The fold of each group: the largest groups first, each into the fold that has the fewest videos of its classes.
fn folds<'a>(mut units: Vec<Unit<'a>>, n: usize) -> Result<BTreeMap<&'a str, usize>, String> {
    if units.len() < n {
        return Err(format!(
            "split: {n} folds need as many groups (videos without a group count as one each), found {}",
            units.len()
        ));
    }
    units.sort_by(|a, b| b.size().total_cmp(&a.size()).then(a.place.cmp(&b.place)));
    let mut of_class: Vec<BTreeMap<usize, f64>> = vec![BTreeMap::new(); n];
    let mut sizes = vec![0.0; n];
    let mut fold_of = BTreeMap::new();
    for unit in units {
        let load = |fold: usize| -> (f64, f64) {
            let here = unit.classes.keys().map(|label| of_class[fold].get(label).copied().unwrap_or(0.0));
            (here.sum(), sizes[fold])
        };
        let better = |&a: &usize, &b: &usize| {
            let ((a, a_size), (b, b_size)) = (load(a), load(b));
            a.total_cmp(&b).then(a_size.total_cmp(&b_size))
        };
        let fold = (0..n).min_by(better).unwrap_or(0);
        sizes[fold] += unit.size();
        unit.classes.iter().for_each(|(&label, count)| *of_class[fold].entry(label).or_default() += count);
        fold_of.insert(unit.group, fold);
    }
    Ok(fold_of)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::PathBuf;

    fn clips(members: &[(usize, u8)]) -> Vec<ListedClip> {
        let clip = |(index, &(label, group)): (usize, &(usize, u8))| ListedClip {
            id: format!("{label}/{index}"),
            label,
            view: None,
            group: format!("g{group}"),
            file: PathBuf::from(format!("{label}/{index}.avi")),
            list: PathBuf::new(),
            line: 1,
        };
        members.iter().enumerate().map(clip).collect()
    }

    fn rule(folds: usize) -> DivideSpec {
        DivideSpec { test_share: None, folds: Some(folds), ..DivideSpec::share(0.5) }
    }

    proptest! {
        #[test]
        fn groups_are_never_divided_and_every_video_has_its_place(
            members in prop::collection::vec((0usize..4, 0u8..12), 12..80), seed in 0u64..5, n in 2usize..5,
        ) {
            let clips = clips(&members);
            let groups: BTreeSet<&str> = clips.iter().map(|clip| &*clip.group).collect();
            prop_assume!(groups.len() >= n);
            let shares = DivideSpec { seed, ..DivideSpec::share(0.3) }.divide(&clips).unwrap();
            let folds = DivideSpec { seed, ..rule(n) }.divide(&clips).unwrap();
            for split in shares.iter().chain(&folds) {
                let of = |part: &[usize]| part.iter().map(|&i| clips[i].group.clone()).collect::<BTreeSet<_>>();
                prop_assert!(of(&split.train).is_disjoint(&of(&split.test)));
                prop_assert_eq!(split.train.len() + split.test.len(), clips.len());
            }
            let tested: usize = folds.iter().map(|split| split.test.len()).sum();
            prop_assert_eq!(tested, clips.len());
        }

        #[test]
        fn a_share_of_single_videos_is_met_in_each_class(sizes in prop::collection::vec(2usize..40, 1..5)) {
            let mut next = 0u8;
            let mut members = Vec::new();
            for (label, size) in sizes.iter().enumerate() {
                for _ in 0..*size {
                    members.push((label, next));
                    next = next.wrapping_add(1);
                }
            }
            prop_assume!(members.len() < 256);
            let split = DivideSpec::share(0.25).divide(&clips(&members)).unwrap().remove(0);
            for (label, &size) in sizes.iter().enumerate() {
                let tested = split.test.iter().filter(|&&i| members[i].0 == label).count();
                let wanted = (0.25 * size as f64).clamp(1.0, size as f64 - 1.0);
                prop_assert!((tested as f64 - wanted).abs() <= 0.5, "{} of {}", tested, size);
            }
        }
    }

    proptest! {
        /// With hundreds of classes, a search through all groups for each class takes longer than all the rest.
        #[test]
        fn groups_of_each_class_are_found_in_one_pass(
            members in prop::collection::vec((0usize..9, 0u8..40), 1..120), seed in 0u64..5,
        ) {
            let clips = clips(&members);
            let units = units(&clips, seed);
            let found = by_class(&units);
            for label in 0..9 {
                let searched: Vec<&str> =
                    units.iter().filter(|unit| unit.classes.contains_key(&label)).map(|unit| unit.group).collect();
                let indexed: Vec<&str> = found.get(&label).into_iter().flatten().map(|unit| unit.group).collect();
                prop_assert_eq!(indexed, searched);
            }
        }
    }

    #[test]
    fn large_groups_leave_no_class_without_training_or_test() {
        for (groups, share) in [(3u8, 0.1), (2, 0.2), (2, 0.8), (4, 0.9), (2, 0.5)] {
            let members: Vec<(usize, u8)> = (0..groups)
                .flat_map(|group| (0..20).map(move |i| (usize::from(i % 2 == 0), group)))
                .collect();
            for seed in 0..20 {
                let clips = clips(&members);
                let split = DivideSpec { seed, ..DivideSpec::share(share) }.divide(&clips).unwrap().remove(0);
                assert!(
                    !split.train.is_empty() && !split.test.is_empty(),
                    "{groups} groups, {share}, {seed}"
                );
            }
        }
    }

    #[test]
    fn one_seed_gives_one_split_and_another_seed_another() {
        let clips = clips(&(0..40).map(|i| (usize::from(i % 2), i)).collect::<Vec<_>>());
        let of = |seed| DivideSpec { seed, ..DivideSpec::share(0.3) }.divide(&clips).unwrap();
        assert_eq!(of(3), of(3));
        assert_ne!(of(3), of(4));
        assert_eq!(of(3)[0].test.len(), 12);
    }

    #[test]
    fn a_rule_that_is_none_or_two_is_refused() {
        let clips = clips(&[(0, 0), (0, 1)]);
        let none = DivideSpec { test_share: None, ..DivideSpec::share(0.5) };
        let two = DivideSpec { folds: Some(3), ..DivideSpec::share(0.5) };
        for wrong in [none, two, DivideSpec::share(1.0), DivideSpec::share(f64::NAN), rule(1), rule(3)] {
            assert!(wrong.divide(&clips).is_err(), "{wrong:?}");
        }
        let unknown =
            DivideSpec { test_share: None, test_groups: Some(vec!["g7".into()]), ..DivideSpec::share(0.5) };
        assert!(unknown.divide(&clips).unwrap_err().contains("`g7`"));
    }
}
