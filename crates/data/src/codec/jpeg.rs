//! JPEG pictures in which a window can be decoded without the rest.
//!
//! A JPEG stream can be entered only at a restart marker. The encoder therefore writes one every few blocks, so that
//! every row of blocks is cut into the same *segments* of about 80 pixels; rows are padded on the right to whole
//! segments by repeating their last pixel. To decode a window, the segments that touch it are joined byte for byte
//! into a smaller JPEG, and only that is decoded: its pixels are those of the whole picture.
//!
//! A JPEG from elsewhere, without restart markers, can be read too, but only as a whole.

use image::ImageDecoder;
use image::codecs::jpeg::JpegDecoder;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use std::io::Cursor;

use crate::source::Window;

/// Colour at half resolution is interpolated from neighbours at most this many pixels away.
const COLOUR_REACH: usize = 2;

/// Width and height in pixels of the blocks that a picture of 1 or 3 channels is coded in.
fn block_side(channels: usize) -> usize {
    if channels == 3 { 16 } else { 8 }
}

/// Number of blocks in a segment of 64 to 96 pixels, chosen for the least padding. Shorter segments are not worth their
/// bytes: 40 pixels take a tenth more, at the same number of samples per second for crops of 224.
fn segment_blocks(width: usize, channels: usize) -> usize {
    let blocks = width.div_ceil(block_side(channels));
    let candidates = if channels == 3 { 4..=6 } else { 8..=12 };
    let fitting = candidates.rev().filter(|&segment| segment <= blocks);
    fitting.min_by_key(|&segment| blocks.next_multiple_of(segment)).unwrap_or(blocks)
}

/// Encodes a picture given as rows of `width * channels` values; `Err` holds the encoder's message.
pub(super) fn encode(
    width: usize,
    height: usize,
    channels: usize,
    data: &[u8],
    quality: u8,
) -> Result<Vec<u8>, String> {
    let segment = segment_blocks(width, channels);
    let padded = width.next_multiple_of(segment * block_side(channels));
    let mut rows = Vec::with_capacity(padded * height * channels);
    for row in data.chunks_exact(width * channels) {
        rows.extend_from_slice(row);
        for _ in width..padded {
            rows.extend_from_within(rows.len() - channels..);
        }
    }
    let side = |n: usize| u16::try_from(n).map_err(|e| e.to_string());
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, quality);
    // Its optimised Huffman tables do not work with restart markers: pictures come back wrong.
    encoder.set_restart_interval(side(segment)?);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    let colour = if channels == 3 { ColorType::Rgb } else { ColorType::Luma };
    encoder.encode(&rows, side(padded)?, side(height)?, colour).map_err(|e| e.to_string())?;
    Ok(out)
}

/// Decodes a window of a picture of `(width, height)` and overwrites `out` with it; `Err` says how the bytes differ from
/// such a picture.
pub(super) fn decode(
    (width, height): (usize, usize),
    channels: usize,
    bytes: &[u8],
    window: Window,
    out: &mut Vec<u8>,
) -> Result<(), String> {
    if let Some(part) = Stream::parse(bytes, channels).and_then(|stream| stream.part(window)) {
        let (picture, part_width) =
            pixels(&part.bytes, channels, |w, h| (w, h) == (part.width, part.height))?;
        let inside = Window { x: window.x - part.x, y: window.y - part.y, ..window };
        inside.cut(&picture, part_width, channels, out);
        return Ok(());
    }
    let padded = width.next_multiple_of(segment_blocks(width, channels) * block_side(channels));
    let (picture, found) = pixels(bytes, channels, |w, h| h == height && (w == width || w == padded))?;
    window.cut(&picture, found, channels, out);
    Ok(())
}

/// Decodes a JPEG and returns its pixels and its width. The size must be `expected`, which is checked before anything is
/// allocated.
fn pixels(
    bytes: &[u8],
    channels: usize,
    expected: impl Fn(usize, usize) -> bool,
) -> Result<(Vec<u8>, usize), String> {
    let decoder = JpegDecoder::new(Cursor::new(bytes)).map_err(|e| e.to_string())?;
    let (width, height) = decoder.dimensions();
    let (width, height) = (width as usize, height as usize);
    let colour = decoder.color_type();
    if !expected(width, height) || usize::from(colour.bytes_per_pixel()) != channels {
        return Err(format!("a JPEG of {width}x{height} {colour:?}"));
    }
    let mut data = vec![0; width * height * channels];
    decoder.read_image(&mut data).map_err(|e| e.to_string())?;
    Ok((data, width))
}

/// A JPEG stream as [`encode`] writes it, taken apart.
struct Stream<'a> {
    /// Everything before the coded blocks.
    head: &'a [u8],
    /// Offset of height and width in the head.
    size_at: usize,
    width: usize,
    height: usize,
    /// Coded blocks, segment by segment.
    segments: Vec<&'a [u8]>,
    /// Segments in a row.
    across: usize,
    /// Width of a segment in pixels.
    segment: usize,
    /// Height of a row of segments in pixels.
    block: usize,
}

/// The smaller JPEG that covers a window.
struct Part {
    bytes: Vec<u8>,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
}

impl<'a> Stream<'a> {
    /// Takes a stream apart; `None` for any other JPEG and for other bytes, which are left to the decoder.
    fn parse(bytes: &'a [u8], channels: usize) -> Option<Self> {
        let short = |at: usize| bytes.get(at..at + 2).map(|b| usize::from(u16::from_be_bytes([b[0], b[1]])));
        let (mut size, mut interval) = (None, None);
        let mut at = 2;
        // Marker segments: 0xff, kind, length of the rest including the length itself.
        let scan = loop {
            let (marker, length) = (short(at)?, short(at + 2)?);
            let content = at + 4;
            match marker {
                // Baseline; the components must have the sampling that `encode` writes.
                0xffc0 => {
                    let expected: &[u8] = if channels == 3 { &[0x22, 0x11, 0x11] } else { &[0x11] };
                    let factors = bytes.get(content + 6..)?.iter().skip(1).step_by(3).take(channels);
                    let fits = usize::from(*bytes.get(content + 5)?) == channels;
                    // A single component may state any factors: they have no effect.
                    (fits && (channels == 1 || factors.eq(expected))).then_some(())?;
                    size = Some((content + 1, short(content + 1)?, short(content + 3)?));
                }
                0xffdd => interval = Some(short(content)?),
                0xffda => break content + length.checked_sub(2)?,
                0xffc1..=0xffcf if marker != 0xffc4 => return None,
                0xff01..=0xffff => {}
                _ => return None,
            }
            at = content + length.checked_sub(2)?;
        };
        let ((size_at, height, width), interval) = (size?, interval?);
        let block = block_side(channels);
        let segment = interval * block;
        if segment == 0 || width == 0 || !width.is_multiple_of(segment) {
            return None;
        }
        let segments = restart_segments(bytes.get(scan..)?)?;
        let across = width / segment;
        (segments.len() == across * height.div_ceil(block)).then_some(Self {
            head: &bytes[..scan],
            size_at,
            width,
            height,
            segments,
            across,
            segment,
            block,
        })
    }

    /// Builds the part that a window needs; `None` if the window does not lie within the picture.
    fn part(&self, window: Window) -> Option<Part> {
        let reach = if self.block == block_side(3) { COLOUR_REACH } else { 0 };
        // Units along one axis that the range and its reach touch.
        let touched = |from: usize, length: usize, limit: usize, unit: usize| {
            let end = from.checked_add(length).filter(|&end| length > 0 && end <= limit)?;
            Some((from.saturating_sub(reach) / unit, (end + reach).min(limit).div_ceil(unit)))
        };
        let (left, right) = touched(window.x, window.width, self.width, self.segment)?;
        let (top, bottom) = touched(window.y, window.height, self.height, self.block)?;
        let (x, y) = (left * self.segment, top * self.block);
        let (width, height) = (right * self.segment - x, (bottom * self.block).min(self.height) - y);

        let mut bytes = self.head.to_vec();
        bytes[self.size_at..self.size_at + 2].copy_from_slice(&u16::try_from(height).ok()?.to_be_bytes());
        bytes[self.size_at + 2..self.size_at + 4].copy_from_slice(&u16::try_from(width).ok()?.to_be_bytes());
        let rows = (top..bottom).flat_map(|row| &self.segments[row * self.across..][left..right]);
        for (number, segment) in rows.enumerate() {
            if number > 0 {
                // Restart markers count modulo eight.
                bytes.extend_from_slice(&[0xff, 0xd0 + ((number - 1) % 8) as u8]);
            }
            bytes.extend_from_slice(segment);
        }
        bytes.extend_from_slice(&[0xff, 0xd9]);
        Some(Part { bytes, x, y, width, height })
    }
}

/// Coded blocks between restart markers; `None` unless they end with the end-of-image marker.
fn restart_segments(scan: &[u8]) -> Option<Vec<&[u8]>> {
    let mut segments = Vec::new();
    let (mut start, mut at) = (0, 0);
    loop {
        at += scan.get(at..)?.iter().position(|&byte| byte == 0xff)?;
        match scan.get(at + 1)? {
            0 => {}
            0xd0..=0xd7 => {
                segments.push(&scan[start..at]);
                start = at + 2;
            }
            0xd9 => {
                segments.push(&scan[start..at]);
                return Some(segments);
            }
            _ => return None,
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn picture(width: usize, height: usize, channels: usize) -> Vec<u8> {
        let value = |i: usize| {
            let (x, y) = ((i / channels % width) as f32, (i / channels / width) as f32);
            (128.0 + 90.0 * (x * 0.21 + (i % channels) as f32).sin() * (y * 0.17).cos() + x % 7.0) as u8
        };
        (0..width * height * channels).map(value).collect()
    }

    fn cut(window: Window, data: &[u8], width: usize, channels: usize) -> Vec<u8> {
        let mut out = Vec::new();
        window.cut(data, width, channels, &mut out);
        out
    }

    fn decoded(
        size: (usize, usize),
        channels: usize,
        bytes: &[u8],
        window: Window,
    ) -> Result<Vec<u8>, String> {
        let mut out = vec![7; 5];
        decode(size, channels, bytes, window, &mut out).map(|()| out)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_window_has_the_pixels_of_the_whole(
            (width, height, channels) in (1usize..180, 1usize..90, prop::sample::select(vec![1, 3])),
            at in any::<[prop::sample::Index; 4]>(),
            quality in 30u8..=100,
        ) {
            let data = picture(width, height, channels);
            let bytes = encode(width, height, channels, &data, quality).unwrap();
            let (x, y) = (at[0].index(width), at[1].index(height));
            let window = Window { x, y, width: 1 + at[2].index(width - x), height: 1 + at[3].index(height - y) };
            let whole = decoded((width, height), channels, &bytes, Window::whole((width, height))).unwrap();
            prop_assert_eq!(whole.len(), data.len());
            let part = decoded((width, height), channels, &bytes, window).unwrap();
            prop_assert_eq!(part, cut(window, &whole, width, channels));
        }

        #[test]
        fn damaged_bytes_never_panic(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
            keep in any::<prop::sample::Index>(),
            channels in prop::sample::select(vec![1, 3]),
        ) {
            let mut bytes = encode(90, 40, channels, &picture(90, 40, channels), 80).unwrap();
            changes.iter().for_each(|(at, value)| { let at = at.index(bytes.len()); bytes[at] = *value });
            let window = Window { x: 41, y: 9, width: 30, height: 20 };
            let _ = decoded((90, 40), channels, &bytes, window);
            bytes.truncate(keep.index(bytes.len()));
            let _ = decoded((90, 40), channels, &bytes, window);
        }
    }

    #[test]
    fn only_what_a_window_needs_is_decoded() {
        let bytes = encode(320, 240, 1, &picture(320, 240, 1), 90).unwrap();
        let stream = Stream::parse(&bytes, 1).unwrap();
        let part = stream.part(Window { x: 45, y: 17, width: 100, height: 50 }).unwrap();
        assert_eq!((part.x, part.y, part.width, part.height), (0, 16, 160, 56));
        assert!(part.bytes.len() * 5 < bytes.len() * 2);
    }

    #[test]
    fn jpegs_without_restart_markers_are_read_whole() {
        let data = picture(50, 20, 1);
        let mut bytes = Vec::new();
        Encoder::new(&mut bytes, 90).encode(&data, 50, 20, ColorType::Luma).unwrap();
        let window = Window { x: 10, y: 5, width: 8, height: 8 };
        let whole = decoded((50, 20), 1, &bytes, Window::whole((50, 20))).unwrap();
        assert_eq!(decoded((50, 20), 1, &bytes, window).unwrap(), cut(window, &whole, 50, 1));
    }

    #[test]
    fn segments_pad_little() {
        for (width, channels, blocks, padded) in
            [(340, 1, 11, 352), (320, 1, 10, 320), (340, 3, 6, 384), (64, 1, 8, 64), (20, 1, 3, 24)]
        {
            assert_eq!(segment_blocks(width, channels), blocks, "{width}");
            assert_eq!(width.next_multiple_of(blocks * block_side(channels)), padded);
        }
    }
}
