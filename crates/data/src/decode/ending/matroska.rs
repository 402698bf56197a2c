//! Matroska and WebM: a header, then a segment with its length.

use super::bytes::Bytes;
use std::io::{self, Read, Seek};

const SEGMENT: u64 = 0x1853_8067;
/// Elements that may stand before the segment: the header, filling, a checksum.
const BEFORE: [u64; 3] = [0x1A45_DFA3, 0xEC, 0xBF];
/// More elements than stand before any real segment.
const MOST: usize = 64;

/// Bytes that the file has when it is whole; 0 if it does not say.
pub(super) fn length<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<u64> {
    for _ in 0..MOST {
        let (Some((id, _)), Some((length, unknown))) = (number(file, false)?, number(file, true)?) else {
            break;
        };
        let end = file.at().saturating_add(length);
        if id == SEGMENT {
            return Ok(if unknown { 0 } else { end });
        }
        if !BEFORE.contains(&id) || unknown {
            break;
        }
        file.go(end);
    }
    Ok(0)
}

/// Reads a number of variable length, whose first set bit tells how long it is; that bit belongs to an id, but not to a
/// length (`plain`). A length of ones only is unknown.
fn number<R: Read + Seek>(file: &mut Bytes<R>, plain: bool) -> io::Result<Option<(u64, bool)>> {
    let Some([first]) = file.next()? else { return Ok(None) };
    let more = first.leading_zeros();
    if more > 7 {
        return Ok(None);
    }
    let mut value = u64::from(if plain { first & (0x7f >> more) } else { first });
    for _ in 0..more {
        let Some([byte]) = file.next()? else { return Ok(None) };
        value = value << 8 | u64::from(byte);
    }
    Ok(Some((value, value == (1 << (7 * (more + 1))) - 1)))
}
