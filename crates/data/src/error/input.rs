//! Errors between a prepared video and a batch.

use thiserror::Error;

/// A refused configuration, a video that cannot serve as input, or a loader that cannot continue.
#[derive(Debug, Error)]
pub enum InputError {
    /// The stack length L is 0.
    #[error("the stack length L is 0; expected at least 1 displacement field")]
    EmptyStack,
    /// The length of a bi-directional stack is odd.
    #[error(
        "a bi-directional stack takes L/2 forward and L/2 backward fields, so L must be even; \
         found L = {length}; use L = {} or another even number", length.saturating_add(1)
    )]
    OddBiDirectional {
        /// The length found.
        length: usize,
    },
    /// The factor on the values is zero, negative, infinite or not a number.
    #[error("the flow scale must be a finite number above 0; found {scale}")]
    Scale {
        /// The factor found.
        scale: f32,
    },
    /// A share of a batch that reaches outside it.
    #[error("places {places:?} are outside a batch of {batch}")]
    Places {
        /// The places.
        places: std::ops::Range<usize>,
        /// The batch size.
        batch: usize,
    },
    /// A size or count that must not be 0.
    #[error("{name} is 0; expected at least 1")]
    Zero {
        /// The size or count that is 0.
        name: &'static str,
    },
    /// Videos from which no pairs can be formed.
    #[error("pairs need some events with two views, and at least two classes: {what}")]
    Pairs {
        /// The requirement that is not met.
        what: &'static str,
    },
    /// A stack reaches past the last field.
    #[error(
        "fields {start}..{end} are outside the video ({fields} fields); take the start of a stack \
         from the video's valid starts"
    )]
    OutOfFields {
        /// First field of the stack.
        start: usize,
        /// One past its last field.
        end: usize,
        /// Fields of the video.
        fields: usize,
    },
    /// A stack reaches past the last frame.
    #[error(
        "frames {start}..{end} are outside the video ({frames} frames); take the start of a stack \
         from the video's valid starts"
    )]
    OutOfFrames {
        /// First frame of the stack.
        start: usize,
        /// One past its last frame.
        end: usize,
        /// Frames of the video.
        frames: usize,
    },
    /// A frame's constants are not finite, or a factor is not above 0.
    #[error("the {name} of an RGB input must be finite, and a scale above 0; found {found:?}")]
    Colour {
        /// Name of the constant: "mean", "scale", "colour jitter".
        name: &'static str,
        /// Values found.
        found: [f32; 3],
    },
    /// A setting that is out of range or contradicts another.
    #[error("{name}: expected {expected}; found {found}")]
    Spec {
        /// Name of the setting.
        name: &'static str,
        /// Expected value.
        expected: &'static str,
        /// Value found.
        found: String,
    },
    /// A sampler drew a video that does not exist, or time steps that a video does not have.
    #[error(
        "invalid draw of the sampler from {count} videos: {what}; a group that shares its time steps must be drawn \
         from videos with the same length and the same cuts"
    )]
    Drawn {
        /// The invalid part of the draw.
        what: String,
        /// Videos of the loader.
        count: usize,
    },
    /// A crop does not lie within the frame.
    #[error(
        "a crop of {width}x{height} at ({x}, {y}) does not fit a frame of {frame_width}x\
         {frame_height}; use a smaller crop or prepare the videos at a larger size"
    )]
    Crop {
        /// Left edge, pixels.
        x: usize,
        /// Top edge, pixels.
        y: usize,
        /// Width of the crop.
        width: usize,
        /// Height of the crop.
        height: usize,
        /// Width of the frame.
        frame_width: usize,
        /// Height of the frame.
        frame_height: usize,
    },
    /// The size of the output buffer does not match the crops.
    #[error(
        "the output holds {found} values; expected {expected} (crops x time steps x channels x height x width)"
    )]
    Output {
        /// Values expected.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// A source returned a field whose size differs from the declared one.
    #[error(
        "field {index} is {width}x{height} with {values} values a component; expected \
         {frame_width}x{frame_height}; the cache is damaged, prepare the video again"
    )]
    FieldSize {
        /// Index of the field.
        index: usize,
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
        /// The smaller count of values of its two components.
        values: usize,
        /// Width the source declares.
        frame_width: usize,
        /// Height the source declares.
        frame_height: usize,
    },
    /// A source returned a frame whose size differs from the declared one.
    #[error(
        "frame {index} is {width}x{height} with {bytes} bytes; expected {frame_width}x{frame_height} \
         in RGB; the cache is damaged, prepare the video again"
    )]
    FrameSize {
        /// Index of the frame.
        index: usize,
        /// Width found.
        width: usize,
        /// Height found.
        height: usize,
        /// Bytes found.
        bytes: usize,
        /// Width the source declares.
        frame_width: usize,
        /// Height the source declares.
        frame_height: usize,
    },
    /// There is nothing to sample from.
    #[error("there is no video to sample from; check the split and the data root")]
    NoVideos,
    /// The system refused a thread.
    #[error("loader thread {worker} did not start; use fewer workers")]
    Spawn {
        /// Index of the thread.
        worker: usize,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// A loader thread panicked; this is a fault of the program, not of the data.
    #[error("a loader thread panicked at iteration {iteration}: {message}; please report this")]
    Panicked {
        /// Iteration whose batch was being made.
        iteration: u64,
        /// The panic's message.
        message: String,
    },
}
