//! Data-set files: strictness, places in errors, contradictions.

use crate::common::{GRID, dataset_file, open_partial, workspace};
use data::DataError;
use data::dataset::{Dataset, DatasetSpec, OpenOptions, SourceHashes};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn refuse(text: &str) -> DataError {
    DatasetSpec::parse(Path::new("sets/mine.toml"), text).unwrap_err()
}

#[test]
fn every_committed_file_parses_and_is_described_without_videos() {
    let mut seen = Vec::new();
    for entry in fs::read_dir(workspace().join("datasets")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "toml") {
            let spec = DatasetSpec::load(&path).unwrap();
            let about = Dataset::describe(&spec).unwrap();
            let sizes: Vec<(usize, usize)> = about.splits.iter().map(|s| (s.train, s.test)).collect();
            seen.push((spec.name, about.classes.len(), about.videos, sizes));
        }
    }
    seen.sort();
    let find = |name: &str| seen.iter().find(|(n, ..)| n == name).unwrap().clone();
    let ucf = vec![(9537, 3783), (9586, 3734), (9624, 3696)];
    assert_eq!(find("ucf101"), ("ucf101".to_owned(), 101, 13320, ucf));
    assert_eq!(find("hmdb51"), ("hmdb51".to_owned(), 51, 6766, vec![(3570, 1530); 3]));
    assert_eq!(find("weizmann"), ("weizmann".to_owned(), 10, 90, vec![(60, 30); 3]));
    assert_eq!(find("weizmann-loao"), ("weizmann-loao".to_owned(), 10, 90, vec![(80, 10); 9]));
    let (_, classes, videos, splits) = find("synth");
    assert!(splits.iter().all(|(train, test)| train + test == videos && *test > 0) && classes > 1);
    assert_eq!(find("synth-hmdb"), ("synth-hmdb".to_owned(), 12, 1200, vec![(840, 360); 3]));
    assert_eq!(find("synth-views"), ("synth-views".to_owned(), 10, 3000, vec![(1440, 240); 5]));
    assert_eq!(find("synth-stills"), ("synth-stills".to_owned(), 24, 10_800, vec![(9600, 1200)]));
}

#[test]
fn generated_splits_are_those_of_the_file() {
    let number = |id: &str| id[id.len() - 3..].parse::<usize>().unwrap();
    let set = Dataset::open(&dataset_file("synth.toml"), None, None).unwrap();
    for (k, split) in set.splits.iter().enumerate() {
        assert!(split.test.iter().all(|&i| number(&set.videos[i].id) % 3 == k));
    }
    let set = Dataset::open(&dataset_file("synth-hmdb.toml"), None, None).unwrap();
    for (k, split) in set.splits.iter().enumerate() {
        for label in 0..12 {
            let of = |part: &[usize]| -> Vec<usize> {
                let here = part.iter().map(|&i| &set.videos[i]).filter(|video| video.label == label);
                here.map(|video| number(&video.id)).collect()
            };
            assert!(of(&split.test).into_iter().eq(30 * k..30 * (k + 1)));
            assert!(of(&split.train).ends_with(&(90..100).collect::<Vec<_>>()));
        }
    }
    // Each generated video is a group of its own.
    assert!(set.videos.iter().all(|video| video.group == video.id));
}

/// The committed records of `synth` hold this value. If this fails, they belong to a different set.
#[test]
fn the_default_set_is_that_of_the_records() {
    let cache = tempfile::tempdir().unwrap();
    let set = Dataset::open(&dataset_file("synth.toml"), None, None).unwrap();
    let found = set.fingerprint(0, &SourceHashes::open(cache.path())).unwrap();
    assert_eq!(found, "7647eb038bc3529723d18f248b036019369522fc1b66b5ef11ac4a81ee83491b");
}

#[test]
fn in_a_grid_of_clips_the_actors_are_the_groups() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    fs::write(&file, GRID).unwrap();
    let set = open_partial(&file, folder.path()).unwrap();
    let groups: Vec<(&str, &str)> = set.videos.iter().map(|v| (v.id.as_str(), v.group.as_str())).collect();
    assert_eq!(
        groups,
        [("run/ann_run", "ann"), ("run/bob_run", "bob"), ("walk/ann_walk", "ann"), ("walk/bob_walk", "bob")]
    );
}

#[test]
fn splits_that_do_not_suit_the_set_are_refused() {
    let synth = fs::read_to_string(dataset_file("synth.toml")).unwrap();
    let stills = fs::read_to_string(dataset_file("synth-stills.toml")).unwrap();
    for (text, from, to, says) in [
        (&synth, "videos-per-class = 99", "videos-per-class = 100", "the 100 videos of a class"),
        (&synth, "count = 3\n# Test videos", "count = 0\n# Test videos", "found count = 0"),
        (&synth, "test = 33", "test = 99", "some left to train on"),
        (&stills, "test = 50", "test = 450", "some left to train on"),
        (&stills, "pictures-per-class = 450", "pictures-per-class = 40", "at most the 40 videos"),
        (&stills, "radius = [2.5, 5.5]", "radius = [2.5, 7.5]", "in [stills]"),
        (&synth, "climb-speed", "# climb-speed", "`motion.climb-speed` = nothing"),
        (&synth, "classes = \"synth\"", "classes = \"synth-hmdb\"", "motion."),
        (&synth, "numbers = \"interleaved\"", "numbers = \"odd\"", "unknown variant `odd`"),
    ] {
        assert!(text.contains(from), "{from}");
        let error = refuse(&text.replace(from, to)).to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_misspelt_key_is_named_with_its_place_and_the_nearest_right_one() {
    let error = refuse(&GRID.replace("extensions", "extentions"));
    let DataError::Toml(base::TomlError { line, column, key, .. }) = &error else { panic!("{error}") };
    assert_eq!((*line, *column, key.as_deref()), (8, 1, Some("extentions")));
    insta::assert_snapshot!(error.to_string(), @"sets/mine.toml:8:1: unknown field `extentions`, expected one of `kind`, `title`, `clips`, `classes`, `groups`, `clip-name`, `flat`, `extensions`, `cuts`, `split` (did you mean `extensions`?)");
}

#[test]
fn a_misspelt_key_in_a_split_points_at_its_line() {
    let error = refuse(&GRID.replace("test =", "tests ="));
    assert!(error.to_string().starts_with("sets/mine.toml:12:1: "), "{error}");
    assert!(error.to_string().ends_with("(did you mean `test`?)"), "{error}");
}

#[test]
fn an_unknown_kind_and_broken_toml_have_a_place_too() {
    for (text, place) in
        [("title = 1\nkind = \"vidio\"\n", ":2:8: "), ("kind = \"synth\"\ntitle = \n", ":2:9: ")]
    {
        let error = refuse(text).to_string();
        assert!(error.contains(place), "{error}");
    }
}

#[test]
fn contradictions_are_refused() {
    for (from, to, says) in [
        ("clips = 4", "clips = 5", "2 classes and 2 groups make 4"),
        ("test = [\"bob\"]", "test = [\"eve\"]", "`eve`, which is not in groups"),
        ("test = [\"bob\"]", "test = [\"ann\", \"bob\"]", "must test some groups and train on others"),
        ("\"walk\"]", "\"run\"]", "`run` is listed twice"),
        ("\"walk\"]", "\"../walk\"]", "expected plain names, found `../walk`"),
        ("{group}_{class}", "{group}", "one {group} and one {class}"),
    ] {
        let error = refuse(&GRID.replace(from, to)).to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn flags_that_mean_nothing_are_refused() {
    let synth = Dataset::open(&dataset_file("synth.toml"), Some(Path::new("/tmp")), None).unwrap_err();
    assert!(synth.to_string().contains("leave --data-root out"), "{synth}");
    let real = Dataset::open(&dataset_file("weizmann.toml"), None, Some(3)).unwrap_err();
    assert!(real.to_string().contains("leave --data-seed out"), "{real}");
}

#[test]
fn official_counts_are_checked_against_the_lists() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(dataset_file("ucf101.toml")).unwrap();
    let lists = dataset_file("ucf101");
    std::fs::create_dir(folder.path().join("ucf101")).unwrap();
    for entry in fs::read_dir(lists).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.path().join("ucf101").join(path.file_name().unwrap())).unwrap();
    }
    let file = folder.path().join("ucf101.toml");
    fs::write(&file, text.replace("9537", "9530")).unwrap();
    let error = Dataset::describe(&DatasetSpec::load(&file).unwrap()).unwrap_err().to_string();
    assert!(error.contains("split 1: 9530 + 3783") && error.contains("split 1: 9537 + 3783"), "{error}");
}

/// Several draws are one data set, in which each draw is what it is alone.
#[test]
fn several_draws_are_one_set_and_each_stays_as_it_is() {
    let spec = DatasetSpec::load(&dataset_file("synth.toml")).unwrap();
    let open = |seeds: &[u64]| {
        Dataset::open_with(&spec, &OpenOptions { data_seeds: seeds.to_vec(), ..OpenOptions::default() })
            .unwrap()
    };
    let (both, second) = (open(&[7, 9]), open(&[9]));
    let hashes = SourceHashes::open(Path::new("none"));
    assert!(both.has_draws() && !second.has_draws());
    assert_eq!((both.videos.len(), &both.classes), (2 * second.videos.len(), &second.classes));
    let names: Vec<&str> = both.splits.iter().map(|split| split.name.as_str()).collect();
    assert_eq!(names, ["1@7", "2@7", "3@7", "1@9", "2@9", "3@9"]);
    let described = Dataset::describe(&spec).unwrap().drawn(&[7, 9]);
    assert!(described.splits.iter().map(|split| split.name.as_str()).eq(names.iter().copied()));
    assert_eq!(described.videos, both.videos.len());

    // Nets of a draw can be shared with a run on that draw alone.
    assert_eq!(both.fingerprint(3, &hashes).unwrap(), second.fingerprint(0, &hashes).unwrap());
    assert_ne!(both.fingerprint(0, &hashes).unwrap(), second.fingerprint(0, &hashes).unwrap());
    let ids =
        |set: &Dataset, list: &[usize]| list.iter().map(|&i| set.videos[i].id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&both, &both.splits[3].test), ids(&second, &second.splits[0].test));

    // No block has videos of two draws.
    let blocks: BTreeSet<String> = both.videos.iter().map(|video| both.block(video)).collect();
    assert_eq!(blocks.len(), both.videos.len());

    // A split of another set, such as that of the pre-training, is looked for in the draw of the tested one.
    assert_eq!(both.split_beside("1", "2@9").unwrap().name, "1@9");
    assert_eq!(both.split_beside("2@9", "2@9").unwrap().name, "2@9");
    assert_eq!(both.splits_beside("2@9").count(), 3);
    assert_eq!(second.split_beside("1", "1").unwrap().name, "1");
    assert!(both.split_beside("4", "1@9").is_none());
}
