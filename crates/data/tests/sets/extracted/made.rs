//! Extracted folders made from a real clip, without OpenCV: our decoder, our flow, the image crate's JPEG.

use super::*;
use data::decode::Decoder;
use flow::{GrayImage, TvL1, TvL1Params};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageDecoder};
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

pub(super) const BOUND: f32 = 20.0;
pub(super) const WIDTH: usize = 160;
pub(super) const HEIGHT: usize = 120;
/// Frames taken from the clip, the first of which gets no file.
const FRAMES: usize = 24;

/// A clip with its flow.
pub(super) struct Made {
    /// RGB.
    pub(super) frames: Vec<Vec<u8>>,
    /// The frames as JPEG files.
    pub(super) jpegs: Vec<Vec<u8>>,
    /// Flow from each frame to the next, as JPEG files of its components at [`BOUND`].
    pub(super) flow: Vec<[Vec<u8>; 2]>,
}

/// How the files are named and numbered, and what is wrong with them.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) short_names: bool,
    pub(super) digits: usize,
    pub(super) start: usize,
    /// One pair fewer than frames: pair K leads out of frame K.
    pub(super) first_pair: bool,
    /// Every pair is that of so many frames later.
    pub(super) shift: isize,
}

impl Default for Style {
    fn default() -> Self {
        Self { short_names: false, digits: 5, start: 1, first_pair: false, shift: 0 }
    }
}

pub(super) fn jpeg(width: usize, height: usize, pixels: &[u8], colour: ExtendedColorType) -> Vec<u8> {
    let mut out = Vec::new();
    JpegEncoder::new_with_quality(&mut out, 95).encode(pixels, width as u32, height as u32, colour).unwrap();
    out
}

/// A field as two JPEG files.
pub(super) fn encode(u: &[f32], v: &[f32], bound: f32) -> [Vec<u8>; 2] {
    [u, v].map(|values| {
        let byte = |d: &f32| ((d + bound) * (255.0 / (2.0 * bound)) + 0.5) as u8;
        jpeg(WIDTH, HEIGHT, &values.iter().map(byte).collect::<Vec<_>>(), ExtendedColorType::L8)
    })
}

impl Made {
    fn of(clip: &str) -> Option<Self> {
        let real = real_data()?;
        let Ok(decoder) = Decoder::find() else {
            eprintln!("skipped: no ffmpeg");
            return None;
        };
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let mut resizer = data::resize::FrameResizer::new(HEIGHT);
        let whole = decoder.decode(&real.join(clip), &AtomicBool::new(false), |frame| {
            frames.push(resizer.resize(frame.width, frame.height, frame.data)?.2.to_vec());
            if frames.len() < FRAMES { Ok(()) } else { Err(DataError::Interrupted) }
        });
        assert!(matches!(whole, Err(DataError::Interrupted)));
        let tvl1 = TvL1::new(TvL1Params::fast()).unwrap();
        let grey = |frame: &Vec<u8>| GrayImage::from_rgb8(WIDTH, HEIGHT, frame).unwrap();
        let flow = frames.windows(2).map(|pair| {
            let field = tvl1.compute(&grey(&pair[0]), &grey(&pair[1])).unwrap();
            encode(&field.u, &field.v, BOUND)
        });
        let flow = flow.collect();
        let jpegs = frames.iter().map(|f| jpeg(WIDTH, HEIGHT, f, ExtendedColorType::Rgb8)).collect();
        Some(Self { frames, jpegs, flow })
    }

    /// The bytes of the field from frame `t` to the next, as a decoder gives them.
    pub(super) fn flow_bytes(&self, t: usize) -> [Vec<u8>; 2] {
        self.flow[t].each_ref().map(|jpeg| {
            let decoder = image::codecs::jpeg::JpegDecoder::new(std::io::Cursor::new(jpeg)).unwrap();
            let mut bytes = vec![0; WIDTH * HEIGHT];
            decoder.read_image(&mut bytes).unwrap();
            bytes
        })
    }

    /// Writes frames 1 and on with their flow as an extractor would.
    pub(super) fn write(&self, folder: &Path, style: &Style) {
        let Style { short_names, digits, start, first_pair, shift } = *style;
        let [x, y] = if short_names { ["x_", "y_"] } else { ["flow_x_", "flow_y_"] };
        let file = |prefix: &str, number: usize| folder.join(format!("{prefix}{number:0digits$}.jpg"));
        for (k, frame) in self.jpegs[1..].iter().enumerate() {
            put(&file("img_", start + k), frame);
        }
        // Pair K leads from frame K - 1 to K, or from K to K + 1.
        let first = usize::from(first_pair);
        for k in 0..self.flow.len() - first {
            let at = (k + first).saturating_add_signed(shift).min(self.flow.len() - 1);
            put(&file(x, start + k), &self.flow[at][0]);
            put(&file(y, start + k), &self.flow[at][1]);
        }
    }
}

/// A clip with people who move; made once.
pub(super) fn made() -> Option<&'static Made> {
    static MADE: OnceLock<Option<Made>> = OnceLock::new();
    MADE.get_or_init(|| Made::of("clips/ucf101/v_SoccerJuggling_g23_c01.avi")).as_ref()
}

/// Another clip, of a camera that pans.
pub(super) fn panned() -> Option<&'static Made> {
    static MADE: OnceLock<Option<Made>> = OnceLock::new();
    MADE.get_or_init(|| Made::of("clips/ucf50/v_HorseRace_g01_c04.avi")).as_ref()
}
