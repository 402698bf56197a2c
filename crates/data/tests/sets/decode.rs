//! Decoding real, odd and damaged files, each with its stated outcome.

use crate::common::{put, real_data};
use data::DataError;
use data::decode::{DecodeProblem, Decoded, Decoder, Limits};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// ffmpeg and the real clips, or `None` after saying what is missing.
fn tools() -> Option<(Decoder, PathBuf)> {
    let real = real_data()?;
    match Decoder::find() {
        Ok(decoder) => Some((decoder, real)),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn decode(decoder: &Decoder, path: &Path) -> Result<Decoded, DataError> {
    decoder.decode(path, &AtomicBool::new(false), |frame| {
        assert_eq!(frame.data.len(), frame.width * frame.height * 3);
        Ok(())
    })
}

fn problem(result: Result<Decoded, DataError>) -> DecodeProblem {
    match result {
        Err(DataError::Decode { problem, .. }) => problem,
        other => panic!("expected a problem, found {other:?}"),
    }
}

#[test]
fn real_clips_give_their_true_frame_counts() {
    let Some((decoder, real)) = tools() else { return };
    // Header counts differ for the HMDB-51 clips, one UCF-50 clip and the Matroska file.
    for (file, frames, width, height) in [
        ("ucf101/v_ApplyEyeMakeup_g01_c01.avi", 164, 320, 240),
        ("ucf101/v_BaseballPitch_g01_c01.avi", 107, 320, 240),
        ("ucf50/v_BaseballPitch_g01_c03.avi", 103, 320, 240),
        ("hmdb51/RATRACE_wave_f_nm_np1_fr_goo_37.avi", 72, 560, 240),
        ("hmdb51/SchoolRulesHowTheyHelpUs_wave_f_nm_np1_ba_med_0.avi", 74, 320, 240),
        ("hmdb51/cartwheel.avi", 84, 320, 240),
        ("hmdb51/hmdb51_Turnk_r_Pippi_Michel_cartwheel_f_cm_np2_le_med_6.avi", 83, 320, 240),
        ("kinetics/SOX5yA1l24A.mp4", 332, 340, 256),
        ("other/Megamind.avi", 270, 720, 528),
        ("other/flipping_a_pancake.mkv", 310, 426, 240),
        ("other/mmaction2_part_0.mp4", 32, 340, 256),
        // A display matrix turns the second of these upright.
        ("other/video_0.mov", 3, 568, 320),
        ("other/video_90.mov", 3, 320, 568),
        // Wrong pictures without an error: nothing in the file says so.
        ("corrupt/Megamind_bugy.avi", 270, 720, 528),
    ] {
        let decoded = decode(&decoder, &real.join("clips").join(file)).unwrap();
        assert_eq!(decoded, Decoded { frames, width, height, damage: None }, "{file}");
    }
}

#[test]
fn a_damaged_stream_names_the_first_message_and_their_number() {
    let Some((decoder, real)) = tools() else { return };
    let path = real.join("clips/corrupt/corrupted.mp4");
    let decoded = decode(&decoder, &path).unwrap();
    assert_eq!(decoded.frames, 49);
    let Some(DecodeProblem::Damaged { frames: 49, errors, first, .. }) = &decoded.damage else {
        panic!("{decoded:?}")
    };
    assert!(*errors >= 1 && first.contains("Invalid NAL unit size"), "{errors} {first}");
    let text = decoded.strict(&path).unwrap_err().to_string();
    assert!(text.contains("corrupted.mp4") && text.contains("49 frames decode"), "{text}");
}

#[test]
fn a_truncated_file_is_told_from_a_short_one() {
    let Some((decoder, real)) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    for (file, keep, some_frames) in [
        ("weizmann/bend/daria_bend.avi", 60_000, true),
        ("weizmann/bend/daria_bend.avi", 3_000, false),
        ("clips/hmdb51/cartwheel.avi", 100_000, true),
        ("clips/other/mmaction2_part_0.mp4", 100_000, false),
        ("clips/other/flipping_a_pancake.mkv", 100_000, true),
    ] {
        let whole = fs::read(real.join(file)).unwrap();
        let path = folder.path().join("cut");
        put(&path, &whole[..keep]);
        let damage = match decode(&decoder, &path) {
            Ok(decoded) => decoded.damage.expect("damage"),
            Err(DataError::Decode { problem, .. }) => problem,
            Err(other) => panic!("{other}"),
        };
        let DecodeProblem::Truncated { declared, found, frames } = damage else { panic!("{file}: {damage}") };
        assert!(declared > found && found == keep as u64 && (frames > 0) == some_frames, "{file}: {frames}");
    }
}

#[test]
fn a_file_cut_between_two_packets_is_still_truncated() {
    let Some((decoder, real)) = tools() else { return };
    // ffmpeg decodes such a file without a word: only the length that the file states gives it away.
    let whole = fs::read(real.join("weizmann/bend/daria_bend.avi")).unwrap();
    let start = whole.windows(4).position(|w| w == b"movi").unwrap() + 4;
    let at = start + whole[start + 20_000..].windows(4).position(|w| w == b"00dc").unwrap() + 20_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cut.avi");
    put(&path, &whole[..at]);
    let decoded = decode(&decoder, &path).unwrap();
    assert!(matches!(decoded.damage, Some(DecodeProblem::Truncated { .. })), "{decoded:?}");
}

#[test]
fn what_is_no_video_is_said_to_be_none() {
    let Some((decoder, real)) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.avi");
    for content in [&b""[..], b"hello", &[0; 5000], b"#EXTM3U\n#EXTINF:1,\nother.mp4\n"] {
        put(&path, content);
        let problem = problem(decode(&decoder, &path));
        assert!(matches!(problem, DecodeProblem::NotAVideo { .. }), "{problem}");
    }
    let picture = real.join("flow_gt/RubberWhale/rubberwhale1.png");
    assert!(matches!(problem(decode(&decoder, &picture)), DecodeProblem::NotAVideo { .. }));
    assert!(matches!(decode(&decoder, folder.path()), Err(DataError::File(..))));
    assert!(matches!(decode(&decoder, &folder.path().join("none.avi")), Err(DataError::File(..))));
}

#[test]
fn a_video_without_frames_is_told_from_no_video() {
    let Some((decoder, real)) = tools() else { return };
    // An AVI file whose list of packets is empty: headers of a real clip, lengths put right.
    let whole = fs::read(real.join("weizmann/bend/daria_bend.avi")).unwrap();
    let movi = whole.windows(4).position(|w| w == b"movi").unwrap();
    let mut empty = whole[..movi + 4].to_vec();
    empty[movi - 4..movi].copy_from_slice(&4u32.to_le_bytes());
    let length = (empty.len() - 8) as u32;
    empty[4..8].copy_from_slice(&length.to_le_bytes());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("empty.avi");
    put(&path, &empty);
    let problem = problem(decode(&decoder, &path));
    assert!(matches!(problem, DecodeProblem::NoFrames { .. }), "{problem}");
    assert!(problem.to_string().contains("zero frames"), "{problem}");
}

#[test]
fn odd_names_are_taken_literally() {
    let Some((decoder, real)) = tools() else { return };
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["-i.avi", "a b%03d[1]*?.avi", "#x&y;(z)!~@+'\".avi", "file:concat.avi", "http:__x.avi", "ü\n.avi"]
    {
        let path = folder.path().join(name);
        fs::copy(real.join("weizmann/run/ido_run.avi"), &path).unwrap();
        assert_eq!(decode(&decoder, &path).unwrap().frames, 36, "{name}");
    }
}

#[test]
fn limits_end_a_video_early() {
    let Some((decoder, real)) = tools() else { return };
    let path = real.join("weizmann/run/ido_run.avi");
    let short = decoder.clone().with_limits(Limits { frames: 10, ..Limits::default() });
    let found = problem(decode(&short, &path));
    assert_eq!(found, DecodeProblem::TooLarge { what: "the number of frames", found: 11, limit: 10 });
    let narrow = decoder.clone().with_limits(Limits { side: 170, ..Limits::default() });
    assert!(decode(&narrow, &path).is_err());
}

#[test]
fn a_consumer_and_a_caller_can_stop_it() {
    let Some((decoder, real)) = tools() else { return };
    let path = real.join("clips/other/Megamind.avi");
    let mut seen = 0;
    let stop = AtomicBool::new(false);
    let result = decoder.decode(&path, &stop, |_| {
        seen += 1;
        if seen == 3 { Err(DataError::Interrupted) } else { Ok(()) }
    });
    assert!(matches!(result, Err(DataError::Interrupted)) && seen == 3);
    let result = decode_stopped(&decoder, &path);
    assert!(matches!(result, Err(DataError::Interrupted)), "{result:?}");
}

#[cfg(unix)]
fn decode_stopped(decoder: &Decoder, path: &Path) -> Result<Decoded, DataError> {
    // The watch looks every few milliseconds, so the video has to outlast it.
    let stop = AtomicBool::new(true);
    let (_sender, never) = std::sync::mpsc::channel::<()>();
    decoder.decode(path, &stop, |_| {
        let _timeout = never.recv_timeout(std::time::Duration::from_millis(20));
        Ok(())
    })
}

#[test]
fn a_missing_ffmpeg_says_how_to_install_it() {
    let error = Decoder::with_program(Path::new("/nonexistent/ffmpeg")).unwrap_err();
    let text = error.to_string();
    assert!(matches!(error, DataError::FfmpegMissing { .. }), "{text}");
    assert!(text.contains("apt-get install ffmpeg") && text.contains("brew install ffmpeg"), "{text}");
}

#[cfg(unix)]
mod impostors {
    //! Programs that answer as ffmpeg does and then misbehave.

    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    fn impostor(folder: &Path, body: &str) -> Decoder {
        let path = folder.join("ffmpeg");
        let answer = "if [ \"$1\" = -version ]; then echo 'ffmpeg version 6.1 test'; exit; fi";
        put(&path, format!("#!/bin/sh\n{answer}\n{body}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        Decoder::with_program(&path)
            .unwrap()
            .with_limits(Limits { stall: Duration::from_millis(300), ..Limits::default() })
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
    fn half_a_frame_is_no_frame() {
        let half = outcome("printf 'P6\\n2 2\\n255\\nabc'; echo 'it broke' >&2");
        assert!(
            matches!(&half, DecodeProblem::Failed { frames: 0, what, .. } if what.contains("ends within a frame"))
        );
        assert!(half.to_string().contains("it broke"), "{half}");
    }

    #[test]
    fn what_is_no_picture_is_refused_without_taking_memory() {
        for output in
            ["garbage", "P6\\n99999999 99999999\\n255\\n", "P6\\n0 5\\n255\\n", "P5\\n1 1\\n255\\na"]
        {
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
}
