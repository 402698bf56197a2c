use super::*;
use std::io::Cursor;

fn ending(bytes: &[u8]) -> Ending {
    let mut file = Bytes::new(Cursor::new(bytes), bytes.len() as u64);
    of(&mut file, &bytes[..bytes.len().min(HEAD)]).unwrap()
}

/// Builds a box of MP4.
fn boxed(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [&(content.len() as u32 + 8).to_be_bytes()[..], name, content].concat()
}

/// Builds a chunk of RIFF.
fn chunk(name: &[u8; 4], content: &[u8]) -> Vec<u8> {
    [name, &(content.len() as u32).to_le_bytes()[..], content].concat()
}

#[test]
fn riff_states_its_length_less_eight() {
    assert_eq!(ending(b"RIFF\x20\0\0\0AVI LIST...."), Ending::Longer(40));
    assert_eq!(ending(&[b"RIFF\x0c\0\0\0AVI LIST....", &b"more"[..]].concat()), Ending::Fits);
    for unknown in [[0; 4], [0xff; 4]] {
        assert_eq!(ending(&[b"RIFF", &unknown, &b"AVI LIST...."[..]].concat()), Ending::Fits);
    }
}

#[test]
fn every_riff_chunk_of_a_large_avi_counts() {
    let first = chunk(b"RIFF", b"AVI odd");
    let second = chunk(b"RIFF", b"AVIXmovi");
    let whole = [&first[..], b"\0", &second].concat();
    assert_eq!(ending(&whole), Ending::Fits);
    assert_eq!(ending(&whole[..whole.len() - 1]), Ending::Longer(whole.len() as u64));
    assert_eq!(
        ending(&[&whole, &b"RIFF\xff\0\0\0WAVE"[..]].concat()),
        Ending::Fits,
        "another file behind it"
    );
}

#[test]
fn the_index_of_a_large_avi_shows_that_a_riff_chunk_is_missing() {
    let entry = |place: u64| [&place.to_le_bytes()[..], &100u32.to_le_bytes(), &[0; 4]].concat();
    let index = [&[4, 0, 0, 0, 2, 0, 0, 0][..], &[0; 16], &entry(40), &entry(1 << 30)].concat();
    let track = chunk(b"LIST", &[b"strl", &chunk(b"strh", &[0; 8])[..], &chunk(b"indx", &index)].concat());
    let headers = chunk(b"LIST", &[b"hdrl", &track[..]].concat());
    let file = chunk(b"RIFF", &[b"AVI ", &headers[..], &chunk(b"LIST", b"movi")].concat());
    assert_eq!(ending(&file), Ending::Longer((1 << 30) + 100));
}

#[test]
fn boxes_are_walked_to_the_end() {
    let file = [boxed(b"ftyp", b"isom"), boxed(b"moov", b""), boxed(b"mdat", &[0; 200])].concat();
    assert_eq!(ending(&file), Ending::Fits);
    assert_eq!(ending(&file[..50]), Ending::Longer(file.len() as u64));
    // A length of 64 bits, and one that reaches to the end.
    let long = [&b"\0\0\0\x01mdat"[..], &[0, 0, 0, 1, 0, 0, 0, 0]].concat();
    let begin = [boxed(b"moov", b""), long].concat();
    assert_eq!(ending(&begin), Ending::Longer((1 << 32) + 8));
    assert_eq!(ending(&[&boxed(b"moov", b"")[..], b"\0\0\0\0mdat...."].concat()), Ending::Fits);
}

#[test]
fn bytes_behind_the_last_box_are_no_box() {
    let file = [boxed(b"ftyp", b"isom"), boxed(b"mdat", b"...."), boxed(b"moov", b"")].concat();
    for tail in [&b"this is some text"[..], b"\0", &[0; 40], &[0xff; 40], b"{\"uploaded\": 1}"] {
        assert_eq!(ending(&[&file, tail].concat()), Ending::Fits, "{tail:?}");
    }
}

#[test]
fn a_description_tells_where_the_frames_are() {
    let handler = |kind: &[u8; 4]| boxed(b"hdlr", &[&[0; 8][..], kind, &[0; 12]].concat());
    let table = [&[0, 0, 0, 0, 0, 0, 0, 2][..], &[0, 0, 0, 90], &[0, 0, 2, 0]].concat();
    let track = |kind: &[u8; 4]| {
        let tables = boxed(b"minf", &boxed(b"stbl", &boxed(b"stco", &table)));
        boxed(b"trak", &boxed(b"mdia", &[handler(kind), tables].concat()))
    };
    let file = |tracks: &[u8]| [boxed(b"ftyp", b"isom"), boxed(b"moov", tracks)].concat();
    assert_eq!(ending(&file(&track(b"vide"))), Ending::Longer(0x201));
    assert_eq!(ending(&file(&track(b"soun"))), Ending::Fits, "sound is not decoded");
    assert_eq!(ending(&file(&[track(b"vide"), track(b"soun")].concat())), Ending::Longer(0x201));
}

#[test]
fn fragments_need_their_description_and_their_data() {
    let (description, moof) = ([boxed(b"ftyp", b"isom"), boxed(b"moov", b"")].concat(), boxed(b"moof", b""));
    assert!(matches!(ending(&boxed(b"ftyp", b"isom")), Ending::Lacks(what) if what.contains("moov")));
    assert!(
        matches!(ending(&[&description[..], &moof].concat()), Ending::Lacks(what) if what.contains("moof"))
    );
    assert_eq!(ending(&[&description[..], &moof, &boxed(b"mdat", b"")].concat()), Ending::Fits);
    // An index of two fragments, of 100 and 156 bytes, 4 bytes behind it.
    let reference = |length: u8| [0, 0, 0, length, 0, 0, 0, 0, 0, 0, 0, 0];
    let index = [&[0; 16][..], &[0, 0, 0, 4, 0, 0, 0, 2], &reference(100), &reference(156)].concat();
    let begin = [description, boxed(b"sidx", &index)].concat();
    assert_eq!(ending(&begin), Ending::Longer(begin.len() as u64 + 260));
}

#[test]
fn other_files_do_not_say() {
    for bytes in [
        &b"hello, this is no video"[..],
        b"",
        b"RIFF",
        b"\x1a\x45\xdf\xa3",
        b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff",
        b"FLV\x01\x05",
        b"DKIF",
        b"OggS",
        b"\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02",
    ] {
        assert_eq!(ending(bytes), Ending::Fits, "{bytes:?}");
    }
}

#[test]
fn a_segment_states_its_length() {
    let file = b"\x1a\x45\xdf\xa3\x81\x00\xec\x81\x00\x18\x53\x80\x67\x40\x20";
    assert_eq!(ending(file), Ending::Longer(file.len() as u64 + 32));
}

#[test]
fn hostile_lengths_neither_overflow_nor_go_on_for_ever() {
    let long = [&b"\0\0\0\x01mdat"[..], &[0xff; 8]].concat();
    assert_eq!(ending(&[boxed(b"moov", b""), long].concat()), Ending::Longer(u64::MAX));
    let reference = [0xff; 12];
    let wide = [&[1, 0, 0, 0][..], &[0xff; 24], &[0, 0, 0, 3], &reference, &reference, &reference].concat();
    assert_eq!(ending(&[boxed(b"moov", b""), boxed(b"sidx", &wide)].concat()), Ending::Longer(u64::MAX));
    let asf = [asf::HEADER, &[0xff; 8], &[0; 40]].concat();
    assert_eq!(ending(&asf), Ending::Longer(u64::MAX));
    assert_eq!(ending(b"\0\0\0\x08moov\0\0\0\x08free\0\0\0\x02free"), Ending::Fits);
    let chunks = [&b"\x89PNG\r\n\x1a\n"[..], &[0xff; 60]].concat();
    assert!(matches!(ending(&chunks), Ending::Lacks(_)));
}

#[test]
fn a_picture_in_boxes_is_whole_without_a_description_of_frames() {
    let of_brand = |brand: &[u8; 4]| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let bytes = [boxed(b"ftyp", brand), boxed(b"meta", &[0; 4]), boxed(b"mdat", b"pixels")].concat();
        std::fs::write(&path, bytes).unwrap();
        let Extent { ending, still, .. } = extent(&path).unwrap();
        (ending, still.is_some())
    };
    assert_eq!(of_brand(b"avif"), (Ending::Fits, true));
    assert!(matches!(of_brand(b"isom"), (Ending::Lacks(_), false)));
}
