//! The equations of Sect. 3.1, by hand and against a plain reference implementation.

use data::augment::Crop;
use data::inputs::{FlowStack, InputError, Kind, Sampling};
use data::{Direction, VideoReader};
use proptest::prelude::*;

use crate::support::{Planted, noise, painted, plain, try_painted};

const KINDS: [Sampling; 3] = [Sampling::Stack, Sampling::Trajectory, Sampling::BiDirectional];

fn whole(size: (usize, usize)) -> Crop {
    Crop { x: 0, y: 0, width: size.0, height: size.1, flip: false }
}

fn filled(stack: &FlowStack, video: &Planted, start: usize, crop: &Crop) -> Vec<f32> {
    painted(stack, video, start, *crop, (crop.width, crop.height))
}

/// The channels at one pixel of the whole frame.
fn pixel(stack: &FlowStack, video: &Planted, start: usize, (x, y): (usize, usize)) -> Vec<f32> {
    let out = filled(stack, video, start, &whole(video.size));
    let plane = video.size.0 * video.size.1;
    out.chunks(plane).map(|channel| channel[y * video.size.0 + x]).collect()
}

#[test]
fn stacking_interleaves_x_and_y_over_the_crop() {
    let video = Planted::new((6, 5), 9, |_, t, x, y| {
        let value = (100 * t + 10 * y + x) as f32;
        (value, -value)
    });
    let stack = FlowStack { scale: 0.5, ..plain(Sampling::Stack, 2) };
    let crop = Crop { x: 1, y: 2, width: 3, height: 2, flip: false };
    let x3 = [160.5, 161.0, 161.5, 165.5, 166.0, 166.5];
    let x4 = x3.map(|value| value + 50.0);
    let expected = [x3, x3.map(|v| -v), x4, x4.map(|v| -v)].concat();
    assert_eq!(filled(&stack, &video, 3, &crop), expected);
}

#[test]
fn trajectory_reads_a_linear_field_along_its_path() {
    // d(x) = (0.5 + x / 4, 0): 2 -> 3 -> 4.25 -> 5.8125.
    let video = Planted::new((16, 2), 5, |_, _, x, _| (0.5 + x as f32 / 4.0, 0.0));
    let got = pixel(&plain(Sampling::Trajectory, 4), &video, 0, (2, 1));
    assert_eq!(got, [1.0, 0.0, 1.25, 0.0, 1.5625, 0.0, 1.953_125, 0.0]);
}

#[test]
fn trajectory_reads_between_four_pixels() {
    // From (1, 1) by (0.25, 0.5) to (1.25, 1.5); there x + 10 y + x y is 1.25 + 15 + 1.875.
    let video = Planted::new((4, 4), 3, |_, t, x, y| match t {
        0 => (0.25, 0.5),
        _ => ((x + 10 * y + x * y) as f32, 0.0),
    });
    let got = pixel(&plain(Sampling::Trajectory, 2), &video, 0, (1, 1));
    assert_eq!(got, [0.25, 0.5, 18.125, 0.0]);
}

#[test]
fn a_point_that_leaves_the_frame_waits_at_the_border_and_may_return() {
    // (6, 1) by (3, 5) to the corner (7, 3), by (-2, -1) back to (5, 2); the third field tells where.
    let video = Planted::new((8, 4), 4, |_, t, x, y| match t {
        0 => (3.0, 5.0),
        1 => (-2.0, -1.0),
        _ => (x as f32, y as f32),
    });
    let got = pixel(&plain(Sampling::Trajectory, 3), &video, 0, (6, 1));
    assert_eq!(got, [3.0, 5.0, -2.0, -1.0, 5.0, 2.0]);
    let video = Planted::new((8, 4), 3, |_, t, x, y| match t {
        0 => (-9.0, -9.0),
        _ => (x as f32 + 1.0, y as f32 + 2.0),
    });
    let got = pixel(&plain(Sampling::Trajectory, 2), &video, 0, (6, 1));
    assert_eq!(got, [-9.0, -9.0, 1.0, 2.0]);
}

#[test]
fn a_path_may_leave_the_crop() {
    let video = Planted::new((9, 9), 3, |_, t, x, y| match t {
        0 => (-3.0, 4.0),
        _ => (x as f32, y as f32),
    });
    let crop = Crop { x: 4, y: 2, width: 1, height: 1, flip: false };
    let got = filled(&plain(Sampling::Trajectory, 2), &video, 0, &crop);
    assert_eq!(got, [-3.0, 4.0, 1.0, 6.0]);
}

#[test]
fn trajectories_equal_stacks_when_nothing_moves_or_all_moves_alike() {
    for flow in [(0.0, 0.0), (1.75, -0.5)] {
        let video = Planted::new((7, 6), 6, |_, t, _, _| (flow.0 * t as f32, flow.1));
        let crop = Crop { x: 1, y: 1, width: 5, height: 4, flip: true };
        let of = |sampling| filled(&plain(sampling, 5), &video, 0, &crop);
        assert_eq!(of(Sampling::Trajectory), of(Sampling::Stack));
    }
}

#[test]
fn mean_subtraction_takes_the_whole_fields_mean_and_leaves_the_path_alone() {
    // The first field is 1 everywhere: its values vanish, but the path still moves by 1.
    // The second, x over eight columns, has mean 3.5 though the crop sees other columns.
    let video = Planted::new((8, 3), 3, |_, t, x, y| match t {
        0 => (1.0, 0.0),
        _ => (x as f32, y as f32),
    });
    let crop = Crop { x: 2, y: 1, width: 2, height: 1, flip: false };
    let on = |sampling| FlowStack { mean_subtraction: true, scale: 2.0, ..plain(sampling, 2) };
    let stack = filled(&on(Sampling::Stack), &video, 0, &crop);
    assert_eq!(stack, [0.0, 0.0, 0.0, 0.0, -3.0, -1.0, 0.0, 0.0]);
    let trajectory = filled(&on(Sampling::Trajectory), &video, 0, &crop);
    assert_eq!(trajectory, [0.0, 0.0, 0.0, 0.0, -1.0, 1.0, 0.0, 0.0]);
}

#[test]
fn bi_directional_leads_away_from_the_central_frame() {
    let video = Planted::new((2, 2), 12, |direction, t, _, _| match direction {
        Direction::Forward => (100.0 + t as f32, 0.5),
        Direction::Backward => (200.0 + t as f32, 0.25),
    });
    let got = pixel(&plain(Sampling::BiDirectional, 4), &video, 5, (0, 0));
    assert_eq!(got, [107.0, 0.5, 108.0, 0.5, 206.0, 0.25, 205.0, 0.25]);
}

#[test]
fn every_kind_reads_each_pair_of_the_same_frames_once() {
    for sampling in KINDS {
        let video = Planted::new((3, 3), 20, |_, _, _, _| (0.0, 0.0));
        let stack = plain(sampling, 6);
        assert_eq!((stack.channels(), stack.span()), (12, 7));
        filled(&stack, &video, 11, &whole(video.size));
        let mut read: Vec<usize> = video.read.lock().unwrap().iter().map(|read| read.1).collect();
        read.sort_unstable();
        assert_eq!(read, (11..17).collect::<Vec<_>>());
    }
}

#[test]
fn odd_frames_and_fields_that_are_not_numbers_do_no_harm() {
    for size in [(1, 1), (1, 5), (5, 1)] {
        let video = Planted::new(size, 4, |_, t, _, y| (t as f32 + 0.5, y as f32));
        let got = filled(&plain(Sampling::Trajectory, 3), &video, 0, &whole(size));
        assert!(got.iter().all(|value| value.is_finite()));
    }
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX] {
        let video = Planted::new((4, 4), 4, |_, _, x, _| (bad, x as f32));
        filled(&plain(Sampling::Trajectory, 3), &video, 0, &whole(video.size));
    }
}

/// Equation 2 word for word, in double precision, one pixel at a time.
fn twin(video: &Planted, start: usize, length: usize, pixel: (usize, usize)) -> Vec<f64> {
    let (width, height) = video.size;
    let mut p = (pixel.0 as f64, pixel.1 as f64);
    let mut channels = Vec::new();
    for field in &video.forward[start..start + length] {
        let at =
            |part: &[f32], x: usize, y: usize| f64::from(part[y.min(height - 1) * width + x.min(width - 1)]);
        let read = |part: &[f32]| {
            let (x, y) = (p.0.floor() as usize, p.1.floor() as usize);
            let (fx, fy) = (p.0.fract(), p.1.fract());
            (1.0 - fy) * ((1.0 - fx) * at(part, x, y) + fx * at(part, x + 1, y))
                + fy * ((1.0 - fx) * at(part, x, y + 1) + fx * at(part, x + 1, y + 1))
        };
        let d = (read(&field.u), read(&field.v));
        channels.extend([d.0, d.1]);
        p.0 = (p.0 + d.0).clamp(0.0, (width - 1) as f64);
        p.1 = (p.1 + d.1).clamp(0.0, (height - 1) as f64);
    }
    channels
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn trajectories_agree_with_the_plain_twin(
        seed: u64, width in 1usize..20, height in 1usize..20, length in 1usize..6, start in 0usize..4,
    ) {
        let video = Planted::new((width, height), 10, |d, t, x, y| noise(seed, d, t, x, y));
        let stack = plain(Sampling::Trajectory, length);
        for y in 0..height {
            let got = pixel(&stack, &video, start, (width / 2, y));
            let expected = twin(&video, start, length, (width / 2, y));
            // Noise this rough multiplies a rounding error up to sevenfold a step.
            for (got, expected) in got.iter().zip(expected) {
                prop_assert!((f64::from(*got) - expected).abs() < 2e-2, "{got} {expected}");
            }
        }
    }

    #[test]
    fn a_flip_is_the_mirrored_video(
        seed: u64, kind in 0usize..3, mean_subtraction: bool,
        x in 0usize..6, y in 0usize..4, width in 1usize..8, height in 1usize..8, flip: bool,
    ) {
        let size = (13, 11);
        let video = Planted::new(size, 6, |d, t, x, y| noise(seed, d, t, x, y));
        let stack = FlowStack { mean_subtraction, scale: 0.3, ..plain(KINDS[kind], 4) };
        let crop = Crop { x, y, width, height, flip };
        let mirror = Crop { x: size.0 - x - width, flip: !flip, ..crop };
        let one = filled(&stack, &video, 1, &crop);
        let other = filled(&stack, &video.mirrored(), 1, &mirror);
        if KINDS[kind] == Sampling::Trajectory {
            // The path rounds differently from the other side.
            for (one, other) in one.iter().zip(other) {
                prop_assert!((one - other).abs() < 1e-2, "{one} {other}");
            }
        } else {
            prop_assert_eq!(one, other);
        }
    }

    #[test]
    fn several_crops_at_once_equal_one_by_one(seed: u64, kind in 0usize..3) {
        let video = Planted::new((9, 8), 6, |d, t, x, y| noise(seed, d, t, x, y));
        let stack = FlowStack { mean_subtraction: true, ..plain(KINDS[kind], 4) };
        let crops = Crop::ten(video.size, (5, 4)).unwrap();
        let out = try_painted(&stack, &video, 0, &crops, (5, 4)).unwrap();
        let single: Vec<f32> = crops.iter().flat_map(|crop| filled(&stack, &video, 0, crop)).collect();
        prop_assert_eq!(out, single);
    }
}

#[test]
fn configuration_is_strict() {
    let text = "sampling = 'bi-directional'\nlength = 10\nmean-subtraction = true\nscale = 0.25\n";
    let stack: FlowStack = toml::from_str(text).unwrap();
    let expected = FlowStack { mean_subtraction: true, scale: 0.25, ..plain(Sampling::BiDirectional, 10) };
    assert_eq!(stack, expected);
    assert!(toml::from_str::<FlowStack>(&format!("{text}lenght = 3\n")).is_err());
    assert!(toml::from_str::<FlowStack>("sampling = 'stack'\nlength = 10\n").is_err());
}

#[test]
fn refused_configurations_say_what_to_do() {
    let message = |stack: FlowStack| stack.validate().unwrap_err().to_string();
    insta::assert_snapshot!(message(plain(Sampling::Stack, 0)),
        @"the stack length L is 0; expected at least 1 displacement field");
    insta::assert_snapshot!(message(plain(Sampling::BiDirectional, 5)),
        @"a bi-directional stack takes L/2 forward and L/2 backward fields, so L must be even; found L = 5; use L = 6 or another even number");
    insta::assert_snapshot!(message(plain(Sampling::BiDirectional, 1)),
        @"a bi-directional stack takes L/2 forward and L/2 backward fields, so L must be even; found L = 1; use L = 2 or another even number");
    for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
        let stack = FlowStack { scale, ..plain(Sampling::Stack, 1) };
        assert!(matches!(stack.validate(), Err(InputError::Scale { .. })));
    }
}

#[test]
fn misuse_is_an_error() {
    let mut video = Planted::new((6, 6), 6, |_, _, _, _| (0.0, 0.0));
    let stack = plain(Sampling::Stack, 2);
    let crop = Crop { x: 1, y: 1, width: 5, height: 5, flip: false };
    let fill = |video: &dyn VideoReader, start, crops: &[Crop]| {
        try_painted(&stack, video, start, crops, (5, 5)).unwrap_err()
    };
    assert!(matches!(fill(&video, 4, &[crop]), InputError::OutOfFields { start: 4, end: 6, fields: 5 }));
    assert!(matches!(fill(&video, usize::MAX, &[crop]), InputError::OutOfFields { .. }));
    assert!(matches!(fill(&video, 0, &[Crop { x: 2, ..crop }]), InputError::Crop { x: 2, .. }));
    assert!(matches!(fill(&video, 0, &[]), InputError::Zero { .. }));
    video.forward[1].v.pop();
    assert!(matches!(fill(&video, 0, &[crop]), InputError::FieldSize { index: 1, values: 35, .. }));
}
