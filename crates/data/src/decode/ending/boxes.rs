//! MP4 and MOV: a chain of boxes with their lengths.

use super::bytes::Bytes;
use super::said::{Ending, longer};
use std::io::{self, Read, Seek};

/// More boxes than any real file has at one level; bounds the walk through a hostile one.
const MOST: usize = 1 << 20;

/// Levels of boxes from `moov` to the places of the frames.
const DEEPEST: usize = 5;

/// The boxes that stand outside all others. Anything else after them is no part of the file.
const OUTER: [&[u8; 4]; 22] = [
    b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"ssix", b"free", b"skip", b"wide",
    b"meta", b"uuid", b"udta", b"pdin", b"prft", b"emsg", b"pnot", b"PICT", b"junk", b"imda", b"bloc",
];

/// The boxes with which a file may begin. Files of old QuickTime have no `ftyp`.
const FIRST: [&[u8; 4]; 8] = [b"ftyp", b"styp", b"moov", b"mdat", b"free", b"skip", b"wide", b"pnot"];

/// Returns `true` if a file that begins so is a chain of boxes.
pub(super) fn begins(head: &[u8]) -> bool {
    head.get(4..8).is_some_and(|name| FIRST.iter().any(|first| name == *first))
}

/// The head of a box.
struct Head {
    name: [u8; 4],
    /// Place of its content.
    from: u64,
    /// Place behind it.
    to: u64,
}

/// Reads the head of a box that ends at `end` or before; `None` if there is none.
fn head<R: Read + Seek>(file: &mut Bytes<R>, end: u64) -> io::Result<Option<Head>> {
    let at = file.at();
    let Some([l0, l1, l2, l3, a, b, c, d]) = file.next()? else { return Ok(None) };
    let (length, least) = match u32::from_be_bytes([l0, l1, l2, l3]) {
        0 => (end.saturating_sub(at), 8), // The last box reaches to the end.
        1 => match file.next()? {
            Some(long) => (u64::from_be_bytes(long), 16),
            None => return Ok(None),
        },
        length => (u64::from(length), 8),
    };
    let to = at.saturating_add(length);
    Ok((length >= least).then_some(Head { name: [a, b, c, d], from: file.at(), to }))
}

/// Compares the boxes with the length of the file.
pub(super) fn ending<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<Ending> {
    let (mut declared, mut end) = (0u64, 0);
    let (mut described, mut fragment) = (false, false);
    for _ in 0..MOST {
        file.go(end);
        let found = file.found();
        let Some(Head { name, from, to }) = head(file, found)? else { break };
        if !OUTER.iter().any(|outer| **outer == name) {
            break;
        }
        end = to;
        match &name {
            b"moov" if to <= found => declared = declared.max(places(file, (from, to), 0, &mut false)?),
            b"sidx" => declared = declared.max(to.saturating_add(indexed(file)?)),
            _ => {}
        }
        described |= matches!(&name, b"moov" | b"moof");
        fragment = &name == b"moof" || (fragment && &name != b"mdat");
    }
    Ok(match longer(declared.max(end), file.found()) {
        Ending::Fits if !described => Ending::Lacks("the box `moov`, which describes the frames,"),
        Ending::Fits if fragment => Ending::Lacks("the media data after its last box `moof`"),
        ending => ending,
    })
}

/// The place behind the beginning of the last run of frames that a box within `moov` names, in tracks of video.
fn places<R: Read + Seek>(
    file: &mut Bytes<R>,
    (from, to): (u64, u64),
    depth: usize,
    video: &mut bool,
) -> io::Result<u64> {
    let (mut furthest, mut at) = (0, from);
    for _ in 0..MOST {
        if at >= to || depth > DEEPEST {
            break;
        }
        file.go(at);
        let Some(inner) = head(file, to)? else { break };
        at = inner.to.min(to);
        let content = (inner.from, at);
        furthest = furthest.max(match &inner.name {
            // The handler of a track stands before its table of places.
            b"trak" => places(file, content, depth + 1, &mut false)?,
            b"mdia" | b"minf" | b"stbl" => places(file, content, depth + 1, video)?,
            b"hdlr" => {
                if let Some([_, _, _, _, _, _, _, _, kind @ ..]) = file.next::<12>()? {
                    *video |= &kind == b"vide";
                }
                0
            }
            b"stco" if *video => last_place::<4, R>(file, content)?,
            b"co64" if *video => last_place::<8, R>(file, content)?,
            _ => 0,
        });
    }
    Ok(furthest)
}

/// The place behind the beginning of the furthest entry of a table whose entries have N bytes.
fn last_place<const N: usize, R: Read + Seek>(file: &mut Bytes<R>, (_, to): (u64, u64)) -> io::Result<u64> {
    let Some([_, _, _, _, count @ ..]) = file.next::<8>()? else { return Ok(0) };
    let mut furthest = 0;
    for _ in 0..u32::from_be_bytes(count) {
        if file.at().saturating_add(N as u64) > to {
            break;
        }
        let Some(place) = file.next::<N>()? else { break };
        furthest = furthest.max(place.iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte)));
    }
    Ok(if furthest == 0 { 0 } else { furthest.saturating_add(1) })
}

/// The number of bytes behind a `sidx` that it describes.
fn indexed<R: Read + Seek>(file: &mut Bytes<R>) -> io::Result<u64> {
    let Some([version, ..]) = file.next::<12>()? else { return Ok(0) };
    let wide = version > 0;
    file.skip(if wide { 8 } else { 4 }); // The earliest time.
    let first = match wide {
        true => file.next()?.map(u64::from_be_bytes),
        false => file.next()?.map(|bytes| u64::from(u32::from_be_bytes(bytes))),
    };
    let (Some(mut sum), Some([_, _, count @ ..])) = (first, file.next::<4>()?) else { return Ok(0) };
    for _ in 0..u16::from_be_bytes(count) {
        let Some([l0, l1, l2, l3, ..]) = file.next::<12>()? else { break };
        // The first bit tells whether it leads to another index.
        sum = sum.saturating_add(u64::from(u32::from_be_bytes([l0 & 0x7f, l1, l2, l3])));
    }
    Ok(sum)
}
