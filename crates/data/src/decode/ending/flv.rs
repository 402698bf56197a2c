//! FLV: a chain of tags. The first may say how long the file is.

use super::bytes::Bytes;
use std::io::{self, Read, Seek};

/// Audio, video and script.
const TAGS: [u8; 3] = [8, 9, 18];
/// Bytes of the metadata that are searched.
const METADATA: usize = 1 << 16;
/// The name of the entry with the length, as a text with its length before it, and the mark of a number behind it.
const NAME: &[u8] = b"\0\x08filesize\0";

/// Bytes that the file has when it is whole, as far as it says.
pub(super) fn length<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<u64> {
    file.go(5);
    let Some(header) = file.next()?.map(u32::from_be_bytes) else { return Ok(0) };
    // The length of the tag before stands between two tags.
    let mut at = u64::from(header) + 4;
    let mut stated = 0;
    loop {
        file.go(at);
        let mut head = [0; 11];
        let read = file.up_to(&mut head)?;
        if read == 0 || !TAGS.contains(&(head[0] & 0x1f)) {
            break; // Other bytes after the end.
        }
        let end = at + 11 + u64::from(u32::from_be_bytes([0, head[1], head[2], head[3]]));
        if read < head.len() || end > file.found() {
            return Ok(end.max(stated));
        }
        if stated == 0 && head[0] & 0x1f == 18 {
            stated = of_metadata(file, end)?;
        }
        at = end + 4;
    }
    Ok(stated)
}

/// The length that the metadata state.
fn of_metadata<R: Read + Seek>(file: &mut Bytes<R>, end: u64) -> io::Result<u64> {
    let count = usize::try_from(end - file.at()).unwrap_or(METADATA).min(METADATA);
    let mut data = vec![0; count];
    file.up_to(&mut data)?;
    let place = data.windows(NAME.len()).position(|window| window == NAME);
    let number = place
        .and_then(|place| data[place + NAME.len()..].first_chunk())
        .map(|bytes| f64::from_be_bytes(*bytes));
    // A file cannot be longer than what a double counts exactly.
    let fits = |length: &f64| (0.0..9.0e15).contains(length);
    Ok(number.filter(fits).map_or(0, |length| length as u64))
}
