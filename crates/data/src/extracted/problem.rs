//! Problems of extracted frames and flow.

/// A problem of a folder of extracted frames and flow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractedProblem {
    /// There is no frame.
    #[error(
        "expected frames as img_00001.jpg, image_00001.jpg or frame000001.jpg, found none; extract the video again"
    )]
    NoFrames,
    /// There is no flow file, but flow is needed.
    #[error(
        "expected flow as {expected} for {images} frames, found none; extract the flow, give the videos as data root, \
         or run only rows that see frames alone"
    )]
    NoFlow {
        /// Number of frames.
        images: usize,
        /// The names expected, or the folders.
        expected: String,
    },
    /// Frames under two kinds of names.
    #[error("found both {one} and {other}, which are two sets of frames; remove one of them")]
    TwoFrames {
        /// A file of the one kind.
        one: String,
        /// A file of the other kind.
        other: String,
    },
    /// Two files with one number.
    #[error("found both {one} and {other}, which have the same number; remove one of them")]
    Twice {
        /// The one file.
        one: String,
        /// The other file.
        other: String,
    },
    /// The frames do not begin with number 0 or 1.
    #[error("the frames begin with {image}; expected number 0 or 1; extract the video again")]
    First {
        /// The first frame.
        image: String,
    },
    /// A file that is named almost like a frame or a flow picture.
    #[error("{file}: expected {expected}; rename or remove it")]
    Name {
        /// The file.
        file: String,
        /// The expected name or kind of file.
        expected: String,
    },
    /// Flow under both kinds of names.
    #[error("found both {one} and {other}, which are two sets of flow; remove one of them")]
    TwoFlows {
        /// A file of the one kind.
        one: String,
        /// A file of the other kind.
        other: String,
    },
    /// A number is missing.
    #[error("{missing} is missing: the numbers go on to {last}; extract the video again")]
    Gap {
        /// The first missing file.
        missing: String,
        /// The last file of the kind.
        last: String,
    },
    /// A horizontal component without its vertical one, or vice versa.
    #[error("{missing} is missing: {partner} has no other component; extract the flow again")]
    Unpaired {
        /// The missing file.
        missing: String,
        /// Its partner.
        partner: String,
    },
    /// The counts fit no known extractor.
    #[error(
        "found {images} frames and {flows} flow pairs; expected {images} pairs (pair K leads to frame K) or {} \
         (pair K leads from frame K); extract the video again",
        images - 1
    )]
    Counts {
        /// Number of frames.
        images: usize,
        /// Number of flow pairs.
        flows: usize,
    },
    /// Frames and flow do not begin with the same number.
    #[error("the frames begin with {image}, the flow with {flow}; expected the same first number, 0 or 1")]
    Start {
        /// The first frame.
        image: String,
        /// The first flow picture.
        flow: String,
    },
    /// A picture whose size differs from that of the first frame.
    #[error("{file} has {found} pixels, expected {expected} as in the first frame")]
    Size {
        /// The file.
        file: String,
        /// Expected size, as `WxH`.
        expected: String,
        /// Size found, as `WxH`.
        found: String,
    },
    /// Colour where grey is expected, or vice versa.
    #[error("{file}: expected a {expected} JPEG, found {found}")]
    Colour {
        /// The file.
        file: String,
        /// Expected kind: "grey", "colour".
        expected: &'static str,
        /// Kind found.
        found: String,
    },
    /// A file that is not a readable JPEG.
    #[error("{file}: expected a whole JPEG file, found {found}; extract the video again")]
    Unreadable {
        /// The file.
        file: String,
        /// The fault found, such as the decoder's message.
        found: String,
    },
    /// The flow is not that of the frames.
    #[error("{0}; switch the check off (--unchecked-flow) only if you know why")]
    Mismatch(Mismatch),
}

/// A difference between extracted flow and the motion that the frames show.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// The flow is that of another pair.
    #[error(
        "flow fits one frame {} (correlation {there:.2} against {here:.2}): the folder was written with a different \
         numbering; extract it again", if *later { "later" } else { "earlier" }
    )]
    Shifted {
        /// True if the flow fits the next pair, false if it fits the one before.
        later: bool,
        /// Correlation at that pair.
        there: f64,
        /// Correlation at its own pair.
        here: f64,
    },
    /// The flow is too large or too small throughout.
    #[error(
        "flow is {scale:.2} times what the frames show (correlation {correlation:.2}): the bound is probably \
         {probable:.0}, not {bound}"
    )]
    Scaled {
        /// Ratio of the folder's flow to ours.
        scale: f64,
        /// Correlation.
        correlation: f64,
        /// The bound that was stated, in pixels.
        bound: f32,
        /// The bound with which the flow would fit, in pixels.
        probable: f64,
    },
    /// The flow points the other way.
    #[error(
        "flow points against the motion of the frames (correlation {correlation:.2}): it is backward flow or belongs to \
         another video; extract forward flow"
    )]
    Opposite {
        /// Correlation.
        correlation: f64,
    },
    /// Both components are one and the same, although something moves.
    #[error(
        "x and y flow are the same files: every x file has the bytes of its y file, so one component was copied over the \
         other; extract the flow again"
    )]
    SameComponents,
    /// The horizontal and vertical components are swapped.
    #[error(
        "flow fits with its components swapped (correlation {swapped:.2} against {here:.2}): the x files hold vertical \
         flow; rename them"
    )]
    Swapped {
        /// Correlation with x and y swapped.
        swapped: f64,
        /// Correlation without swapping.
        here: f64,
    },
    /// The flow has nothing to do with the frames.
    #[error(
        "flow does not fit the frames, neither in its place nor one frame earlier or later (correlation {} at best): \
         it belongs to another video or is damaged; extract it again",
        format_args!("{best:.2}")
    )]
    Unrelated {
        /// The best correlation.
        best: f64,
    },
}
