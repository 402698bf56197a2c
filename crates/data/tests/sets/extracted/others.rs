//! Layouts of other extractors: two trees as of ST-ResNet's authors, other names and endings, links, frames alone.

use super::*;
use testkit::clip;

/// Writes frames 1 and later of the clip as frame `frame000001.jpg`, and their flow into trees of its own.
fn in_trees(made: &Made, frames: &Path, [u, v]: [&Path; 2]) {
    for (k, frame) in made.jpegs[1..].iter().enumerate() {
        put(&frames.join(format!("frame{:06}.jpg", k + 1)), frame);
    }
    // Pair K leads out of frame K; there is none for the last.
    for (k, [x, y]) in made.flow[1..].iter().enumerate() {
        put(&u.join(format!("frame{:06}.jpg", k + 1)), x);
        put(&v.join(format!("frame{:06}.jpg", k + 1)), y);
    }
}

/// Checks that two videos show the same frames and fields.
fn same(one: &PreparedVideo, two: &PreparedVideo) {
    assert_eq!((one.frames, one.size()), (two.frames, two.size()));
    for t in 0..one.fields() {
        assert_eq!(one.frame(t).unwrap().rgb, two.frame(t).unwrap().rgb, "frame {t}");
        let [a, b] = [one, two].map(|video| video.field(Direction::Forward, t).unwrap());
        assert_eq!((&a.u, &a.v), (&b.u, &b.v), "field {t}");
    }
}

#[test]
fn the_trees_of_the_authors_of_st_resnet_give_the_same_video_as_one_folder() {
    let (made, one, trees) = (made(), Place::new(&["a", "b"]), Place::new(&["a", "b"]));
    for name in ["a_Run", "b_Run"] {
        made.write(&one.root().join("Run").join(name), &Style::default());
    }
    let root = trees.root();
    let flow = |video: &str| ["u", "v"].map(|component| root.join("tvl1_flow").join(component).join(video));
    let [u, v] = flow("a_Run");
    in_trees(made, &root.join("jpegs_256/a_Run"), [&u, &v]);
    // Another spelling of the same video in the trees of flow.
    let [u, v] = flow("B_run");
    in_trees(made, &root.join("jpegs_256/b_Run"), [&u, &v]);
    let config = as_is(Codec::Raw8);
    let expected = one.prepare(bound(BOUND), &config).unwrap();
    let found = trees.prepare(bound(BOUND), &config).unwrap();
    assert_eq!(found.iter().map(|video| video.judged).collect::<Vec<_>>(), [Some(true); 2]);
    for video in &found {
        same(&expected[0], video);
    }
    let set = trees.open(Some(bound(BOUND)), false).unwrap();
    assert!(set.surplus.is_empty(), "the trees of flow are no videos: {:?}", set.surplus);
    let error = trees.open(None, false).unwrap_err().to_string();
    assert!(error.contains("jpegs_256/a_Run") && error.contains("--extracted-bound"), "{error}");
}

#[cfg(unix)]
#[test]
fn trees_on_other_disks_are_found_through_their_links() {
    let (made, place) = (made(), Place::new(&["a", "b"]));
    let disks = place.folder.path().join("disks");
    for video in ["a_Run", "b_Run"] {
        let flow = ["u", "v"].map(|component| disks.join("two").join(component).join(video));
        in_trees(made, &disks.join("one").join(video), [&flow[0], &flow[1]]);
    }
    fs::create_dir_all(place.root()).unwrap();
    for (name, disk) in [("jpegs_256", "one"), ("tvl1_flow", "two")] {
        std::os::unix::fs::symlink(disks.join(disk), place.root().join(name)).unwrap();
    }
    assert_eq!(place.prepare(bound(BOUND), &as_is(Codec::Raw8)).unwrap().len(), 2);
    // The flow of one video is lost.
    fs::remove_dir_all(disks.join("two/u/b_Run")).unwrap();
    fs::remove_dir_all(disks.join("two/v/b_Run")).unwrap();
    let report = place.report(bound(BOUND));
    let text = report.failures[0].to_string();
    assert!(text.contains("tvl1_flow/u/b_Run") && text.contains("for 23 frames, found none"), "{text}");
    assert_eq!((report.failures.len(), report.prepared.videos.len()), (1, 1));
}

#[test]
fn names_and_endings_of_other_extractors_give_the_same_video() {
    let (made, place) = (made(), Place::new(&["a", "b", "c", "d"]));
    let names = ["a_Run", "b_Run", "c_Run", "d_Run"];
    for (name, (prefix, ending)) in
        names.iter().zip([("img_", "jpg"), ("image_", "jpg"), ("img_", "JPG"), ("frame", "jpeg")])
    {
        let folder = place.root().join("Run").join(name);
        made.write(&folder, &Style::default());
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let renamed = path.file_name().unwrap().to_string_lossy().replace("img_", prefix);
            fs::rename(&path, folder.join(renamed.replace("jpg", ending))).unwrap();
        }
    }
    let videos = place.prepare(bound(BOUND), &as_is(Codec::Raw8)).unwrap();
    for video in &videos[1..] {
        same(&videos[0], video);
    }
}

/// The hash of a folder names its cache files. It is that of the names and contents in order, frames first, whatever else
/// has become a layout since.
#[test]
fn the_hash_of_a_folder_stays_what_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let mut expected = blake3::Hasher::new();
    let names = ["img_00001.jpg", "img_00002.jpg", "x_00001.jpg", "y_00001.jpg"];
    for name in names {
        put(&folder.path().join(name), format!("content of {name}"));
        expected.update(name.as_bytes()).update(&[0]);
        expected.update(blake3::hash(format!("content of {name}").as_bytes()).as_bytes());
    }
    // Such files were always ignored.
    for name in ["frame000001.jpg", "image_1.png", "notes.txt"] {
        put(&folder.path().join(name), "ignored");
    }
    let hashes = SourceHashes::open(&folder.path().join("cache"));
    let opened = ExtractedFolder::open(folder.path()).unwrap();
    assert_eq!(hashes.hash_folder(&opened).unwrap(), (expected.finalize().to_hex().to_string(), 4));
}

#[cfg(unix)]
#[test]
fn links_to_files_are_read_and_other_links_refused() {
    use std::os::unix::fs::symlink;
    let (made, place) = (made(), Place::new(&["a", "b", "c", "d", "e"]));
    let elsewhere = place.folder.path().join("elsewhere");
    made.write(&elsewhere, &Style::default());
    for name in ["b", "c", "d", "e"] {
        let folder = place.root().join(format!("Run/{name}_Run"));
        fs::create_dir_all(&folder).unwrap();
        for entry in fs::read_dir(&elsewhere).unwrap() {
            let file = entry.unwrap().path();
            symlink(&file, folder.join(file.file_name().unwrap())).unwrap();
        }
    }
    made.write(&place.root().join("Run/a_Run"), &Style::default());
    let pipe = place.folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let nowhere = place.folder.path().join("nowhere");
    for (name, to) in [("c", place.folder.path()), ("d", &pipe), ("e", &nowhere)] {
        let link = place.root().join(format!("Run/{name}_Run/img_00004.jpg"));
        fs::remove_file(&link).unwrap();
        symlink(to, &link).unwrap();
    }
    let report = place.report(bound(BOUND));
    let texts: Vec<String> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    for (text, found) in
        texts.iter().zip(["a link to a folder", "a link to a pipe", "a link that leads nowhere"])
    {
        let says = format!("img_00004.jpg: expected a file or a link to one, found {found}");
        assert!(text.contains(&says), "{text}");
    }
    same(&report.prepared.videos[0], &report.prepared.videos[1]);
    let built = report.prepared.built;
    assert_eq!(built, 2, "the links have the names and bytes of the files, and share their cache");

    // A change behind a link is noticed.
    let set = place.open(Some(bound(BOUND)), false).unwrap();
    fs::write(elsewhere.join("img_00004.jpg"), &made.jpegs[9]).unwrap();
    let Err(PrepareError::Videos(report)) = run(&set, &as_is(Codec::Raw8), &[1, 2], &place.cache()) else {
        panic!("the third folder has a bad link")
    };
    assert_eq!(report.prepared.built, 2);
}

#[test]
fn frames_alone_serve_rows_that_see_no_flow() {
    let (made, place) = (made(), Place::new(&["a", "b"]));
    for name in ["a", "b"] {
        for (k, frame) in made.jpegs[1..9].iter().enumerate() {
            put(&place.root().join(format!("Run/{name}_Run/img_{:05}.jpg", k + 1)), frame);
        }
    }
    let frames_only = PrepareConfig { flow: None, ..as_is(Codec::Raw8) };
    for extraction in [None, Some(bound(BOUND))] {
        let set = place.open(extraction, false).unwrap();
        assert!(set.fingerprint(0, &SourceHashes::open(&place.cache())).is_ok());
        let prepared = run(&set, &frames_only, &[0, 1], &place.cache()).unwrap();
        let video = &prepared.videos[0];
        assert_eq!((video.frames, video.has_flow()), (8, false));
        assert_eq!(video.frame(3).unwrap().rgb, decode_colour("", made.jpegs[4].clone()).unwrap().pixels);

        let before = crate::prepare::tree(&place.cache());
        let Err(PrepareError::Videos(report)) =
            run(&set, &as_is(Codec::Jpeg { quality: 50 }), &[0, 1], &place.cache())
        else {
            panic!("there is no flow")
        };
        let text = report.failures[0].to_string();
        assert!(text.contains("flow_x_00001.jpg") && text.contains("for 8 frames, found none"), "{text}");
        assert!(text.contains("rows that see frames alone"), "{text}");
        let mut after = crate::prepare::tree(&place.cache());
        after.retain(|path, _| path.extension().is_some_and(|ending| ending == "var"));
        assert!(after.keys().all(|path| before.contains_key(path)), "no frames are imported in vain");
    }
}

#[test]
fn a_picture_beside_videos_does_not_hide_them() {
    let place = Place::new(&["a", "b"]);
    let video = clip::drawn("avi", &[("testsrc2", 4)], (64, 48), &["-c:v", "mpeg4"]);
    for name in ["a_Run.avi", "b_Run.avi"] {
        put(&place.root().join("Run").join(name), &video);
    }
    put(&place.root().join("Run/frame0001.jpg"), "a thumbnail");
    let set = place.open(None, false).unwrap();
    assert!(set.videos.iter().all(|video| matches!(video.source, VideoSource::File(_))));
}

#[test]
fn one_component_in_place_of_the_other_is_named() {
    let (made, place) = (made(), Place::new(&["a", "b"]));
    for name in ["a", "b"] {
        let folder = place.root().join(format!("Run/{name}_Run"));
        made.write(&folder, &Style::default());
        if name == "a" {
            for k in 1..=made.flow.len() {
                fs::copy(
                    folder.join(format!("flow_x_{k:05}.jpg")),
                    folder.join(format!("flow_y_{k:05}.jpg")),
                )
                .unwrap();
            }
        }
    }
    let report = place.report(bound(BOUND));
    let text = report.failures[0].to_string();
    assert_eq!(report.failures.len(), 1, "{text}");
    assert!(text.contains("x and y flow are the same files"), "{text}");
}
