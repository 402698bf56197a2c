//! What can go wrong between a spec and its table.
//!
//! Every variant says what was expected, what was found and what to do; the
//! exit code tells a script whether the request, the data or a row was at
//! fault.

use std::path::PathBuf;

use base::{FileError, TomlError};

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A request that has no plan.
    #[error(transparent)]
    Plan(Box<plan::Error>),

    /// A flag whose value cannot be used.
    #[error("{0}")]
    Usage(String),

    /// Anything from the data crate.
    #[error(transparent)]
    Data(Box<data::DataError>),

    /// Videos that cannot be used; a table is not run without them.
    #[error("{0}\nNo row is run while videos are missing: repair or replace them and run the command again")]
    Videos(Box<data::prepare::PrepareReport>),

    /// Videos that could not be prepared; all others are ready.
    #[error(
        "{0}\nThe others are ready. Repair or fetch these and run the command again; it goes on from there"
    )]
    Prepare(Box<data::prepare::PrepareReport>),

    /// Training went astray.
    #[error(
        "training diverged at iteration {iteration}: {what}. The other rows go on; look at the rate \
         and the data of this one, then run the command again"
    )]
    Diverged {
        /// The iteration, counted from 0.
        iteration: usize,
        /// The loss that was seen and the bound that it broke.
        what: String,
    },

    /// A file that could not be read or written.
    #[error("{file}{}", flags(.0), file = .0)]
    File(#[from] FileError),

    /// A TOML file that does not parse or has a key that nothing understands.
    #[error(transparent)]
    Toml(#[from] TomlError),

    /// A file of ours that does not hold what it should.
    #[error("{} is damaged: {message}; delete it (or run with --fresh) and run the command again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was expected and found.
        message: String,
    },

    /// An error of the tensor library or the network crates, with what was being done.
    #[error("{doing}: {message}")]
    Network {
        /// What was being done.
        doing: String,
        /// The crate's own message.
        message: String,
    },

    /// A rank that trains a net together with others cannot go on.
    #[error("{0}")]
    Ranks(String),

    /// Ranks that train a net together no longer hold the same weights; all of them find this out.
    #[error("{0}")]
    Drifted(String),

    /// Scores that an SVM cannot learn from.
    #[error("fusing scores by an SVM: {0}")]
    Svm(#[from] crate::svm::SvmError),

    /// Published weights that cannot be had or do not fit.
    #[error(transparent)]
    Weights(Box<crate::weights::WeightsError>),

    /// A picture that cannot be drawn.
    #[error(transparent)]
    Figure(#[from] figure::FigureError),

    /// Some rows failed; the others are finished and recorded.
    #[error("{failed} of {total} rows failed: {names}; the others are finished and recorded")]
    RowsFailed {
        /// How many failed.
        failed: usize,
        /// How many were asked for.
        total: usize,
        /// Their ids.
        names: String,
    },

    /// A unit that was to be done by another process and is not.
    #[error("{unit} is not done: {why}")]
    Unfinished {
        /// The unit.
        unit: String,
        /// What became of it, and what to do.
        why: String,
    },

    /// One of Slurm's commands that failed.
    #[error("{command}: {message}")]
    Slurm {
        /// The command.
        command: &'static str,
        /// What it said.
        message: String,
    },

    /// A command whose end ran as a job, and failed.
    #[error("{message}")]
    Elsewhere {
        /// What it said.
        message: String,
        /// Its exit code.
        code: u8,
    },

    /// Ctrl-C.
    #[error("interrupted; run the same command again to go on from here")]
    Interrupted,
}

impl Error {
    /// The process's exit code: 2 the request is wrong, 3 the data are, 4 a
    /// row failed, 130 interrupted, 1 anything else (a full disk, say).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Toml(_) | Self::Usage(_) => 2,
            Self::Plan(e) => e.exit_code(),
            Self::Data(e) => plan::exit_code_of_data(e),
            Self::Weights(e) if e.is_of_the_request() => 2,
            Self::Videos(_) | Self::Prepare(_) | Self::Weights(_) => 3,
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

    /// Makes a [`Error::Damaged`] of what a reader says of a file.
    pub fn damaged<E: std::fmt::Display>(path: impl Into<PathBuf>) -> impl FnOnce(E) -> Self {
        let path = path.into();
        move |e| Self::Damaged { path, message: e.to_string() }
    }

    /// Whether a disk is full, or a folder may not be written to: no other work can go on there.
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

    /// Whether a cache file of a video is at fault, which can be made again.
    pub fn is_of_damaged_cache(&self) -> bool {
        matches!(self, Self::Data(e) if matches!(**e, data::DataError::CorruptCache { .. }))
    }

    /// Whether all ranks of a training have this error, at the same iteration, since it follows from what they told each
    /// other. After any other, the rank that has it must end the rest ([`nn::Ranks::abort`]), which would wait for it.
    pub fn is_of_all_ranks(&self) -> bool {
        matches!(self, Self::Diverged { .. } | Self::Interrupted | Self::Drifted(_))
    }

    /// An [`Error::File`] for `map_err`.
    pub fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| FileError::io(action, path, source).into()
    }

    /// An [`Error::Network`] for `map_err`.
    pub fn network<E: std::fmt::Display>(doing: impl Into<String>) -> impl FnOnce(E) -> Self {
        let doing = doing.into();
        move |e| Self::Network { doing, message: e.to_string() }
    }
}

impl From<data::DataError> for Error {
    fn from(e: data::DataError) -> Self {
        match e {
            data::DataError::Interrupted => Self::Interrupted,
            // Another folder would help, and its flag is known here.
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

/// The flags that name another folder, where one would help.
fn flags(error: &FileError) -> &'static str {
    if error.is_unwritable() { " with --out (records) or --cache (everything else)" } else { "" }
}
