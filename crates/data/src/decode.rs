//! Video files to RGB frames, through the `ffmpeg` binary.
//!
//! The binary is run directly with [`std::process`]: `ffmpeg-sidecar` sizes its frames by what it
//! parses from log lines and hides the process's standard error, and both are what must not happen
//! here. ffmpeg writes one PPM picture after the other to its standard output (`-f image2pipe -c:v ppm`), which
//! is raw RGB with a size of its own before every frame. So nothing is ever sized by the header
//! of the video, whose frame count is wrong for packed B-frames, and one process does the work of two.
//!
//! What is asked of ffmpeg, and why:
//! - `-fps_mode passthrough`: each decoded frame once, whatever the time stamps say;
//! - display rotation is applied (its default), so a portrait video comes out upright;
//! - `-flags bitexact` and exact scaler flags: the same bytes on every processor;
//! - only `file` and `pipe` as protocols and only true video containers as formats, so a play list in
//!   the clothes of a video cannot make it open other files or the network;
//! - the name goes as one argument behind `file:`: no shell, no glob, no option parsing;
//! - audio, subtitles and data are not decoded: their damage is not ours.

mod declared;
mod process;

use crate::error::DataError;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

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

/// How much a video may ask for. Memory is bounded by one frame: frames are streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest width and height in pixels.
    pub side: usize,
    /// Largest number of frames.
    pub frames: usize,
    /// How long ffmpeg may take for a single frame.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { side: 8192, frames: 50_000, stall: Duration::from_secs(60) }
    }
}

/// One decoded frame at the video's own resolution, upright.
#[derive(Debug, Clone, Copy)]
pub struct RgbFrame<'a> {
    /// Columns, W.
    pub width: usize,
    /// Rows, H.
    pub height: usize,
    /// Red, green, blue interleaved; H x W x 3 bytes.
    pub data: &'a [u8],
}

/// What a video turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Number of frames handed out.
    pub frames: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Set if the file is truncated or ffmpeg complained: the frames exist, but not all are as shot.
    pub damage: Option<DecodeProblem>,
}

impl Decoded {
    /// Refuses a video with damage.
    ///
    /// # Errors
    /// [`DataError::Decode`] with the damage.
    pub fn strict(self, path: &Path) -> Result<Self, DataError> {
        match self.damage {
            Some(problem) => Err(DataError::Decode { path: path.to_path_buf(), problem }),
            None => Ok(self),
        }
    }
}

/// A working `ffmpeg`.
#[derive(Debug, Clone)]
pub struct Decoder {
    program: PathBuf,
    version: String,
    limits: Limits,
}

impl Decoder {
    /// Finds `ffmpeg` in the search path.
    ///
    /// # Errors
    /// [`DataError::FfmpegMissing`] with the command that installs it.
    pub fn find() -> Result<Self, DataError> {
        Self::with_program(Path::new("ffmpeg"))
    }

    /// Uses the given binary.
    ///
    /// # Errors
    /// [`DataError::FfmpegMissing`] if it does not start or is no ffmpeg.
    pub fn with_program(program: &Path) -> Result<Self, DataError> {
        let missing = |source| DataError::FfmpegMissing { program: program.to_path_buf(), source };
        let output = Command::new(program).arg("-version").stdin(Stdio::null()).output().map_err(missing)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text
            .strip_prefix("ffmpeg version ")
            .and_then(|rest| rest.split_whitespace().next())
            .ok_or_else(|| missing(std::io::Error::other("it does not answer `-version` as ffmpeg does")))?;
        Ok(Self { program: program.to_path_buf(), version: version.to_owned(), limits: Limits::default() })
    }

    /// The same decoder with other limits.
    #[must_use]
    pub fn with_limits(self, limits: Limits) -> Self {
        Self { limits, ..self }
    }

    /// The version that the binary reports, for records: `5.1.6-0+deb12u1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Streams every frame of the first video stream of `path` to `each`, in order of display.
    ///
    /// A file that gives frames but is truncated or makes ffmpeg complain is `Ok` with
    /// [`Decoded::damage`] set: the caller decides, most simply by [`Decoded::strict`].
    ///
    /// # Errors
    /// [`DataError::Io`] if the file cannot be opened, [`DataError::Decode`] if it gives no frame or
    /// exceeds the limits, [`DataError::Interrupted`] once `stop` is set, and whatever `each` returns.
    pub fn decode(
        &self,
        path: &Path,
        stop: &AtomicBool,
        each: impl FnMut(RgbFrame<'_>) -> Result<(), DataError>,
    ) -> Result<Decoded, DataError> {
        let (declared, found) = declared::lengths(path)?;
        let refuse = |problem| Err(DataError::Decode { path: path.to_path_buf(), problem });
        if found == 0 {
            return refuse(DecodeProblem::NotAVideo { log: Log(vec!["the file is empty".to_owned()]) });
        }
        let outcome = process::run(self, path, stop, each)?;
        let process::Outcome { frames, size, log, errors, first, status } = outcome;
        let ended_early = log.0.iter().any(|line| line.contains("File ended prematurely"));
        if declared > found || ended_early {
            let truncated = DecodeProblem::Truncated { declared: declared.max(found + 1), found, frames };
            return match size {
                None => refuse(truncated),
                Some((width, height)) => Ok(Decoded { frames, width, height, damage: Some(truncated) }),
            };
        }
        let Some((width, height)) = size else {
            let no_stream =
                ["Invalid data found when processing input", "matches no streams", "Format not on whitelist"];
            return refuse(if log.0.iter().any(|line| no_stream.iter().any(|mark| line.contains(mark))) {
                DecodeProblem::NotAVideo { log }
            } else {
                DecodeProblem::NoFrames { log }
            });
        };
        if let Some(what) = status {
            return refuse(DecodeProblem::Failed { frames, what, log });
        }
        let damage = first.map(|first| DecodeProblem::Damaged { frames, errors, first, log });
        Ok(Decoded { frames, width, height, damage })
    }

    /// `-fps_mode` came with ffmpeg 5.1 and replaces `-vsync`, which newer versions drop.
    fn frame_rate_option(&self) -> &'static str {
        let mut numbers = self.version.split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next().and_then(|n| n.parse::<u32>().ok());
        match (next(), next()) {
            (Some(major), minor) if (major, minor.unwrap_or(0)) < (5, 1) => "-vsync",
            _ => "-fps_mode",
        }
    }
}
