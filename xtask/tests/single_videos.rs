//! Commands on single videos that are short, tiny or bad.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

mod support;

use std::process::Output;

use serde_json::Value;
use support::{Place, assert_ok, text};
use testkit::clip::draw;

/// Draws a video of so many frames and returns its path.
fn video(place: &Place, name: &str, frames: usize, size: (usize, usize)) -> String {
    let file = place.path(name);
    draw(&file, &[("testsrc", frames)], size, &["-c:v", "mpeg4"]);
    file.to_str().unwrap().to_owned()
}

/// Runs `flow`, which has no folder of results.
fn flow(arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("flow").args(arguments).args(["--method", "fast"]).output().unwrap()
}

#[test]
fn one_bad_video_does_not_keep_the_others_from_being_classified() {
    let place = Place::new();
    assert_ok(&place.smoke(&["--row", "stack-5-on"]));
    let good = video(&place, "good.avi", 40, (160, 120));
    let again = video(&place, "again.avi", 30, (160, 120));
    let short = video(&place, "short.avi", 3, (160, 120));
    let bad = place.path("bad.avi").to_str().unwrap().to_owned();
    std::fs::write(&bad, "no video").unwrap();
    let missing = place.path("missing.avi").to_str().unwrap().to_owned();
    let predict = |arguments: &[&str]| {
        let arguments = [&["predict", "--run", "table1b/stack-5-on"], arguments].concat();
        place.command(&arguments).output().unwrap()
    };

    let output = predict(&[&good, &bad, &short, &missing, &again, "--json"]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(3), "{err}");
    // One JSON value a line, for the good ones in their order.
    let answers: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let seen: Vec<(&str, u64)> = answers
        .iter()
        .map(|answer| (answer["video"].as_str().unwrap(), answer["frames"].as_u64().unwrap()))
        .collect();
    assert_eq!(seen, [(good.as_str(), 40), (again.as_str(), 30)]);
    let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 4, "{err}");
    for (error, (file, says)) in errors.iter().zip([
        (&bad, "expected a video"),
        (&short, "net temporal needs 6 frames without a cut between them"),
        (&missing, "missing.avi"),
    ]) {
        assert!(error.contains(file) && error.contains(says), "{error}");
    }
    assert!(errors[3].contains("3 of 5 videos could not be classified"), "{err}");

    let output = predict(&[&bad, &good]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stdout).contains("40 frames"), "{}", text(&output.stdout));

    // A wrong request and an error of the machine still stop at once.
    let output = predict(&[&bad, &good, "--chart", place.path("chart.svg").to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let mut command = place.command(&["predict", "--run", "table1b/stack-5-on", &good, &again]);
    let output = command.env("PATH", place.path("nowhere")).output().unwrap();
    let err = text(&output.stderr);
    assert!(output.status.code() == Some(3) && err.contains("cannot start `ffmpeg`"), "{err}");
    assert_eq!(err.lines().filter(|line| line.starts_with("error: ")).count(), 1, "{err}");
}

#[test]
fn a_video_too_short_for_a_net_is_told_what_the_net_needs() {
    let place = Place::new();
    assert_ok(&place.smoke(&["--row", "stack-5-on"]));
    for frames in [1, 3] {
        let short = video(&place, "short.avi", frames, (160, 120));
        let output = place.command(&["predict", "--run", "table1b/stack-5-on", &short]).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{said}");
        let found = format!("the longest stretch of this video has {frames}; give a longer video");
        for expected in ["short.avi", "net temporal needs 6 frames", &found, "--run"] {
            assert!(said.contains(expected), "`{expected}` is not in {said}");
        }
        assert!(!said.contains("split"), "{said}");
    }
}

#[test]
fn flow_needs_two_frames() {
    let place = Place::new();
    let one = video(&place, "one.avi", 1, (64, 48));
    let output = flow(&[&one]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("one.avi: expected two or more") && said.contains("found 1"), "{said}");
    assert!(!text(&output.stdout).contains("inf"), "{}", text(&output.stdout));
    let output = flow(&[&video(&place, "two.avi", 2, (64, 48))]);
    assert_ok(&output);
    let said = text(&output.stdout);
    assert!(said.starts_with("1 pairs of 64x48") && !said.contains("inf") && !said.contains("NaN"), "{said}");
}

#[test]
fn errors_of_pictures_name_them() {
    let place = Place::new();
    let picture = |name: &str, size| {
        let path = place.path(name);
        draw(&path, &[("testsrc", 1)], size, &["-c:v", "png", "-f", "image2"]);
        path.to_str().unwrap().to_owned()
    };
    let (small, large) = (picture("small.png", (32, 32)), picture("large.png", (64, 48)));
    let output = flow(&[&small, &large]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    for expected in ["small.png", "large.png", "32x32 and 64x48"] {
        assert!(said.contains(expected), "`{expected}` is not in {said}");
    }
}

/// Smaller than a crop and than the coarsest level of the flow's pyramid: it is enlarged first. A picture of which nothing is
/// left after that is refused by name.
#[test]
fn a_tiny_video_is_classified_and_a_strip_is_refused_by_name() {
    let place = Place::new();
    assert_ok(&place.smoke(&["--row", "stack-5-on"]));
    let before = place.numbers();
    let predict = |file: &str| {
        place.command(&["predict", "--run", "table1b/stack-5-on", file, "--json"]).output().unwrap()
    };
    let tiny = video(&place, "tiny.avi", 12, (8, 8));
    let output = predict(&tiny);
    assert_ok(&output);
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answer["frames"], 12);
    let output = flow(&[&tiny]);
    assert_ok(&output);
    assert!(text(&output.stdout).starts_with("11 pairs of 8x8"), "{}", text(&output.stdout));

    let output = predict(&video(&place, "strip.avi", 7, (4000, 2)));
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("strip.avi`: ") && said.contains("found 128000x64"), "{said}");
    assert_eq!(place.numbers(), before, "a prediction changes no record");
}
