//! Data-set files: strictness, places in errors, contradictions.

use crate::common::{GRID, dataset_file, workspace};
use data::DataError;
use data::dataset::{Dataset, DatasetSpec};
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
}

#[test]
fn a_misspelt_key_is_named_with_its_place_and_the_nearest_right_one() {
    let error = refuse(&GRID.replace("extensions", "extentions"));
    let DataError::Toml { line, column, key, .. } = &error else { panic!("{error}") };
    assert_eq!((*line, *column, key.as_deref()), (8, 1, Some("extentions")));
    insta::assert_snapshot!(error.to_string(), @"sets/mine.toml:8:1: unknown field `extentions`, expected one of `kind`, `title`, `clips`, `classes`, `groups`, `clip-name`, `extensions`, `cuts`, `split`; did you mean `extensions`?");
}

#[test]
fn a_misspelt_key_in_a_split_points_at_its_line() {
    let error = refuse(&GRID.replace("test =", "tests ="));
    assert!(error.to_string().starts_with("sets/mine.toml:12:1: "), "{error}");
    assert!(error.to_string().ends_with("did you mean `test`?"), "{error}");
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
        ("\"walk\"]", "\"run\"]", "`run` stands there twice"),
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
