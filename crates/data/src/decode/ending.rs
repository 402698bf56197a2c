//! Whether a file ends where its own format says that it ends.
//!
//! ffmpeg decodes a file cut between two packets without a warning, so a truncated download would pass as a shorter video.
//!
//! | format | how a cut shows | when it cannot show |
//! |---|---|---|
//! | AVI | length of the RIFF chunk; of each further one; places in the index of OpenDML | written to a pipe: the length is 0 or FFFFFFFF |
//! | MP4, MOV | lengths of the boxes; places of the frames in `moov`; lengths in `sidx`; media data after the last `moof` | fragments without `sidx`, cut between two |
//! | Matroska, WebM | length of the segment; ffmpeg reports a cut within a cluster | written to a pipe: the length is unknown |
//! | Ogg | mark of the end on the last page of each video stream | |
//! | FLV | last tag; `filesize` in the metadata | without `filesize`, cut between two tags |
//! | ASF, WMV | length of the data object | written to a pipe |
//! | MXF | place of the footer | written to a pipe |
//! | GIF, APNG | last block: the trailer, `IEND` | |
//! | IVF | last frame | cut between two frames |
//! | MPEG-TS, MPEG-PS, DV, NUT, Y4M, streams without a container, others | | cut between two packets; within one, ffmpeg mostly reports an error |
//!
//! Bytes after the end are accepted: AVI files of HMDB-51 have them, and uploads add a line of text.

mod asf;
mod boxes;
mod bytes;
mod chunks;
mod flv;
mod matroska;
mod mxf;
mod ogg;
mod riff;
mod said;

use self::bytes::Bytes;
use self::said::longer;
use super::formats::still;
use crate::error::DataError;
use std::io::{self, Read, Seek};
use std::path::Path;

pub(super) use self::said::Ending;

/// Number of bytes by which a format is told.
const HEAD: usize = 16;

/// The length of a file, and what it says itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Length in bytes.
    pub(super) found: u64,
    pub(super) ending: Ending,
    /// Format of a still picture, if it begins as one.
    pub(super) still: Option<&'static str>,
}

/// Reads what a file says about its own end.
pub(super) fn extent(path: &Path) -> Result<Extent, DataError> {
    let io = |source| DataError::io("read", path, source);
    let file = base::files::open(path)?;
    let found = file.metadata().map_err(io)?.len();
    let mut bytes = Bytes::new(file, found);
    let mut head = [0; HEAD];
    let read = bytes.up_to(&mut head).map_err(io)?;
    let still = still(&head[..read]);
    let ending = match of(&mut bytes, &head[..read]).map_err(io)? {
        // Pictures in boxes have no `moov`.
        Ending::Lacks(_) if boxes::begins(&head[..read]) && still.is_some() => Ending::Fits,
        ending => ending,
    };
    Ok(Extent { found, ending, still })
}

fn of<R: Read + Seek>(file: &mut Bytes<R>, head: &[u8]) -> io::Result<Ending> {
    let begins = |mark: &[u8]| head.starts_with(mark);
    let declared = match () {
        () if begins(b"RIFF") && head.get(8..12) == Some(b"AVI ") => riff::length(file)?,
        () if begins(b"OggS") => return ogg::ending(file),
        () if begins(b"\x1a\x45\xdf\xa3") => matroska::length(file)?,
        () if begins(b"FLV\x01") => flv::length(file)?,
        () if begins(asf::HEADER) => asf::length(file)?,
        () if begins(mxf::KEY) => mxf::length(file)?,
        () if begins(b"GIF8") => return chunks::of_gif(file),
        () if begins(b"\x89PNG\r\n\x1a\n") => return chunks::of_png(file),
        () if begins(b"DKIF") => chunks::of_ivf(file)?,
        () if boxes::begins(head) => return boxes::ending(file),
        () => 0,
    };
    Ok(longer(declared, file.found()))
}

#[cfg(test)]
mod tests;
