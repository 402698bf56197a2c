//! Pictures are not taken for videos: covers, thumbnails, stills.

use crate::common::{MPEG4, SIZE, decoder, find};
use crate::decode::{decode, decode_bytes, problem, whole};
use data::decode::DecodeProblem;
use std::fs;
use std::path::Path;
use testkit::clip::{drawn, ffmpeg};
use testkit::real_data;

#[test]
fn a_still_picture_is_no_video() {
    for (ending, format, encode) in [
        ("png", "PNG", &["-update", "1"][..]),
        ("jpg", "JPEG", &["-update", "1"]),
        ("bmp", "BMP", &["-update", "1"]),
        ("tiff", "TIFF", &["-update", "1"]),
        ("gif", "GIF", &[]),
        ("apng", "PNG", &[]),
    ] {
        let picture = drawn(ending, &[("testsrc2", 1)], SIZE, encode);
        assert_eq!(problem(decode_bytes(&picture)), DecodeProblem::StillPicture { format }, "{ending}");
    }
    // A picture in a container of tracks, whose first brand tells it from a video of one frame.
    let mut picture = drawn("mp4", &[("testsrc2", 1)], SIZE, &MPEG4);
    assert_eq!(decode_bytes(&picture).unwrap(), whole(1, SIZE));
    let brand = find(&picture, b"ftyp") + 4;
    picture[brand..brand + 4].copy_from_slice(b"avif");
    assert!(matches!(problem(decode_bytes(&picture)), DecodeProblem::StillPicture { .. }));
}

#[test]
fn a_cover_is_no_video_and_a_thumbnail_is_not_the_video() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (cover, clip) = (at("cover.png"), at("clip.mp4"));
    fs::write(&cover, drawn("png", &[("mandelbrot", 1)], (300, 300), &["-update", "1"])).unwrap();
    fs::write(&clip, drawn("mp4", &[("testsrc2", 12)], SIZE, &MPEG4)).unwrap();
    let made = |arguments: &[&str], name: &str| {
        let out = at(name);
        ffmpeg(arguments.iter().copied().chain([&*out]));
        decode(&decoder(), Path::new(&out))
    };
    let tone = ["-f", "lavfi", "-i", "sine=duration=1"];
    let beside = ["-i", &*cover, "-map", "0", "-map", "1", "-c:a", "aac", "-c:v", "copy"];
    let sound = [&tone[..], &beside, &["-disposition:v:0", "attached_pic"]].concat();
    assert_eq!(problem(made(&sound, "sound.mp4")), DecodeProblem::OnlyCover);
    let attach = ["-c:a", "mp2", "-attach", &*cover, "-metadata:s:t", "mimetype=image/png"];
    assert_eq!(problem(made(&[&tone[..], &attach].concat(), "sound.mka")), DecodeProblem::OnlyCover);
    // Sound alone, in a format of videos and in another one.
    let alone = problem(made(&[&tone[..], &["-c:a", "mp2"]].concat(), "alone.mka"));
    assert!(matches!(alone, DecodeProblem::NotAVideo { .. }), "{alone}");
    let song = problem(made(&[&tone[..], &["-c:a", "mp2"]].concat(), "song.mp2"));
    assert!(matches!(song, DecodeProblem::OtherFormat), "{song}");

    // A thumbnail that stands before the video, and one behind it.
    let pictures = |first| {
        let inputs = if first { [&*cover, &*clip] } else { [&*clip, &*cover] };
        let thumbnail = if first { "-disposition:v:0" } else { "-disposition:v:1" };
        let maps = ["-map", "0", "-map", "1", "-c", "copy", thumbnail, "attached_pic"];
        [&["-i", inputs[0], "-i", inputs[1]][..], &maps].concat()
    };
    for (first, name) in [(true, "first.mp4"), (false, "last.mp4"), (false, "last.mov")] {
        assert_eq!(made(&pictures(first), name).unwrap(), whole(12, SIZE), "{name}");
    }
}

#[test]
fn real_sound_with_a_cover_is_refused() {
    let Some(faults) = real_data("clips/faults", "sound with a cover picture") else { return };
    let refused = problem(decode(&decoder(), &faults.join("audio_cover.mp4")));
    assert_eq!(refused, DecodeProblem::OnlyCover);
    assert!(refused.to_string().contains("sound with a cover picture"), "{refused}");
}
