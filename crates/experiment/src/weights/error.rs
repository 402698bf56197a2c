//! What can go wrong with published weights.

use std::path::PathBuf;

use models::NameMap;

/// Why there are no weights, and what to do. Every variant that is about a file names it and
/// its repository.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// A source that cannot be one.
    #[error(transparent)]
    Source(#[from] plan::WeightSourceError),

    /// The hub does not give the file to us.
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
        /// What was asked for.
        url: String,
        /// The answer: 401 and 404 alike for what does not exist.
        status: u16,
        /// Where the file would be.
        path: PathBuf,
    },

    /// The network or the server failed.
    #[error(
        "cannot download `{file}` of repository `{repository}` from {url}: {problem}. Run the same \
         command again, which goes on from the {kept} bytes that are here, or put the file at {}",
        path.display()
    )]
    Unreachable {
        /// The repository.
        repository: String,
        /// The file in it.
        file: String,
        /// What was asked for.
        url: String,
        /// What happened.
        problem: String,
        /// Bytes of the file that are here.
        kept: u64,
        /// Where the file would be.
        path: PathBuf,
    },

    /// The file is another one than was pinned.
    #[error(
        "`{file}` of repository `{repository}` has the SHA-256 {found}, expected {expected}; {}",
        what_to_do(path.as_deref())
    )]
    Checksum {
        /// The repository.
        repository: String,
        /// The file in it.
        file: String,
        /// The sum that was pinned.
        expected: String,
        /// The sum of what is there.
        found: String,
        /// Where it lies, unless it was a download, which is not kept.
        path: Option<PathBuf>,
    },

    /// The tensors of a file do not fit the network.
    #[error("weights {} (read with {} names): {reason}", path.display(), names.name())]
    Content {
        /// The file.
        path: PathBuf,
        /// How its tensors were said to be named.
        names: NameMap,
        /// Which tensor, expected and found.
        reason: String,
    },
}

/// After a wrong sum.
fn what_to_do(path: Option<&std::path::Path>) -> String {
    match path {
        None => "what was downloaded has been removed. If the publisher has changed the file, pin the \
                 commit that the sum belongs to as its revision, or the new sum after a look at why"
            .into(),
        Some(path) => {
            format!("and no other could be downloaded. Replace {} by the right file", path.display())
        }
    }
}

impl WeightsError {
    /// Whether what was asked for is at fault, not the network or a file.
    pub(crate) fn is_of_the_request(&self) -> bool {
        matches!(self, Self::Source(_))
    }
}
