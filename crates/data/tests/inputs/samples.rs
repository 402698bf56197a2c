//! Samples of several inputs and time steps, and samplers of several videos.

use std::sync::Arc;

use base::Modality;
use data::augment::{Augmentation, Crop};
use data::inputs::{FrameStack, Input, InputError, Sampling};
use data::loader::{Batch, Crops, LabelledVideo, TestConfig, TestViews, TrainConfig, TrainLoader};
use data::sample::{Align, At, Clips, SampleInput, SampleSpec, Sampler, TimeSteps, Together, draw_rng};
use data::{DataError, VideoReader};
use rand_chacha::ChaCha8Rng;

use crate::support::{Planted, noise, one, painted, plain, rgb};

fn flow(length: usize) -> Input {
    plain(Sampling::Stack, length).into()
}

fn picture() -> Input {
    FrameStack { length: 1, stride: 1, mean: None, scale: [1.0; 3] }.into()
}

fn spec(inputs: &[(Input, At)], align: Align, time_steps: TimeSteps) -> SampleSpec {
    let inputs = inputs.iter().map(|&(input, at)| SampleInput { input, at }).collect();
    SampleSpec { inputs, align, time_steps }
}

fn strided(count: usize, from: usize, to: usize) -> TimeSteps {
    TimeSteps::Strided { count, from, to }
}

/// A clip without cuts.
fn clips(frames: usize, spec: &SampleSpec) -> Clips {
    Clips::new("v", std::slice::from_ref(&(0..frames)), spec).expect("valid")
}

fn draws(clips: &Clips, count: usize) -> Vec<Vec<usize>> {
    let mut time_steps = Vec::new();
    let draw = |index| {
        clips.draw(&mut draw_rng(9, 0, index), &mut time_steps);
        time_steps.clone()
    };
    (0..count).map(draw).collect()
}

#[test]
fn strided_time_steps_have_one_distance_a_sample_drawn_from_the_range() {
    let spec = spec(&[(flow(10), At::Every)], Align::Start, strided(5, 5, 15));
    let mut seen = [0; 16];
    for time_steps in draws(&clips(100, &spec), 11_000) {
        assert_eq!(time_steps.len(), 5);
        let stride = time_steps[1] - time_steps[0];
        assert!(time_steps.windows(2).all(|pair| pair[1] - pair[0] == stride));
        assert!(time_steps[4] + 11 <= 100);
        seen[stride] += 1;
    }
    // 1,000 expected of each, deviation 30.
    assert!(seen[..5].iter().all(|&count| count == 0));
    assert!(seen[5..].iter().all(|count| (850..1150).contains(count)), "{seen:?}");
}

#[test]
fn a_short_video_takes_the_distances_that_fit() {
    let spec = spec(&[(flow(10), At::Every)], Align::Start, strided(5, 5, 15));
    let most = |frames| draws(&clips(frames, &spec), 500).iter().map(|m| m[1] - m[0]).max();
    let least = |frames| draws(&clips(frames, &spec), 500).iter().map(|m| m[1] - m[0]).min();
    assert_eq!((least(44), most(44)), (Some(5), Some(8)));
    assert_eq!((least(31), most(31)), (Some(5), Some(5)));
    // The shortest video of UCF-101 has 29 frames.
    assert_eq!((least(29), most(29)), (Some(4), Some(4)));
    assert_eq!((least(15), most(15)), (Some(1), Some(1)));
    // Too short for two time steps: all five coincide, and at least one must fit.
    assert_eq!((least(14), most(14)), (Some(0), Some(0)));
    assert_eq!(clips(11, &spec).spaced(25), [[0; 5]]);
    let error = Clips::new("short", std::slice::from_ref(&(0..10)), &spec).unwrap_err();
    assert!(matches!(error, DataError::ShortVideo { longest: 10, needed: 11, .. }), "{error}");
}

#[test]
fn spread_time_steps_are_the_frames_of_a_test_as_one_clip() {
    let at = |count| spec(&[(flow(10), At::Every)], Align::Start, TimeSteps::Spread { count });
    let single = spec(&[(flow(10), At::Every)], Align::Start, TimeSteps::Single);
    let frames: Vec<usize> = clips(107, &single).spaced(25).into_iter().flatten().collect();
    assert_eq!(clips(107, &at(25)).spaced(1), std::slice::from_ref(&frames));
    assert_eq!(clips(107, &at(25)).spaced(25), std::slice::from_ref(&frames));
    assert_eq!(draws(&clips(107, &at(25)), 1), [frames]);
    assert_eq!(clips(21, &at(1)).spaced(1), [[5]]);
    // Three starts for seven time steps.
    assert_eq!(clips(13, &at(7)).spaced(1), [[0, 0, 1, 1, 1, 2, 2]]);
}

#[test]
fn strided_time_steps_keep_to_one_side_of_a_cut_and_segments_need_not() {
    let cuts = [0..20, 20..40];
    let spec_of = |time_steps| spec(&[(flow(4), At::Every)], Align::Start, time_steps);
    let side = |time_step: &usize| time_step / 20;
    let strided = Clips::new("v", &cuts, &spec_of(strided(3, 1, 10))).unwrap();
    for time_steps in draws(&strided, 500) {
        assert!(time_steps.iter().all(|time_step| side(time_step) == side(&time_steps[0])));
        assert!(time_steps.iter().all(|time_step| time_step % 20 + 5 <= 20));
    }
    let segments = Clips::new("v", &cuts, &spec_of(TimeSteps::Segments { count: 2 })).unwrap();
    for time_steps in draws(&segments, 500) {
        assert_eq!((side(&time_steps[0]), side(&time_steps[1])), (0, 1));
        assert!(time_steps.iter().all(|time_step| time_step % 20 + 5 <= 20));
    }
}

#[test]
fn segments_draw_one_time_step_in_each_part() {
    let spec = spec(&[(picture(), At::Every)], Align::Start, TimeSteps::Segments { count: 3 });
    let mut seen = [0; 30];
    for time_steps in draws(&clips(30, &spec), 9_000) {
        assert_eq!(time_steps.iter().map(|time_step| time_step / 10).collect::<Vec<_>>(), [0, 1, 2]);
        time_steps.into_iter().for_each(|time_step| seen[time_step] += 1);
    }
    // 900 expected of each, deviation 28.
    assert!(seen.iter().all(|count| (750..1050).contains(count)), "{seen:?}");
    for time_steps in draws(&clips(2, &spec), 50) {
        assert_eq!(time_steps, [0, 0, 1]);
    }
}

/// Caffe's rule: a snippet stays in its part of floor(n / K) frames, or of as many fields, and the remainder is never drawn.
#[test]
fn a_snippet_stays_in_its_segment() {
    let segments = TimeSteps::Segments { count: 3 };
    let range = |clips: &Clips| {
        let mut seen = [(usize::MAX, 0); 3];
        for time_steps in draws(clips, 3_000) {
            for (seen, start) in seen.iter_mut().zip(time_steps) {
                *seen = (seen.0.min(start), seen.1.max(start));
            }
        }
        seen
    };
    // 32 frames in parts of ten; a snippet of one frame.
    let pictures = spec(&[(picture(), At::Every)], Align::Start, segments);
    assert_eq!(range(&clips(32, &pictures)), [(0, 9), (10, 19), (20, 29)]);
    // 31 fields in parts of ten; five fields take six frames, of which neighbouring parts share one.
    let fields = spec(&[(flow(5), At::Every)], Align::Start, segments);
    assert_eq!(range(&clips(32, &fields)), [(0, 5), (10, 15), (20, 25)]);
    // Beside a frame, parts are of frames: 10 of them hold a snippet of six at five starts.
    let both = spec(&[(picture(), At::Every), (flow(5), At::Every)], Align::Start, segments);
    assert_eq!(range(&clips(32, &both)), [(0, 4), (10, 14), (20, 24)]);
    // The shortest video whose parts hold five fields leaves no choice.
    assert_eq!(range(&clips(16, &fields)), [(0, 0), (5, 5), (10, 10)]);
    // One field less: PyTorch's rule, on ten starts.
    assert_eq!(range(&clips(15, &fields)), [(0, 2), (3, 5), (6, 8)]);
    // Fewer starts than parts: one snippet may be read several times.
    assert_eq!(range(&clips(7, &fields)), [(0, 0), (0, 0), (1, 1)]);
    assert_eq!(range(&clips(6, &fields)), [(0, 0); 3]);
    assert!(Clips::new("v", std::slice::from_ref(&(0..5)), &fields).is_err());
}

/// A cut may leave a part without room for a snippet; such a part takes its share of the video's starts.
#[test]
fn a_cut_within_a_segment_is_not_crossed() {
    let fields = spec(&[(flow(5), At::Every)], Align::Start, TimeSteps::Segments { count: 3 });
    let cut = Clips::new("v", &[0..14, 14..31], &fields).unwrap();
    for time_steps in draws(&cut, 500) {
        assert!(time_steps.iter().all(|&start| start + 5 < 14 || start >= 14), "{time_steps:?}");
        assert!(
            time_steps[0] <= 5 && (14..=15).contains(&time_steps[1]) && time_steps[2] >= 20,
            "{time_steps:?}"
        );
    }
    // Parts of frames 0..=10, 10..=20 and 20..=30: the second has no six frames in a row, and takes starts 5 to 9 of 17.
    let cut = Clips::new("v", &[0..15, 15..31], &fields).unwrap();
    assert!(draws(&cut, 500).iter().all(|time_steps| (15..=15).contains(&time_steps[1])));
    let cut = Clips::new("v", &[0..12, 12..17, 17..31], &fields).unwrap();
    for time_steps in draws(&cut, 500) {
        assert!((5..=6).contains(&time_steps[1]) || (17..=19).contains(&time_steps[1]), "{time_steps:?}");
    }
}

#[test]
fn test_clips_are_spaced_and_have_the_middle_distance() {
    let inputs = [(picture(), At::Every)];
    let strided_spec = spec(&inputs, Align::Start, strided(3, 2, 5));
    assert_eq!(clips(17, &strided_spec).spaced(3), [[0, 3, 6], [5, 8, 11], [10, 13, 16]]);
    // Too short for a distance of 3: the nearest one that fits.
    assert_eq!(clips(5, &strided_spec).spaced(3), [[0, 2, 4]]);
    let segments = spec(&inputs, Align::Start, TimeSteps::Segments { count: 3 });
    assert_eq!(clips(30, &segments).spaced(1), [[5, 15, 25]]);
    assert_eq!(clips(30, &segments).spaced(2), [[2, 12, 22], [7, 17, 27]]);
    // Two frames in each part, then one: the last two frames are left over.
    assert_eq!(clips(6, &segments).spaced(25).len(), 2);
    assert_eq!(clips(5, &segments).spaced(25), [[0, 1, 2]]);
    assert_eq!(clips(7, &one(plain(Sampling::Stack, 2))).spaced(2), [[0], [4]]);
}

fn videos(count: usize) -> Vec<LabelledVideo> {
    let video = |i: usize| LabelledVideo {
        id: format!("v{i}"),
        view: None,
        label: (i / 2) as u32,
        source: Arc::new(Planted::new((12, 10), 30, |d, t, x, y| noise((i / 2) as u64, d, t, x, y))),
    };
    (0..count).map(video).collect()
}

fn config(sample: SampleSpec) -> TrainConfig {
    TrainConfig {
        sample,
        size: (12, 10),
        batch: 3,
        places: None,
        augmentation: Augmentation::random_crops(false),
        seed: 4,
        depth: 2,
        workers: 2,
    }
}

fn first(config: &TrainConfig) -> Batch {
    TrainLoader::new(videos(6), config, 0..1).expect("valid").next().expect("valid").expect("valid")
}

/// The values of an input that starts at a frame of a video and shows the whole frame.
fn expected(input: &Input, video: &dyn VideoReader, start: usize) -> Vec<f32> {
    painted(&**input, video, start, Crop { x: 0, y: 0, width: 12, height: 10, flip: false }, (12, 10))
}

#[test]
fn a_pyramid_sample_has_one_picture_amid_its_snippets() {
    let sample = spec(&[(picture(), At::Middle), (flow(4), At::Every)], Align::Center, strided(3, 1, 8));
    let batch = first(&config(sample));
    assert_eq!(batch.inputs[&Modality::RGB].shape, [3, 1, 3, 10, 12]);
    assert_eq!(batch.inputs[&Modality::FLOW].shape, [3, 3, 8, 10, 12]);
    let videos = videos(6);
    for (sample, &video) in batch.videos.iter().enumerate() {
        let time_steps = &batch.time_steps[3 * sample..][..3];
        let source = &*videos[video].source;
        // A stack of four fields takes five frames; the picture is the third.
        let rgb_at = expected(&picture(), source, time_steps[1] + 2);
        assert_eq!(batch.inputs[&Modality::RGB].data[sample * 360..][..360], rgb_at);
        assert_eq!(f32::from(rgb(time_steps[1] + 2, 0, 0)[0]), rgb_at[0]);
        let snippets: Vec<f32> = time_steps.iter().flat_map(|&m| expected(&flow(4), source, m)).collect();
        assert_eq!(batch.inputs[&Modality::FLOW].data[sample * 2880..][..2880], snippets);
    }
}

#[test]
fn inputs_that_start_together_share_their_first_frame() {
    let sample = spec(&[(picture(), At::Every), (flow(4), At::Every)], Align::Start, strided(2, 3, 3));
    assert_eq!(sample.span(), 5);
    let batch = first(&config(sample));
    let source = videos(6)[batch.videos[0]].source.clone();
    let pictures: Vec<f32> =
        batch.time_steps[..2].iter().flat_map(|&m| expected(&picture(), &*source, m)).collect();
    assert_eq!(batch.inputs[&Modality::RGB].data[..720], pictures);
    assert_eq!(batch.time_steps[1] - batch.time_steps[0], 3);
}

#[test]
fn all_inputs_and_time_steps_of_a_sample_have_one_crop_and_flip() {
    // Constant in time, so all time steps of a sample must be equal; the picture's red is x at t = 0.
    let video = LabelledVideo {
        id: "still".into(),
        view: None,
        label: 0,
        source: Arc::new(Planted::new((12, 10), 30, |_, _, x, y| (x as f32, y as f32))),
    };
    let sample = spec(&[(picture(), At::Every), (flow(1), At::Every)], Align::Start, strided(3, 2, 2));
    let config = TrainConfig {
        size: (4, 4),
        batch: 20,
        places: None,
        augmentation: Augmentation::random_crops(true),
        ..config(sample)
    };
    let batch = TrainLoader::new(vec![video], &config, 0..1).unwrap().next().unwrap().unwrap();
    let (mut flips, [pictures, fields]) =
        (0, [&batch.inputs[&Modality::RGB].data, &batch.inputs[&Modality::FLOW].data]);
    for sample in 0..20 {
        let snippets: Vec<_> = fields[sample * 96..][..96].chunks(32).collect();
        assert!(snippets.iter().all(|snippet| *snippet == snippets[0]));
        for k in 0..3 {
            let frame = batch.time_steps[sample * 3 + k];
            let red = pictures[(sample * 3 + k) * 48] - (10 * frame) as f32;
            assert_eq!(red.rem_euclid(256.0), snippets[k][0].abs(), "one place");
        }
        flips += usize::from(snippets[0][1] < 0.0 && snippets[0][0].abs() > snippets[0][1].abs());
    }
    assert!((1..20).contains(&flips), "{flips}");
}

#[test]
fn tests_have_all_inputs_and_time_steps_of_every_view() {
    let video = Planted::new((8, 7), 12, |d, t, x, y| noise(4, d, t, x, y));
    let sample = spec(&[(picture(), At::Middle), (flow(2), At::Every)], Align::Center, strided(3, 2, 2));
    let config = TestConfig { sample, size: (5, 4), frames: 2, crops: Crops::Ten };
    let whole: Vec<_> = TestViews::new("v", &video, &config, 100).unwrap().map(Result::unwrap).collect();
    assert_eq!(whole[0].inputs[&Modality::RGB].shape, [20, 1, 3, 4, 5]);
    assert_eq!(whole[0].inputs[&Modality::FLOW].shape, [20, 3, 4, 4, 5]);
    for limit in [1, 7, 10] {
        let parts: Vec<_> =
            TestViews::new("v", &video, &config, limit).unwrap().map(Result::unwrap).collect();
        for input in [Modality::RGB, Modality::FLOW] {
            let joined: Vec<f32> = parts.iter().flat_map(|part| part.inputs[&input].data.clone()).collect();
            assert!(joined == whole[0].inputs[&input].data);
        }
    }
}

/// A sampler that draws a video that does not exist.
struct Beyond;

impl Sampler for Beyond {
    fn group(&self) -> usize {
        2
    }

    fn draw(&self, _rng: &mut ChaCha8Rng, place: u64, videos: &mut [usize]) -> Together {
        videos.fill(place as usize);
        Together::Apart
    }
}

#[test]
fn a_sampler_that_draws_what_is_not_there_is_an_error() {
    let config = config(one(plain(Sampling::Stack, 2)));
    let mut loader = TrainLoader::with_sampler(videos(6), Box::new(Beyond), &config, 0..9).unwrap();
    let error = loader.find_map(Result::err).unwrap();
    assert!(matches!(error, DataError::Input(InputError::Drawn { count: 6, .. })), "{error}");
}

#[test]
fn descriptions_are_strict_and_contradictions_refused() {
    let text = r#"
        align = "center"
        [moments.strided]
        count = 3
        from = 1
        to = 10
        [[inputs]]
        at = "middle"
        input.rgb = { length = 1, stride = 1, scale = [1.0, 1.0, 1.0] }
        [[inputs]]
        at = "every"
        input.flow = { sampling = "stack", length = 10, mean-subtraction = false, scale = 1.0 }
    "#;
    let expected = spec(&[(picture(), At::Middle), (flow(10), At::Every)], Align::Center, strided(3, 1, 10));
    assert_eq!(toml::from_str::<SampleSpec>(text).unwrap(), expected);
    assert_eq!(expected.span(), 11);
    for wrong in ["align", "count", "at =", "stride =", "mean-subtraction"] {
        assert!(toml::from_str::<SampleSpec>(&text.replace(wrong, "wrong =")).is_err(), "{wrong}");
    }
    let refused = |inputs: &[(Input, At)], time_steps| {
        spec(inputs, Align::Start, time_steps).validate().unwrap_err().to_string()
    };
    let inputs = [(picture(), At::Every)];
    insta::assert_snapshot!(refused(&[], TimeSteps::Single), @"the number of a sample's inputs is 0; expected at least 1");
    insta::assert_snapshot!(refused(&inputs, strided(0, 1, 1)), @"the number of time steps is 0; expected at least 1");
    insta::assert_snapshot!(refused(&inputs, strided(2, 5, 4)),
        @"the distance of time steps: expected `from` of at least 1 and `to` of at least `from`; found from 5 to 4");
    insta::assert_snapshot!(refused(&[(flow(1), At::Every), (flow(2), At::Every)], TimeSteps::Single),
        @"the inputs of a sample: expected one of each modality; found two of flow");
    assert!(spec(&inputs, Align::Start, strided(2, 0, 4)).validate().is_err());
    assert!(spec(&inputs, Align::Start, TimeSteps::Segments { count: 0 }).validate().is_err());
}
