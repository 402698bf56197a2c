//! Problems of videos.

use super::formats::FORMATS;
use std::fmt;

/// The reason for refusing a video, or the fault of the frames that it gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// Nothing in the file is a video stream that ffmpeg knows.
    #[error("expected a video, found none that ffmpeg can open; replace the file. {log}")]
    NotAVideo {
        /// Last lines of ffmpeg's standard error.
        log: Log,
    },
    /// The format is none of those that are read.
    #[error(
        "expected a video in one of the formats {FORMATS}, found another one; convert it with ffmpeg, for example to MP4"
    )]
    OtherFormat,
    /// A still picture.
    #[error("expected a video, found a still picture ({format}); give a file with moving pictures")]
    StillPicture {
        /// Format of the picture.
        format: &'static str,
    },
    /// Sound, with a cover picture.
    #[error(
        "expected a video, found sound with a cover picture and no video; give a file with moving pictures"
    )]
    OnlyCover,
    /// The file announces a video stream that has no frame.
    #[error("expected a video with frames, found zero frames; replace the file. {log}")]
    NoFrames {
        /// Last lines of ffmpeg's standard error.
        log: Log,
    },
    /// The file is shorter than its own container declares.
    #[error(
        "the file is truncated: its container declares at least {declared} bytes, found {found} bytes; {frames} frames \
         decode; fetch it again"
    )]
    Truncated {
        /// Bytes that the container's own headers announce.
        declared: u64,
        /// Bytes found.
        found: u64,
        /// Frames that decode nevertheless.
        frames: usize,
    },
    /// The file ends before its format's mark of the end.
    #[error("the file is truncated: {lacks} is missing; {frames} frames decode; fetch it again")]
    Unfinished {
        /// What a complete file has.
        lacks: &'static str,
        /// Frames that decode nevertheless.
        frames: usize,
    },
    /// All existing frames were decoded, but ffmpeg reported errors that are not known to be harmless, or corrupt frames.
    #[error(
        "expected no error messages from ffmpeg, found {errors} (the first: {first}); {frames} frames decode; \
         fetch the file again, or accept the frames as they are with --accept-messages. {log}"
    )]
    Damaged {
        /// Frames that decode, some of them with wrong content.
        frames: usize,
        /// Number of messages that report an error or a corrupt frame.
        errors: usize,
        /// The first of them.
        first: String,
        /// Last lines of ffmpeg's standard error.
        log: Log,
    },
    /// A frame size or a number of frames beyond the limits.
    #[error("{what} is {found}, above the limit of {limit}; shorten or downscale the video")]
    TooLarge {
        /// Quantity: "the width", "the number of frames".
        what: &'static str,
        /// Value of the video.
        found: usize,
        /// Largest value allowed.
        limit: usize,
    },
    /// The frame size changes within the video.
    #[error("frame {frame} is {found}, the frames before are {expected}; re-encode the video at one size")]
    SizeChanges {
        /// The first frame of another size, from 0.
        frame: usize,
        /// Size of the frames before, as `WxH`.
        expected: String,
        /// Size of this frame, as `WxH`.
        found: String,
    },
    /// ffmpeg gave no frame for too long.
    #[error("no new frame within {seconds} s, after {frames} frames; ffmpeg was stopped. {log}")]
    TimedOut {
        /// The time-out.
        seconds: u64,
        /// Frames before that.
        frames: usize,
        /// Last lines of ffmpeg's standard error.
        log: Log,
    },
    /// ffmpeg itself failed or wrote something that is not a frame.
    #[error("ffmpeg failed after {frames} frames: {what}. {log}")]
    Failed {
        /// Frames before that.
        frames: usize,
        /// Exit status or the malformed output.
        what: String,
        /// Last lines of ffmpeg's standard error.
        log: Log,
    },
}

/// The last lines that ffmpeg wrote to its standard error.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log(pub Vec<String>);

impl fmt::Display for Log {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(out, "ffmpeg said nothing");
        }
        write!(out, "ffmpeg said: {}", self.0.join(" | "))
    }
}
