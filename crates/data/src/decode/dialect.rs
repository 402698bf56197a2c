//! How versions of ffmpeg are told to hand out each decoded frame once, and how a failed start shows.
//!
//! No frame may be dropped or repeated for its time stamp (`passthrough`), and the stamps must not reach ffmpeg's writer,
//! which complains of stamps that overlap, as they do where two clips were joined. `setts` numbers the pictures behind the
//! encoder, where nothing else looks at the stamps.

use super::message::Message;
use super::problem::Log;

/// Options of one dialect.
pub(super) type Options = &'static [&'static str];

/// The dialects. The newest is first: versions of unknown age are more often new.
const DIALECTS: [Options; 3] = [
    // Since 5.1.
    &["-fps_mode", "passthrough", "-bsf:v", "setts=ts=N"],
    // Builds without `setts`; what the writer says of overlapping stamps is in the list of harmless messages.
    &["-fps_mode", "passthrough"],
    // Before 5.1. `drop` passes every frame on and drops the stamps only; newer versions call it deprecated.
    &["-vsync", "drop"],
];

/// Number of dialects.
pub(super) const COUNT: usize = DIALECTS.len();

/// Returns the options of a dialect.
pub(super) fn options(dialect: usize) -> Options {
    DIALECTS[dialect % COUNT]
}

/// Returns the dialect that fits a version best: `5.1.6-0+deb12u1`, `n4.4.4`, `git-2020-07-01-abcdef0`, `N-12345-gabcdef0`.
/// A version without a number gets the newest, and another one is tried when it fails to start.
pub(super) fn of_version(version: &str) -> usize {
    let mut numbers = version.strip_prefix('n').unwrap_or(version).split(|c: char| !c.is_ascii_digit());
    let mut next = || numbers.next().and_then(|digits| digits.parse::<u32>().ok());
    match (next(), next()) {
        (Some(major), minor) if (major, minor.unwrap_or(0)) < (5, 1) => COUNT - 1,
        _ => 0,
    }
}

/// What ffmpeg says when it refuses its own options, whatever the video. Texts begin so.
const REFUSALS: [&str; 9] = [
    "Unrecognized option '",
    "Error splitting the argument list",
    "Error parsing option '",
    "Error parsing bitstream filter sequence",
    "Unknown bitstream filter",
    "Unknown encoder '",
    "Requested output format '",
    "Unable to find a suitable output format for 'pipe:1'",
    "Unable to choose an output format for 'pipe:1'",
];

/// Returns `true` if ffmpeg refused its options, so that it did not even look at the video.
pub(super) fn refuses_options(log: &Log) -> bool {
    let refuses = |text: &str| REFUSALS.iter().any(|refusal| text.starts_with(refusal));
    log.0.iter().any(|line| refuses(Message::parse(line).text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_however_it_is_written() {
        for old in
            ["4.2.2-static", "n4.4.4", "4.3.6-0+deb11u1", "5.0", "3.4.11-0ubuntu0.1", "n5.0.3-2-g1f8ae"]
        {
            assert_eq!(options(of_version(old))[0], "-vsync", "{old}");
        }
        for new in [
            "5.1",
            "n5.1.4",
            "7.0.2-static",
            "5.1.9-0+deb12u1",
            "8.0",
            "2024-06-13-git-0060a368b1-full_build",
        ] {
            assert_eq!(options(of_version(new))[0], "-fps_mode", "{new}");
        }
        for unknown in ["git-2020-07-01-abcdef0", "N-12345-gabcdef0", "", "unknown"] {
            assert_eq!(of_version(unknown), 0, "{unknown}");
        }
    }

    #[test]
    fn a_refused_option_is_told_from_a_bad_video() {
        for (line, refused) in [
            ("[error] Unrecognized option 'fps_mode'.", true),
            ("Unrecognized option 'fps_mode'.", true),
            (
                "[vost#0:0/ppm @ 0x2fb5] [error] Error parsing bitstream filter sequence 'setts=ts=N': Bitstream filter",
                true,
            ),
            ("[fatal] Unknown bitstream filter setts", true),
            ("[error] file:Unrecognized option 'x'.avi: Invalid data found when processing input", false),
            ("[h264 @ 0x1] [error] mmco: unref short failure", false),
        ] {
            assert_eq!(refuses_options(&Log(vec![line.to_owned()])), refused, "{line}");
        }
    }
}
