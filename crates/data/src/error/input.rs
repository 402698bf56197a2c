//! What can go wrong between a prepared video and a batch.

use thiserror::Error;

/// A refused configuration, a video that cannot serve as input, or a loader that cannot go on.
#[derive(Debug, Error)]
pub enum InputError {
    /// L = 0.
    #[error("the stack length L is 0; expected at least 1 displacement field")]
    EmptyStack,
    /// A bi-directional stack cannot be halved.
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
    /// A share of a batch that is not within it.
    #[error("places {places:?} of a batch of {batch} are asked for")]
    Places {
        /// The places.
        places: std::ops::Range<usize>,
        /// The batch size.
        batch: usize,
    },
    /// A size or count that must not be 0.
    #[error("{name} is 0; expected at least 1")]
    Zero {
        /// What was 0.
        name: &'static str,
    },
    /// Videos of which no pairs can be made.
    #[error("pairs need two views of some events, and two classes or more: {what}")]
    Pairs {
        /// What is lacking.
        what: &'static str,
    },
    /// A stack reaches past the last field.
    #[error(
        "a stack of fields {start}..{end} was asked of a video that has {fields}; take its start \
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
        "frames {start}..{end} were asked of a video that has {frames}; take the start of a stack \
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
    #[error("the {name} of an RGB input must be finite, a scale above 0; found {found:?}")]
    Colour {
        /// "mean", "scale", "colour jitter".
        name: &'static str,
        /// What it is.
        found: [f32; 3],
    },
    /// A description that contradicts itself.
    #[error("{name}: expected {expected}; found {found}")]
    Spec {
        /// What is described.
        name: &'static str,
        /// What would be right.
        expected: &'static str,
        /// What it is.
        found: String,
    },
    /// A sampler drew a video that does not exist, or time steps that a video does not have.
    #[error(
        "the sampler drew {what} of {count} videos; a group that shares its time steps must be drawn \
         from videos of one length and the same cuts"
    )]
    Drawn {
        /// What was drawn.
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
    /// The buffer to fill has another size than the crops ask for.
    #[error(
        "the output holds {found} values; expected {expected} (crops x time steps x channels x height x width)"
    )]
    Output {
        /// Values expected.
        expected: usize,
        /// Values found.
        found: usize,
    },
    /// A source returned a field of another size than it declares.
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
    /// A source returned a frame of another size than it declares.
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
        /// What the system says.
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
