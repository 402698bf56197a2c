//! The Middlebury `.flo` format.
//!
//! Four bytes `PIEH` (the float 202021.25), width and height as 32-bit
//! integers, then u and v of every pixel, interleaved, row by row, as 32-bit
//! floats; everything little-endian. Values beyond 1e9 mark unknown vectors
//! and are kept unchanged.
//!
//! The reader does not trust the header: it compares the stated size with the
//! length of the file before allocating memory.

use std::io::{BufReader, Read};
use std::path::Path;

use base::FileError;

use crate::error::FloProblem;
use crate::error::MAX_SIDE;
use crate::{FlowError, FlowField};

const MAGIC: [u8; 4] = *b"PIEH";
const HEADER: usize = 12;
const VECTOR: usize = 8;

/// Reads a field from a `.flo` file.
///
/// # Errors
/// [`FlowError::File`] if the file cannot be read, [`FlowError::FloFile`] if it
/// is not valid.
pub fn read_flo(path: impl AsRef<Path>) -> Result<FlowField, FlowError> {
    let path = path.as_ref();
    let io_error = |source| FileError::io("read", path, source);
    let flo_error = |problem| FlowError::FloFile { path: path.to_owned(), problem };
    let file = base::files::open(path)?;
    let length = file.metadata().map_err(io_error)?.len();
    let mut reader = BufReader::new(file);
    let mut bytes = Vec::with_capacity(HEADER);
    reader.by_ref().take(HEADER as u64).read_to_end(&mut bytes).map_err(io_error)?;
    let (width, height) = parse_header(&bytes, length).map_err(flo_error)?;
    // Reading one byte more than expected detects a file that has grown meanwhile.
    let body = (width * height * VECTOR) as u64;
    reader.take(body + 1).read_to_end(&mut bytes).map_err(io_error)?;
    match parse_flo(&bytes) {
        Err(FlowError::Flo(problem)) => Err(flo_error(problem)),
        other => other,
    }
}

/// Reads a field from the bytes of a `.flo` file.
///
/// # Errors
/// [`FlowError::Flo`] if the bytes are not valid.
pub fn parse_flo(bytes: &[u8]) -> Result<FlowField, FlowError> {
    let (width, height) = parse_header(bytes, bytes.len() as u64)?;
    let vectors = bytes[HEADER..].as_chunks::<VECTOR>().0;
    let float = |v: &[u8; VECTOR], at: usize| f32::from_le_bytes([v[at], v[at + 1], v[at + 2], v[at + 3]]);
    FlowField::new(
        width,
        height,
        vectors.iter().map(|v| float(v, 0)).collect(),
        vectors.iter().map(|v| float(v, 4)).collect(),
    )
}

/// Encodes a field as the bytes of a `.flo` file.
///
/// # Errors
/// If the field's buffers do not match its size.
pub fn encode_flo(field: &FlowField) -> Result<Vec<u8>, FlowError> {
    field.check()?;
    let mut bytes = Vec::with_capacity(HEADER + field.u.len() * VECTOR);
    bytes.extend_from_slice(&MAGIC);
    // `check` ensures that both sides are far below 2^31.
    bytes.extend_from_slice(&(field.width as i32).to_le_bytes());
    bytes.extend_from_slice(&(field.height as i32).to_le_bytes());
    for (u, v) in field.u.iter().zip(&field.v) {
        bytes.extend_from_slice(&u.to_le_bytes());
        bytes.extend_from_slice(&v.to_le_bytes());
    }
    Ok(bytes)
}

/// Writes a field to a `.flo` file atomically.
///
/// # Errors
/// [`FlowError::File`] if the file cannot be written; also an error if the field's buffers do not match its size.
pub fn write_flo(path: impl AsRef<Path>, field: &FlowField) -> Result<(), FlowError> {
    Ok(base::files::write(path.as_ref(), &[&encode_flo(field)?])?)
}

/// Reads width and height from a header and checks them against the length of the file.
fn parse_header(bytes: &[u8], length: u64) -> Result<(usize, usize), FloProblem> {
    let Some(&[m0, m1, m2, m3, w0, w1, w2, w3, h0, h1, h2, h3]) = bytes.first_chunk::<HEADER>() else {
        return Err(FloProblem::NoHeader(bytes.len() as u64));
    };
    let magic = [m0, m1, m2, m3];
    if magic != MAGIC {
        return Err(FloProblem::Magic(magic));
    }
    let width = i32::from_le_bytes([w0, w1, w2, w3]);
    let height = i32::from_le_bytes([h0, h1, h2, h3]);
    let side = |side: i32| {
        usize::try_from(side)
            .ok()
            .filter(|side| (1..=MAX_SIDE).contains(side))
            .ok_or(FloProblem::Size { width, height })
    };
    let (width, height) = (side(width)?, side(height)?);
    let expected = (HEADER + width * height * VECTOR) as u64;
    let found = length;
    if found < expected {
        return Err(FloProblem::Truncated { width, height, expected, found });
    }
    if found > expected {
        return Err(FloProblem::Trailing { width, height, expected, found });
    }
    Ok((width, height))
}
