//! Messages of ffmpeg: harmless ones, and those that are accepted and recorded.

use crate::common::{MPEG4, SIZE, avi, decoder, find};
use crate::decode::{decode, decode_bytes, problem, whole};
use crate::prepare::{config, grid, run, tree};
use data::DataError;
use data::container::Container;
use data::decode::DecodeProblem;
use data::prepare::{PrepareConfig, PrepareError, accepted, missing};
use std::ffi::OsStr;
use std::fs;
use testkit::clip::{drawn, ffmpeg};
use testkit::real_data;

/// The hash of all frames of a video, their number and the damage.
fn seen(path: &std::path::Path) -> (blake3::Hash, usize, Option<DecodeProblem>) {
    let mut hasher = blake3::Hasher::new();
    let decoded = decoder()
        .decode(path, &std::sync::atomic::AtomicBool::new(false), |frame| {
            hasher.update(frame.data);
            Ok(())
        })
        .unwrap();
    (hasher.finalize(), decoded.frames, decoded.damage)
}

#[test]
fn a_segment_of_an_open_group_is_whole() {
    let Some(faults) = real_data("clips/faults", "a harmless message on memory management") else { return };
    let (_, frames, damage) = seen(&faults.join("seg_01.mp4"));
    assert_eq!((frames, damage), (30, None));
}

#[test]
fn a_remark_that_is_too_short_changes_no_frame() {
    let Some(clips) = real_data("clips", "a harmless message on remarks in H.264") else { return };
    let clip = clips.join("other/mmaction2_part_0.mp4");
    let mut bytes = fs::read(&clip).unwrap();
    // A remark of free text (type 5) with its length, in bytes of 255 and a last one.
    let mark = [6, 5, 0xff];
    let at = bytes.windows(3).position(|window| window == mark).unwrap() + 2;
    let last = at + bytes[at..].iter().position(|&byte| byte != 0xff).unwrap();
    assert!(bytes[last] < 250, "{}", bytes[last]);
    bytes[last] = 254;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("remark.mp4");
    fs::write(&path, bytes).unwrap();
    assert_eq!(seen(&path), seen(&clip));
    assert_eq!(seen(&clip).1, 32);
}

#[test]
fn what_is_said_of_every_stream_or_of_the_sound_is_no_damage() {
    let h261 = drawn("h261", &[("testsrc2", 9)], (176, 144), &["-c:v", "h261"]);
    assert_eq!(decode_bytes(&h261).unwrap(), whole(9, (176, 144)));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noise.ts");
    let source = format!("testsrc2=size={}x{}:rate=25", SIZE.0, SIZE.1);
    let inputs = ["-f", "lavfi", "-i", &source, "-f", "lavfi", "-i", "sine", "-t", "2"];
    let encode = ["-c:v", "mpeg2video", "-c:a", "aac"];
    ffmpeg(inputs.iter().chain(&encode).map(OsStr::new).chain([path.as_os_str()]));
    let mut bytes = fs::read(&path).unwrap();
    // Noise in place of the sound, which is the second stream.
    let mut noise = 1u32;
    for packet in bytes.chunks_exact_mut(188).filter(|packet| packet[1] & 0x1f == 1 && packet[2] == 1) {
        for byte in &mut packet[30..] {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (noise >> 24) as u8;
        }
    }
    assert_eq!(decode_bytes(&bytes).unwrap(), whole(50, SIZE));
}

#[test]
fn real_stamps_that_overlap_give_each_frame_once() {
    let Some(faults) = real_data("clips/faults", "time stamps that overlap, and a change of size") else {
        return;
    };
    let (_, frames, damage) = seen(&faults.join("overlap.mp4"));
    assert_eq!((frames, damage), (84, None));
    let changed = problem(decode(&decoder(), &faults.join("sizechange.ts")));
    let (expected, found) = ("320x240".to_owned(), "240x320".to_owned());
    assert_eq!(changed, DecodeProblem::SizeChanges { frame: 42, expected, found });
}

/// An AVI file with noise in some of its packets.
fn damaged() -> Vec<u8> {
    let mut bytes = avi(&[("testsrc2", 30)]);
    let middle = find(&bytes, b"idx1") / 2;
    bytes[middle..middle + 300].fill(0xff);
    bytes
}

#[test]
fn accepted_messages_are_recorded_and_never_pass_unasked() {
    let (good, bad) = (avi(&[("testsrc2", 30)]), damaged());
    let (folder, set) = grid(&[
        ("run/ann_run.avi", good.clone()),
        ("run/bob_run.avi", bad),
        ("walk/ann_walk.avi", good[..good.len() / 2].to_vec()),
        ("walk/bob_walk.avi", good),
    ]);
    let cache = folder.path().join("cache");
    let strict = PrepareConfig { flow: None, ..config() };
    let lenient = PrepareConfig { accept_messages: true, ..strict.clone() };
    let refused = |videos: &[usize]| {
        let error = run(&set, &strict, videos, &cache).unwrap_err();
        let PrepareError::Videos(report) = error else { panic!("{error}") };
        report.failures.into_iter().map(|failure| failure.cause.to_string()).collect::<Vec<_>>()
    };
    let before = refused(&[0, 1]);
    assert!(before[0].contains("--accept-messages") && before[0].contains("bob_run.avi"), "{before:?}");

    let ready = run(&set, &lenient, &[0, 1], &cache).unwrap();
    assert_eq!((ready.videos.len(), ready.accepted), (2, 1));
    assert!(ready.to_string().contains("ffmpeg reports errors in 1 of the videos"), "{ready}");
    assert!(ready.videos[0].messages.is_none());
    let messages = ready.videos[1].messages.clone().unwrap();
    assert!(messages.count >= 1 && messages.first.starts_with("mpeg4: "), "{messages:?}");
    assert_eq!(accepted(&set, &lenient, &[0, 1], &cache).unwrap(), 1);

    // The file of the cache is the same for both, and says what was accepted.
    assert!(missing(&set, &strict, &[0, 1], &cache).unwrap().is_empty());
    let files = tree(&cache.join("frames"));
    let after = refused(&[0, 1]);
    assert!(after[0].contains("30 frames decode") && after[0].contains(&messages.first), "{after:?}");
    assert_eq!(tree(&cache.join("frames")), files);
    let again = run(&set, &lenient, &[0, 1], &cache).unwrap();
    assert_eq!((again.accepted, again.built), (1, 0));

    // A truncated file lacks frames, which no message says.
    let error = run(&set, &lenient, &[2], &cache).unwrap_err();
    assert!(error.to_string().contains("truncated"), "{error}");
}

#[test]
fn a_file_without_messages_is_as_it_was() {
    let (folder, set) = grid(&[
        ("run/ann_run.avi", avi(&[("testsrc2", 12)])),
        ("run/bob_run.avi", avi(&[("testsrc2", 12)])),
        ("walk/ann_walk.avi", avi(&[("testsrc2", 12)])),
        ("walk/bob_walk.avi", avi(&[("testsrc2", 12)])),
    ]);
    let frames = |accept_messages, cache: &str| {
        let config = PrepareConfig { accept_messages, flow: None, ..config() };
        let ready = run(&set, &config, &[0], &folder.path().join(cache)).unwrap();
        let file = ready.videos[0].cache_files().next().unwrap();
        let header = serde_json::to_string(Container::open(file.path()).unwrap().header()).unwrap();
        assert!(header.contains("\"facts\":{\"repeated\":0}"), "{header}");
        fs::read(file.path()).unwrap()
    };
    assert_eq!(frames(true, "one"), frames(false, "two"));
}

#[test]
fn a_video_of_a_few_pixels_is_ready_and_an_impossible_one_is_named() {
    let (folder, set) = grid(&[
        ("run/ann_run.avi", drawn("avi", &[("testsrc2", 5)], (8, 8), &MPEG4)),
        ("run/bob_run.avi", drawn("avi", &[("testsrc2", 5)], (2, 2), &["-c:v", "rawvideo"])),
        ("walk/ann_walk.avi", drawn("avi", &[("testsrc2", 3)], (2, 4000), &["-c:v", "rawvideo"])),
        ("walk/bob_walk.avi", drawn("avi", &[("testsrc2", 5)], (16, 8), &MPEG4)),
    ]);
    let cache = folder.path().join("cache");
    let ready = run(&set, &config(), &[0, 1, 3], &cache).unwrap();
    let sizes: Vec<_> = ready.videos.iter().map(|video| (video.width, video.height, video.frames)).collect();
    assert_eq!(sizes, [(32, 32, 5), (32, 32, 5), (64, 32, 5)]);
    let error = run(&set, &config(), &[2], &cache).unwrap_err();
    let PrepareError::Videos(report) = error else { panic!("{error}") };
    let cause = &report.failures[0].cause;
    assert!(matches!(cause, DataError::Of { .. }), "{cause}");
    assert!(cause.to_string().contains("ann_walk.avi") && cause.to_string().contains("64000"), "{cause}");
}
