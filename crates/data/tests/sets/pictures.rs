//! Pictures are not taken for videos: covers, thumbnails, stills.

use crate::common::{MPEG4, SIZE, decoder, find};
use crate::decode::{decode, decode_bytes, problem, whole};
use data::decode::DecodeProblem;
use std::ffi::OsStr;
use std::fs;
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
    let at = |name: &str| folder.path().join(name);
    fs::write(at("cover.png"), drawn("png", &[("mandelbrot", 1)], (300, 300), &["-update", "1"])).unwrap();
    fs::write(at("clip.mp4"), drawn("mp4", &[("testsrc2", 12)], SIZE, &MPEG4)).unwrap();
    let cover = at("cover.png");
    let join = |first: &[&str], second: &str, maps: &[&str], name: &str| {
        let inputs = first.iter().map(OsStr::new).chain([OsStr::new("-i"), cover.as_os_str()]);
        let out = at(name);
        let words = ["-i", second].map(OsStr::new);
        let words = if second.is_empty() { &[][..] } else { &words[..] };
        let maps = maps.iter().map(OsStr::new);
        ffmpeg(inputs.chain(words.iter().copied()).chain(maps).chain([out.as_os_str()]));
        decode(&decoder(), &out)
    };
    // Sound with a cover.
    let tone = ["-f", "lavfi", "-i", "sine=duration=1"];
    let sound = ["-map", "0", "-map", "1", "-c:a", "aac", "-c:v", "copy", "-disposition:v:0", "attached_pic"];
    assert_eq!(problem(join(&tone, "", &sound, "sound.mp4")), DecodeProblem::OnlyCover);
    let song = ["-map", "0", "-map", "1", "-c:a", "mp2", "-c:v", "copy", "-disposition:v:0", "attached_pic"];
    let song = problem(join(&tone, "", &song, "sound.mka"));
    assert!(matches!(song, DecodeProblem::OnlyCover | DecodeProblem::NotAVideo { .. }), "{song}");
    // A video with a thumbnail, which stands first.
    let clip = at("clip.mp4");
    let maps = [
        "-map",
        "0",
        "-map",
        "1",
        "-c",
        "copy",
        "-disposition:v:0",
        "attached_pic",
        "-disposition:v:1",
        "default",
    ];
    for name in ["both.mp4", "both.mov"] {
        assert_eq!(join(&[], clip.to_str().unwrap(), &maps, name).unwrap(), whole(12, SIZE), "{name}");
    }
}

#[test]
fn real_sound_with_a_cover_is_refused() {
    let Some(faults) = real_data("clips/faults", "sound with a cover picture") else { return };
    let refused = problem(decode(&decoder(), &faults.join("audio_cover.mp4")));
    assert_eq!(refused, DecodeProblem::OnlyCover);
    assert!(refused.to_string().contains("sound with a cover picture"), "{refused}");
}
