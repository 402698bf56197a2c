//! Division of a training part into folds for cross-validation.

use crate::dataset::Video;
use crate::error::DataError;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// Assigns a fold, 0 to `n - 1`, to each of `indices` (into `videos`) and returns the folds in their order.
///
/// Videos of one class and one [`Video::group`] share a fold: clips of one film or one scene look so alike that a fold
/// would otherwise be tested on what the others were trained on. Within a class the folds differ by at most the size
/// of its largest group; a class with fewer groups than folds is missing from some. The result depends only on classes,
/// groups and their sizes, not on the order of `indices` or on anything random.
///
/// # Errors
/// [`DataError::Invalid`] if `n` is 0 or an index is not below the number of videos.
pub fn folds(videos: &[Video], indices: &[usize], n: usize) -> Result<Vec<usize>, DataError> {
    let invalid = |what: &str, expected: String, found: usize| DataError::invalid(what, expected, found);
    if n == 0 {
        return Err(invalid("number of folds", "at least 1".to_owned(), n));
    }
    let mut classes: BTreeMap<usize, BTreeMap<&str, usize>> = BTreeMap::new();
    for &index in indices {
        let video = videos
            .get(index)
            .ok_or_else(|| invalid("index of a video to divide", format!("below {}", videos.len()), index))?;
        *classes.entry(video.label).or_default().entry(&video.group).or_default() += 1;
    }
    let mut fold_of: BTreeMap<(usize, &str), usize> = BTreeMap::new();
    // Videos of all classes in each fold, so that the imbalances of the classes do not add up.
    let mut sizes = vec![0; n];
    for (label, groups) in classes {
        // The largest first, each into the fold that has the fewest of its class.
        let mut groups: Vec<(&str, usize)> = groups.into_iter().collect();
        groups.sort_by_key(|&(group, count)| (Reverse(count), group));
        let mut here = vec![0; n];
        for (group, count) in groups {
            let fold = (0..n).min_by_key(|&fold| (here[fold], sizes[fold], fold)).unwrap_or(0);
            here[fold] += count;
            sizes[fold] += count;
            fold_of.insert((label, group), fold);
        }
    }
    Ok(indices.iter().map(|&index| fold_of[&(videos[index].label, videos[index].group.as_str())]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::VideoSource;
    use proptest::prelude::*;

    /// Videos by class and group.
    fn videos(members: &[(usize, u8)]) -> Vec<Video> {
        let video = |(index, &(label, group)): (usize, &(usize, u8))| Video {
            id: format!("v{index}"),
            label,
            group: format!("g{group:02}"),
            view: None,
            source: VideoSource::Generated { draw: 0, index },
        };
        members.iter().enumerate().map(video).collect()
    }

    proptest! {
        #[test]
        fn groups_stay_together_and_classes_are_balanced(
            members in prop::collection::vec((0usize..4, 0u8..9), 0..120),
            n in 1usize..7,
        ) {
            let videos = videos(&members);
            let all: Vec<usize> = (0..videos.len()).collect();
            let folds = folds(&videos, &all, n).unwrap();
            prop_assert!(folds.iter().all(|&fold| fold < n));
            let mut fold_of = BTreeMap::new();
            let mut counts = BTreeMap::new();
            let mut group_sizes: BTreeMap<(usize, u8), usize> = BTreeMap::new();
            for (&member, &fold) in members.iter().zip(&folds) {
                prop_assert_eq!(*fold_of.entry(member).or_insert(fold), fold);
                *counts.entry((member.0, fold)).or_insert(0usize) += 1;
                *group_sizes.entry(member).or_default() += 1;
            }
            for label in 0..4 {
                let here: Vec<usize> =
                    (0..n).map(|fold| counts.get(&(label, fold)).copied().unwrap_or(0)).collect();
                let largest =
                    group_sizes.iter().filter(|((l, _), _)| *l == label).map(|(_, &size)| size).max();
                let spread = here.iter().max().unwrap() - here.iter().min().unwrap();
                prop_assert!(spread <= largest.unwrap_or(0), "class {} has {:?}", label, here);
            }
        }

        #[test]
        fn order_makes_no_difference(
            members in prop::collection::vec((0usize..3, 0u8..9), 1..60),
            n in 1usize..5,
            order in any::<prop::sample::Index>(),
        ) {
            let videos = videos(&members);
            let all: Vec<usize> = (0..videos.len()).collect();
            let mut other = all.clone();
            other.rotate_left(order.index(all.len()));
            other.reverse();
            let (first, second) = (folds(&videos, &all, n).unwrap(), folds(&videos, &other, n).unwrap());
            for (index, fold) in other.iter().zip(second) {
                prop_assert_eq!(first[*index], fold);
            }
        }
    }

    #[test]
    fn videos_of_their_own_are_dealt_out_evenly() {
        let videos = videos(&(0..70).map(|i| (i % 2, i as u8)).collect::<Vec<_>>());
        let folds = folds(&videos, &(0..70).collect::<Vec<_>>(), 5).unwrap();
        for fold in 0..5 {
            assert_eq!(folds.iter().filter(|&&f| f == fold).count(), 14);
        }
    }

    #[test]
    fn no_folds_and_unknown_videos_are_refused() {
        let videos = videos(&[(0, 0)]);
        assert!(folds(&videos, &[0], 0).unwrap_err().to_string().contains("at least 1"));
        assert!(folds(&videos, &[0, 7], 2).unwrap_err().to_string().contains("below 1"));
        assert_eq!(folds(&videos, &[], 3).unwrap(), [0usize; 0]);
    }
}
