//! The official split files, with every quirk that they have.

use crate::common::{dataset_file, put};
use data::split::{SplitLists, read_hmdb51, read_ucf101};
use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn ucf101_has_its_published_counts() {
    let lists = read_ucf101(&dataset_file("ucf101"), 3).unwrap();
    assert_eq!((lists.classes.len(), lists.clips.len()), (101, 13320));
    let sizes: Vec<_> = lists.splits.iter().map(|s| (s.name.as_str(), s.train.len(), s.test.len())).collect();
    assert_eq!(sizes, [("1", 9537, 3783), ("2", 9586, 3734), ("3", 9624, 3696)]);
    for split in &lists.splits {
        let train: BTreeSet<_> = split.train.iter().collect();
        assert!(split.test.iter().all(|index| !train.contains(index)));
    }
    // The published copies end their lines in CR LF; nothing of that may stay.
    assert!(lists.clips.iter().all(|clip| clip.file.to_str().unwrap().ends_with(".avi")));
    assert_eq!(lists.classes[0], "ApplyEyeMakeup");
    assert_eq!(lists.classes[100], "YoYo");
}

#[test]
fn ucf101_takes_the_class_from_the_folder_not_from_the_file_name() {
    let lists = read_ucf101(&dataset_file("ucf101"), 3).unwrap();
    let label = lists.classes.iter().position(|class| class == "HandstandPushups").unwrap();
    let clips: Vec<_> = lists.clips.iter().filter(|clip| clip.label == label).collect();
    assert_eq!(clips.len(), 128);
    assert!(clips.iter().all(|clip| clip.id.starts_with("HandstandPushups/v_HandStandPushups_g")));
}

#[test]
fn hmdb51_has_its_published_counts_and_unused_clips() {
    let lists = read_hmdb51(&dataset_file("hmdb51"), 3).unwrap();
    assert_eq!((lists.classes.len(), lists.clips.len()), (51, 6766));
    for split in &lists.splits {
        assert_eq!((split.train.len(), split.test.len()), (3570, 1530));
        for label in 0..51 {
            let count = |part: &[usize]| part.iter().filter(|&&i| lists.clips[i].label == label).count();
            assert_eq!((count(&split.train), count(&split.test)), (70, 30));
        }
    }
    assert!(lists.classes.is_sorted());
    let odd = |clip: &&data::split::ListedClip| {
        let name = clip.file.file_name().unwrap().to_str().unwrap();
        name.contains(|c: char| !c.is_ascii_alphanumeric() && !"_-.".contains(c))
    };
    assert_eq!(lists.clips.iter().filter(odd).count(), 536);
}

#[test]
fn hmdb51_flags_of_known_clips() {
    let lists = read_hmdb51(&dataset_file("hmdb51"), 3).unwrap();
    let flags = |id: &str| {
        let index = lists.clips.iter().position(|clip| clip.id == id).unwrap();
        lists.splits.iter().map(move |split| {
            if split.train.contains(&index) { 1 } else { 2 * usize::from(split.test.contains(&index)) }
        })
    };
    assert!(flags("wave/RATRACE_wave_f_nm_np1_fr_goo_37").eq([1, 2, 1]));
    assert!(flags("wave/SchoolRulesHowTheyHelpUs_wave_f_nm_np1_ba_med_0").eq([0, 0, 1]));
    assert!(flags("cartwheel/Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6").eq([1, 1, 2]));
}

#[test]
fn classes_that_begin_alike_keep_their_clips_apart() {
    let lists = read_hmdb51(&dataset_file("hmdb51"), 1).unwrap();
    for (short, long) in [("climb", "climb_stairs"), ("kick", "kick_ball"), ("sword", "sword_exercise")] {
        let at = |name: &str| lists.classes.iter().position(|class| class == name).unwrap();
        assert_eq!(at(long), at(short) + 1);
        assert!(lists.clips.iter().any(|clip| clip.label == at(short)));
        assert!(
            lists.clips.iter().filter(|clip| clip.label == at(long)).all(|clip| clip.file.starts_with(long))
        );
    }
}

/// A tiny list folder in UCF-101's layout.
fn ucf101(folder: &Path, train: &str, test: &str) -> Result<SplitLists, String> {
    put(&folder.join("classInd.txt"), "1 Run\n2 Walk\n");
    put(&folder.join("trainlist01.txt"), train);
    put(&folder.join("testlist01.txt"), test);
    read_ucf101(folder, 1).map_err(|e| e.to_string())
}

#[test]
fn line_ends_and_blanks_make_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let plain = ucf101(folder.path(), "Run/a.avi 1\nWalk/b.avi 2\n", "Run/c.avi\n").unwrap();
    let odd = ucf101(folder.path(), "Run/a.avi 1 \r\n\r\nWalk/b.avi  2\r\n", "Run/c.avi \r\n\n\n").unwrap();
    assert_eq!(plain.splits, odd.splits);
    let ids = |lists: &SplitLists| lists.clips.iter().map(|clip| clip.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&odd), ["Run/a", "Run/c", "Walk/b"]);
    assert_eq!(ids(&plain), ids(&odd));
}

#[test]
fn a_wrong_line_is_named_with_file_and_number() {
    for (train, test, place, says) in [
        ("Run/a.avi 1\nRun/b.avi 2\n", "", "trainlist01.txt:2: ", "expected index 1 of class Run, found `2`"),
        ("Run/a.avi\n", "", "trainlist01.txt:1: ", "found no index"),
        ("Run/a.avi 1\n", "\nFly/a.avi\n", "testlist01.txt:2: ", "`Fly` is not in classInd.txt"),
        ("/etc/a.avi 1\n", "", "trainlist01.txt:1: ", "below the data root"),
        ("Run/../../a.avi 1\n", "", "trainlist01.txt:1: ", "below the data root"),
        ("Run/.. 1\n", "", "trainlist01.txt:1: ", "`.` and `..` are refused"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let error = ucf101(folder.path(), train, test).unwrap_err();
        assert!(error.contains(place) && error.contains(says), "{error}");
    }
}

#[test]
fn a_clip_in_both_parts_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = ucf101(folder.path(), "Run/a.avi 1\n", "Run/a.avi\n").unwrap_err();
    assert!(error.contains("names `Run/a` twice, as Train and as Test"), "{error}");
}

#[test]
fn hmdb51_names_are_taken_literally() {
    let folder = tempfile::tempdir().unwrap();
    let name = "#1_(a)[b]!&c;~@+_wave_f_nm.avi";
    put(&folder.path().join("wave_test_split1.txt"), format!("{name} 1 \n-x_wave.avi 0 \n"));
    let lists = read_hmdb51(folder.path(), 1).unwrap();
    assert_eq!(lists.clips[0].file, Path::new("wave").join(name));
    assert_eq!((lists.clips.len(), lists.splits[0].train.len()), (2, 1));
    for (line, says) in
        [("a.avi 3 \n", "found `3`"), ("../a.avi 1 \n", "plain file name"), ("a.avi\n", "no flag")]
    {
        put(&folder.path().join("wave_test_split1.txt"), line);
        let error = read_hmdb51(folder.path(), 1).unwrap_err().to_string();
        assert!(error.contains("wave_test_split1.txt:1: ") && error.contains(says), "{error}");
    }
}
