//! Decoding of whole, odd and damaged files, each with its stated outcome. The files are drawn by ffmpeg, so their content
//! is known; `outcomes.rs` has real ones.

use crate::common::{MPEG4, SIZE, announcing, avi, decoder, find, put};
use data::DataError;
use data::decode::{DecodeProblem, Decoded, Decoder, FORMATS, Limits};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use testkit::clip::{drawn, ffmpeg};

pub(crate) fn decode(decoder: &Decoder, path: &Path) -> Result<Decoded, DataError> {
    decoder.decode(path, &AtomicBool::new(false), |frame| {
        assert_eq!(frame.data.len(), frame.width * frame.height * 3);
        Ok(())
    })
}

pub(crate) fn problem(result: Result<Decoded, DataError>) -> DecodeProblem {
    match result {
        Err(DataError::Decode { problem, .. }) => problem,
        other => panic!("expected a problem, found {other:?}"),
    }
}

/// The outcome of decoding these bytes.
pub(crate) fn decode_bytes(bytes: &[u8]) -> Result<Decoded, DataError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("clip");
    put(&path, bytes);
    decode(&decoder(), &path)
}

pub(crate) fn whole(frames: usize, (width, height): (usize, usize)) -> Decoded {
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
        ("gif", 8, ["-c:v", "gif", "-loop", "0"]),
        ("apng", 7, ["-c:v", "apng", "-plays", "0"]),
        ("mxf", 14, ["-c:v", "mpeg2video", "-g", "5"]),
        ("y4m", 6, ["-c:v", "wrapped_avframe", "-pix_fmt", "yuv420p"]),
        ("m2v", 16, ["-c:v", "mpeg2video", "-bf", "2"]),
        ("wtv", 13, ["-c:v", "mpeg2video", "-g", "5"]),
        ("swf", 11, ["-c:v", "flv", "-g", "5"]),
        ("vob", 17, ["-c:v", "mpeg2video", "-g", "5"]),
        ("3gp", 12, ["-c:v", "mpeg4", "-bf", "0"]),
    ] {
        let bytes = drawn(ending, &[("testsrc2", frames)], size, &encode);
        assert_eq!(decode_bytes(&bytes).unwrap(), whole(frames, size), "{ending} {encode:?}");
    }
    // These formats have only a few sizes.
    for (ending, size, encode) in [
        ("dv", (720, 576), ["-c:v", "dvvideo"]),
        ("gxf", (720, 576), ["-c:v", "mpeg2video"]),
        ("rm", (176, 144), ["-c:v", "rv10"]),
        ("h263", (176, 144), ["-c:v", "h263"]),
    ] {
        let bytes = drawn(ending, &[("testsrc2", 5)], size, &encode);
        assert_eq!(decode_bytes(&bytes).unwrap(), whole(5, size), "{ending} {encode:?}");
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
    assert!(*errors >= 1 && first.starts_with("mpeg4: "), "{errors} {first}");
    let text = decoded.clone().strict(&path).unwrap_err().to_string();
    assert!(text.contains("corrupted.mp4") && text.contains("49 frames decode"), "{text}");
    assert!(text.contains("--accept-messages"), "{text}");
    assert_eq!(decoded.clone().despite_messages(&path).unwrap(), decoded);
}

#[test]
fn what_is_no_video_is_said_to_be_none() {
    for content in [&b""[..], b"hello", &[0; 5000]] {
        let problem = problem(decode_bytes(content));
        assert!(matches!(problem, DecodeProblem::NotAVideo { .. }), "{problem}");
    }
    let subtitles = b"1\n00:00:01,000 --> 00:00:02,000\nhello\n\n";
    for content in [&b"ffconcat version 1.0\nfile other.mp4\n"[..], subtitles] {
        let problem = problem(decode_bytes(content));
        assert!(matches!(problem, DecodeProblem::OtherFormat), "{problem}");
        assert!(problem.to_string().contains(FORMATS), "{problem}");
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
fn stamps_that_overlap_change_no_frame() {
    // The second half begins before the first has ended, as where clips were joined.
    let half =
        |offset| drawn("ts", &[("testsrc2", 20)], SIZE, &["-c:v", "mpeg2video", "-output_ts_offset", offset]);
    let joined = [half("0"), half("0.4")].concat();
    assert_eq!(decode_bytes(&joined).unwrap(), whole(40, SIZE));
}

#[test]
fn a_change_of_size_is_named_with_its_frame() {
    // ffmpeg makes all frames as large as the first, and says so only in passing.
    let part = |size| drawn("h263", &[("testsrc2", 12)], size, &["-c:v", "h263"]);
    let first = part((176, 144));
    assert_eq!(decode_bytes(&[&first[..], &first].concat()).unwrap(), whole(24, (176, 144)));
    for (size, found) in [((352, 288), "352x288"), ((128, 96), "128x96")] {
        let problem = problem(decode_bytes(&[&first[..], &part(size)].concat()));
        let (expected, found) = ("176x144".to_owned(), found.to_owned());
        assert_eq!(problem, DecodeProblem::SizeChanges { frame: 12, expected, found });
    }
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
