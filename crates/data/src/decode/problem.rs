//! What can be wrong with a video.

use std::fmt;

/// Why a video was refused, or what is wrong with the frames that it gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// Nothing in the file is a video stream that ffmpeg knows.
    #[error("expected a video, found none that ffmpeg can open; replace the file. {log}")]
    NotAVideo {
        /// Last lines of ffmpeg's standard error.
        log: Log,
    },
    /// The file announces a video stream that has no frame.
    #[error("expected a video with frames, found zero frames; replace the file. {log}")]
    NoFrames {
        /// Last lines of ffmpeg's standard error.
        log: Log,
    },
    /// The file ends before its own container says.
    #[error(
        "the file is truncated: its container says {declared} bytes or more, found {found} bytes, {frames} frames \
         decode; fetch it again"
    )]
    Truncated {
        /// Bytes that the container's own headers announce.
        declared: u64,
        /// Bytes that there are.
        found: u64,
        /// Frames that decode all the same.
        frames: usize,
    },
    /// All frames there are were decoded, but ffmpeg complained.
    #[error(
        "expected to decode without a message, found {errors} (the first: {first}), {frames} frames decode; \
         fetch the file again. {log}"
    )]
    Damaged {
        /// Frames that decode, some of them with wrong content.
        frames: usize,
        /// Number of error lines.
        errors: usize,
        /// The first error line.
        first: String,
        /// Last lines of ffmpeg's standard error.
        log: Log,
    },
    /// A frame size or a number of frames beyond the limits.
    #[error("{what} is {found}, beyond the limit of {limit}; shorten or scale the video down")]
    TooLarge {
        /// "the width", "the number of frames".
        what: &'static str,
        /// What the video has.
        found: usize,
        /// What is allowed.
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
        /// Frames until then.
        frames: usize,
        /// Last lines of ffmpeg's standard error.
        log: Log,
    },
    /// ffmpeg itself failed or wrote something that is not a frame.
    #[error("ffmpeg failed after {frames} frames: {what}. {log}")]
    Failed {
        /// Frames until then.
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
