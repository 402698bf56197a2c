//! Data sets with missing videos: the videos that are prepared, and the report about the others.

use crate::common::{announcing, avi, dataset_file, open_partial, put};
use crate::prepare::{config, run};
use data::DataError;
use data::dataset::{Dataset, Part, Role, SourceHashes, VideoSource};
use data::prepare::{PrepareConfig, PrepareError, PrepareReport};
use std::fs;
use std::path::Path;

/// Prepares all videos of a set, many of which are missing, and returns the report.
fn report(set: &Dataset, cache: &Path) -> Box<PrepareReport> {
    let all: Vec<usize> = (0..set.videos.len()).collect();
    match run(set, &PrepareConfig { short_side: 16, ..config() }, &all, cache) {
        Err(PrepareError::Videos(report)) => report,
        other => panic!("{other:?}"),
    }
}

fn part(split: &str, role: Role) -> Part {
    Part { split: split.to_owned(), role }
}

#[test]
fn ucf101_with_a_few_clips_is_prepared_and_the_rest_accounted_for() {
    let folder = tempfile::tempdir().unwrap();
    let (root, cache) = (folder.path().join("root"), folder.path().join("cache"));
    let pitch = avi(&[("testsrc2", 25)]);
    for (name, bytes) in [
        ("BaseballPitch/v_BaseballPitch_g01_c01.avi", pitch.clone()),
        // Either spelling, and either case of the ending.
        ("HandStandPushups/v_HandstandPushups_g08_c02.avi", pitch.clone()),
        ("HandstandPushups/v_HandStandPushups_g01_c01.AVI", pitch.clone()),
        ("Basketball/v_Basketball_g01_c01.avi", pitch[..pitch.len() / 2].to_vec()),
        ("SoccerJuggling/v_SoccerJuggling_g23_c01.avi", b"no video".to_vec()),
        ("SoccerJuggling/v_SoccerJuggling_g99_c01.avi", pitch),
        ("Unheard/v_Unheard_g01_c01.avi", Vec::new()),
    ] {
        put(&root.join(name), bytes);
    }
    let file = dataset_file("ucf101.toml");
    let strict = Dataset::open(&file, Some(&root), None).unwrap_err();
    let DataError::Layout { missing, surplus, .. } = &strict else { panic!("{strict}") };
    assert_eq!((missing.len(), surplus.len()), (13_315, 2), "in full, whatever the message shows");
    // Two of the five are trained on in split 1, three are tested.
    let lacks = "split 1 lacks 9535 of 9537 training and 3780 of 3783 test videos";
    assert!(strict.to_string().contains(lacks), "{strict}");

    let set = open_partial(&file, &root).unwrap();
    assert_eq!(set.videos.len(), 13_320, "missing videos keep their places in the splits");
    assert!(set.fingerprint(0, &SourceHashes::open(&cache)).is_err(), "such a set has no numbers");
    let report = report(&set, &cache);
    let ready: Vec<&str> = report.prepared.videos.iter().map(|video| video.id.as_str()).collect();
    assert_eq!(
        ready,
        [
            "BaseballPitch/v_BaseballPitch_g01_c01",
            "HandstandPushups/v_HandStandPushups_g01_c01",
            "HandstandPushups/v_HandStandPushups_g08_c02",
        ]
    );
    assert_eq!((report.expected, report.failures.len()), (13_320, 13_317));
    let failure = |id: &str| report.failures.iter().find(|failure| failure.id == id).unwrap();
    let truncated = failure("Basketball/v_Basketball_g01_c01");
    assert_eq!(truncated.class, "Basketball");
    assert_eq!(truncated.parts, [part("1", Role::Test), part("2", Role::Train), part("3", Role::Train)]);
    assert!(
        truncated.to_string().contains("(class Basketball; split 1 test, split 2 train, split 3 train): ")
    );
    let missing = failure("YoYo/v_YoYo_g25_c05");
    assert!(matches!(&missing.cause, DataError::MissingVideo { why: None, .. }));

    let text = report.to_string();
    assert!(text.starts_with("expected 13320 videos, 3 are ready and 13317 failed:"), "{text}");
    assert!(text.contains("v_SoccerJuggling_g23_c01") && text.contains("13315 missing: "), "{text}");
    let lacks = "split 1 lacks 9536 of 9537 training and 3781 of 3783 test videos";
    assert!(text.contains(lacks) && text.lines().count() < 10, "{text}");
    let list = fs::read_to_string(&report.list).unwrap();
    assert_eq!(list.lines().count(), 1 + 13_317 + 2);
    for says in [
        "YoYo/v_YoYo_g25_c05\tYoYo\tsplit 1 train, split 2 train, split 3 train\tthe video is missing",
        "\nUnheard/v_Unheard_g01_c01.avi\t\t\tsurplus",
        "\nSoccerJuggling/v_SoccerJuggling_g99_c01.avi\t\t\tsurplus",
    ] {
        assert!(list.contains(says), "{says}");
    }
    // A run without failures removes the list of an earlier one.
    let ready = set.videos.iter().position(|video| video.id == ready[0]).unwrap();
    run(&set, &PrepareConfig { short_side: 16, ..config() }, &[ready], &cache).unwrap();
    assert!(!report.list.exists());
}

#[test]
fn hmdb51_clips_that_no_split_uses_and_names_with_odd_characters_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let (root, cache) = (folder.path().join("root"), folder.path().join("cache"));
    let all = open_partial(&dataset_file("hmdb51.toml"), folder.path()).unwrap();
    let odd = |class: &str| {
        let of_class = |id: &&str| {
            id.strip_prefix(class)
                .is_some_and(|name| name.starts_with('/') && name.contains(['[', '#', '&', '(']))
        };
        let mut ids = all.videos.iter().map(|video| video.id.as_str());
        ids.find(of_class).unwrap().to_owned()
    };
    // Classes where one name begins with the other's, and a clip whose name would break patterns.
    let (climb, stairs) = (odd("climb"), odd("climb_stairs"));
    // The header of each states one frame more, like those of clips with packed B-frames.
    let (race, wheel) =
        (announcing(avi(&[("testsrc2", 22)]), 23), announcing(avi(&[("mandelbrot", 24)]), 25));
    for (name, bytes) in [
        ("wave/RATRACE_wave_f_nm_np1_fr_goo_37", &race),
        ("wave/SchoolRulesHowTheyHelpUs_wave_f_nm_np1_ba_med_0", &wheel),
        (&climb, &wheel),
        (&stairs, &race),
    ] {
        put(&root.join(format!("{name}.avi")), bytes);
    }
    let set = open_partial(&dataset_file("hmdb51.toml"), &root).unwrap();
    let report = report(&set, &cache);
    assert_eq!(report.failures.len(), 6766 - 4);
    let ready = |id: &str| report.prepared.videos.iter().find(|video| video.id == id).unwrap();
    assert_eq!((ready("wave/RATRACE_wave_f_nm_np1_fr_goo_37").frames, ready(&climb).frames), (22, 24));
    let class = |id: &str| set.classes[ready(id).label].as_str();
    assert_eq!((class(&climb), class(&stairs)), ("climb", "climb_stairs"));
    let index = |id: &str| set.videos.iter().position(|video| video.id == id).unwrap();
    let school = index("wave/SchoolRulesHowTheyHelpUs_wave_f_nm_np1_ba_med_0");
    assert_eq!(set.parts(school), [part("3", Role::Train)], "flag 0 in splits 1 and 2");
    // Flag 0 in all three splits of a clip: no split lacks it, and the failure says so.
    let unused = report.failures.iter().find(|failure| failure.parts.is_empty());
    if let Some(unused) = unused {
        assert!(unused.to_string().contains("in no split"), "{unused}");
    }
}

#[cfg(unix)]
#[test]
fn links_that_lead_astray_stop_nothing_but_themselves() {
    let folder = tempfile::tempdir().unwrap();
    let (spec, root) = (folder.path().join("mine.toml"), folder.path().join("root"));
    put(&spec, crate::common::GRID);
    put(&root.join("run/bob_run.avi"), "y");
    let round = root.join("run/ann_run.avi");
    std::os::unix::fs::symlink(&round, &round).unwrap();
    fs::create_dir(root.join("walk")).unwrap();
    std::os::unix::fs::symlink(root.join("nowhere"), root.join("walk/ann_walk.avi")).unwrap();
    assert!(matches!(Dataset::open(&spec, Some(&root), None), Err(DataError::Split { .. })));
    let set = open_partial(&spec, &root).unwrap();
    let why = |index: usize| match &set.videos[index].source {
        VideoSource::Missing { why, .. } => why.clone(),
        other => panic!("{other:?}"),
    };
    assert!(why(0).unwrap().contains("cannot follow"));
    assert!(why(2).unwrap().contains("cannot follow"));
    assert_eq!(why(3), None);
    assert!(matches!(set.videos[1].source, VideoSource::File(_)));
}
