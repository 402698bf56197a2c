//! Differences of frames, by hand and against a plain reference implementation.

use std::sync::Arc;

use base::Modality;
use data::augment::{Augmentation, Crop, PcaJitter};
use data::inputs::{FrameDifferences, FrameStack, Input, InputError, Kind, Scratch, View};
use data::loader::{LabelledVideo, TrainConfig, TrainLoader};
use data::sample::SampleSpec;
use data::{DataError, VideoReader};
use proptest::prelude::*;

use crate::support::{Planted, noise, only, painted, rgb, try_painted};

fn differences(length: usize) -> FrameDifferences {
    FrameDifferences { length, scale: [1.0; 3] }
}

fn video() -> Planted {
    Planted::new((13, 11), 12, |d, t, x, y| noise(3, d, t, x, y))
}

const WHOLE: Crop = Crop { x: 0, y: 0, width: 13, height: 11, flip: false };

#[test]
fn a_difference_is_a_frame_less_the_one_before_times_a_factor() {
    // Red is 10 t + x, green 10 y + x, blue t y + 7.
    let stack = FrameDifferences { length: 2, scale: [0.5, 1.0, 2.0] };
    assert_eq!((stack.channels(), stack.span(), stack.middle()), (6, 3, 1));
    let crop = Crop { x: 2, y: 1, width: 2, height: 3, flip: false };
    let blue = [2.0, 2.0, 4.0, 4.0, 6.0, 6.0];
    let one = [[5.0; 6], [0.0; 6], blue].concat();
    assert_eq!(painted(&stack, &video(), 4, crop, (2, 3)), one.repeat(2));
}

#[test]
fn a_flip_mirrors_differences_and_keeps_their_sign() {
    // The frames' green is constant, and their blue at a pixel changes with its row: the video is not its own mirror image.
    let crop = Crop { x: 1, y: 2, width: 5, height: 3, flip: false };
    let plain = painted(&differences(3), &Folded(video()), 2, crop, (5, 3));
    let flipped = painted(&differences(3), &Folded(video()), 2, Crop { flip: true, ..crop }, (5, 3));
    let mirrored: Vec<f32> = plain.chunks(5).flat_map(|row| row.iter().rev().copied()).collect();
    assert_eq!(flipped, mirrored);
    assert!(
        plain != flipped && plain.iter().any(|&value| value > 0.0) && plain.iter().any(|&value| value < 0.0)
    );
}

/// The frames of a video whose red grows by x in each frame and returns to 0 from 250 on.
struct Folded(Planted);

impl VideoReader for Folded {
    fn size(&self) -> (usize, usize) {
        self.0.size()
    }

    fn frames(&self) -> usize {
        self.0.frames()
    }

    fn segments(&self) -> &[std::ops::Range<usize>] {
        self.0.segments()
    }

    fn frame(&self, t: usize) -> Result<data::source::Frame, DataError> {
        let mut frame = self.0.frame(t)?;
        for (i, pixel) in frame.rgb.chunks_exact_mut(3).enumerate() {
            pixel[0] = (t * (i % 13) * 17 % 250) as u8;
        }
        Ok(frame)
    }

    fn field(&self, direction: data::Direction, t: usize) -> Result<data::Field, DataError> {
        self.0.field(direction, t)
    }
}

#[test]
fn a_colour_that_all_frames_share_does_not_show() {
    let paint = |colour| {
        let mut out = vec![f32::NAN; 6 * 143];
        let view = View { crop: WHOLE, size: (13, 11), colour, out: &mut out };
        differences(2).paint(&video(), 3, &mut [view], &mut Scratch::default()).unwrap();
        out
    };
    assert_eq!(paint([30.0, -4.0, 0.5]), paint([0.0; 3]));
    assert!(!differences(2).takes_colour());
}

#[test]
fn views_of_several_sizes_are_painted_at_once() {
    let crops = [Crop { x: 3, y: 2, width: 7, height: 5, flip: false }, Crop { flip: true, ..WHOLE }];
    let sizes = [(7, 5), (4, 9)];
    let mut outs = sizes.map(|(width, height)| vec![f32::NAN; 9 * width * height]);
    let mut views: Vec<View<'_>> = outs
        .iter_mut()
        .zip(crops.into_iter().zip(sizes))
        .map(|(out, (crop, size))| View { crop, size, colour: [0.0; 3], out })
        .collect();
    // Memory that a larger input left behind.
    let mut scratch = Scratch::default();
    let mut large = vec![0.0; 3 * 400];
    let view = View { crop: WHOLE, size: (20, 20), colour: [0.0; 3], out: &mut large };
    differences(1).paint(&video(), 0, &mut [view], &mut scratch).unwrap();
    differences(3).paint(&Folded(video()), 5, &mut views, &mut scratch).unwrap();
    for ((out, crop), size) in outs.iter().zip(crops).zip(sizes) {
        assert_eq!(*out, painted(&differences(3), &Folded(video()), 5, crop, size));
    }
}

#[test]
fn videos_that_are_too_short_are_refused() {
    let start = |start| try_painted(&differences(3), &video(), start, &[WHOLE], (13, 11));
    assert!(start(8).is_ok());
    assert!(matches!(start(9), Err(InputError::OutOfFrames { start: 9, end: 13, frames: 12 })));
    assert!(matches!(start(usize::MAX), Err(InputError::OutOfFrames { .. })));
    assert!(matches!(try_painted(&differences(1), &video(), 0, &[], (13, 11)), Err(InputError::Zero { .. })));
    let config = config(12);
    let error = TrainLoader::new(labelled(), &config, 0..1).err().expect("it has 12 frames");
    assert!(matches!(error, DataError::ShortVideo { longest: 12, needed: 13, .. }), "{error}");
}

fn labelled() -> Vec<LabelledVideo> {
    vec![LabelledVideo { id: "v".into(), view: None, label: 0, source: Arc::new(Folded(video())) }]
}

fn config(length: usize) -> TrainConfig {
    TrainConfig {
        sample: SampleSpec::single(differences(length)),
        size: (6, 6),
        batch: 4,
        places: None,
        augmentation: Augmentation {
            colour: Some(PcaJitter::imagenet()),
            ..Augmentation::random_crops(true)
        },
        seed: 1,
        depth: 1,
        workers: 2,
    }
}

#[test]
fn a_batch_holds_differences_under_their_own_name() {
    let batch = TrainLoader::new(labelled(), &config(5), 0..1).unwrap().next().unwrap().unwrap();
    assert_eq!(only(&batch.inputs).shape, [4, 1, 15, 6, 6]);
    let modality = Modality::parse("difference").unwrap();
    assert!(batch.inputs.contains_key(&modality));
    assert!(
        only(&batch.inputs).data.iter().all(|value| value.fract() == 0.0),
        "jitter would leave fractions"
    );
}

#[test]
fn settings_outside_their_range_are_refused() {
    let message = |stack: FrameDifferences| stack.validate().unwrap_err().to_string();
    insta::assert_snapshot!(message(differences(0)),
        @"the number of frame differences: expected 1 to 1000; found 0");
    insta::assert_snapshot!(message(differences(1001)),
        @"the number of frame differences: expected 1 to 1000; found 1001");
    insta::assert_snapshot!(message(FrameDifferences { scale: [1.0, f32::NAN, 1.0], ..differences(1) }),
        @"the scale of an RGB input must be finite, and a scale above 0; found [1.0, NaN, 1.0]");
    let json = r#"{"difference":{"length":5,"scale":[1.0,2.0,3.0]}}"#;
    let input = Input::from(FrameDifferences { length: 5, scale: [1.0, 2.0, 3.0] });
    assert_eq!(serde_json::to_string(&input).unwrap(), json);
    assert_eq!(serde_json::from_str::<Input>(json).unwrap(), input);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    /// Each difference is that of two frames as the input of single frames shows them, in the view's size.
    #[test]
    fn differences_agree_with_frames_painted_one_by_one(
        x in 0usize..5, y in 0usize..5, width in 1usize..9, height in 1usize..7, flip: bool,
        to in (1usize..14, 1usize..14), start in 0usize..6, length in 1usize..7,
    ) {
        let crop = Crop { x, y, width, height, flip };
        let stack = FrameDifferences { length, scale: [0.5, 1.0, 0.25] };
        let got = painted(&stack, &video(), start, crop, to);
        let plane = to.0 * to.1;
        let frame = |t| {
            let frame = FrameStack { length: 1, stride: 1, mean: None, scale: stack.scale };
            painted(&frame, &video(), t, crop, to)
        };
        for (k, got) in got.chunks(3 * plane).enumerate() {
            let (before, after) = (frame(start + k), frame(start + k + 1));
            for (got, (before, after)) in got.iter().zip(before.iter().zip(&after)) {
                prop_assert!((got - (after - before)).abs() < 1e-3, "{got} {after} {before}");
            }
        }
        // If nothing is resized, exact differences of the pixels themselves.
        let got = painted(&stack, &video(), start, crop, (width, height));
        for (i, &got) in got.iter().enumerate() {
            let (k, channel) = (i / (3 * width * height), i / (width * height) % 3);
            let (row, column) = (i / width % height, i % width);
            let column = if flip { width - 1 - column } else { column };
            let value = |t| f32::from(rgb(t, crop.x + column, crop.y + row)[channel]);
            prop_assert_eq!(got, (value(start + k + 1) - value(start + k)) * stack.scale[channel]);
        }
    }
}
