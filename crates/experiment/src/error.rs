//! The errors of running a table.
//!
//! Every message says what was expected, what was found and what to do. The
//! exit code tells a script whether the request, the data or a row is at
//! fault.

use std::path::PathBuf;

use base::{FileError, TomlError};

/// The result type of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of running a table.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request that cannot be resolved into a plan.
    #[error(transparent)]
    Plan(Box<plan::Error>),

    /// An unusable value of a flag.
    #[error("{0}")]
    Usage(String),

    /// An error of the data crate.
    #[error(transparent)]
    Data(Box<data::DataError>),

    /// Unusable videos; a table is not run without them.
    #[error(
        "{0}\nNo row is run while videos are missing: repair or replace them, or take them out of the data set, and run the command again"
    )]
    Videos(Box<data::prepare::PrepareReport>),

    /// A video that is too short to be classified.
    #[error(
        "video `{video}` is too short: net {net} needs {needed} frames without a cut between them, and the longest stretch \
         of this video has {longest}; give a longer video, or choose with --run a row whose nets see fewer frames at a time"
    )]
    TooShort {
        /// The video.
        video: String,
        /// Name of the net.
        net: String,
        /// Frames of the longest stretch without a cut.
        longest: usize,
        /// Frames needed.
        needed: usize,
    },

    /// Videos that could not be prepared; all others are ready.
    #[error(
        "{0}\nThe others are ready. Repair or fetch these, or take them out of the data set, and run the command again; it continues from there"
    )]
    Prepare(Box<data::prepare::PrepareReport>),

    /// A training that diverged.
    #[error(
        "training diverged at iteration {iteration}: {what}. The other rows continue; check the learning \
         rate and the data of this one, then run the command again"
    )]
    Diverged {
        /// The iteration, counted from 0.
        iteration: usize,
        /// The loss that was seen and the bound that it exceeded.
        what: String,
    },

    /// A file that could not be read or written.
    #[error("{file}{}", flags(.0), file = .0)]
    File(#[from] FileError),

    /// A TOML file that does not parse or has an unknown key.
    #[error(transparent)]
    Toml(#[from] TomlError),

    /// A file that this program wrote and whose contents are not as expected.
    #[error("{} is damaged: {message}; delete it (or run with --fresh) and run the command again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The contents expected and found.
        message: String,
    },

    /// An error of the tensor library or the network crates, with the action that failed.
    #[error("{doing}: {message}")]
    Network {
        /// The action that failed, such as "reading the features".
        doing: String,
        /// The crate's own message.
        message: String,
    },

    /// A rank that trains a net together with others cannot continue.
    #[error("{0}")]
    Ranks(String),

    /// Ranks that train a net together no longer hold the same weights; all of them detect it.
    #[error("{0}")]
    Drifted(String),

    /// Scores that an SVM cannot learn from.
    #[error("fusing scores with an SVM: {0}")]
    Svm(#[from] crate::svm::SvmError),

    /// Published weights that cannot be fetched or do not fit the network.
    #[error(transparent)]
    Weights(Box<crate::weights::WeightsError>),

    /// A picture that cannot be drawn.
    #[error(transparent)]
    Figure(#[from] figure::FigureError),

    /// Some rows failed; the others are finished and recorded.
    #[error("{failed} of {total} rows failed: {names}; the others are finished and recorded")]
    RowsFailed {
        /// Number of rows that failed.
        failed: usize,
        /// Number of rows requested.
        total: usize,
        /// The ids of the failed rows.
        names: String,
    },

    /// No row could run: each lacks a data set or weights.
    #[error("no row can run on these data; the lines of the rows say what each lacks")]
    NothingToRun,

    /// A unit that another process should have done and did not.
    #[error("{unit} is not done: {why}")]
    Unfinished {
        /// The unit.
        unit: String,
        /// The reason, and what to do.
        why: String,
    },

    /// A Slurm command that failed.
    #[error("{command}: {message}")]
    Slurm {
        /// The command.
        command: &'static str,
        /// Its error output.
        message: String,
    },

    /// The last part of a command, which ran as a Slurm job and failed.
    #[error("{message}")]
    Elsewhere {
        /// Its error message.
        message: String,
        /// Its exit code.
        code: u8,
    },

    /// Ctrl-C.
    #[error("interrupted; run the same command again to continue")]
    Interrupted,
}

impl Error {
    /// Returns the process's exit code: 2 for a wrong request, 3 for wrong data,
    /// 4 for a failed row, 130 for an interrupt, 1 for anything else (a full disk, say).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Toml(_) | Self::Usage(_) => 2,
            Self::Plan(e) => e.exit_code(),
            Self::Data(e) => plan::exit_code_of_data(e),
            Self::Weights(e) if e.is_usage_error() => 2,
            Self::Videos(_)
            | Self::Prepare(_)
            | Self::Weights(_)
            | Self::TooShort { .. }
            | Self::NothingToRun => 3,
            Self::Diverged { .. } | Self::RowsFailed { .. } | Self::Unfinished { .. } => 4,
            Self::Elsewhere { code, .. } => *code,
            Self::Interrupted => 130,
            Self::File(_)
            | Self::Damaged { .. }
            | Self::Network { .. }
            | Self::Ranks(_)
            | Self::Drifted(_)
            | Self::Svm(_)
            | Self::Slurm { .. }
            | Self::Figure(_) => 1,
        }
    }

    /// Turns a reader's complaint about a file into [`Error::Damaged`], for `map_err`.
    pub fn damaged<E: std::fmt::Display>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |e| Self::Damaged { path, message: e.to_string() }
    }

    /// Returns `true` if a disk is full or a folder cannot be written: no other work can continue there.
    pub fn is_of_the_disk(&self) -> bool {
        let file = match self {
            Self::File(file) => file,
            Self::Data(data) => match &**data {
                data::DataError::File(file) => file,
                _ => return false,
            },
            _ => return false,
        };
        matches!(file, FileError::DiskFull { .. }) || file.is_unwritable()
    }

    /// Returns `true` if one video is at fault, so that others may do: not the request, the machine or an interrupt.
    pub fn is_of_one_video(&self) -> bool {
        let of_the_machine = |data: &data::DataError| match data {
            data::DataError::FfmpegMissing { .. } | data::DataError::FfmpegUnusable { .. } => true,
            data::DataError::Flow(flow) => matches!(flow, flow::FlowError::Device { .. }),
            _ => false,
        };
        match self {
            Self::TooShort { .. } => true,
            Self::Data(data) => self.exit_code() == 3 && !of_the_machine(data),
            _ => false,
        }
    }

    /// Returns `true` if a video's cache file is corrupt; it can be made again.
    pub fn is_of_damaged_cache(&self) -> bool {
        matches!(self, Self::Data(e) if matches!(**e, data::DataError::CorruptCache { .. }))
    }

    /// Returns `true` if all ranks of a training have this error at the same iteration, since it follows from values that
    /// they exchanged. After any other error, the rank that has it must end the rest ([`nn::Ranks::abort`]): they would wait
    /// for it.
    pub fn is_collective(&self) -> bool {
        matches!(self, Self::Diverged { .. } | Self::Interrupted | Self::Drifted(_))
    }

    /// Makes an [`Error::File`] for `map_err`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| FileError::io(action, path, source).into()
    }

    /// Makes an [`Error::Network`] for `map_err`.
    pub fn network<E: std::fmt::Display>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |e| Self::Network { doing, message: e.to_string() }
    }
}

impl From<data::DataError> for Error {
    fn from(e: data::DataError) -> Self {
        match e {
            data::DataError::Interrupted => Self::Interrupted,
            // Another folder helps, and only this crate knows its flag.
            data::DataError::File(file) if file.is_unwritable() => Self::File(file),
            e => Self::Data(Box::new(e)),
        }
    }
}

impl From<plan::Error> for Error {
    fn from(error: plan::Error) -> Self {
        match error {
            plan::Error::File(error) => Self::File(error),
            error => Self::Plan(Box::new(error)),
        }
    }
}

impl From<crate::weights::WeightsError> for Error {
    fn from(error: crate::weights::WeightsError) -> Self {
        Self::Weights(Box::new(error))
    }
}

/// Names the flags that choose another folder, if that would help.
fn flags(error: &FileError) -> &'static str {
    if error.is_unwritable() { " with --results (records) or --cache (everything else)" } else { "" }
}
