//! The length that a video file declares.
//!
//! ffmpeg decodes a file cut between two packets without a warning, so a truncated download would pass as a
//! shorter video. RIFF (AVI) and ISO (MP4, MOV) files state their length; a file shorter than
//! that is truncated. A longer file is accepted: AVI files of HMDB-51 have bytes after the end.

use crate::error::DataError;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// More top-level boxes than any real file has; bounds the walk through a hostile one.
const MAX_BOXES: usize = 4096;

/// Returns the `(declared, found)` lengths of a file in bytes. `declared` is 0 if the format does not state it.
pub(super) fn lengths(path: &Path) -> Result<(u64, u64), DataError> {
    let io = |source| DataError::io("read", path, source);
    let mut file = base::files::open(path)?;
    let found = file.metadata().map_err(io)?.len();
    Ok((declared(&mut file, found).map_err(io)?, found))
}

fn declared(file: &mut (impl Read + Seek), found: u64) -> std::io::Result<u64> {
    let mut head = [0; 12];
    if found < 12 {
        return Ok(0);
    }
    file.read_exact(&mut head)?;
    if head.starts_with(b"RIFF") && &head[8..] == b"AVI " {
        return Ok(u64::from(u32_at(&head, 4, u32::from_le_bytes)) + 8);
    }
    if &head[4..8] != b"ftyp" {
        return Ok(0);
    }
    let mut end = 0u64;
    for _ in 0..MAX_BOXES {
        if found.saturating_sub(end) < 16 {
            break;
        }
        let mut head = [0; 16];
        file.seek(SeekFrom::Start(end))?;
        file.read_exact(&mut head)?;
        let size = match u32_at(&head, 0, u32::from_be_bytes) {
            0 => found - end, // The last box reaches to the end of the file.
            1 => {
                u64::from(u32_at(&head, 8, u32::from_be_bytes)) << 32
                    | u64::from(u32_at(&head, 12, u32::from_be_bytes))
            }
            size => u64::from(size),
        };
        if size < 8 {
            return Ok(0); // Not a chain of boxes: left to ffmpeg.
        }
        end = end.saturating_add(size);
    }
    Ok(end)
}

fn u32_at(bytes: &[u8], at: usize, from: fn([u8; 4]) -> u32) -> u32 {
    from([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::declared;
    use std::io::Cursor;

    fn of(bytes: &[u8]) -> u64 {
        declared(&mut Cursor::new(bytes), bytes.len() as u64).unwrap()
    }

    #[test]
    fn riff_states_its_length_less_eight() {
        assert_eq!(of(b"RIFF\x20\0\0\0AVI LIST...."), 40);
    }

    #[test]
    fn boxes_are_walked_to_the_end() {
        let mut bytes = b"\0\0\0\x10ftypisom\0\0\0\0".to_vec();
        bytes.extend_from_slice(b"\0\0\x01\0mdat--------");
        assert_eq!(of(&bytes), 16 + 256);
    }

    #[test]
    fn other_files_do_not_say() {
        assert_eq!(of(b"hello, this is no video"), 0);
        assert_eq!(of(b"\0\0\0\x10ftypisom\0\0\0\0\0\0\0\x01mdat\0\0\0\0\0\0\0\x02"), 0);
        assert_eq!(of(b""), 0);
    }

    #[test]
    fn a_hostile_length_does_not_overflow() {
        let mut bytes = b"\0\0\0\x10ftypisom\0\0\0\0".to_vec();
        bytes.extend_from_slice(b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff");
        assert_eq!(of(&bytes), u64::MAX);
    }
}
