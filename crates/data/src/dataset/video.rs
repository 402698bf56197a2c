//! One video of a data set.

use std::path::PathBuf;

/// A video of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Video {
    /// Id, unique within the data set: `CLASS/NAME`.
    pub id: String,
    /// Class index.
    pub label: usize,
    /// Group. Videos of one class and one group must stay together when the training part is divided
    /// ([`crate::split::folds`]). It is the group of UCF-101 (`g07`), the film that a clip of HMDB-51 is cut from, or the actor
    /// in Weizmann; a generated video is a group of its own.
    pub group: String,
    /// Event and camera view; `None` if every video is an event of its own.
    pub view: Option<View>,
    /// Source of the video.
    pub source: VideoSource,
}

/// One of several views of an event. Frame t of all views of an event is the same time step.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct View {
    /// The event, unique within the data set.
    pub event: String,
    /// The view's number, an index into [`super::Dataset::views`].
    pub number: usize,
    /// The event's [`Video::group`], the actor; events of a group are resampled together.
    pub group: String,
}

/// The source of a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VideoSource {
    /// A rendered video.
    Generated {
        /// Number of the draw that it belongs to, an index into [`super::Dataset::data_seeds`].
        draw: usize,
        /// Index in the generated set of that draw.
        index: usize,
    },
    /// A file, by its real path.
    File(PathBuf),
    /// A folder of extracted frames and flow, by its path below the real path of the root.
    Extracted(PathBuf),
    /// Listed but missing; only in a data set opened with [`super::OpenOptions::partial`].
    Missing {
        /// Expected path, relative to the root.
        expected: String,
        /// Reason why the entry found there cannot be used; `None` if there is no entry.
        why: Option<String>,
    },
}
