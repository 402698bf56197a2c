//! Files cut off in the middle, and complete files that look as if they were. The table in `decode/ending.rs` says which
//! formats can tell.

use crate::common::{MPEG4, SIZE, avi, decoder, find};
use crate::decode::{decode, decode_bytes, whole};
use data::DataError;
use data::decode::DecodeProblem;
use testkit::clip::drawn;
use testkit::real_data;

const FRAMES: usize = 40;

/// The encoding of a container and what a cut of it must show.
const FORMATS: [(&str, &[&str]); 13] = [
    ("avi", &["-c:v", "mpeg4", "-g", "5"]),
    ("mp4", &["-c:v", "mpeg4", "-g", "5"]),
    ("mp4", &["-c:v", "mpeg4", "-g", "5", "-movflags", "faststart"]),
    ("mp4", &["-c:v", "mpeg4", "-g", "5", "-movflags", "dash+global_sidx"]),
    ("mov", &["-c:v", "mjpeg", "-q:v", "5"]),
    ("mkv", &["-c:v", "mpeg4", "-g", "5"]),
    ("webm", &["-c:v", "libvpx", "-g", "5"]),
    ("ogv", &["-c:v", "libtheora", "-g", "5"]),
    ("flv", &["-c:v", "flv", "-g", "5"]),
    ("asf", &["-c:v", "wmv2", "-g", "5"]),
    ("mxf", &["-c:v", "mpeg2video", "-g", "5"]),
    ("gif", &["-c:v", "gif"]),
    ("apng", &["-c:v", "apng"]),
];

/// The damage of a file, or the reason for which it was refused.
fn damage(bytes: &[u8]) -> Option<DecodeProblem> {
    match decode_bytes(bytes) {
        Ok(decoded) => decoded.damage,
        Err(DataError::Decode { problem, .. }) => Some(problem),
        Err(other) => panic!("{other}"),
    }
}

/// Returns `true` for a file that says that it was cut.
fn is_cut(damage: Option<&DecodeProblem>) -> bool {
    matches!(damage, Some(DecodeProblem::Truncated { .. } | DecodeProblem::Unfinished { .. }))
}

#[test]
fn a_cut_shows_wherever_it_is() {
    for (ending, encode) in FORMATS {
        let bytes = drawn(ending, &[("testsrc2", FRAMES)], SIZE, encode);
        assert_eq!(decode_bytes(&bytes).unwrap(), whole(FRAMES, SIZE), "{ending} {encode:?}");
        let places = [20, 45, 70, 95].map(|percent| bytes.len() * percent / 100);
        for keep in places {
            let damage = damage(&bytes[..keep]);
            assert!(
                is_cut(damage.as_ref()),
                "{ending} {encode:?}, {keep} of {} bytes: {damage:?}",
                bytes.len()
            );
        }
    }
}

/// Some places at which `mark` stands in the last three quarters of a file.
fn marks(bytes: &[u8], mark: &[u8]) -> Vec<usize> {
    let from = bytes.len() / 4;
    let found = bytes[from..].windows(mark.len()).enumerate().filter(|(_, window)| *window == mark);
    let all: Vec<usize> = found.map(|(at, _)| from + at).collect();
    all.iter().copied().step_by(all.len().div_ceil(4).max(1)).collect()
}

#[test]
fn a_cut_between_two_packets_shows_too() {
    // ffmpeg decodes such a file without a warning: only what the file says gives it away.
    let fragments = ["-c:v", "mpeg4", "-g", "5", "-movflags", "dash+global_sidx"];
    // The mark of a packet, and where the packet begins before it.
    for (ending, encode, mark, before) in [
        ("avi", &MPEG4[..], &b"00dc"[..], 0),
        ("mkv", &["-c:v", "mpeg4", "-cluster_time_limit", "200"], b"\x1f\x43\xb6\x75", 0),
        ("ogv", &["-c:v", "libtheora", "-page_duration", "40000"], b"OggS", 0),
        ("mp4", &fragments, b"moof", 4),
    ] {
        let bytes = drawn(ending, &[("testsrc2", FRAMES)], SIZE, encode);
        let places = marks(&bytes, mark);
        assert!(places.len() > 2, "{ending}: {} packets", places.len());
        for keep in places.into_iter().map(|place| place - before) {
            let damage = damage(&bytes[..keep]);
            assert!(is_cut(damage.as_ref()), "{ending}, {keep} of {} bytes: {damage:?}", bytes.len());
        }
    }
    // A description of frames that stand at its end, without any.
    let bytes = drawn("mp4", &[("testsrc2", FRAMES)], SIZE, &["-c:v", "mpeg4", "-movflags", "faststart"]);
    let damage = damage(&bytes[..find(&bytes, b"mdat") - 4]);
    assert!(is_cut(damage.as_ref()), "{damage:?}");
}

#[test]
fn a_cut_says_what_was_declared_and_what_decodes() {
    let encode = [&MPEG4[..], &["-g", "5"]].concat();
    for (ending, some_frames, mark) in [
        ("avi", true, None),
        ("avi", false, Some(b"movi")),
        // The index of frames lies behind them.
        ("mp4", false, None),
        ("mkv", true, None),
    ] {
        let bytes = drawn(ending, &[("testsrc2", FRAMES)], SIZE, &encode);
        let keep = mark.map_or(bytes.len() / 2, |mark| find(&bytes, mark));
        let frames = match damage(&bytes[..keep]) {
            Some(DecodeProblem::Truncated { declared, found, frames }) => {
                assert!(
                    declared > found && found == keep as u64,
                    "{ending}: {declared} and {found} of {keep}"
                );
                frames
            }
            // Its clusters state their lengths, but not where the last one ends.
            Some(DecodeProblem::Unfinished { frames, .. }) if ending == "mkv" => frames,
            damage => panic!("{ending}, {keep} bytes: {damage:?}"),
        };
        assert!((frames > 0) == some_frames && frames < FRAMES, "{ending}: {frames}");
    }
}

#[test]
fn a_stream_without_an_end_looks_complete_when_it_is_cut_between_packets() {
    // What the table says of formats that cannot tell.
    let bytes = drawn("ts", &[("testsrc2", FRAMES)], SIZE, &["-c:v", "mpeg2video", "-g", "5"]);
    let starts = |at: &usize| bytes[at + 1] & 0x5f == 0x41 && bytes[at + 2] == 0;
    let place = (bytes.len() / 2 / 188 * 188..bytes.len()).step_by(188).find(starts).unwrap();
    let decoded = decode_bytes(&bytes[..place]).unwrap();
    assert!(decoded.damage.is_none() && (10..FRAMES).contains(&decoded.frames), "{decoded:?}");
}

#[test]
fn bytes_behind_the_end_and_unknown_lengths_are_no_cut() {
    for (ending, encode) in FORMATS {
        let bytes = drawn(ending, &[("testsrc2", FRAMES)], SIZE, encode);
        for tail in [&b"<!-- saved from a page -->\n"[..], &[0; 100], b"x"] {
            let damage = damage(&[&bytes, tail].concat());
            // ffmpeg itself may stumble over the tail, but the file is not called cut.
            assert!(!is_cut(damage.as_ref()), "{ending} {encode:?}, {tail:?}: {damage:?}");
        }
    }
    for unknown in [[0; 4], [0xff; 4]] {
        let mut bytes = avi(&[("testsrc2", FRAMES)]);
        bytes[4..8].copy_from_slice(&unknown);
        assert_eq!(decode_bytes(&bytes).unwrap(), whole(FRAMES, SIZE));
    }
    // The length of a segment that was written to a pipe.
    let mut bytes = drawn("mkv", &[("testsrc2", FRAMES)], SIZE, &MPEG4);
    let at = find(&bytes, b"\x18\x53\x80\x67") + 4;
    bytes[at..at + 8].copy_from_slice(&[1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]);
    assert_eq!(decode_bytes(&bytes).unwrap(), whole(FRAMES, SIZE));
}

#[test]
fn real_files_are_complete_or_cut_as_they_are() {
    let Some(faults) = real_data("clips/faults", "cut and complete files") else { return };
    for name in ["avipipe.avi", "trail_text.mp4"] {
        let decoded = decode(&decoder(), &faults.join(name)).unwrap();
        assert_eq!((decoded.frames, decoded.damage), (42, None), "{name}");
    }
    let cut = decode(&decoder(), &faults.join("truncated.ogv")).unwrap();
    assert!(is_cut(cut.damage.as_ref()) && cut.frames == 13, "{cut:?}");
}
