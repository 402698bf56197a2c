//! Finding videos below the data root: names, counts, and links that must not be followed.

use crate::common::{GRID, dataset_file, put};
use data::DataError;
use data::dataset::{Dataset, SourceHashes, VideoSource};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const CLIPS: [&str; 4] = ["run/ann_run.avi", "run/bob_run.avi", "walk/ann_walk.avi", "walk/bob_walk.avi"];

/// A data-set file and a root with the given files, each with its own name as content.
fn laid_out(files: &[&str]) -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (spec, root) = (folder.path().join("mine.toml"), folder.path().join("root"));
    put(&spec, GRID);
    for file in files {
        put(&root.join(file), file);
    }
    (folder, spec, root)
}

#[test]
fn a_complete_folder_opens_in_the_order_of_ids() {
    let (_folder, spec, root) = laid_out(&CLIPS);
    let set = Dataset::open(&spec, Some(&root), None).unwrap();
    let ids: Vec<_> = set.videos.iter().map(|v| (v.id.as_str(), v.label)).collect();
    assert_eq!(ids, [("run/ann_run", 0), ("run/bob_run", 0), ("walk/ann_walk", 1), ("walk/bob_walk", 1)]);
    assert_eq!((set.splits[0].train.as_slice(), set.splits[0].test.as_slice()), (&[0, 2][..], &[1, 3][..]));
    assert!(set.surplus.is_empty());
}

#[test]
fn missing_and_surplus_videos_are_named() {
    let (_folder, spec, root) = laid_out(&CLIPS[1..]);
    put(&root.join("walk/eve_walk.avi"), "");
    put(&root.join("walk/notes.txt"), "not a video");
    let error = Dataset::open(&spec, Some(&root), None).unwrap_err();
    let DataError::Layout { missing, surplus, .. } = &error else { panic!("{error}") };
    assert_eq!(
        (missing.as_slice(), surplus.as_slice()),
        (&["run/ann_run.avi".to_owned()][..], &["walk/eve_walk.avi".to_owned()][..])
    );
    let text = error.to_string();
    assert!(text.contains("expected 4 videos, found 3; missing: run/ann_run.avi"), "{text}");
    assert!(text.contains("not of this data set: walk/eve_walk.avi"), "{text}");
}

#[test]
fn surplus_videos_alone_are_reported_and_left_alone() {
    let (_folder, spec, root) = laid_out(&CLIPS);
    put(&root.join("jump/ann_jump.avi"), "");
    let set = Dataset::open(&spec, Some(&root), None).unwrap();
    assert_eq!((set.videos.len(), set.surplus.as_slice()), (4, &["jump/ann_jump.avi".to_owned()][..]));
}

#[test]
fn a_missing_root_says_what_is_expected_there() {
    for root in [None, Some(Path::new("/nonexistent/videos"))] {
        let error = Dataset::open(&dataset_file("ucf101.toml"), root, None).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, DataError::MissingRoot { .. }), "{text}");
        assert!(
            text.contains("13320 videos as CLASS/FILE, such as ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi"),
            "{text}"
        );
        assert!(text.contains("--data-root DIR"), "{text}");
    }
}

#[test]
fn an_empty_root_names_the_first_of_many_missing_videos() {
    let root = tempfile::tempdir().unwrap();
    let error = Dataset::open(&dataset_file("hmdb51.toml"), Some(root.path()), None).unwrap_err();
    let DataError::Layout { missing, .. } = &error else { panic!("{error}") };
    assert_eq!(missing.len(), 6766);
    assert!(error.to_string().contains("and 6761 more"), "{error}");
}

#[test]
fn either_spelling_of_handstand_pushups_is_found() {
    for (folder, file) in [
        ("HandstandPushups", "v_HandStandPushups_g01_c01.avi"),
        ("HandstandPushups", "v_HandstandPushups_g01_c01.avi"),
        ("HandStandPushups", "v_HandstandPushups_g01_c01.avi"),
    ] {
        let base = tempfile::tempdir().unwrap();
        let lists = base.path().join("lists");
        put(&lists.join("classInd.txt"), "1 HandstandPushups\r\n");
        put(&lists.join("trainlist01.txt"), "HandstandPushups/v_HandStandPushups_g02_c01.avi 1\r\n");
        put(&lists.join("testlist01.txt"), "HandstandPushups/v_HandStandPushups_g01_c01.avi\r\n");
        let spec = base.path().join("mini.toml");
        let text = "kind = \"split-files\"\ntitle = \"t\"\nlayout = \"ucf101\"\nlists = \"lists\"\nclasses = 1\nclips = 2\n\
            extensions = [\"avi\"]\n[[split]]\nname = \"1\"\ntrain = 1\ntest = 1\n";
        put(&spec, text);
        let root = base.path().join("root");
        put(&root.join(folder).join(file), "x");
        put(&root.join(folder).join(file.replace("g01", "g02")), "y");
        let set = Dataset::open(&spec, Some(&root), None).unwrap();
        assert_eq!(set.videos[0].id, "HandstandPushups/v_HandStandPushups_g01_c01");
        let VideoSource::File(path) = &set.videos[0].source else { panic!() };
        assert_eq!(path, &root.canonicalize().unwrap().join(folder).join(file));
    }
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_broken_ones_named() {
    let (folder, spec, root) = laid_out(&CLIPS[1..]);
    let elsewhere = folder.path().join("elsewhere");
    put(&elsewhere.join("clip.avi"), "x");
    let link = root.join("run/ann_run.avi");
    std::os::unix::fs::symlink(elsewhere.join("clip.avi"), &link).unwrap();
    let set = Dataset::open(&spec, Some(&root), None).unwrap();
    let target = VideoSource::File(elsewhere.join("clip.avi").canonicalize().unwrap());
    assert!(set.videos.iter().any(|video| video.source == target));

    fs::remove_file(elsewhere.join("clip.avi")).unwrap();
    let error = Dataset::open(&spec, Some(&root), None).unwrap_err();
    assert!(matches!(&error, DataError::Split { .. }), "{error}");
    assert!(error.to_string().contains("cannot follow"), "{error}");
}

#[test]
fn the_fingerprint_follows_content_and_lists_but_not_the_place() {
    let print = |root: &Path, spec: &Path| {
        let set = Dataset::open(spec, Some(root), None).unwrap();
        set.fingerprint(0, &SourceHashes::open(root)).unwrap()
    };
    let (_first, spec, root) = laid_out(&CLIPS);
    let (_second, spec2, root2) = laid_out(&CLIPS);
    let before = print(&root, &spec);
    assert_eq!(before, print(&root2, &spec2));
    put(&root2.join(CLIPS[3]), "another content");
    assert_ne!(before, print(&root2, &spec2));
    put(&spec, GRID.replace("test = [\"bob\"]", "test = [\"ann\"]"));
    assert_ne!(before, print(&root, &spec));
}

#[test]
fn a_generated_set_has_another_fingerprint_for_another_seed() {
    let print = |seed| {
        let set = Dataset::open(&dataset_file("synth.toml"), None, seed).unwrap();
        let hashes = SourceHashes::open(Path::new("unused"));
        let prints = [0, 1].map(|split| set.fingerprint(split, &hashes).unwrap());
        assert_eq!(set.fingerprints(&hashes).unwrap().0[..2], prints, "all at once as one by one");
        let [first, second] = prints;
        (first, second)
    };
    let (a, b) = (print(None), print(Some(0)));
    assert_eq!(a, b);
    assert_ne!(a.0, a.1);
    assert_ne!(a, print(Some(1)));
}
