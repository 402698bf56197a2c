//! Outcomes of `prepare` for every real clip here; the table in `docs/data.md` states the expected ones.

use crate::common::{put, workspace};
use crate::prepare::{config, run};
use data::dataset::Dataset;
use data::prepare::{PrepareError, Prepared, VideoFailure};
use data::resize::target_size;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use testkit::real_data;

const FOLDERS: [&str; 7] = ["corrupt", "faults", "other", "hmdb51", "ucf101", "ucf50", "kinetics"];

/// A row: file, outcome, frames, size, size at short side 256, repeated pairs.
fn rows() -> Vec<Vec<String>> {
    let text = fs::read_to_string(workspace().join("docs/data.md")).unwrap();
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    let of_table = |line: &&str| FOLDERS.iter().any(|folder| line.starts_with(&format!("| {folder}/")));
    text.lines().filter(of_table).map(cells).collect()
}

fn size(text: &str) -> (usize, usize) {
    let (width, height) = text.split_once('x').unwrap();
    (width.parse().unwrap(), height.parse().unwrap())
}

#[test]
fn every_clip_comes_out_as_the_documentation_says() {
    let Some(clips) = real_data("clips", "the table of real clips in docs/data.md") else { return };
    let rows = rows();
    let listed: BTreeSet<String> = rows.iter().map(|row| row[0].clone()).collect();
    let mut present = BTreeSet::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(clips.join(folder)).unwrap() {
            present.insert(format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap()));
        }
    }
    assert_eq!(listed, present, "the table has a row for every clip");

    let folder = tempfile::tempdir().unwrap();
    let name = |index: usize| format!("c{index:02}");
    let groups: Vec<String> = (0..rows.len()).map(name).collect();
    let spec = format!(
        "kind = \"video-folders\"\ntitle = \"t\"\nclips = {}\nclasses = [\"all\"]\ngroups = {groups:?}\n\
         clip-name = \"{{group}}_{{class}}\"\nextensions = [\"avi\"]\n[[split]]\nname = \"1\"\ntest = [\"c00\"]\n",
        rows.len()
    );
    put(&folder.path().join("mine.toml"), spec);
    for (index, row) in rows.iter().enumerate() {
        let bytes = fs::read(clips.join(&row[0])).unwrap();
        put(&folder.path().join(format!("root/all/{}_all.avi", name(index))), bytes);
    }
    let set =
        Dataset::open(&folder.path().join("mine.toml"), Some(&folder.path().join("root")), None).unwrap();
    let all: Vec<usize> = (0..rows.len()).collect();
    let (prepared, failures) = prepare(&set, &all, &folder.path().join("cache"));
    for (index, row) in rows.iter().enumerate() {
        let id = format!("all/{}_all", name(index));
        let failure = failures.iter().find(|failure| failure.id == id);
        let ready = prepared.videos.iter().find(|video| video.id == id);
        match (row[1].as_str(), ready, failure) {
            ("ready", Some(video), None) => {
                let found = (video.frames.to_string(), video.repeated.to_string());
                assert_eq!(
                    found,
                    (row[2].clone(), row[5].clone()),
                    "frames and repeated pairs of {}",
                    row[0]
                );
                let (width, height) = size(&row[3]);
                assert_eq!((video.width, video.height), target_size(width, height, 32), "{}", row[0]);
                assert_eq!(size(&row[4]), target_size(width, height, 256), "{}", row[0]);
            }
            (refused, None, Some(failure)) => {
                let says =
                    refused.strip_prefix("refused: ").unwrap_or_else(|| panic!("{}: {failure}", row[0]));
                assert!(failure.to_string().contains(says), "{}: {failure}", row[0]);
            }
            (stated, ready, failure) => panic!("{}: {stated}, but {ready:?} {failure:?}", row[0]),
        }
    }
}

fn prepare(set: &Dataset, videos: &[usize], cache: &Path) -> (Prepared, Vec<VideoFailure>) {
    match run(set, &config(), videos, cache) {
        Ok(prepared) => (prepared, Vec::new()),
        Err(PrepareError::Videos(report)) => (report.prepared, report.failures),
        Err(error) => panic!("{error}"),
    }
}
