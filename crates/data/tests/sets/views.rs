//! Sets of events that several cameras saw: generated, and in a user's folders.

use crate::common::{avi, dataset_file, put};
use data::DataError;
use data::codec::Codec;
use data::dataset::{Dataset, SourceHashes};
use data::prepare::{PrepareConfig, Silent, prepare};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use tempfile::TempDir;

const SPEC: &str = r#"
kind = "view-folders"
title = "Mine"
views = ["cam0", "cam1", "cam2"]
classes = ["kick", "wave"]
events = "mine/events.txt"
test = ["bob"]
extensions = ["avi"]
"#;

const EVENTS: &str = "kick/ann-1 ann\nkick/bob-1 bob\r\n\n  wave/ann-1\tann  \nwave/bob 1 bob\n";

/// The set's file, its list, and a root with a file for each view of each event.
fn laid_out(spec: &str, events: &str) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (file, root) = (folder.path().join("mine.toml"), folder.path().join("root"));
    put(&file, spec);
    put(&folder.path().join("mine/events.txt"), events);
    for view in ["cam0", "cam1", "cam2"] {
        for event in ["kick/ann-1", "kick/bob-1", "wave/ann-1", "wave/bob 1"] {
            put(&root.join(format!("{view}/{event}.avi")), format!("{view} of {event}"));
        }
    }
    (folder, file, root)
}

#[test]
fn a_split_holds_out_a_view_and_has_the_others_of_its_test_events() {
    let set = Dataset::open(&dataset_file("synth-views.toml"), None, Some(4)).unwrap();
    assert_eq!((set.views.len(), set.splits.len(), set.videos.len()), (5, 5, 3000));
    for (held_out, split) in set.splits.iter().enumerate() {
        assert_eq!((split.train.len(), split.test.len(), split.seen.len()), (1440, 240, 960));
        let of = |part: &[usize]| {
            let views: Vec<_> = part.iter().map(|&i| set.videos[i].view.clone().unwrap()).collect();
            let events: BTreeSet<String> = views.iter().map(|view| view.event.clone()).collect();
            (views.iter().map(|view| view.number).collect::<BTreeSet<_>>(), events)
        };
        let ((train, learnt), (test, tested), (seen, same)) =
            (of(&split.train), of(&split.test), of(&split.seen));
        let others: BTreeSet<usize> = (0..5).filter(|&view| view != held_out).collect();
        assert_eq!((&train, &seen), (&others, &others));
        assert_eq!(test, BTreeSet::from([held_out]));
        assert_eq!(tested, same);
        assert!(learnt.is_disjoint(&tested));
    }
    // Each actor is either trained or tested on, and folds never divide one.
    let groups = |part: &[usize]| part.iter().map(|&i| &set.videos[i].group).collect::<BTreeSet<_>>();
    let split = &set.splits[0];
    assert_eq!((groups(&split.train).len(), groups(&split.test).len()), (18, 12));
    assert!(groups(&split.train).is_disjoint(&groups(&split.test)));
}

#[test]
fn a_users_folders_become_views_of_events() {
    let (_folder, file, root) = laid_out(SPEC, EVENTS);
    put(&root.join("cam1/kick/notes.txt"), "no video");
    put(&root.join("cam3/kick/ann-1.avi"), "of a view that is not listed");
    let set = Dataset::open(&file, Some(&root), None).unwrap();
    assert_eq!((set.views.len(), set.videos.len()), (3, 12));
    let view = |id: &str| {
        let index = set.videos.iter().position(|video| video.id == id).unwrap();
        let view = set.videos[index].view.clone().unwrap();
        (index, set.videos[index].label, view.event, view.number, set.videos[index].group.clone())
    };
    let (index, label, event, number, group) = view("cam1/wave/bob 1");
    assert_eq!((label, event.as_str(), number, group.as_str()), (1, "wave/bob 1", 1, "bob"));
    assert_eq!((set.splits[1].name.as_str(), set.splits[1].test.len()), ("2", 2));
    assert!(set.splits[1].test.contains(&index) && set.splits[0].seen.contains(&index));
    // The fingerprint depends on the seen views too.
    let print = || {
        let hashes = SourceHashes::open(&root.join("hashes"));
        Dataset::open(&file, Some(&root), None).unwrap().fingerprint(0, &hashes).unwrap()
    };
    let before = print();
    put(&root.join("cam2/wave/bob 1.avi"), "another take");
    assert_ne!(print(), before);
}

#[test]
fn any_of_the_endings_will_do() {
    let spec = SPEC.replace("[\"avi\"]", "[\"avi\", \"mp4\"]");
    let (_folder, file, root) = laid_out(&spec, EVENTS);
    std::fs::rename(root.join("cam2/kick/bob-1.avi"), root.join("cam2/kick/bob-1.mp4")).unwrap();
    std::fs::rename(root.join("cam0/kick/bob-1.avi"), root.join("cam0/kick/bob-1.AVI")).unwrap();
    let set = Dataset::open(&file, Some(&root), None).unwrap();
    assert_eq!((set.videos.len(), set.surplus.len()), (12, 0));
}

#[test]
fn missing_views_are_named() {
    let (_folder, file, root) = laid_out(SPEC, EVENTS);
    std::fs::remove_file(root.join("cam2/kick/bob-1.avi")).unwrap();
    put(&root.join("cam2/kick/bob-2.avi"), "");
    let error = Dataset::open(&file, Some(&root), None).unwrap_err();
    let DataError::Layout { missing, surplus, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (missing.join(" "), surplus.join(" ")),
        ("cam2/kick/bob-1.avi".into(), "cam2/kick/bob-2.avi".into())
    );
    let text = error.to_string();
    assert!(text.contains("the layout is VIEW/CLASS/FILE"), "{text}");
    assert!(text.contains("split 1 lacks 0 of 4 training and 1 of 6 test videos"), "{text}");
    assert!(
        Dataset::open(&file, None, None).unwrap_err().to_string().contains("12 videos as VIEW/CLASS/FILE")
    );
}

#[test]
fn wrong_lists_and_files_are_refused_with_their_place() {
    for (from, to, says) in [
        ("wave/ann-1\tann", "wave/ann-1", "events.txt:4: expected `CLASS/EVENT GROUP`"),
        ("wave/ann-1", "jump/ann-1", "events.txt:4: expected CLASS/EVENT with one of the classes kick, wave"),
        ("wave/ann-1", "kick/ann-1", "events.txt:4: `kick/ann-1` is listed twice"),
        ("wave/ann-1", "wave/a/1", "events.txt:4: expected one folder and a name"),
        ("bob\r\n", "eve\n", ""),
    ] {
        let (_folder, file, root) = laid_out(SPEC, &EVENTS.replacen(from, to, 1));
        let found = Dataset::open(&file, Some(&root), None).map(drop).map_err(|error| error.to_string());
        match (says, found) {
            ("", found) => found.unwrap(),
            (says, Err(error)) => assert!(error.contains(says), "{error}"),
            (says, Ok(())) => panic!("not refused: {says}"),
        }
    }
    for (from, to, says) in [
        ("[\"bob\"]", "[\"eve\"]", "group `eve`, but no event of it is listed"),
        ("[\"bob\"]", "[\"ann\", \"bob\"]", "every event is tested"),
        ("[\"bob\"]", "[]", "test is empty"),
        ("\"cam0\", \"cam1\", \"cam2\"", "\"cam0\"", "two or more, since one is held out"),
        ("\"cam0\"", "\"../cam0\"", "plain names, found `../cam0`"),
        ("mine/events.txt", "../events.txt", "beside this file, found `../events.txt`"),
        ("mine/events.txt", "/etc/passwd", "beside this file, found `/etc/passwd`"),
        ("events =", "event =", "did you mean `events`?"),
    ] {
        let (_folder, file, root) = laid_out(&SPEC.replacen(from, to, 1), EVENTS);
        let error = Dataset::open(&file, Some(&root), None).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn videos_are_prepared_from_view_folders() {
    let folder = tempfile::tempdir().unwrap();
    let (file, root) = (folder.path().join("mine.toml"), folder.path().join("root"));
    put(&file, SPEC.replace("\"cam0\", \"cam1\", \"cam2\"", "\"cam0\", \"cam1\""));
    put(&folder.path().join("mine/events.txt"), "kick/ann-1 ann\nwave/bob-1 bob\n");
    for (event, frames) in [("kick/ann-1", 12), ("wave/bob-1", 15)] {
        for (view, source) in [("cam0", "testsrc2"), ("cam1", "mandelbrot")] {
            put(&root.join(format!("{view}/{event}.avi")), avi(&[(source, frames)]));
        }
    }
    let set = Dataset::open(&file, Some(&root), None).unwrap();
    let config = PrepareConfig {
        short_side: 48,
        frame_codec: Codec::Raw8,
        flow_codec: Codec::Raw8,
        flow_bound: None,
        flow: None,
        backward: false,
        accept_messages: false,
        batched: None,
        verify: true,
        ffmpeg: Path::new("ffmpeg").into(),
    };
    let cache = folder.path().join("cache");
    let prepared = prepare(&set, &config, &[0, 1, 2, 3], &cache, &Silent, &AtomicBool::new(false)).unwrap();
    let frames: Vec<usize> = prepared.videos.iter().map(|video| video.frames).collect();
    assert_eq!(frames, [12, 15, 12, 15]);
}
