//! ASF and WMV: a header object, then the data object with its length.

use super::bytes::Bytes;
use std::io::{self, Read, Seek};

/// Id of the header object.
pub(super) const HEADER: &[u8] = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
const DATA: [u8; 16] = *b"\x36\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";

/// Bytes up to the end of the data when the file is whole; 0 if it does not say.
pub(super) fn length<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<u64> {
    file.go(16);
    let Some(header) = file.next()?.map(u64::from_le_bytes) else { return Ok(0) };
    file.go(header);
    match (file.next()?, file.next()?.map(u64::from_le_bytes)) {
        (Some(DATA), Some(length)) => Ok(header.saturating_add(length)),
        // The header itself is cut.
        (None, _) | (_, None) => Ok(header),
        _ => Ok(0),
    }
}
