//! Real clips through the binary: what works, and what a bad clip is answered
//! with. Skipped, with a line that says so, where the clips or ffmpeg are not.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

mod support;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::{Place, assert_ok, text};

/// The Weizmann clips, from `VAR_REAL_DATA` or beside the checkout.
fn weizmann() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/real");
    let folder = std::env::var_os("VAR_REAL_DATA").map_or_else(beside, PathBuf::from).join("weizmann");
    let ffmpeg = Command::new("ffmpeg").arg("-version").stdout(Stdio::null()).status().is_ok();
    if folder.is_dir() && ffmpeg {
        return Some(folder);
    }
    eprintln!("skipped: needs ffmpeg and the clips in {}", folder.display());
    None
}

/// A copy of the clips in which one may be spoilt.
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

/// Spoils [`CLIP`] and runs a row.
fn spoilt(spoil: impl FnOnce(&Path)) -> Option<(i32, String)> {
    let clips = weizmann()?;
    let place = Place::new();
    let root = place.path("clips");
    copy(&clips, &root);
    let clip = root.join(CLIP);
    assert!(clip.exists(), "{CLIP} is a clip of the set");
    spoil(&clip);
    let output = run(&place, &root, &["--row", "stack-10-on"]);
    let message = text(&output.stderr);
    assert!(!message.contains("panicked"), "{message}");
    Some((output.status.code().unwrap(), message))
}

#[test]
fn real_clips_run_to_a_table_that_counts_its_videos() {
    let Some(clips) = weizmann() else { return };
    let place = Place::new();
    let output = run(&place, &clips, &["--row", "stack-10-on", "--split", "1", "2", "3"]);
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
    let Some((code, message)) = spoilt(half) else { return };
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("ira_bend"), "{message}");
}

#[test]
fn a_clip_without_frames_is_named() {
    let empty = |clip: &Path| std::fs::write(clip, b"").unwrap();
    let Some((code, message)) = spoilt(empty) else { return };
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("ira_bend"), "{message}");
}

#[test]
fn a_clip_shorter_than_the_stack_is_named() {
    let shorten = |clip: &Path| {
        let short = clip.with_file_name("short.avi");
        let made = Command::new("ffmpeg")
            .args(["-v", "error", "-i"])
            .arg(clip)
            .args(["-frames:v", "6", "-c:v", "copy"])
            .arg(&short)
            .stdin(Stdio::null())
            .status();
        assert!(made.unwrap().success());
        std::fs::rename(short, clip).unwrap();
    };
    let Some((code, message)) = spoilt(shorten) else { return };
    assert_eq!(code, 4, "the rows that it is long enough for can run: {message}");
    assert!(
        message.contains("ira_bend") && message.contains("6 frames") && message.contains("11"),
        "{message}"
    );
}

#[test]
fn a_missing_clip_is_named() {
    let Some((code, message)) = spoilt(|clip| std::fs::remove_file(clip).unwrap()) else { return };
    assert_eq!(code, 3, "{message}");
    assert!(message.contains("ira_bend"), "{message}");
}

#[test]
fn without_ffmpeg_the_answer_says_how_to_install_it() {
    let Some(clips) = weizmann() else { return };
    let place = Place::new();
    let mut command = place.command(&["run", "table1b", "--profile", "smoke", "--dataset", "weizmann"]);
    let output = command.arg("--data-root").arg(&clips).env("PATH", "/nonexistent").output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{message}");
    assert!(message.contains("apt-get install ffmpeg"), "{message}");
}

/// A flipped byte in the flow cache is noticed, told and mended; the numbers
/// are those of a run without it.
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
