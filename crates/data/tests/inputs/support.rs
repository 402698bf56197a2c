//! A video whose flow is planted by a function.

use std::ops::Range;
use std::sync::Mutex;

use data::augment::Crop;
use data::inputs::{FlowStack, InputError, Kind, Sampling, Scratch, View};
use data::loader::{InputBatch, Inputs};
use data::sample::SampleSpec;
use data::source::Frame;
use data::{DataError, Direction, Field, VideoReader};

/// A video in memory that keeps a list of the fields that were read. The pixels of its frames encode
/// their position, see [`rgb`].
pub(crate) struct Planted {
    pub(crate) size: (usize, usize),
    pub(crate) segments: Vec<Range<usize>>,
    pub(crate) forward: Vec<Field>,
    pub(crate) backward: Vec<Field>,
    pub(crate) read: Mutex<Vec<(Direction, usize)>>,
}

impl Planted {
    /// A video without cuts; `flow(direction, t, x, y)` is the vector at a pixel.
    pub(crate) fn new(
        size: (usize, usize),
        frames: usize,
        flow: impl Fn(Direction, usize, usize, usize) -> (f32, f32),
    ) -> Self {
        let fields =
            |direction| (0..frames - 1).map(|t| field(size, |x, y| flow(direction, t, x, y))).collect();
        Self {
            size,
            segments: std::iter::once(0..frames).collect(),
            forward: fields(Direction::Forward),
            backward: fields(Direction::Backward),
            read: Mutex::default(),
        }
    }

    /// The same scene in a mirror.
    pub(crate) fn mirrored(&self) -> Self {
        let mirror = |old: &Field| Field {
            u: old.u.chunks(old.width).flat_map(|row| row.iter().rev().map(|u| -u)).collect(),
            v: old.v.chunks(old.width).flat_map(|row| row.iter().rev().copied()).collect(),
            mean: [-old.mean[0], old.mean[1]],
            ..*old
        };
        Self {
            size: self.size,
            segments: self.segments.clone(),
            forward: self.forward.iter().map(mirror).collect(),
            backward: self.backward.iter().map(mirror).collect(),
            read: Mutex::default(),
        }
    }
}

fn field((width, height): (usize, usize), at: impl Fn(usize, usize) -> (f32, f32)) -> Field {
    let pixels = || (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    let (u, v): (Vec<f32>, Vec<f32>) = pixels().map(|(x, y)| at(x, y)).unzip();
    let mean =
        [&u, &v].map(|part| (part.iter().map(|&a| f64::from(a)).sum::<f64>() / part.len() as f64) as f32);
    Field { width, height, u, v, mean }
}

/// The pixel of a planted frame.
pub(crate) fn rgb(t: usize, x: usize, y: usize) -> [u8; 3] {
    [10 * t + x, 10 * y + x, t * y + 7].map(|value| value as u8)
}

impl VideoReader for Planted {
    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn frames(&self) -> usize {
        self.forward.len() + 1
    }

    fn frame(&self, t: usize) -> Result<Frame, DataError> {
        let (width, height) = self.size;
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| rgb(t, x, y)));
        Ok(Frame { width, height, rgb: pixels.collect() })
    }

    fn segments(&self) -> &[Range<usize>] {
        &self.segments
    }

    fn field(&self, direction: Direction, t: usize) -> Result<Field, DataError> {
        self.read.lock().expect("no reader panics").push((direction, t));
        Ok(match direction {
            Direction::Forward => self.forward[t].clone(),
            Direction::Backward => self.backward[t].clone(),
        })
    }
}

/// A sample of one stack.
pub(crate) fn one(stack: FlowStack) -> SampleSpec {
    SampleSpec::single(stack)
}

/// A stack in pixels a frame, nothing subtracted.
pub(crate) fn plain(sampling: Sampling, length: usize) -> FlowStack {
    FlowStack { sampling, length, mean_subtraction: false, scale: 1.0 }
}

/// A pseudo-random vector within -3..3, the same on every call.
pub(crate) fn noise(seed: u64, direction: Direction, t: usize, x: usize, y: usize) -> (f32, f32) {
    let mut key = seed;
    for part in [direction as u64, t as u64, x as u64, y as u64] {
        key = (key ^ part).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29) ^ (key >> 31);
    }
    let unit = |bits: u64| (bits & 0xFFFF) as f32 / 65536.0 * 6.0 - 3.0;
    (unit(key >> 8), unit(key >> 32))
}

/// Some crops of an input, each resized to `size`, one after another.
pub(crate) fn try_painted(
    input: &dyn Kind,
    video: &dyn VideoReader,
    start: usize,
    crops: &[Crop],
    size: (usize, usize),
) -> Result<Vec<f32>, InputError> {
    let each = input.channels() * size.0 * size.1;
    let mut out = vec![f32::NAN; crops.len() * each];
    let colour = [0.0; 3];
    let mut views: Vec<View<'_>> = crops
        .iter()
        .zip(out.chunks_exact_mut(each))
        .map(|(&crop, out)| View { crop, size, colour, out })
        .collect();
    match input.paint(video, start, &mut views, &mut Scratch::default()) {
        Ok(()) => Ok(out),
        Err(DataError::Input(error)) => Err(error),
        Err(other) => panic!("{other}"),
    }
}

/// One crop of an input that is valid.
pub(crate) fn painted(
    input: &dyn Kind,
    video: &dyn VideoReader,
    start: usize,
    crop: Crop,
    size: (usize, usize),
) -> Vec<f32> {
    try_painted(input, video, start, &[crop], size).expect("a valid input")
}

/// The input of a batch that has only one.
pub(crate) fn only(inputs: &Inputs) -> &InputBatch {
    assert_eq!(inputs.len(), 1);
    inputs.values().next().expect("there is one")
}
