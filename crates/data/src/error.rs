//! The crate's errors. Every message says what was expected, what was found and what to do.

mod input;

use std::io;
use std::path::{Path, PathBuf};

use base::{FileError, TomlError};
use flow::FlowError;

pub use self::input::InputError;

/// Anything that can go wrong between a data-set file and a training sample.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read, written or listed.
    #[error(transparent)]
    File(#[from] FileError),

    /// A TOML file does not parse or has an unknown key.
    #[error(transparent)]
    Toml(#[from] TomlError),

    /// A data-set file parses but contradicts itself or its lists.
    #[error("{}: {message}", path.display())]
    Spec {
        /// The data-set file.
        path: PathBuf,
        /// The contradiction and how to resolve it.
        message: String,
    },

    /// A data set of real videos was opened without a folder, or with one that cannot be used.
    #[error(
        "data set `{dataset}` needs its videos: {found}; expected a folder that holds {expected}; \
         name it with --data-root DIR"
    )]
    MissingRoot {
        /// Name of the data set.
        dataset: String,
        /// Content that the folder must have.
        expected: String,
        /// The problem with the folder that was given.
        found: String,
    },

    /// The videos found differ from those that the data set lists.
    #[error("data set `{dataset}` in {}: {message}", root.display())]
    Layout {
        /// Name of the data set.
        dataset: String,
        /// The folder that was searched.
        root: PathBuf,
        /// Counts, then the names of the first missing and surplus videos.
        message: String,
        /// Every missing video, relative to the root.
        missing: Vec<String>,
        /// Every video that the data set does not list, relative to the root.
        surplus: Vec<String>,
    },

    /// A listed video is missing from a data set that was opened nevertheless.
    #[error(
        "{}; it belongs at {expected} in {}",
        why.as_deref().unwrap_or("the video is missing"), root.display()
    )]
    MissingVideo {
        /// Id in the data set.
        id: String,
        /// The data root.
        root: PathBuf,
        /// Expected path of the video, relative to the root.
        expected: String,
        /// Reason why the entry found there cannot be used; `None` if there is no entry.
        why: Option<String>,
    },

    /// The data root holds extracted flow, but the bound of its bytes is not known.
    #[error(
        "data set `{dataset}`: {} holds extracted frames and flow, whose files do not record the range of their bytes; \
         state the bound of the extraction in pixels with --extracted-bound BOUND (byte 0 is -BOUND, 255 is BOUND; \
         dense_flow's default is 20)",
        folder.display()
    )]
    BoundNeeded {
        /// Name of the data set.
        dataset: String,
        /// The first such folder.
        folder: PathBuf,
    },

    /// A folder of extracted frames and flow that cannot be used.
    #[error("{}: {problem}", folder.display())]
    Extracted {
        /// The video's folder.
        folder: PathBuf,
        /// The problem of the folder.
        problem: Box<crate::extracted::ExtractedProblem>,
    },

    /// A split file has a line that cannot be used.
    #[error("{}:{line}: {message}", path.display())]
    Split {
        /// The split file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Expected and found text.
        message: String,
    },

    /// `ffmpeg` cannot be started.
    #[error(
        "cannot start `{}` ({source}), which decodes real videos; install it with \
         `apt-get install ffmpeg` (Debian, Ubuntu) or `brew install ffmpeg` (macOS). \
         Generated data sets do not need it",
        program.display()
    )]
    FfmpegMissing {
        /// The program that could not be started.
        program: PathBuf,
        /// The system's error.
        source: io::Error,
    },

    /// `ffmpeg` starts, but refuses the options that decoding needs, whatever the video.
    #[error(
        "`{}` (version {version}) refuses the options that decoding needs; install ffmpeg 4.0 or later, with its usual \
         encoders and filters. {log}",
        program.display()
    )]
    FfmpegUnusable {
        /// The program.
        program: PathBuf,
        /// The version that it reports.
        version: String,
        /// Last lines of its standard error.
        log: crate::decode::Log,
    },

    /// A video cannot be decoded, or only with damage.
    #[error("{}: {problem}", path.display())]
    Decode {
        /// The video.
        path: PathBuf,
        /// The problem of the video.
        problem: crate::decode::DecodeProblem,
    },

    /// A video has no stretch between cuts that is long enough.
    #[error(
        "video `{id}` is too short: its longest stretch without a cut has {longest} frames, but {needed} are \
         needed; leave the video out of the split or lower the stack length"
    )]
    ShortVideo {
        /// Id of the video.
        id: String,
        /// Frames in the longest segment.
        longest: usize,
        /// Frames needed.
        needed: usize,
    },

    /// A cache file is damaged.
    #[error(
        "cache file {} is damaged: expected {expected}, found {found}; delete the file and run the \
         command again to rebuild it from the video",
        path.display()
    )]
    CorruptCache {
        /// The file.
        path: PathBuf,
        /// Expected content.
        expected: String,
        /// Content found.
        found: String,
    },

    /// A frame or field number beyond the end of a video.
    #[error("video `{id}` has {count} {what}s; {what} {index} (counted from 0) does not exist")]
    NoSuchEntry {
        /// Id of the video.
        id: String,
        /// Kind of entry: "frame" or "flow field".
        what: &'static str,
        /// The number requested.
        index: usize,
        /// Number of entries that exist.
        count: usize,
    },

    /// Flow of a direction that was not prepared.
    #[error(
        "video `{id}` was prepared without this flow; prepare it with a flow method, and with `backward = true` for backward flow"
    )]
    NotPrepared {
        /// Id of the video.
        id: String,
    },

    /// A value that cannot be used, for example a short side of zero or a flow field that is not finite.
    #[error("{what}: expected {expected}, found {found}")]
    Invalid {
        /// The thing that has the value.
        what: String,
        /// Expected value.
        expected: String,
        /// Value found.
        found: String,
    },

    /// An input that cannot be made, or a loader that cannot continue.
    #[error(transparent)]
    Input(#[from] InputError),

    /// Flow could not be computed.
    #[error(transparent)]
    Flow(#[from] FlowError),

    /// An error of one video, or of other files, whose own words do not name them.
    #[error("{what}: {cause}")]
    Of {
        /// The video or the files.
        what: String,
        /// The error.
        cause: Box<DataError>,
    },

    /// A video whose bytes are those of one that failed.
    #[error("it has the same bytes as `{first}`, which failed: {cause}")]
    SameBytes {
        /// Id of the video that failed.
        first: String,
        /// Its error, in words.
        cause: String,
    },

    /// The caller asked to stop.
    #[error("interrupted; run the same command again to go on from here")]
    Interrupted,
}

impl DataError {
    /// Wraps an I/O error with the action and the path.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        FileError::io(action, path, source).into()
    }

    /// Creates a [`DataError::Invalid`].
    pub fn invalid(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Invalid { what: what.into(), expected: expected.into(), found: found.to_string() }
    }

    /// Names the video of an error that does not name it itself. Errors of the machine stay as they are.
    #[must_use]
    pub fn of_video(self, id: impl std::fmt::Display) -> Self {
        self.of(format!("video `{id}`"))
    }

    /// Does the same for other things, such as a pair of pictures.
    #[must_use]
    pub fn of(self, what: impl Into<String>) -> Self {
        let unnamed = match &self {
            Self::Flow(error) => !matches!(error, FlowError::Device { .. } | FlowError::File(_)),
            Self::Input(error) => !matches!(error, InputError::Spawn { .. } | InputError::Panicked { .. }),
            Self::Invalid { .. } => true,
            _ => false,
        };
        if unnamed { Self::Of { what: what.into(), cause: Box::new(self) } } else { self }
    }

    /// Creates a [`DataError::CorruptCache`].
    pub fn corrupt(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::CorruptCache { path: path.to_path_buf(), expected: expected.into(), found: found.into() }
    }
}
