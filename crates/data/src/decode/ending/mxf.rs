//! MXF: the header says where the footer stands.

use super::bytes::Bytes;
use std::io::{self, Read, Seek};

/// Key of a partition.
pub(super) const KEY: &[u8] = b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01";

/// Bytes up to the beginning of the footer; 0 if the header does not say where it stands.
pub(super) fn length<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<u64> {
    file.go(16);
    let Some([length]) = file.next()? else { return Ok(0) };
    // A length above 127 has further bytes, whose number this is.
    if length > 0x80 {
        file.skip(u64::from(length & 0x7f));
    }
    // Versions, grid, place of this partition and of the one before.
    file.skip(2 + 2 + 4 + 8 + 8);
    let footer = file.next()?.map_or(0, u64::from_be_bytes);
    Ok(if footer == 0 { 0 } else { footer.saturating_add(1) })
}
