//! The common interface of all methods: spec files, both directions, streams, threads.

use std::num::NonZeroUsize;

use crate::pairs::{Kind, pair};
use flow::{BroxParams, DisParams, Estimator, FlowError, GrayImage, MedianFilter, Method, TvL1Params};
use proptest::prelude::*;

fn methods() -> [Method; 7] {
    let [fast, accurate] = [TvL1Params::fast(), TvL1Params::accurate()].map(Method::TvL1);
    let [brox_fast, brox] = [BroxParams::fast(), BroxParams::accurate()].map(Method::Brox);
    let [dis_fast, dis, dis_accurate] =
        [DisParams::fast(), DisParams::balanced(), DisParams::accurate()].map(Method::Dis);
    [fast, accurate, brox_fast, brox, dis_fast, dis, dis_accurate]
}

fn estimators() -> [Estimator; 7] {
    methods().map(|method| Estimator::new(method).expect("presets are valid"))
}

fn threads(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).expect("at least one")
}

#[test]
fn a_method_is_written_beside_its_parameters_and_read_strictly() {
    for method in methods() {
        let written = toml::to_string(&method).unwrap();
        let name = match method {
            Method::Brox(_) => "brox",
            Method::Dis(_) => "dis",
            _ => "tv-l1",
        };
        assert!(
            written.contains(&format!("method = \"{name}\"")) && written.contains("smoothing = "),
            "{written}"
        );
        assert_eq!(toml::from_str::<Method>(&written).unwrap(), method);
        assert!(toml::from_str::<Method>(&written.replace("warps", "wraps")).is_err());
        assert!(toml::from_str::<Method>(&written.replace(&format!("\"{name}\""), "\"tv-l2\"")).is_err());
        assert_eq!(Estimator::new(method.clone()).unwrap().method(), method);
    }
    let broken = Method::TvL1(TvL1Params { lambda: f32::NAN, ..TvL1Params::fast() });
    assert!(matches!(Estimator::new(broken), Err(FlowError::Parameter { name: "lambda", .. })));
}

#[test]
fn the_bits_do_not_depend_on_the_number_of_threads() {
    // Wide enough that two levels have several bands, and with a last column alone in its vector.
    let pair = pair(Kind::Brightness, 273, 190, 3);
    let all = methods().into_iter().chain([
        Method::TvL1(TvL1Params { median: MedianFilter::Three, rounds: 3, ..TvL1Params::fast() }),
        Method::TvL1(TvL1Params { median: MedianFilter::None, iterations: 7, ..TvL1Params::fast() }),
    ]);
    for method in all {
        let estimator = Estimator::new(method).unwrap();
        let alone = estimator.compute(&pair.from, &pair.to).unwrap();
        for count in [2, 3, 7, 500] {
            let shared = estimator.clone().with_threads(threads(count));
            let mut workspace = shared.workspace();
            for _ in 0..2 {
                assert_eq!(
                    shared.compute_with(&mut workspace, &pair.from, &pair.to).unwrap(),
                    alone,
                    "{count}"
                );
            }
        }
    }
}

#[test]
fn a_pool_of_one_thread_does_the_work_of_three() {
    let pair = pair(Kind::Translation, 200, 120, 3);
    let [fast, ..] = estimators();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let shared = fast.clone().with_threads(threads(3));
    let field = pool.install(|| shared.compute(&pair.from, &pair.to)).unwrap();
    assert_eq!(field, fast.compute(&pair.from, &pair.to).unwrap());
}

#[test]
fn both_directions_at_once_are_the_two_one_by_one() {
    let pair = pair(Kind::Occlusion, 120, 90, 3);
    for estimator in estimators() {
        let mut workspace = estimator.workspace();
        let [there, back] = estimator.compute_both(&mut workspace, &pair.from, &pair.to).unwrap();
        assert_eq!(there, estimator.compute(&pair.from, &pair.to).unwrap());
        assert_eq!(back, estimator.compute(&pair.to, &pair.from).unwrap());
        assert!(there != back);
    }
}

#[test]
fn a_stream_gives_the_flow_of_each_pair() {
    let frames: Vec<GrayImage> = (1..4)
        .flat_map(|seed| {
            let pair = pair(Kind::Zoom, 80, 60, seed);
            [pair.from, pair.to]
        })
        .collect();
    for estimator in estimators() {
        let (mut stream, mut twofold) = (estimator.stream(), estimator.stream());
        assert_eq!(stream.push(&frames[0]).unwrap(), None);
        assert_eq!(twofold.push_both(&frames[0]).unwrap(), None);
        let mut backward = estimator.stream();
        assert_eq!(backward.push_back(&frames[0]).unwrap(), None);
        for pair in frames.windows(2) {
            let there = estimator.compute(&pair[0], &pair[1]).unwrap();
            let back = estimator.compute(&pair[1], &pair[0]).unwrap();
            assert_eq!(stream.push(&pair[1]).unwrap(), Some(there.clone()));
            assert_eq!(backward.push_back(&pair[1]).unwrap().as_ref(), Some(&back));
            assert_eq!(twofold.push_both(&pair[1]).unwrap(), Some([there, back]));
        }
    }
}

#[test]
fn a_stream_refuses_a_bad_frame_and_goes_on() {
    let pair = pair(Kind::Translation, 40, 30, 1);
    let other = GrayImage::new(30, 40, vec![1.0; 1200]).unwrap();
    let mut broken = pair.to.clone();
    broken.data[0] = f32::INFINITY;
    let [fast, ..] = estimators();
    let mut stream = fast.stream();
    stream.push(&pair.from).unwrap();
    assert!(matches!(stream.push(&other), Err(FlowError::SizeMismatch { .. })));
    let message = stream.push(&broken).unwrap_err().to_string();
    assert!(message.contains("of the pushed picture"), "{message}");
    let field = fast.compute(&pair.from, &pair.to).unwrap();
    assert_eq!(stream.push(&pair.to).unwrap(), Some(field));
    // After a cut, the size may change.
    stream.restart();
    assert_eq!(stream.push(&other).unwrap(), None);
    assert!(stream.push(&other).unwrap().unwrap().u.iter().all(|&u| u == 0.0));
}

/// A picture of any size down to one pixel, with any finite intensities.
fn any_picture(width: usize, height: usize) -> impl Strategy<Value = GrayImage> {
    let wild = prop_oneof![
        8 => 0.0_f32..255.0,
        1 => proptest::num::f32::NORMAL | proptest::num::f32::SUBNORMAL | proptest::num::f32::ZERO,
    ];
    proptest::collection::vec(wild, width * height)
        .prop_map(move |data| GrayImage::new(width, height, data).expect("sizes agree"))
}

fn any_pair() -> impl Strategy<Value = (GrayImage, GrayImage)> {
    (1_usize..40, 1_usize..40)
        .prop_flat_map(|(width, height)| (any_picture(width, height), any_picture(width, height)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_finite_pair_makes_an_estimator_panic((from, to) in any_pair(), count in 1_usize..5) {
        for estimator in estimators() {
            let estimator = estimator.with_threads(threads(count));
            let field = estimator.compute(&from, &to).unwrap();
            prop_assert_eq!((field.width, field.height), (from.width, from.height));
            let sane = |picture: &GrayImage| picture.data.iter().all(|value| value.abs() < 1e4);
            if sane(&from) && sane(&to) {
                prop_assert!(field.u.iter().chain(&field.v).all(|d| d.is_finite()));
            }
        }
    }

    #[test]
    fn a_picture_does_not_move_against_itself(picture in (1_usize..40, 1_usize..40).prop_flat_map(|(w, h)| any_picture(w, h))) {
        if picture.data.iter().all(|value| value.abs() < 1e4) {
            for estimator in estimators() {
                let field = estimator.compute(&picture, &picture).unwrap();
                prop_assert!(field.u.iter().chain(&field.v).all(|&d| d == 0.0));
            }
        }
    }
}
