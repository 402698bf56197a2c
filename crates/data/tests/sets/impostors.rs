//! Other versions of ffmpeg, and programs that answer as it does and then misbehave.

use crate::common::put;
use crate::decode::{decode, problem};
use crate::prepare::{config, grid, run};
use data::DataError;
use data::decode::{DecodeProblem, Decoder, Limits};
use data::prepare::{PrepareConfig, PrepareError};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Writes a program that reports a version and otherwise does as `body` says.
fn program(folder: &Path, version: &str, body: &str) -> PathBuf {
    let path = folder.join("ffmpeg");
    let answer = format!("if [ \"$1\" = -version ]; then echo 'ffmpeg version {version} test'; exit; fi");
    put(&path, format!("#!/bin/sh\n{answer}\n{body}\n"));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn impostor(folder: &Path, body: &str) -> Decoder {
    found(&program(folder, "6.1", body))
        .with_limits(Limits { stall: Duration::from_millis(300), ..Limits::default() })
}

/// Finds a program that was just written. While another test starts a process, that process holds all open files for a moment, this
/// one too, and no file that is open for writing can be started.
fn found(program: &Path) -> Decoder {
    loop {
        match Decoder::with_program(program) {
            Err(DataError::FfmpegMissing { source, .. })
                if source.kind() == std::io::ErrorKind::ExecutableFileBusy =>
            {
                std::thread::yield_now();
            }
            decoder => return decoder.unwrap(),
        }
    }
}

fn outcome(body: &str) -> DecodeProblem {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("x.avi");
    put(&video, "some bytes");
    problem(decode(&impostor(folder.path(), body), &video))
}

#[test]
fn one_that_hangs_is_stopped() {
    let hung = outcome("printf 'P6\\n1 1\\n255\\nabc'; exec sleep 30");
    assert!(matches!(hung, DecodeProblem::TimedOut { frames: 1, .. }), "{hung}");
}

#[test]
fn one_that_crashes_is_at_fault_itself() {
    let crashed = outcome("kill -s SEGV $$");
    assert!(
        matches!(&crashed, DecodeProblem::Failed { frames: 0, what, .. } if what.contains("11")),
        "{crashed}"
    );
}

#[test]
fn half_a_frame_is_no_frame() {
    let half = outcome("printf 'P6\\n2 2\\n255\\nabc'; echo 'it broke' >&2");
    assert!(
        matches!(&half, DecodeProblem::Failed { frames: 0, what, .. } if what.contains("ends within a frame"))
    );
    assert!(half.to_string().contains("it broke"), "{half}");
}

#[test]
fn what_is_no_picture_is_refused_without_taking_memory() {
    for output in ["garbage", "P6\\n99999999 99999999\\n255\\n", "P6\\n0 5\\n255\\n", "P5\\n1 1\\n255\\na"] {
        let refused = outcome(&format!("printf '{output}'"));
        let named = matches!(refused, DecodeProblem::Failed { .. } | DecodeProblem::TooLarge { .. });
        assert!(named, "{refused}");
    }
}

#[test]
fn a_change_of_size_and_a_failed_exit_are_named() {
    let changed = outcome("printf 'P6\\n1 1\\n255\\nabcP6\\n1 2\\n255\\nabcdef'");
    assert!(matches!(changed, DecodeProblem::SizeChanges { frame: 1, .. }), "{changed}");
    let failed = outcome("printf 'P6\\n1 1\\n255\\nabc'; exit 3");
    assert!(
        matches!(&failed, DecodeProblem::Failed { frames: 1, what, .. } if what.contains('3')),
        "{failed}"
    );
}

#[test]
fn a_missing_ffmpeg_says_how_to_install_it() {
    let error = Decoder::with_program(Path::new("/nonexistent/ffmpeg")).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, DataError::FfmpegMissing { .. }), "{text}");
    assert!(text.contains("apt-get install ffmpeg") && text.contains("brew install ffmpeg"), "{text}");
}

/// Gives one frame.
const FRAME: &str = "printf 'P6\\n1 1\\n255\\nabc'";

/// A version that refuses an option.
fn refusing(option: &str, message: &str) -> String {
    format!("case \"$*\" in *{option}*) echo \"{message}\" >&2; exit 1;; esac\n{FRAME}")
}

#[test]
fn any_version_is_spoken_to_in_its_dialect() {
    let no_fps_mode = refusing("fps_mode", "[error] Unrecognized option 'fps_mode'.");
    let no_vsync = refusing("vsync", "[error] Unrecognized option 'vsync'.");
    let no_setts = refusing(
        "setts",
        "[vost#0:0/ppm @ 0x1] [error] Error parsing bitstream filter sequence 'setts=ts=N': Bitstream filter not found",
    );
    for (version, body) in [
        ("4.2.2-static", &no_fps_mode),
        ("n4.4.4", &no_fps_mode),
        ("git-2020-07-01-abcdef0", &no_fps_mode),
        ("N-12345-gabcdef0", &no_fps_mode),
        ("N-112345-gabcdef0", &no_vsync),
        ("8.0", &no_vsync),
        ("n3.0-of-somebody", &no_vsync),
        ("7.1-minimal", &no_setts),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("x.avi");
        put(&video, "some bytes");
        let decoder = found(&program(folder.path(), version, body));
        for turn in ["first", "second"] {
            assert_eq!(decode(&decoder, &video).unwrap().frames, 1, "{version}, {turn} video");
        }
    }
}

#[test]
fn a_version_that_cannot_be_used_is_not_the_fault_of_the_videos() {
    let videos = ["run/ann_run.avi", "run/bob_run.avi", "walk/ann_walk.avi", "walk/bob_walk.avi"];
    let (folder, set) = grid(&videos.map(|name| (name, name.as_bytes().to_vec())));
    let body = "echo \"[error] Unrecognized option 'format_whitelist'.\" >&2; exit 1";
    let config = PrepareConfig { ffmpeg: program(folder.path(), "0.9", body), ..config() };
    let error = run(&set, &config, &[0, 1, 2, 3], &folder.path().join("cache")).unwrap_err();
    assert!(matches!(error, PrepareError::Setup(DataError::FfmpegUnusable { .. })), "{error}");
    let text = error.to_string();
    assert!(text.contains("version 0.9") && text.contains("'format_whitelist'"), "{text}");
}

#[test]
fn a_frame_that_ffmpeg_calls_corrupt_is_damage_without_an_error() {
    for line in [
        "[warning] file:x.avi: corrupt decoded frame in stream 0",
        "[dec:h264 @ 0x1] [warning] corrupt decoded frame",
    ] {
        let folder = tempfile::tempdir().unwrap();
        let video = folder.path().join("x.avi");
        put(&video, "some bytes");
        let decoder = impostor(folder.path(), &format!("echo '{line}' >&2; {FRAME}"));
        let damage = decode(&decoder, &video).unwrap().damage;
        assert!(matches!(damage, Some(DecodeProblem::Damaged { frames: 1, errors: 1, .. })), "{damage:?}");
        let decoder =
            impostor(folder.path(), &format!("echo '[warning] file:[error].avi: odd' >&2; {FRAME}"));
        assert_eq!(decode(&decoder, &video).unwrap().damage, None);
    }
}
