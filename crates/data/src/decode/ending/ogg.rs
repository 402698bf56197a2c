//! Ogg: pages, the last of each stream with a mark (RFC 3533, section 6).

use super::bytes::Bytes;
use super::said::Ending;
use std::collections::BTreeMap;
use std::io::{self, Read, Seek};

/// First bytes of the first packet of a stream of video: Theora, VP8, Dirac, OGM.
const VIDEO: [&[u8]; 4] = [b"\x80theora", b"OVP80", b"BBCD\0", b"\x01video"];

const FIRST_PAGE: u8 = 2;
const LAST_PAGE: u8 = 4;

/// Looks for the mark on the last page of every stream of video.
pub(super) fn ending<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<Ending> {
    // True: the last page had the mark.
    let mut streams: BTreeMap<[u8; 4], bool> = BTreeMap::new();
    let mut at = 0;
    loop {
        file.go(at);
        // Bytes between pages are skipped, as ffmpeg does.
        if !file.seek_byte(b'O')? {
            break;
        }
        at = file.at();
        let Some(head) = file.next::<27>()? else { break };
        if !head.starts_with(b"OggS\0") {
            at += 1;
            continue;
        }
        let (flags, serial) = (head[5], [head[14], head[15], head[16], head[17]]);
        let mut lengths = [0; 255];
        let count = usize::from(head[26]);
        if file.up_to(&mut lengths[..count])? < count {
            break;
        }
        let end = file.at() + lengths[..count].iter().map(|&length| u64::from(length)).sum::<u64>();
        if flags & FIRST_PAGE != 0 {
            let mut packet = [0; 8];
            let read = file.up_to(&mut packet)?;
            if VIDEO.iter().any(|video| packet[..read].starts_with(video)) {
                streams.insert(serial, false);
            }
        }
        if let Some(ended) = streams.get_mut(&serial) {
            *ended |= flags & LAST_PAGE != 0;
            if end > file.found() {
                return Ok(Ending::Longer(end));
            }
        }
        at = end;
    }
    match streams.values().all(|ended| *ended) {
        true => Ok(Ending::Fits),
        false => Ok(Ending::Lacks("the last page of its video stream")),
    }
}
