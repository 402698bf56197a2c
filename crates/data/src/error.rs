//! The crate's errors. Every message says what was expected, what was found and what to do.

mod input;

use std::io;
use std::path::{Path, PathBuf};

use base::{FileError, TomlError};

pub use self::input::InputError;

/// Anything that can go wrong between a data-set file and a training sample.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A file or folder could not be read, written or listed.
    #[error(transparent)]
    File(#[from] FileError),

    /// A TOML file does not parse or has a key that nothing understands.
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

    /// A data set of real videos was opened without a folder, or with one that is not there.
    #[error(
        "data set `{dataset}` needs its videos: {found}. Expected is a folder that holds {expected}; \
         name it with --data-root DIR"
    )]
    MissingRoot {
        /// Name of the data set.
        dataset: String,
        /// What the folder has to hold.
        expected: String,
        /// What was given instead.
        found: String,
    },

    /// The videos found differ from those that the data set has.
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

    /// A listed video is not there, in a data set that was opened all the same.
    #[error(
        "{}; it belongs at {expected} in {}",
        why.as_deref().unwrap_or("the video is missing"), root.display()
    )]
    MissingVideo {
        /// Id in the data set.
        id: String,
        /// The data root.
        root: PathBuf,
        /// Where the video is expected, relative to the root.
        expected: String,
        /// Why what is there is not used; absent if nothing is there.
        why: Option<String>,
    },

    /// The data root holds extracted flow, and nothing says what its bytes mean.
    #[error(
        "data set `{dataset}`: {} holds extracted frames and flow, whose files do not say what a byte stands for; \
         state the bound of the extraction in pixels, --extracted-bound BOUND (byte 0 is -BOUND, 255 is BOUND; \
         dense_flow's own is 20)",
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
        /// What is wrong with it.
        problem: Box<crate::extracted::ExtractedProblem>,
    },

    /// A split file has a line that cannot be used.
    #[error("{}:{line}: {message}", path.display())]
    Split {
        /// The split file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What was expected and what stands there.
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
        /// The program that was looked for.
        program: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// A video cannot be decoded, or only with damage.
    #[error("{}: {problem}", path.display())]
    Decode {
        /// The video.
        path: PathBuf,
        /// What is wrong with it.
        problem: crate::decode::DecodeProblem,
    },

    /// A video has no stretch between cuts that is long enough.
    #[error(
        "video `{id}` is too short: its longest stretch without a cut has {longest} frames, needed are \
         {needed}; leave the video out of the split or lower the stack length"
    )]
    ShortVideo {
        /// Id of the video.
        id: String,
        /// Frames in the longest segment.
        longest: usize,
        /// Frames needed.
        needed: usize,
    },

    /// A cache file does not hold what its index says.
    #[error(
        "cache file {} is damaged: expected {expected}, found {found}; delete the file and run the \
         command again, it is rebuilt from the video",
        path.display()
    )]
    CorruptCache {
        /// The file.
        path: PathBuf,
        /// What should be there.
        expected: String,
        /// What is there.
        found: String,
    },

    /// A frame or field number beyond the end of a video.
    #[error("video `{id}` has {count} {what}s, number {index} (from 0) was asked for")]
    NoSuchEntry {
        /// Id of the video.
        id: String,
        /// "frame" or "flow field".
        what: &'static str,
        /// The number asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },

    /// Flow of a direction that `prepare` was not asked for.
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
        /// What would be right.
        expected: String,
        /// What it is.
        found: String,
    },

    /// An input that cannot be made, or a loader that cannot go on.
    #[error(transparent)]
    Input(#[from] InputError),

    /// Flow could not be computed.
    #[error(transparent)]
    Flow(#[from] flow::FlowError),

    /// The caller asked to stop.
    #[error("interrupted; run the same command again to go on from here")]
    Interrupted,
}

impl DataError {
    /// Wraps an I/O error with the action and the path.
    pub fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        FileError::io(action, path, source).into()
    }

    /// Something that was given and cannot be.
    pub fn invalid(
        what: impl Into<String>,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Self {
        Self::Invalid { what: what.into(), expected: expected.into(), found: found.to_string() }
    }

    /// A cache file that is not as expected.
    pub fn corrupt(path: &Path, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::CorruptCache { path: path.to_path_buf(), expected: expected.into(), found: found.into() }
    }
}
