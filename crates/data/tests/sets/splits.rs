//! The official split files, with all their quirks.

use crate::common::{dataset_file, put};
use data::dataset::{Video, VideoSource};
use data::split::{SplitLists, folds, read_hmdb51, read_ucf101};
use std::collections::{BTreeMap, BTreeSet};
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
    // The published copies end their lines in CR LF; nothing of that may remain.
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

fn videos(lists: &SplitLists) -> Vec<Video> {
    let video = |clip: &data::split::ListedClip| Video {
        view: None,
        id: clip.id.clone(),
        label: clip.label,
        group: clip.group.clone(),
        source: VideoSource::Missing { expected: clip.id.clone(), why: None },
    };
    lists.clips.iter().map(video).collect()
}

#[test]
fn ucf101_groups_are_the_25_of_its_names_and_no_official_split_divides_one() {
    let lists = read_ucf101(&dataset_file("ucf101"), 3).unwrap();
    let mut groups: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    for clip in &lists.clips {
        groups.entry(clip.label).or_default().insert(&clip.group);
        assert!(clip.id.contains(&format!("_{}_c", clip.group)), "{}", clip.id);
    }
    let expected: BTreeSet<String> = (1..=25).map(|n| format!("g{n:02}")).collect();
    assert!(groups.values().all(|found| found.iter().copied().eq(expected.iter().map(String::as_str))));
    for split in &lists.splits {
        let of = |part: &[usize]| -> BTreeSet<(usize, &str)> {
            part.iter().map(|&i| (lists.clips[i].label, lists.clips[i].group.as_str())).collect()
        };
        assert!(of(&split.train).is_disjoint(&of(&split.test)));
    }
}

#[test]
fn folds_of_ucf101_keep_groups_together_and_classes_balanced() {
    let lists = read_ucf101(&dataset_file("ucf101"), 1).unwrap();
    let (videos, train) = (videos(&lists), &lists.splits[0].train);
    let folds = folds(&videos, train, 5).unwrap();
    let mut of_group = BTreeMap::new();
    let mut counts = vec![[0; 5]; 101];
    for (&index, &fold) in train.iter().zip(&folds) {
        let video = &videos[index];
        assert_eq!(*of_group.entry((video.label, &video.group)).or_insert(fold), fold);
        counts[video.label][fold] += 1;
    }
    // A group has four to seven clips.
    let spread = |counts: &[i32; 5]| counts.iter().max().unwrap() - counts.iter().min().unwrap();
    assert!(counts.iter().all(|counts| spread(counts) <= 7));
    let whole: Vec<usize> = (0..5).map(|fold| folds.iter().filter(|&&f| f == fold).count()).collect();
    assert!(whole.iter().all(|&count| count.abs_diff(9537 / 5) < 200), "{whole:?}");
}

#[test]
fn hmdb51_groups_are_films() {
    let lists = read_hmdb51(&dataset_file("hmdb51"), 3).unwrap();
    let group = |id: &str| &lists.clips.iter().find(|clip| clip.id == id).unwrap().group;
    assert_eq!(group("wave/RATRACE_wave_f_nm_np1_fr_goo_37"), "RATRACE");
    let whole = |clip: &&data::split::ListedClip| clip.id.ends_with(&format!("/{}", clip.group));
    assert_eq!(lists.clips.iter().filter(whole).count(), 0);
    assert!(lists.clips.iter().all(|clip| !clip.group.is_empty()));
    let films: BTreeSet<(usize, &str)> = lists.clips.iter().map(|c| (c.label, c.group.as_str())).collect();
    assert!((1500..3500).contains(&films.len()), "{} films", films.len());
}

#[test]
fn a_name_without_a_group_is_a_group_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let lists =
        ucf101(folder.path(), "Run/v_Run_g01_c01.avi 1\nRun/v_Run_gx_c01.avi 1\n", "Run/odd.avi\n").unwrap();
    let groups: Vec<&str> = lists.clips.iter().map(|clip| clip.group.as_str()).collect();
    assert_eq!(groups, ["odd", "g01", "v_Run_gx_c01"]);
    // The class may be in the film's name; the last occurrence counts.
    let names = "a_wave_b_wave_f_nm.avi 1\n_wave_f.avi 1\nx_waves_f.avi 1\n#1_(a)_wave_f.avi 1\n";
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("wave_test_split1.txt"), names);
    let lists = read_hmdb51(folder.path(), 1).unwrap();
    let groups: Vec<&str> = lists.clips.iter().map(|clip| clip.group.as_str()).collect();
    assert_eq!(groups, ["#1_(a)", "_wave_f", "a_wave_b", "x_waves_f"]);
}
