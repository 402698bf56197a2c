//! UT-Interaction's layout: `INDEX_SEQUENCE_CLASS.avi`, all in one folder.

use crate::common::{dataset_file, put};
use data::dataset::{Dataset, VideoSource};

/// A made-up folder: the index runs on over the sequences, as in the set.
fn folder(sequences: std::ops::RangeInclusive<usize>) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (place, sequence) in sequences.enumerate() {
        for class in 0..6 {
            let index = 6 * place + (class + sequence) % 6;
            put(&root.path().join(format!("{index}_{sequence}_{class}.avi")), format!("{sequence} {class}"));
        }
    }
    root
}

#[test]
fn each_split_leaves_one_sequence_out() {
    for (file, sequences) in [("ut-interaction-1.toml", 1..=10), ("ut-interaction-2.toml", 11..=20)] {
        let root = folder(sequences.clone());
        let set = Dataset::open(&dataset_file(file), Some(root.path()), None).unwrap();
        assert_eq!((set.videos.len(), set.classes.len(), set.splits.len()), (60, 6, 10));
        for (split, sequence) in set.splits.iter().zip(sequences) {
            assert_eq!((split.train.len(), split.test.len()), (54, 6));
            assert!(split.test.iter().all(|&index| set.videos[index].group == sequence.to_string()));
        }
        for video in &set.videos {
            let VideoSource::File(path) = &video.source else { panic!("{video:?}") };
            let content = std::fs::read_to_string(path).unwrap();
            assert_eq!(content, format!("{} {}", video.group, video.label), "{}", video.id);
            assert_eq!(video.id, format!("{}/{}", set.classes[video.label], video.group));
        }
    }
}

#[test]
fn a_clip_that_is_missing_or_there_twice_is_named() {
    let root = folder(1..=10);
    let hug = std::fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().path());
    let hug = hug.into_iter().find(|path| path.to_string_lossy().ends_with("_10_1.avi")).unwrap();
    let refused = || {
        Dataset::open(&dataset_file("ut-interaction-1.toml"), Some(root.path()), None)
            .unwrap_err()
            .to_string()
    };
    put(&root.path().join("777_10_1.avi"), "again");
    assert!(refused().contains("777_10_1.avi; leave one"), "{}", refused());
    std::fs::remove_file(root.path().join("777_10_1.avi")).unwrap();
    std::fs::remove_file(&hug).unwrap();
    let error = refused();
    assert!(error.contains("expected 60 videos, found 59") && error.contains("{number}_10_1"), "{error}");
    assert!(error.contains("all files in one folder"), "{error}");
}
