//! An extracted folder made from a clip without OpenCV: our flow, the image crate's JPEG.

use super::*;
use crate::common::{dataset_file, decoder};
use data::dataset::OpenOptions;
use data::resize::FrameResizer;
use flow::{Estimator, GrayImage, Method, TvL1Params};
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageDecoder};
use std::sync::LazyLock;
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

/// Names and numbering of the files, and their faults.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) short_names: bool,
    pub(super) digits: usize,
    pub(super) start: usize,
    /// One pair fewer than frames: pair K leads out of frame K.
    pub(super) first_pair: bool,
    /// Number of frames by which every pair is taken later.
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
    /// Makes a clip of these frames, with the flow between them.
    fn of(frames: Vec<Vec<u8>>) -> Self {
        let tvl1 = Estimator::new(Method::TvL1(TvL1Params::fast())).unwrap();
        let grey = |frame: &Vec<u8>| GrayImage::from_rgb8(WIDTH, HEIGHT, frame).unwrap();
        let flow = frames.windows(2).map(|pair| {
            let field = tvl1.compute(&grey(&pair[0]), &grey(&pair[1])).unwrap();
            encode(&field.u, &field.v, BOUND)
        });
        let flow = flow.collect();
        let jpegs = frames.iter().map(|f| jpeg(WIDTH, HEIGHT, f, ExtendedColorType::Rgb8)).collect();
        Self { frames, jpegs, flow }
    }

    /// The first frames of a real clip.
    pub(super) fn of_file(clip: &Path) -> Self {
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let mut resizer = FrameResizer::new(HEIGHT);
        let whole = decoder().decode(clip, &AtomicBool::new(false), |frame| {
            frames.push(resizer.resize(frame.width, frame.height, frame.data)?.2.to_vec());
            if frames.len() < FRAMES { Ok(()) } else { Err(DataError::Interrupted) }
        });
        assert!(matches!(whole, Err(DataError::Interrupted)));
        Self::of(frames)
    }

    /// A generated clip without noise and with large objects; the camera pans at the given speed and period in frames.
    fn rendered(pan: [f32; 2], period: [f32; 2]) -> Self {
        let text = fs::read_to_string(dataset_file("synth.toml")).unwrap();
        let mut file: toml::Table = toml::from_str(&text).unwrap();
        let knobs = &mut file["synth"];
        (knobs["width"], knobs["height"]) = ((WIDTH as i64).into(), (HEIGHT as i64).into());
        for (table, knob, range) in [
            ("camera", "pan", pan),
            ("camera", "pan-period", period),
            ("camera", "shake", [0.0, 0.0]),
            ("scene", "feature", [12.0, 20.0]),
            ("light", "noise", [0.0, 1.0]),
        ] {
            knobs[table][knob] = range.to_vec().into();
        }
        let spec = DatasetSpec::parse(Path::new("synth.toml"), &file.to_string()).unwrap();
        let set = Dataset::open_with(&spec, &OpenOptions::default()).unwrap();
        let clip = set.generator().unwrap().set().render(0);
        assert_eq!((clip.width, clip.height), (WIDTH, HEIGHT));
        Self::of(clip.frames.into_iter().take(FRAMES).collect())
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

    /// Writes frames 1 and later with their flow, as an extractor would.
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

/// A clip whose camera moves back and forth; made once.
pub(super) fn made() -> &'static Made {
    static MADE: LazyLock<Made> = LazyLock::new(|| Made::rendered([1.5, 2.0], [9.0, 13.0]));
    &MADE
}

/// Another clip, whose camera pans.
pub(super) fn panned() -> &'static Made {
    static MADE: LazyLock<Made> = LazyLock::new(|| Made::rendered([1.5, 2.0], [90.0, 100.0]));
    &MADE
}
