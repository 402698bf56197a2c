//! Decoding of whole, odd and damaged files, each with its stated outcome. The files are drawn by ffmpeg, so their content
//! is known; `outcomes.rs` has real ones.

use crate::common::{MPEG4, SIZE, announcing, avi, decoder, find, put};
use data::DataError;
use data::decode::{DecodeProblem, Decoded, Decoder, Limits};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use testkit::clip::{drawn, ffmpeg};

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

/// The outcome of decoding these bytes.
fn decode_bytes(bytes: &[u8]) -> Result<Decoded, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip");
    put(&path, bytes);
    decode(&decoder(), &path)
}

fn whole(frames: usize, (width, height): (usize, usize)) -> Decoded {
    Decoded { frames, width, height, damage: None }
}

#[test]
fn containers_and_codecs_give_the_frames_that_were_drawn() {
    let size = (160, 120);
    for (ending, frames, encode) in [
        ("avi", 37, ["-c:v", "mpeg4", "-bf", "2"]),
        ("avi", 20, ["-c:v", "rawvideo", "-pix_fmt", "bgr24"]),
        ("mp4", 41, ["-c:v", "mpeg4", "-bf", "0"]),
        ("mov", 12, ["-c:v", "mjpeg", "-q:v", "3"]),
        ("mkv", 33, ["-c:v", "mpeg4", "-g", "5"]),
        ("ts", 26, ["-c:v", "mpeg2video", "-bf", "2"]),
        ("mpg", 27, ["-c:v", "mpeg1video", "-g", "9"]),
        ("flv", 15, ["-c:v", "flv", "-q:v", "3"]),
        ("asf", 18, ["-c:v", "wmv2", "-q:v", "3"]),
        ("nut", 9, ["-c:v", "ffv1", "-g", "1"]),
    ] {
        let bytes = drawn(ending, &[("testsrc2", frames)], size, &encode);
        assert_eq!(decode_bytes(&bytes).unwrap(), whole(frames, size), "{ending} {encode:?}");
    }
}

#[test]
fn a_header_that_miscounts_and_a_gap_in_time_change_no_frame() {
    // Headers of clips with packed B-frames count one more; others count fewer.
    let bytes = avi(&[("testsrc2", 30)]);
    for announced in [29, 31, 48] {
        let decoded = decode_bytes(&announcing(bytes.clone(), announced)).unwrap();
        assert_eq!(decoded, whole(30, SIZE), "{announced} announced");
    }
    // Two seconds are missing in the middle, which a player would fill with fifty repeats.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gap.mkv");
    let source = format!("testsrc2=size={}x{}:rate=25,setpts=PTS+gte(N\\,10)*2/TB", SIZE.0, SIZE.1);
    let drawn = ["-f", "lavfi", "-i", &source, "-frames:v", "30", "-c:v", "mpeg4"].map(OsStr::new);
    ffmpeg(drawn.into_iter().chain([path.as_os_str()]));
    assert_eq!(decode(&decoder(), &path).unwrap(), whole(30, SIZE));
}

#[test]
fn a_clip_that_is_to_be_turned_comes_out_upright() {
    let mut bytes = drawn("mov", &[("testsrc2", 3)], SIZE, &["-c:v", "mjpeg"]);
    assert_eq!(decode_bytes(&bytes).unwrap(), whole(3, SIZE));
    // The display matrix of the track header: a quarter turn.
    let turn: [i32; 9] = [0, 1 << 16, 0, -1 << 16, 0, 0, (SIZE.1 as i32) << 16, 0, 1 << 30];
    let at = find(&bytes, b"tkhd") + 44;
    for (k, value) in turn.iter().enumerate() {
        bytes[at + 4 * k..][..4].copy_from_slice(&value.to_be_bytes());
    }
    assert_eq!(decode_bytes(&bytes).unwrap(), whole(3, (SIZE.1, SIZE.0)));
}

#[test]
fn a_damaged_stream_names_the_first_message_and_their_number() {
    let mut bytes = drawn("mp4", &[("testsrc2", 49)], SIZE, &MPEG4);
    let middle = bytes.len() / 2;
    bytes[middle..middle + 300].fill(0xff);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("corrupted.mp4");
    put(&path, bytes);
    let decoded = decode(&decoder(), &path).unwrap();
    assert_eq!(decoded.frames, 49);
    let Some(DecodeProblem::Damaged { frames: 49, errors, first, .. }) = &decoded.damage else {
        panic!("{decoded:?}")
    };
    assert!(*errors >= 1 && first.contains("[error]"), "{errors} {first}");
    let text = decoded.strict(&path).unwrap_err().to_string();
    assert!(text.contains("corrupted.mp4") && text.contains("49 frames decode"), "{text}");
}

#[test]
fn a_truncated_file_is_told_from_a_short_one() {
    let encode = [&MPEG4[..], &["-g", "5"]].concat();
    for (ending, some_frames, mark) in [
        ("avi", true, None),
        ("avi", false, Some(b"movi")),
        // The index of frames lies behind them.
        ("mp4", false, None),
        ("mkv", true, None),
    ] {
        let bytes = drawn(ending, &[("testsrc2", 40)], SIZE, &encode);
        let keep = mark.map_or(bytes.len() / 2, |mark| find(&bytes, mark));
        let damage = match decode_bytes(&bytes[..keep]) {
            Ok(decoded) => decoded.damage.expect("damage"),
            Err(DataError::Decode { problem, .. }) => problem,
            Err(other) => panic!("{other}"),
        };
        let DecodeProblem::Truncated { declared, found, frames } = damage else {
            panic!("{ending}, {keep} bytes: {damage}")
        };
        assert!(declared > found && found == keep as u64, "{ending}: {declared} and {found} of {keep}");
        assert!((frames > 0) == some_frames && frames < 40, "{ending}: {frames}");
    }
}

#[test]
fn a_file_cut_between_two_packets_is_still_truncated() {
    // ffmpeg decodes such a file without a warning: only the length that the file states gives it away.
    let bytes = avi(&[("testsrc2", 40)]);
    let from = bytes.len() / 2;
    let at = from + find(&bytes[from..], b"00dc");
    let decoded = decode_bytes(&bytes[..at]).unwrap();
    assert!(matches!(decoded.damage, Some(DecodeProblem::Truncated { .. })), "{decoded:?}");
}

#[test]
fn what_is_no_video_is_said_to_be_none() {
    let picture = drawn("png", &[("testsrc2", 1)], SIZE, &["-update", "1"]);
    for content in [&b""[..], b"hello", &[0; 5000], b"#EXTM3U\n#EXTINF:1,\nother.mp4\n", &picture] {
        let problem = problem(decode_bytes(content));
        assert!(matches!(problem, DecodeProblem::NotAVideo { .. }), "{problem}");
    }
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(decode(&decoder(), folder.path()), Err(DataError::File(..))));
    assert!(matches!(decode(&decoder(), &folder.path().join("none.avi")), Err(DataError::File(..))));
}

#[test]
fn a_video_without_frames_is_told_from_no_video() {
    // An AVI file with an empty list of packets and corrected lengths.
    let bytes = avi(&[("testsrc2", 5)]);
    let movi = find(&bytes, b"movi");
    let mut empty = bytes[..movi + 4].to_vec();
    empty[movi - 4..movi].copy_from_slice(&4u32.to_le_bytes());
    let length = (empty.len() - 8) as u32;
    empty[4..8].copy_from_slice(&length.to_le_bytes());
    let problem = problem(decode_bytes(&empty));
    assert!(matches!(problem, DecodeProblem::NoFrames { .. }), "{problem}");
    assert!(problem.to_string().contains("zero frames"), "{problem}");
}

#[test]
fn odd_names_are_taken_literally() {
    let (decoder, bytes) = (decoder(), avi(&[("testsrc2", 6)]));
    let folder = tempfile::tempdir().unwrap();
    for name in
        ["-i.avi", "a b%03d[1]*?.avi", "#x&y;(z)!~@+'\".avi", "file:concat.avi", "http:__x.avi", "ü\n.avi"]
    {
        let path = folder.path().join(name);
        put(&path, &bytes);
        assert_eq!(decode(&decoder, &path).unwrap().frames, 6, "{name}");
    }
}

#[test]
fn limits_end_a_video_early() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.avi");
    put(&path, avi(&[("testsrc2", 36)]));
    let decoder = decoder();
    let short = decoder.clone().with_limits(Limits { frames: 10, ..Limits::default() });
    let found = problem(decode(&short, &path));
    assert_eq!(found, DecodeProblem::TooLarge { what: "the number of frames", found: 11, limit: 10 });
    let narrow = decoder.clone().with_limits(Limits { side: 170, ..Limits::default() });
    assert!(decode(&narrow, &path).is_err());
}

#[test]
fn a_consumer_and_a_caller_can_stop_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip.avi");
    put(&path, avi(&[("testsrc2", 200)]));
    let decoder = decoder();
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
    // The watch checks every few milliseconds, so the video has to last longer.
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
