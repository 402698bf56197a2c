//! Helpers of several tests: the workspace's files, drawn clips, small data sets.

use std::fs;
use std::path::{Path, PathBuf};

use data::DataError;
use data::dataset::{Dataset, DatasetSpec, OpenOptions};
use data::decode::Decoder;
use testkit::clip::drawn;

/// The workspace root.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// A file of `datasets/`.
pub(crate) fn dataset_file(name: &str) -> PathBuf {
    workspace().join("datasets").join(name)
}

/// ffmpeg, without which these tests fail: it also makes their clips.
pub(crate) fn decoder() -> Decoder {
    Decoder::find().unwrap()
}

/// Size of the drawn clips, width and height.
pub(crate) const SIZE: (usize, usize) = (180, 144);

/// The format in which most data sets store their clips: MPEG-4 part 2 in AVI.
pub(crate) const MPEG4: [&str; 4] = ["-c:v", "mpeg4", "-q:v", "4"];

/// An AVI file of MPEG-4 that shows each source for the given number of frames, with hard cuts between them.
pub(crate) fn avi(sources: &[(&str, usize)]) -> Vec<u8> {
    drawn("avi", sources, SIZE, &MPEG4)
}

/// Position of `mark` in a file.
pub(crate) fn find(bytes: &[u8], mark: &[u8; 4]) -> usize {
    bytes.windows(4).position(|window| window == mark).unwrap()
}

/// The same AVI file with another number of frames in both of its headers.
pub(crate) fn announcing(mut bytes: Vec<u8>, frames: u32) -> Vec<u8> {
    // `avih` holds it as the fifth number, `strh` as the ninth after two marks.
    for at in [find(&bytes, b"avih") + 8 + 4 * 4, find(&bytes, b"strh") + 8 + 8 * 4] {
        bytes[at..at + 4].copy_from_slice(&frames.to_le_bytes());
    }
    bytes
}

/// Writes a file and the folders above it.
pub(crate) fn put(path: &Path, content: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// A data-set file of two classes and two actors, without cut search.
pub(crate) const GRID: &str = r#"
kind = "video-folders"
title = "Four clips"
clips = 4
classes = ["run", "walk"]
groups = ["ann", "bob"]
clip-name = "{group}_{class}"
extensions = ["avi"]

[[split]]
name = "1"
test = ["bob"]
"#;

/// A real data set in which videos may be missing.
pub(crate) fn open_partial(file: &Path, root: &Path) -> Result<Dataset, DataError> {
    let options = OpenOptions { root: Some(root.to_owned()), partial: true, ..OpenOptions::default() };
    Dataset::open_with(&DatasetSpec::load(file)?, &options)
}
