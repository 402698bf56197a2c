//! What can be wrong with extracted frames and flow.

/// What is wrong with a folder of extracted frames and flow.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExtractedProblem {
    /// There is no `img_` file.
    #[error("expected frames as img_00001.jpg, found none; extract the video again")]
    NoFrames,
    /// There is no flow file.
    #[error(
        "expected flow as flow_x_00001.jpg and flow_y_00001.jpg (or x_00001.jpg and y_00001.jpg) beside \
         {images} frames, found none; extract the flow, or give the videos as data root"
    )]
    NoFlow {
        /// Number of frames.
        images: usize,
    },
    /// A file that is named nearly as a frame or a flow picture.
    #[error("{file}: expected {expected}; rename or remove it")]
    Name {
        /// The file.
        file: String,
        /// What would be right.
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
    /// A number is left out.
    #[error("{missing} is missing: the numbers go on to {last}; extract the video again")]
    Gap {
        /// The first file that is not there.
        missing: String,
        /// The last file of the kind.
        last: String,
    },
    /// A horizontal component without its vertical one, or the other way round.
    #[error("{missing} is missing: {partner} has no other component; extract the flow again")]
    Unpaired {
        /// The file that is not there.
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
    /// A picture of another size than the first frame.
    #[error("{file} has {found} pixels, expected {expected} as in the first frame")]
    Size {
        /// The file.
        file: String,
        /// As `WxH`.
        expected: String,
        /// As `WxH`.
        found: String,
    },
    /// Colour where grey is expected, or the other way round.
    #[error("{file}: expected a {expected} JPEG, found {found}")]
    Colour {
        /// The file.
        file: String,
        /// "grey", "colour".
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A file that is not a readable JPEG.
    #[error("{file}: expected a whole JPEG file, found {found}; extract the video again")]
    Unreadable {
        /// The file.
        file: String,
        /// What the decoder says.
        found: String,
    },
    /// The flow is not that of the frames.
    #[error("{0}; switch the check off (--unchecked-flow) only if you know why")]
    Mismatch(Mismatch),
}

/// How extracted flow differs from what the frames show.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Mismatch {
    /// It is that of another pair.
    #[error(
        "flow fits one frame {} (correlation {there:.2} against {here:.2}): the folder was written with another \
         numbering; extract it again", if *later { "later" } else { "earlier" }
    )]
    Shifted {
        /// It fits the next pair; otherwise the one before.
        later: bool,
        /// Correlation there.
        there: f64,
        /// Correlation at its own place.
        here: f64,
    },
    /// It is too large or too small throughout.
    #[error(
        "flow is {scale:.2} of what the frames show (correlation {correlation:.2}): the bound is probably \
         {probable:.0}, not {bound}"
    )]
    Scaled {
        /// The folder's flow over ours.
        scale: f64,
        /// Correlation.
        correlation: f64,
        /// The bound that was stated, in pixels.
        bound: f32,
        /// The bound with which the flow would fit, in pixels.
        probable: f64,
    },
    /// It points the other way.
    #[error(
        "flow points against the motion of the frames (correlation {correlation:.2}): it is backward flow or of another \
         video; extract forward flow"
    )]
    Opposite {
        /// Correlation.
        correlation: f64,
    },
    /// Its horizontal and vertical components have changed places.
    #[error(
        "flow fits with its components swapped (correlation {swapped:.2} against {here:.2}): the x files hold vertical \
         flow; rename them"
    )]
    Swapped {
        /// Correlation with x and y swapped.
        swapped: f64,
        /// Correlation as it is.
        here: f64,
    },
    /// It has nothing to do with the frames.
    #[error(
        "flow does not fit the frames, neither in its place nor one frame earlier or later (correlation {} at best): \
         it is of another video or was damaged; extract it again",
        format_args!("{best:.2}")
    )]
    Unrelated {
        /// The best correlation.
        best: f64,
    },
}
