//! Formats that are a plain chain of blocks: GIF, PNG (and APNG), IVF.

use super::bytes::Bytes;
use super::said::Ending;
use std::io::{self, Read, Seek};

/// Looks for the trailer of a GIF.
pub(super) fn of_gif<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<Ending> {
    const LACKS: Ending = Ending::Lacks("the trailer of the GIF");
    /// A table of colours, if the flags announce one.
    fn colours<R: Read + Seek>(file: &mut Bytes<R>, flags: u8) {
        if flags & 0x80 != 0 {
            file.skip(3 << ((flags & 7) + 1));
        }
    }
    file.go(0);
    let Some([.., flags, _, _]) = file.next::<13>()? else { return Ok(LACKS) };
    colours(file, flags);
    loop {
        match file.next()? {
            Some([0x3b]) => return Ok(Ending::Fits),
            Some([0x2c]) => {
                let Some([.., flags]) = file.next::<9>()? else { return Ok(LACKS) };
                colours(file, flags);
                file.skip(1);
            }
            Some([0x21]) => file.skip(1),
            // Filling between blocks.
            Some([0]) => continue,
            // No GIF any more: left to ffmpeg.
            Some(_) => return Ok(Ending::Fits),
            None => return Ok(LACKS),
        }
        loop {
            match file.next()? {
                Some([0]) => break,
                Some([length]) => file.skip(u64::from(length)),
                None => return Ok(LACKS),
            }
        }
    }
}

/// Looks for the last chunk of a PNG.
pub(super) fn of_png<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<Ending> {
    file.go(8);
    loop {
        match file.next()? {
            Some([_, _, _, _, b'I', b'E', b'N', b'D']) => return Ok(Ending::Fits),
            Some([l0, l1, l2, l3, ..]) => file.skip(u64::from(u32::from_be_bytes([l0, l1, l2, l3])) + 4),
            None => return Ok(Ending::Lacks("the chunk IEND of the PNG")),
        }
    }
}

/// Bytes up to the end of the last frame of an IVF file that has begun.
pub(super) fn of_ivf<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<u64> {
    file.go(6);
    let Some(header) = file.next()?.map(u16::from_le_bytes) else { return Ok(0) };
    file.go(u64::from(header));
    while file.left() > 0 {
        let Some([l0, l1, l2, l3, ..]) = file.next::<12>()? else { return Ok(file.at() + 12) };
        file.skip(u64::from(u32::from_le_bytes([l0, l1, l2, l3])));
    }
    Ok(file.at())
}
