//! The crate's one error type.

use std::fmt::Display;
use std::ops::RangeBounds;
use std::path::PathBuf;

/// Longest side of a picture or field, as in Middlebury's own reader.
pub(crate) const MAX_SIDE: usize = 99_999;

/// Errors of this crate. Each message says what was expected, what was found
/// and, if that is not obvious, what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// A parameter of a method is outside its range.
    #[error("{method} parameter `{name}` is {found}, expected {expected}")]
    Parameter {
        /// The method.
        method: &'static str,
        /// The parameter, spelt as in a spec file.
        name: &'static str,
        /// The range that is accepted.
        expected: &'static str,
        /// The value given.
        found: String,
    },
    /// A picture or field has no pixels, or more than can be addressed.
    #[error(
        "expected a width and height of 1 to {max} pixels, found {width}x{height}",
        max = MAX_SIDE
    )]
    Size {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
    },
    /// A buffer does not hold width x height values.
    #[error("{what} of {width}x{height} needs {expected} values, found {found}")]
    Length {
        /// Name of the buffer.
        what: &'static str,
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Number of values for that size.
        expected: usize,
        /// Number of values in the buffer.
        found: usize,
    },
    /// A picture holds a NaN or an infinity.
    #[error("expected finite intensities (0 to 255), found {value} at x {x}, y {y} of the {which} picture")]
    NotFinite {
        /// `first`, `second`, `pushed` or `batched`.
        which: &'static str,
        /// Column of the value.
        x: usize,
        /// Row of the value.
        y: usize,
        /// The value.
        value: f32,
    },
    /// Two pictures or fields that must agree in size do not.
    #[error(
        "expected two of the same size, found {first_width}x{first_height} and {second_width}x{second_height}; resize or crop one of them"
    )]
    SizeMismatch {
        /// Width of the first.
        first_width: usize,
        /// Height of the first.
        first_height: usize,
        /// Width of the second.
        second_width: usize,
        /// Height of the second.
        second_height: usize,
    },
    /// A pair of a batch names a frame that the batch does not hold.
    #[error("expected a pair of frame indices below {frames}, found ({from}, {to})")]
    Pair {
        /// The first frame of the pair.
        from: usize,
        /// The second.
        to: usize,
        /// Number of frames.
        frames: usize,
    },
    /// The device that estimates flow failed.
    #[error("the flow of {pairs} pairs could not be estimated by {estimator}: {reason}")]
    Device {
        /// The estimator's name.
        estimator: String,
        /// Number of requested pairs.
        pairs: usize,
        /// Message of the device.
        reason: String,
    },
    /// The true field has no known vector, so there is no error to average.
    #[error("the true field has no known vector: every vector is NaN or beyond 1e9")]
    NothingKnown,
    /// A colour scale that is not a positive number.
    #[error("expected a positive displacement for full saturation, found {0}")]
    ColourScale(f32),
    /// A `.flo` file that breaks the format.
    #[error("not a valid .flo file: {0}")]
    Flo(#[from] FloProblem),
    /// [`FlowError::Flo`] in a named file.
    #[error("{path}: not a valid .flo file: {problem}", path = path.display())]
    FloFile {
        /// The file.
        path: PathBuf,
        /// The format error.
        problem: FloProblem,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] base::FileError),
}

/// Refuses a parameter of a method that is outside its range.
pub(crate) fn within<T: PartialOrd + Display>(
    method: &'static str,
    name: &'static str,
    value: T,
    range: impl RangeBounds<T>,
    expected: &'static str,
) -> Result<(), FlowError> {
    match range.contains(&value) {
        true => Ok(()),
        false => Err(FlowError::Parameter { method, name, expected, found: value.to_string() }),
    }
}

/// Refuses a pair of two sizes (width, height).
pub(crate) fn same_size(first: (usize, usize), second: (usize, usize)) -> Result<(), FlowError> {
    if first == second {
        return Ok(());
    }
    Err(FlowError::SizeMismatch {
        first_width: first.0,
        first_height: first.1,
        second_width: second.0,
        second_height: second.1,
    })
}

/// An error in the Middlebury format of a `.flo` file.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FloProblem {
    /// Shorter than the twelve bytes of the header.
    #[error("expected a header of 12 bytes, found {0} bytes in all")]
    NoHeader(u64),
    /// The first four bytes are not the float 202021.25 (`PIEH`).
    #[error("expected the magic bytes \"PIEH\", found {0:02x?}")]
    Magic([u8; 4]),
    /// A width or height that is negative, zero or too large.
    #[error(
        "expected a width and height of 1 to {max} pixels, found {width}x{height}",
        max = MAX_SIDE
    )]
    Size {
        /// Width in the header.
        width: i32,
        /// Height in the header.
        height: i32,
    },
    /// The file ends before the field does.
    #[error("a field of {width}x{height} needs {expected} bytes, the file has only {found}")]
    Truncated {
        /// Width in the header.
        width: usize,
        /// Height in the header.
        height: usize,
        /// Bytes needed, header included.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
    /// The file continues after the field.
    #[error("a field of {width}x{height} needs {expected} bytes, the file has at least {found}")]
    Trailing {
        /// Width in the header.
        width: usize,
        /// Height in the header.
        height: usize,
        /// Bytes needed, header included.
        expected: u64,
        /// Bytes found.
        found: u64,
    },
}
