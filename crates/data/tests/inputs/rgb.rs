//! Frames as inputs, and views that are resized.

use data::DataError;
use data::augment::Crop;
use data::inputs::{FlowStack, FrameStack, Input, InputError, Kind, Sampling, Scratch, View};
use proptest::prelude::*;

use crate::support::{Planted, noise, painted, plain, rgb};

fn frames(length: usize, stride: usize) -> FrameStack {
    FrameStack { length, stride, mean: None, scale: [1.0; 3] }
}

fn video(size: (usize, usize)) -> Planted {
    Planted::new(size, 12, |d, t, x, y| noise(3, d, t, x, y))
}

#[test]
fn frames_follow_each_other_with_their_three_channels_together() {
    let video = video((7, 6));
    let crop = Crop { x: 2, y: 1, width: 4, height: 3, flip: false };
    let stack = FrameStack { mean: Some([1.0, 2.0, 3.0]), scale: [0.5, 1.0, 2.0], ..frames(3, 2) };
    assert_eq!((stack.channels(), stack.span()), (9, 5));
    let got = painted(&stack, &video, 4, crop, (4, 3));
    let mut expected = Vec::new();
    for t in [4, 6, 8] {
        for channel in 0..3 {
            for (y, x) in (1..4).flat_map(|y| (2..6).map(move |x| (y, x))) {
                let value = f32::from(rgb(t, x, y)[channel]);
                expected.push((value - [1.0, 2.0, 3.0][channel]) * [0.5, 1.0, 2.0][channel]);
            }
        }
    }
    assert_eq!(got, expected);
}

#[test]
fn slow_fusion_has_33_channels() {
    let stack = frames(11, 1);
    assert_eq!((stack.channels(), stack.span()), (33, 11));
}

#[test]
fn a_flip_mirrors_frames_and_nothing_else() {
    let video = video((7, 6));
    let crop = Crop { x: 2, y: 1, width: 4, height: 3, flip: false };
    let plain = painted(&frames(2, 1), &video, 0, crop, (4, 3));
    let flipped = painted(&frames(2, 1), &video, 0, Crop { flip: true, ..crop }, (4, 3));
    let mirrored: Vec<f32> = plain.chunks(4).flat_map(|row| row.iter().rev().copied()).collect();
    assert_eq!(flipped, mirrored);
}

#[test]
fn colour_is_added_before_mean_and_scale_and_only_to_frames() {
    let video = video((3, 3));
    let crop = Crop { x: 0, y: 0, width: 3, height: 3, flip: false };
    let paint = |input: Input, colour| {
        let mut out = vec![0.0; input.channels() * 9];
        let view = View { crop, size: (3, 3), colour, out: &mut out };
        input.paint(&video, 1, &mut [view], &mut Scratch::default()).unwrap();
        out
    };
    let stack = Input::Rgb(FrameStack { mean: Some([4.0; 3]), scale: [2.0; 3], ..frames(1, 1) });
    let (without, with) = (paint(stack, [0.0; 3]), paint(stack, [1.0, -2.0, 8.0]));
    for (i, (without, with)) in without.iter().zip(with).enumerate() {
        assert_eq!(with, without + [2.0, -4.0, 16.0][i / 9]);
    }
    let flow = Input::Flow(plain(Sampling::Stack, 2));
    assert_eq!(paint(flow, [9.0; 3]), paint(flow, [0.0; 3]));
}

/// Bilinear resizing, one pixel at a time in double precision.
fn twin(at: impl Fn(usize, usize) -> f64, crop: Crop, size: (usize, usize), (x, y): (usize, usize)) -> f64 {
    let place = |i: usize, from: usize, to: usize| {
        ((i as f64 + 0.5) * from as f64 / to as f64 - 0.5).clamp(0.0, (from - 1) as f64)
    };
    let x = if crop.flip { size.0 - 1 - x } else { x };
    let (px, py) = (place(x, crop.width, size.0), place(y, crop.height, size.1));
    let (left, top) = (px as usize, py as usize);
    let read = |dx: usize, dy: usize| {
        at(crop.x + (left + dx).min(crop.width - 1), crop.y + (top + dy).min(crop.height - 1))
    };
    let (fx, fy) = (px.fract(), py.fract());
    (1.0 - fy) * ((1.0 - fx) * read(0, 0) + fx * read(1, 0))
        + fy * ((1.0 - fx) * read(0, 1) + fx * read(1, 1))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn resized_views_agree_with_the_plain_twin(
        x in 0usize..5, y in 0usize..5, width in 1usize..9, height in 1usize..9, flip: bool,
        to_width in 1usize..14, to_height in 1usize..14,
    ) {
        let video = video((13, 13));
        let crop = Crop { x, y, width, height, flip };
        let size = (to_width, to_height);
        let plane = to_width * to_height;
        let flow = painted(&plain(Sampling::Stack, 1), &video, 2, crop, size);
        let picture = painted(&frames(1, 1), &video, 2, crop, size);
        for i in 0..plane {
            let at = (i % to_width, i / to_width);
            let sign = if flip { -1.0 } else { 1.0 };
            let value = |part: &[f32], x: usize, y: usize| f64::from(part[y * 13 + x]);
            let u = sign * twin(|x, y| value(&video.forward[2].u, x, y), crop, size, at);
            let v = twin(|x, y| value(&video.forward[2].v, x, y), crop, size, at);
            prop_assert!((f64::from(flow[i]) - u).abs() < 1e-4);
            prop_assert!((f64::from(flow[plane + i]) - v).abs() < 1e-4);
            for channel in 0..3 {
                let expected = twin(|x, y| f64::from(rgb(2, x, y)[channel]), crop, size, at);
                prop_assert!((f64::from(picture[channel * plane + i]) - expected).abs() < 1e-3);
            }
        }
    }

    #[test]
    fn a_trajectory_of_one_field_resizes_like_a_stack(
        x in 0usize..5, y in 0usize..5, width in 1usize..9, height in 1usize..9, flip: bool, to in 1usize..14,
    ) {
        // With one field no path has moved yet, so both read between the same pixels.
        let video = video((13, 13));
        let crop = Crop { x, y, width, height, flip };
        let of = |sampling| painted(&plain(sampling, 1), &video, 2, crop, (to, to));
        for (stack, path) in of(Sampling::Stack).into_iter().zip(of(Sampling::Trajectory)) {
            prop_assert!((stack - path).abs() < 1e-4, "{stack} {path}");
        }
    }
}

#[test]
fn resizing_leaves_the_vectors_as_long_as_they_are() {
    let video = Planted::new((20, 16), 4, |_, _, _, _| (2.5, -1.25));
    let crop = Crop { x: 1, y: 2, width: 8, height: 6, flip: false };
    let got = painted(&plain(Sampling::Stack, 2), &video, 0, crop, (16, 12));
    for (channel, plane) in got.chunks(16 * 12).enumerate() {
        assert!(plane.iter().all(|&value| value == [2.5, -1.25][channel % 2]));
    }
}

#[test]
fn configuration_of_frames_is_strict() {
    let text = "[rgb]\nlength = 11\nstride = 1\nmean = [123.0, 117.0, 104.0]\nscale = [1.0, 1.0, 1.0]\n";
    let expected = FrameStack { mean: Some([123.0, 117.0, 104.0]), ..frames(11, 1) };
    assert_eq!(toml::from_str::<Input>(text).unwrap(), Input::Rgb(expected));
    assert!(toml::from_str::<Input>(&text.replace("stride", "strid")).is_err());
    assert!(toml::from_str::<Input>(&text.replace("[rgb]", "[grey]")).is_err());
    let flow = "[flow]\nsampling = 'stack'\nlength = 10\nmean-subtraction = true\nscale = 1.0\n";
    let stack = FlowStack { mean_subtraction: true, ..plain(Sampling::Stack, 10) };
    assert_eq!(toml::from_str::<Input>(flow).unwrap(), Input::Flow(stack));
}

#[test]
fn refused_frames_say_what_to_do() {
    let message = |stack: FrameStack| stack.validate().unwrap_err().to_string();
    insta::assert_snapshot!(message(frames(0, 1)), @"the number of frames is 0; expected at least 1");
    insta::assert_snapshot!(message(frames(1, 0)), @"the stride of frames is 0; expected at least 1");
    insta::assert_snapshot!(message(FrameStack { scale: [1.0, 0.0, 1.0], ..frames(1, 1) }),
        @"the scale of an RGB input must be finite, and a scale above 0; found [1.0, 0.0, 1.0]");
    assert!(FrameStack { mean: Some([f32::NAN; 3]), ..frames(1, 1) }.validate().is_err());
}

#[test]
fn misuse_of_frames_is_an_error() {
    let video = video((6, 6));
    let crop = Crop { x: 0, y: 0, width: 5, height: 5, flip: false };
    let paint = |start, crop, size: (usize, usize), values| {
        let mut out = vec![0.0; values];
        let view = View { crop, size, colour: [0.0; 3], out: &mut out };
        match Input::from(frames(3, 2)).paint(&video, start, &mut [view], &mut Scratch::default()) {
            Err(DataError::Input(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(paint(8, crop, (5, 5), 225), InputError::OutOfFrames { start: 8, end: 13, frames: 12 }));
    assert!(matches!(paint(usize::MAX, crop, (5, 5), 225), InputError::OutOfFrames { .. }));
    assert!(matches!(paint(0, crop, (5, 5), 224), InputError::Output { expected: 225, found: 224 }));
    assert!(matches!(paint(0, crop, (0, 5), 0), InputError::Zero { .. }));
    assert!(matches!(paint(0, Crop { x: 2, ..crop }, (5, 5), 225), InputError::Crop { x: 2, .. }));
    assert!(Input::from(frames(1, 1)).paint(&video, 0, &mut [], &mut Scratch::default()).is_err());
}
