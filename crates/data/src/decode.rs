//! Video files to frames through the `ffmpeg` binary.

/// Why a video was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeProblem {
    /// There is no video in the file.
    #[error("not a video")]
    NotAVideo,
}
