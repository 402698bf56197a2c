//! Decoding of video files to RGB frames with the `ffmpeg` binary.
//!
//! The binary is run directly with [`std::process`]: `ffmpeg-sidecar` takes the size of frames from
//! parsed log lines and hides the process's standard error, and neither is acceptable here. ffmpeg
//! writes PPM pictures one after another to its standard output (`-f image2pipe -c:v ppm`), that is,
//! raw RGB with the size before every frame. Nothing therefore depends on the header of the video,
//! whose frame count is wrong for packed B-frames, and one process does the work of two.
//!
//! Options of ffmpeg and their reasons:
//! - `-fps_mode passthrough`: each decoded frame once, whatever the time stamps say;
//! - display rotation is applied (its default), so a portrait video comes out upright;
//! - `-flags bitexact` and exact scaler flags: the same bytes on every processor;
//! - only `file` and `pipe` as protocols and only true video containers as formats, so a playlist
//!   disguised as a video cannot make it open other files or the network;
//! - the name is one argument behind `file:`: no shell, no glob, no option parsing;
//! - audio, subtitles and data are not decoded: damage to them does not matter.

mod declared;
mod problem;
mod process;

use crate::error::DataError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;

pub use self::problem::{DecodeProblem, Log};
pub use self::process::{Limits, RgbFrame};

/// Video containers by ffmpeg's names, except those that refer to other files.
const FORMATS: &str = "avi,mov,matroska,webm,mpeg,mpegts,mpegvideo,m4v,flv,ogg,asf,nut";

/// The result of decoding a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// Number of frames handed out.
    pub frames: usize,
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Set if the file is truncated or ffmpeg reported errors: the frames exist, but some may be wrong.
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
    /// [`DataError::FfmpegMissing`] if it does not start or is not ffmpeg.
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
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Streams every frame of the first video stream of `path` to `each`, in order of display.
    ///
    /// A file that gives frames but is truncated or makes ffmpeg report errors is `Ok` with
    /// [`Decoded::damage`] set: the caller decides, most simply with [`Decoded::strict`].
    ///
    /// # Errors
    /// [`DataError::File`] if the file cannot be opened, [`DataError::Decode`] if it gives no frame or
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
        let outcome = process::run(self.command(path), self.limits, path, stop, each)?;
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

    /// The ffmpeg command with all its options.
    fn command(&self, path: &Path) -> Command {
        let pixels = self.limits.side.saturating_mul(self.limits.side).to_string();
        let mut name = OsString::from("file:");
        name.push(path);
        let mut command = Command::new(&self.program);
        command
            .args(["-hide_banner", "-nostdin", "-loglevel", "level+error"])
            .args(["-protocol_whitelist", "file,pipe", "-format_whitelist", FORMATS])
            .args(["-threads", "1", "-flags", "bitexact", "-max_pixels", &pixels])
            .arg("-i")
            .arg(name)
            .args(["-map", "0:v:0", "-an", "-sn", "-dn"])
            .args([self.frame_rate_option(), "passthrough"])
            .args(["-sws_flags", "bicubic+accurate_rnd+full_chroma_int+bitexact"])
            .args(["-pix_fmt", "rgb24", "-threads", "1", "-f", "image2pipe", "-c:v", "ppm", "pipe:1"])
            .env_remove("FFREPORT")
            .env("AV_LOG_FORCE_NOCOLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        tracing::debug!(?command, "starting ffmpeg");
        command
    }

    /// Name of the frame rate option: `-fps_mode` since ffmpeg 5.1, `-vsync` before, which newer versions drop.
    fn frame_rate_option(&self) -> &'static str {
        let mut numbers = self.version.split(|c: char| !c.is_ascii_digit());
        let mut next = || numbers.next().and_then(|n| n.parse::<u32>().ok());
        match (next(), next()) {
            (Some(major), minor) if (major, minor.unwrap_or(0)) < (5, 1) => "-vsync",
            _ => "-fps_mode",
        }
    }
}
