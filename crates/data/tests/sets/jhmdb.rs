//! JHMDB: its lists, the frames of real clips, and AVI files whose headers declare too many frames.

use crate::common::{dataset_file, decoder, put};
use data::dataset::{Dataset, DatasetSpec, VideoSource};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::AtomicBool;
use testkit::clip::draw;
use testkit::real_data;

/// A folder with an empty file for each listed clip, under the ending `ending`, with `#` where the lists have `@`.
fn folder(file: &str, ending: &str) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let list = if file == "jhmdb.toml" { "jhmdb/split1.txt" } else { "jhmdb-folds/folds.txt" };
    let text = std::fs::read_to_string(dataset_file(list)).unwrap();
    for line in text.lines() {
        let name = line.rsplit_once(' ').unwrap().0.replace('@', "#");
        put(&root.path().join(format!("{name}.{ending}")), name);
    }
    root
}

#[test]
fn every_clip_is_tested_once_and_no_film_is_in_two_folds() {
    let root = folder("jhmdb-folds.toml", "avi");
    let set = Dataset::open(&dataset_file("jhmdb-folds.toml"), Some(root.path()), None).unwrap();
    let sizes: Vec<_> = set.splits.iter().map(|split| (split.train.len(), split.test.len())).collect();
    assert_eq!(sizes, [(617, 311), (619, 309), (620, 308)]);
    let blocks = |part: &[usize]| -> BTreeSet<String> {
        part.iter().map(|&index| set.block(&set.videos[index])).collect()
    };
    for split in &set.splits {
        assert!(blocks(&split.train).is_disjoint(&blocks(&split.test)), "split {}", split.name);
    }
    let all: Vec<usize> = (0..set.videos.len()).collect();
    assert_eq!((set.videos.len(), blocks(&all).len()), (928, 336));
    assert_eq!(set.cautions, [], "a film in training and in test");
}

#[test]
fn the_first_split_is_that_of_hmdb51() {
    let root = folder("jhmdb.toml", "mp4");
    let set = Dataset::open(&dataset_file("jhmdb.toml"), Some(root.path()), None).unwrap();
    assert_eq!((set.splits[0].train.len(), set.splits[0].test.len()), (664, 257));
    let hmdb51 = Dataset::describe(&DatasetSpec::load(&dataset_file("hmdb51.toml")).unwrap()).unwrap();
    assert!(set.classes.iter().all(|class| hmdb51.classes.contains(class)), "{:?}", set.classes);
}

/// The official lists come with the download; docs/data.md has a file for them, whose sizes are partly unknown.
#[test]
fn sizes_that_are_not_stated_may_be_any() {
    let text = std::fs::read_to_string(dataset_file("hmdb51.toml")).unwrap();
    let described = |text: &str| {
        let spec = DatasetSpec::parse(&dataset_file("mine.toml"), text).unwrap();
        Dataset::describe(&spec).map(|set| set.splits.len()).map_err(|error| error.to_string())
    };
    let unstated = text.replacen("train = 3570\ntest = 1530\n", "", 2);
    assert_ne!(unstated, text);
    assert_eq!(described(&unstated), Ok(3));
    let message = described(&unstated.replace("test = 1530", "test = 1531")).unwrap_err();
    assert!(message.contains("split 1: any + any") && message.contains("split 3: 3570 + 1531"), "{message}");
}

fn frames(path: &Path) -> Vec<u64> {
    let mut sums = Vec::new();
    let decoded = decoder().decode(path, &AtomicBool::new(false), |frame| {
        sums.push(frame.data.iter().map(|&value| u64::from(value)).sum());
        Ok(())
    });
    decoded.unwrap().strict(path).unwrap();
    sums
}

/// One clip of each class. All 928 together have 31,838 frames, as decoded here and as ffprobe counts them.
#[test]
fn clips_have_the_frames_that_ffprobe_counts() {
    let Some(real) = real_data("jhmdb", "frames of the JHMDB clips") else { return };
    let set = Dataset::open(&dataset_file("jhmdb-folds.toml"), Some(&real), None).unwrap();
    for label in 0..set.classes.len() {
        let video = set.videos.iter().find(|video| video.label == label).unwrap();
        let VideoSource::File(path) = &video.source else { panic!("{video:?}") };
        let count = ["-v", "error", "-count_frames", "-select_streams", "v:0"];
        let show = ["-show_entries", "stream=nb_read_frames", "-of", "csv=p=0"];
        let probed = Command::new("ffprobe").args(count).args(show).arg(path).output().unwrap();
        let probed = String::from_utf8(probed.stdout).unwrap();
        assert_eq!(frames(path).len(), probed.trim().parse::<usize>().unwrap(), "{}", video.id);
    }
}

/// The published files are MPEG-4 in AVI; their headers declare 48 frames for 40.
#[test]
fn headers_that_declare_too_many_frames_repeat_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.avi");
    draw(&path, &[("testsrc2", 40)], (320, 240), &["-c:v", "mpeg4", "-vtag", "FMP4"]);
    let honest = frames(&path);
    assert_eq!(honest.len(), 40);
    let mut bytes = std::fs::read(&path).unwrap();
    // The number of frames in the header of the file, and the length of the stream.
    for (mark, offset) in [(b"avih", 8 + 16), (b"strh", 8 + 32)] {
        let at = bytes.windows(4).position(|four| four == mark).unwrap() + offset;
        assert_eq!(bytes[at..at + 4], 40_u32.to_le_bytes());
        bytes[at..at + 4].copy_from_slice(&48_u32.to_le_bytes());
    }
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(frames(&path), honest);
}
