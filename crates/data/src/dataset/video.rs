//! One video of a data set.

use std::path::PathBuf;

/// A video of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// Unique within the data set: `CLASS/NAME`.
    pub id: String,
    /// Class index.
    pub label: usize,
    /// Videos of one class and one group must stay together when the training part is divided ([`crate::split::folds`]):
    /// what UCF-101 calls a group (`g07`), the film that a clip of HMDB-51 is cut from, the actor in Weizmann; a generated video
    /// is a group of its own.
    pub group: String,
    /// Which view of which event it is; none where every video is an event of its own.
    pub view: Option<View>,
    /// Where it comes from.
    pub source: VideoSource,
}

/// One of several views of an event. Frame t of all views of an event is the same time step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// The event, unique within the data set.
    pub event: String,
    /// The view's number, an index into [`super::Dataset::views`].
    pub number: usize,
    /// The event's [`Video::group`], the actor: what is resampled together.
    pub group: String,
}

/// Where a video comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoSource {
    /// Rendered: its index in the generated set.
    Generated(usize),
    /// A file, by its real path.
    File(PathBuf),
    /// A folder of extracted frames and flow, by its real path.
    Extracted(PathBuf),
    /// Listed but not there; only in a data set opened with [`super::OpenOptions::partial`].
    Missing {
        /// Where it is expected, relative to the root.
        expected: String,
        /// Why what is there is not used; absent if nothing is there.
        why: Option<String>,
    },
}
