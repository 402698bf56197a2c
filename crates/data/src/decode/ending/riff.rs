//! AVI: a RIFF chunk with its length. Files above 1 GiB have further ones (OpenDML), and an index that says where they are.

use super::bytes::Bytes;
use std::io::{self, Read, Seek};

/// More chunks than the headers of any real file have.
const MOST: usize = 4096;

/// Lengths of chunks that were never filled in, as in a file that is written to a pipe.
const UNKNOWN: [u32; 2] = [0, u32::MAX];

/// Bytes that the file has when it is whole; 0 if it does not say.
pub(super) fn length<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<u64> {
    let mut end = 0;
    let mut form = *b"AVI ";
    for _ in 0..MOST {
        file.go(end);
        let Some([b'R', b'I', b'F', b'F', l0, l1, l2, l3, f0, f1, f2, f3]) = file.next()? else { break };
        if [f0, f1, f2, f3] != form {
            break; // Other bytes after the end.
        }
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        if UNKNOWN.contains(&length) {
            return Ok(0);
        }
        end += u64::from(length) + 8;
        form = *b"AVIX";
        // Chunks start at even places.
        if end > file.found() {
            return Ok(end);
        }
        end += end & 1;
    }
    Ok(end.min(file.found()).max(indexed(file)?))
}

/// The end of the furthest index that the headers name: `indx` in `LIST strl` in `LIST hdrl`.
fn indexed<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<u64> {
    let mut furthest = 0;
    file.go(12);
    for _ in 0..MOST {
        let at = file.at();
        let Some([a, b, c, d, l0, l1, l2, l3]) = file.next()? else { break };
        let length = u64::from(u32::from_le_bytes([l0, l1, l2, l3]));
        match &[a, b, c, d] {
            b"LIST" => match file.next()? {
                // The chunks of a list follow its name.
                Some([b'h', b'd', b'r', b'l'] | [b's', b't', b'r', b'l']) => continue,
                // The frames; nothing that matters stands behind them.
                Some([b'm', b'o', b'v', b'i']) | None => break,
                Some(_) => {}
            },
            b"indx" => furthest = furthest.max(of_index(file)?),
            _ => {}
        }
        file.go(at.saturating_add(8).saturating_add(length).saturating_add(length & 1));
    }
    Ok(furthest)
}

/// The end of the last part that an index of indices names.
fn of_index<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<u64> {
    // Numbers per entry, kind 0 (an index of indices), number of entries, then what the entries are about.
    let Some([4, 0, _, 0, n0, n1, n2, n3]) = file.next()? else { return Ok(0) };
    file.skip(16);
    let mut furthest = 0;
    for _ in 0..u32::from_le_bytes([n0, n1, n2, n3]).min(MOST as u32) {
        let Some(entry) = file.next::<16>()? else { break };
        let [a, b, c, d, e, f, g, h, l0, l1, l2, l3, ..] = entry;
        let place = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        furthest = furthest.max(place.saturating_add(u64::from(u32::from_le_bytes([l0, l1, l2, l3]))));
    }
    Ok(furthest)
}
