//! Decoding of video files to RGB frames with the `ffmpeg` binary.
//!
//! The binary is run directly with [`std::process`]: `ffmpeg-sidecar` takes the size of frames from
//! parsed log lines and hides the process's standard error, and neither is acceptable here. ffmpeg
//! writes PPM pictures one after another to its standard output (`-f image2pipe -c:v ppm`), that is,
//! raw RGB with the size before every frame. Nothing therefore depends on the header of the video,
//! whose frame count is wrong for packed B-frames, and one process does the work of two.
//!
//! Options of ffmpeg and their reasons:
//! - each decoded frame once, whatever the time stamps say (`dialect.rs`);
//! - `-map 0:V:0`: the first video stream that is not a cover picture or a thumbnail;
//! - display rotation is applied (its default), so a portrait video comes out upright;
//! - `-flags bitexact` and exact scaler flags: the same bytes on every processor;
//! - only `file` and `pipe` as protocols and only formats that hold all of their content ([`FORMATS`]), so a playlist
//!   disguised as a video cannot make it open other files or the network;
//! - the name is one argument behind `file:`: no shell, no glob, no option parsing;
//! - audio, subtitles and data are not decoded: damage to them does not matter;
//! - `-loglevel verbose`: only at this level does it say that it scales a frame to the size of the first.

mod dialect;
mod ending;
mod formats;
mod harmless;
mod message;
mod problem;
mod process;
mod words;

use self::ending::{Ending, Extent};
use self::process::Outcome;
use self::words::Words;
use crate::error::DataError;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub use self::formats::FORMATS;
pub use self::problem::{DecodeProblem, Log};
pub use self::process::{Limits, RgbFrame};

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

    /// Refuses a video with damage other than messages of ffmpeg.
    ///
    /// # Errors
    /// [`DataError::Decode`] with the damage.
    pub fn despite_messages(self, path: &Path) -> Result<Self, DataError> {
        if matches!(self.damage, Some(DecodeProblem::Damaged { .. })) { Ok(self) } else { self.strict(path) }
    }
}

/// A working `ffmpeg`.
#[derive(Debug, Clone)]
pub struct Decoder {
    program: PathBuf,
    version: String,
    limits: Limits,
    /// The dialect that it understands, as far as is known.
    dialect: Arc<AtomicUsize>,
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
        let dialect = Arc::new(AtomicUsize::new(dialect::of_version(version)));
        let (program, version) = (program.to_path_buf(), version.to_owned());
        Ok(Self { program, version, limits: Limits::default(), dialect })
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
    /// exceeds the limits, [`DataError::FfmpegUnusable`] if ffmpeg does not know its options,
    /// [`DataError::Interrupted`] once `stop` is set, and whatever `each` returns.
    pub fn decode(
        &self,
        path: &Path,
        stop: &AtomicBool,
        each: impl FnMut(RgbFrame<'_>) -> Result<(), DataError>,
    ) -> Result<Decoded, DataError> {
        let Extent { found, ending, still } = ending::extent(path)?;
        let refuse = |problem| Err(DataError::Decode { path: path.to_path_buf(), problem });
        if found == 0 {
            return refuse(DecodeProblem::NotAVideo { log: Log(vec!["the file is empty".to_owned()]) });
        }
        let Outcome { frames, size, words, status, crashed } = self.run(path, stop, each)?;
        let Words { log, errors, first, scaled, opened, cover, .. } = words;
        if let Some([(width, height), (first_width, first_height)]) = scaled {
            let expected = format!("{first_width}x{first_height}");
            let found = format!("{width}x{height}");
            return refuse(match self.change(path, stop)? {
                Some(frame) => DecodeProblem::SizeChanges { frame, expected, found },
                None => {
                    let what = format!("some of its frames are {found}, the first is {expected}");
                    DecodeProblem::Failed { frames, what, log }
                }
            });
        }
        let cut = match ending {
            Ending::Longer(declared) => Some(DecodeProblem::Truncated { declared, found, frames }),
            Ending::Lacks(lacks) => Some(DecodeProblem::Unfinished { lacks, frames }),
            // Clusters of Matroska whose lengths are known, in a segment whose length is not.
            Ending::Fits if says(&log, "File ended prematurely") => {
                Some(DecodeProblem::Unfinished { lacks: "the end of its last cluster", frames })
            }
            Ending::Fits => None,
        };
        if let Some(cut) = cut {
            return match size {
                None => refuse(cut),
                Some((width, height)) => Ok(Decoded { frames, width, height, damage: Some(cut) }),
            };
        }
        let Some((width, height)) = size else {
            let unknown = !opened && says(&log, "Invalid data found when processing input");
            let without_stream = says(&log, "matches no streams");
            return refuse(match (still, status) {
                (Some(format), _) => DecodeProblem::StillPicture { format },
                (None, Some(what)) if crashed => DecodeProblem::Failed { frames, what, log },
                _ if cover && without_stream => DecodeProblem::OnlyCover,
                _ if says(&log, "Format not on whitelist") => DecodeProblem::OtherFormat,
                _ if unknown || without_stream => DecodeProblem::NotAVideo { log },
                _ => DecodeProblem::NoFrames { log },
            });
        };
        // A picture in a format that can hold moving ones.
        if let Some(format) = still.filter(|_| frames == 1) {
            return refuse(DecodeProblem::StillPicture { format });
        }
        if let Some(what) = status {
            return refuse(DecodeProblem::Failed { frames, what, log });
        }
        let damage = first.map(|first| DecodeProblem::Damaged { frames, errors, first, log });
        Ok(Decoded { frames, width, height, damage })
    }

    /// Runs ffmpeg in the dialect that it understands.
    fn run(
        &self,
        path: &Path,
        stop: &AtomicBool,
        mut each: impl FnMut(RgbFrame<'_>) -> Result<(), DataError>,
    ) -> Result<Outcome, DataError> {
        let mut log = Log::default();
        let best = self.dialect.load(Ordering::Relaxed);
        for dialect in best..best + dialect::COUNT {
            let command = self.command(path, dialect::options(dialect));
            let outcome = process::run(command, self.limits, path, stop, &mut each)?;
            if outcome.size.is_some() || !dialect::refuses_options(&outcome.words.log) {
                self.dialect.store(dialect, Ordering::Relaxed);
                return Ok(outcome);
            }
            log = outcome.words.log;
        }
        let (program, version) = (self.program.clone(), self.version.clone());
        Err(DataError::FfmpegUnusable { program, version, log })
    }

    /// Returns the number of the first frame that has another size than those before.
    fn change(&self, path: &Path, stop: &AtomicBool) -> Result<Option<usize>, DataError> {
        let describe: Vec<&str> = dialect::options(self.dialect.load(Ordering::Relaxed))
            .iter()
            .copied()
            .chain(["-vf", "showinfo"])
            .collect();
        let outcome = process::run(self.command(path, &describe), self.limits, path, stop, |_| Ok(()))?;
        Ok(outcome.words.change())
    }

    /// The ffmpeg command with all its options.
    fn command(&self, path: &Path, options: &[&str]) -> Command {
        let pixels = self.limits.side.saturating_mul(self.limits.side).to_string();
        let mut name = OsString::from("file:");
        name.push(path);
        let mut command = Command::new(&self.program);
        command
            .args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+verbose"])
            .args(["-protocol_whitelist", "file,pipe", "-format_whitelist", FORMATS])
            .args(["-threads", "1", "-flags", "bitexact", "-max_pixels", &pixels])
            .arg("-i")
            .arg(name)
            .args(["-map", "0:V:0", "-an", "-sn", "-dn"])
            .args(options)
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
}

/// Returns `true` if one of the last messages contains a text.
fn says(log: &Log, text: &str) -> bool {
    log.0.iter().any(|line| line.contains(text))
}
