//! The errors of published weights.

use std::path::PathBuf;

use models::NameMap;

/// An error of published weights. Every message about a file names it and its repository, and
/// says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// An invalid source.
    #[error(transparent)]
    Source(#[from] plan::WeightSourceError),

    /// The hub has no such public file.
    #[error(
        "the hub has no public file `{file}` in repository `{repository}` at revision `{revision}` \
         (status {status} from {url}); check these three, or put the file at {}",
        path.display()
    )]
    NotFound {
        /// The repository.
        repository: String,
        /// The file in it.
        file: String,
        /// The branch or commit.
        revision: String,
        /// The requested address.
        url: String,
        /// Status of the answer; a missing file gives 401 or 404.
        status: u16,
        /// Path of the file in the cache.
        path: PathBuf,
    },

    /// The network or the server failed.
    #[error(
        "cannot download `{file}` of repository `{repository}` from {url}: {problem}. Run the same \
         command again, which resumes from the {kept} bytes in the cache, or put the file at {}",
        path.display()
    )]
    Unreachable {
        /// The repository.
        repository: String,
        /// The file in it.
        file: String,
        /// The requested address.
        url: String,
        /// The problem.
        problem: String,
        /// Bytes of the file that are in the cache.
        kept: u64,
        /// Path of the file in the cache.
        path: PathBuf,
    },

    /// The file is not the pinned one.
    #[error(
        "`{file}` of repository `{repository}` has the SHA-256 {found}, expected {expected}; {}",
        what_to_do(path.as_deref())
    )]
    Checksum {
        /// The repository.
        repository: String,
        /// The file in it.
        file: String,
        /// The pinned checksum.
        expected: String,
        /// The checksum of the file.
        found: String,
        /// Path of the file in the cache; `None` for a download, which is not kept.
        path: Option<PathBuf>,
    },

    /// The tensors of a file do not fit the network.
    #[error("weights {} (read with {} names): {reason}", path.display(), names.name())]
    Content {
        /// The file.
        path: PathBuf,
        /// The naming of its tensors.
        names: NameMap,
        /// The tensor, with what was expected and found.
        reason: String,
    },
}

/// Says what to do about a wrong checksum.
fn what_to_do(path: Option<&std::path::Path>) -> String {
    match path {
        None => "the download has been removed. If the publisher has changed the file, pin the commit \
                 of the expected sum as its revision, or find out why and pin the new sum"
            .into(),
        Some(path) => {
            format!("and downloading it again failed. Replace {} with the right file", path.display())
        }
    }
}

impl WeightsError {
    /// Returns `true` if the request is wrong, not the network or a file.
    pub(crate) fn is_usage_error(&self) -> bool {
        matches!(self, Self::Source(_))
    }
}
