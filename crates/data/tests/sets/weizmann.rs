//! The whole Weizmann set: counts, cuts and splits.

use crate::common::{dataset_file, decoder, put};
use data::cuts::{ChangeMeter, find_cuts};
use data::dataset::{Dataset, VideoSource};
use rayon::prelude::*;
use std::sync::atomic::AtomicBool;
use testkit::real_data;

const ACTORS: [&str; 9] = ["daria", "denis", "eli", "ido", "ira", "lena", "lyova", "moshe", "shahar"];

const FRAMES: [(&str, [usize; 9]); 10] = [
    ("bend", [84, 85, 63, 65, 93, 64, 63, 61, 61]),
    ("jack", [89, 55, 51, 54, 70, 146, 56, 105, 103]),
    ("jump", [67, 67, 45, 43, 72, 47, 40, 39, 38]),
    ("pjump", [62, 54, 42, 48, 127, 49, 55, 45, 56]),
    ("run", [42, 41, 76, 36, 56, 52, 36, 64, 67]),
    ("side", [53, 52, 48, 39, 64, 60, 39, 46, 43]),
    ("skip", [57, 48, 60, 38, 39, 92, 37, 77, 68]),
    ("walk", [84, 68, 101, 43, 88, 119, 50, 111, 120]),
    ("wave1", [82, 60, 125, 55, 103, 53, 54, 60, 61]),
    ("wave2", [81, 51, 54, 67, 114, 79, 57, 62, 59]),
];

/// The last frame before each joint of two takes.
const CUTS: [(&str, usize); 11] = [
    ("run/eli_run", 48),
    ("run/lena_run", 27),
    ("run/moshe_run", 40),
    ("run/shahar_run", 44),
    ("skip/lena_skip", 55),
    ("skip/moshe_skip", 53),
    ("skip/shahar_skip", 44),
    ("walk/eli_walk", 71),
    ("walk/lena_walk", 72),
    ("walk/moshe_walk", 77),
    ("walk/shahar_walk", 82),
];

#[test]
fn all_clips_have_their_frames_and_exactly_the_known_cuts() {
    let Some(real) = real_data("weizmann", "frames and cuts of the Weizmann clips") else { return };
    let decoder = decoder();
    let set = Dataset::open(&dataset_file("weizmann.toml"), Some(&real), None).unwrap();
    let config = set.cuts.unwrap();
    let found: Vec<(usize, Vec<usize>)> = set
        .videos
        .par_iter()
        .map(|video| {
            let VideoSource::File(path) = &video.source else { panic!() };
            let mut meter = ChangeMeter::default();
            let decoded = decoder.decode(path, &AtomicBool::new(false), |frame| {
                meter.push(frame);
                Ok(())
            });
            let decoded = decoded.unwrap().strict(path).unwrap();
            assert_eq!((decoded.width, decoded.height), (180, 144));
            (decoded.frames, find_cuts(meter.changes(), &config))
        })
        .collect();
    let mut cuts = Vec::new();
    for (video, (frames, at)) in set.videos.iter().zip(&found) {
        let (class, counts) = FRAMES[video.label];
        let actor = ACTORS.iter().position(|actor| video.id == format!("{class}/{actor}_{class}")).unwrap();
        assert_eq!(*frames, counts[actor], "{}", video.id);
        cuts.extend(at.iter().map(|&at| (video.id.as_str(), at)));
    }
    assert_eq!(cuts, CUTS);
}

#[test]
fn no_actor_is_trained_and_tested_in_one_split() {
    // The list of clips is enough for that.
    let root = tempfile::tempdir().unwrap();
    for (class, _) in FRAMES {
        for actor in ACTORS {
            put(&root.path().join(format!("{class}/{actor}_{class}.avi")), actor);
        }
    }
    for (file, test_actors) in [("weizmann.toml", 3), ("weizmann-loao.toml", 1)] {
        let set = Dataset::open(&dataset_file(file), Some(root.path()), None).unwrap();
        let mut tested = vec![0; set.videos.len()];
        for split in &set.splits {
            let actors = |part: &[usize]| {
                let mut actors: Vec<&str> = part
                    .iter()
                    .map(|&i| set.videos[i].id.rsplit_once('/').unwrap().1.rsplit_once('_').unwrap().0)
                    .collect();
                actors.sort_unstable();
                actors.dedup();
                actors
            };
            let (train, test) = (actors(&split.train), actors(&split.test));
            assert_eq!((test.len(), train.len()), (test_actors, 9 - test_actors));
            assert!(test.iter().all(|actor| !train.contains(actor)));
            split.test.iter().for_each(|&i| tested[i] += 1);
        }
        assert!(tested.iter().all(|&times| times == 1), "{file}");
    }
}
