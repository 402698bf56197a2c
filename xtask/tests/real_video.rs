//! Tests of the binary with video files: runs on good clips and errors for bad ones.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

mod support;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::LazyLock;

use support::{Place, assert_ok, text};
use tempfile::TempDir;
use testkit::clip::{draw, ffmpeg};

/// Returns a folder laid out like the Weizmann set: clips of nine actors, drawn by ffmpeg, with one picture and length per class.
fn weizmann() -> &'static Path {
    static DRAWN: LazyLock<TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let sources = ["testsrc2", "testsrc", "mandelbrot", "mandelbrot=start_scale=1", "testsrc=decimals=2"];
        let classes = ["bend", "jack", "jump", "pjump", "run", "side", "skip", "walk", "wave1", "wave2"];
        for (index, class) in classes.iter().enumerate() {
            let clip = |actor: &str| folder.path().join(format!("{class}/{actor}_{class}.avi"));
            std::fs::create_dir(folder.path().join(class)).unwrap();
            let source = sources[index % sources.len()];
            draw(&clip("daria"), &[(source, 36 + 3 * index)], (180, 144), &["-c:v", "mpeg4", "-q:v", "4"]);
            for actor in ["denis", "eli", "ido", "ira", "lena", "lyova", "moshe", "shahar"] {
                std::fs::copy(clip("daria"), clip(actor)).unwrap();
            }
        }
        folder
    });
    DRAWN.path()
}

/// Copies the clips, so that one can be damaged.
fn copy(from: &Path, to: &Path) {
    for class in std::fs::read_dir(from).unwrap() {
        let class = class.unwrap();
        let folder = to.join(class.file_name());
        std::fs::create_dir_all(&folder).unwrap();
        for clip in std::fs::read_dir(class.path()).unwrap() {
            let clip = clip.unwrap();
            std::fs::copy(clip.path(), folder.join(clip.file_name())).unwrap();
        }
    }
}

fn run(place: &Place, root: &Path, more: &[&str]) -> Output {
    let mut command = place.command(&["run", "table1b", "--profile", "smoke", "--dataset", "weizmann"]);
    command.arg("--data-root").arg(root).args(more).output().unwrap()
}

/// The first training clip of the smoke subset: every row needs it.
const CLIP: &str = "bend/ira_bend.avi";

/// Damages [`CLIP`] and runs a row. Returns the exit code and the error output.
fn spoilt(spoil: impl FnOnce(&Path)) -> (i32, String) {
    let place = Place::new();
    let root = place.path("clips");
    copy(weizmann(), &root);
    let clip = root.join(CLIP);
    assert!(clip.exists(), "{CLIP} is a clip of the set");
    spoil(&clip);
    let output = run(&place, &root, &["--row", "stack-10-on"]);
    let message = text(&output.stderr);
    assert!(!message.contains("panicked"), "{message}");
    (output.status.code().unwrap(), message)
}

#[test]
fn clips_run_to_a_table_that_counts_its_videos() {
    let place = Place::new();
    let output = run(&place, weizmann(), &["--row", "stack-10-on", "--split", "1", "2", "3"]);
    assert_ok(&output);
    let table = text(&output.stdout);
    assert!(table.contains("60 of 60"), "two test clips a class in three splits\n{table}");
}

#[test]
fn a_truncated_clip_is_named() {
    let half = |clip: &Path| {
        let bytes = std::fs::read(clip).unwrap();
        std::fs::write(clip, &bytes[..bytes.len() / 2]).unwrap();
    };
    let (code, message) = spoilt(half);
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("ira_bend"), "{message}");
}

#[test]
fn a_clip_without_frames_is_named() {
    let empty = |clip: &Path| std::fs::write(clip, b"").unwrap();
    let (code, message) = spoilt(empty);
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("ira_bend"), "{message}");
}

#[test]
fn a_clip_shorter_than_the_stack_is_named() {
    let shorten = |clip: &Path| {
        let short = clip.with_file_name("short.avi");
        let cut = ["-frames:v", "6", "-c:v", "copy"].map(OsStr::new);
        ffmpeg(["-i".as_ref(), clip.as_os_str()].into_iter().chain(cut).chain([short.as_os_str()]));
        std::fs::rename(short, clip).unwrap();
    };
    let (code, message) = spoilt(shorten);
    assert_eq!(code, 4, "rows that need fewer frames can run: {message}");
    assert!(
        message.contains("ira_bend") && message.contains("6 frames") && message.contains("11"),
        "{message}"
    );
}

/// Accepting is a choice of its own: it is counted in the table and the record, and without it the clip is refused again,
/// although its frames are in the cache.
#[test]
fn a_clip_with_messages_is_refused_or_accepted_and_counted() {
    let place = Place::new();
    let root = place.path("clips");
    copy(weizmann(), &root);
    let clip = root.join(CLIP);
    let mut bytes = std::fs::read(&clip).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 200].fill(0xff);
    std::fs::write(&clip, bytes).unwrap();
    let row = ["--row", "stack-10-on"];
    let refused = || {
        let output = run(&place, &root, &row);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{message}");
        assert!(message.contains("ira_bend") && message.contains("--accept-messages"), "{message}");
    };
    refused();
    let output = run(&place, &root, &[&row[..], &["--accept-messages"]].concat());
    assert_ok(&output);
    let table = text(&output.stdout);
    assert!(table.contains("(--accept-messages): 1 video of weizmann."), "{table}");
    let record = place.path("results/two-stream/table1b/weizmann-smoke.accept-messages/stack-10-on.json");
    let record =
        std::fs::read_to_string(&record).unwrap_or_else(|error| panic!("{}: {error}", record.display()));
    assert!(record.contains("\"accepted\": 1") && record.contains("\"accept-messages\": true"), "{record}");
    refused();

    let mut command = place.command(&[
        "prepare",
        "weizmann",
        "--profile",
        "smoke",
        "--table",
        "table1b",
        "--accept-messages",
    ]);
    let prepared = command.arg("--data-root").arg(&root).output().unwrap();
    assert_ok(&prepared);
    let said = text(&prepared.stdout) + &text(&prepared.stderr);
    assert!(
        said.contains("ffmpeg reports errors in 1 of the videos, which are accepted as they are"),
        "{said}"
    );
}

#[test]
fn a_missing_clip_is_named() {
    let (code, message) = spoilt(|clip| std::fs::remove_file(clip).unwrap());
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("ira_bend"), "{message}");
}

#[test]
fn without_ffmpeg_the_answer_says_how_to_install_it() {
    let place = Place::new();
    let mut command = place.command(&["run", "table1b", "--profile", "smoke", "--dataset", "weizmann"]);
    let output = command.arg("--data-root").arg(weizmann()).env("PATH", "/nonexistent").output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("apt-get install ffmpeg"), "{message}");
}

/// A flipped byte in the flow cache is detected, reported and repaired; the numbers
/// are those of a run without damage.
#[test]
fn a_corrupted_cache_file_is_noticed_and_rebuilt() {
    let place = Place::new();
    let row = ["--row", "single-on"];
    assert_ok(&place.smoke(&row));
    let before = place.numbers();
    let file = largest_file(&place.path("cache/videos"));
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    std::fs::write(&file, bytes).unwrap();

    let again = place.smoke(&[row[0], row[1], "--fresh"]);
    assert_ok(&again);
    let told = text(&again.stderr);
    let name = file.file_name().unwrap().to_string_lossy();
    assert!(told.contains(&*name), "{told}");
    assert_eq!(place.numbers(), before);
}

fn largest_file(folder: &Path) -> PathBuf {
    fn visit(folder: &Path, best: &mut (u64, PathBuf)) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let size = path.metadata().unwrap().len();
            if path.is_dir() {
                visit(&path, best);
            } else if size > best.0 {
                *best = (size, path);
            }
        }
    }
    let mut best = (0, PathBuf::new());
    visit(folder, &mut best);
    best.1
}
