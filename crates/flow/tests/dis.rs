//! Dense inverse search on pictures whose flow is known, on odd inputs, and on real pairs.

mod motions;
mod pairs;

use std::num::NonZeroUsize;

use flow::{DisParams, Estimator, FlowError, GrayImage, Method, endpoint_error, read_flo};
use motions::assert_recovered;
use pairs::{Kind, pair};
use proptest::prelude::*;
use testkit::real_data;

/// Makes a picture from a function of position.
fn picture(width: usize, height: usize, value: impl Fn(f32, f32) -> f32) -> GrayImage {
    let at = |i: usize| value((i % width) as f32, (i / width) as f32);
    GrayImage::new(width, height, (0..width * height).map(at).collect()).expect("sizes agree")
}

/// A smooth texture whose period does not fit the picture.
fn texture(x: f32, y: f32) -> f32 {
    128.0
        + 30.0 * (0.31 * x + 0.13 * y).sin()
        + 30.0 * (0.29 * y - 0.17 * x + 1.0).sin()
        + 20.0 * (0.83 * x + 0.2).sin() * (0.71 * y).cos()
        + 15.0 * (0.55 * (x + y)).sin()
}

fn estimator(params: DisParams) -> Estimator {
    Estimator::new(Method::Dis(params)).expect("the parameters are valid")
}

fn presets() -> [(&'static str, Estimator); 3] {
    [("fast", DisParams::fast()), ("balanced", DisParams::balanced()), ("accurate", DisParams::accurate())]
        .map(|(name, params)| (name, estimator(params)))
}

#[test]
fn every_size_down_to_one_pixel_gives_finite_flow() {
    let sizes =
        [(1, 1), (1, 9), (17, 1), (7, 5), (2, 2), (3, 50), (8, 8), (9, 7), (12, 24), (25, 23), (33, 65)];
    for (name, dis) in presets() {
        for (width, height) in sizes {
            let from = picture(width, height, texture);
            let to = picture(width, height, |x, y| texture(x - 0.5, y - 0.5));
            let field = dis.compute(&from, &to).unwrap();
            assert_eq!((field.width, field.height), (width, height));
            assert!(field.u.iter().chain(&field.v).all(|d| d.is_finite()), "{name} at {width}x{height}");
        }
    }
}

#[test]
fn pictures_that_do_not_differ_do_not_move_at_all() {
    for (name, dis) in presets() {
        for still in [picture(64, 48, texture), picture(31, 20, |_, _| 77.0), picture(1, 1, |_, _| 9.0)] {
            let field = dis.compute(&still, &still).unwrap();
            assert!(field.u.iter().chain(&field.v).all(|&d| d == 0.0), "{name}");
        }
        let (dark, light) = (picture(31, 20, |_, _| 70.0), picture(31, 20, |_, _| 90.0));
        let field = dis.compute(&dark, &light).unwrap();
        assert!(field.u.iter().chain(&field.v).all(|&d| d == 0.0), "{name}");
    }
}

#[test]
fn known_motions_are_recovered() {
    // Pixels, in the order of `Kind::ALL`, with a margin of a tenth or more.
    let bounds = [
        [0.1, 0.19, 0.22, 0.8, 0.8, 2.3, 0.68, 2.5, 1.3],
        [0.035, 0.047, 0.05, 0.33, 0.48, 1.2, 0.38, 1.5, 0.39],
        [0.011, 0.042, 0.047, 0.24, 0.42, 1.0, 0.28, 1.8, 0.36],
    ];
    assert_recovered(presets(), bounds);
}

/// Objects move by up to twice their size against the background.
#[test]
fn a_reach_finds_objects_that_move_far() {
    let pairs = [11, 12].map(|seed| pair(Kind::FastMotion, 320, 240, seed));
    let error = |reach| {
        let dis = estimator(DisParams { reach, ..DisParams::balanced() });
        let error = |pair: &pairs::Pair| {
            endpoint_error(&dis.compute(&pair.from, &pair.to).unwrap(), &pair.truth).unwrap()
        };
        pairs.iter().map(error).sum::<f64>()
    };
    let (with, without) = (error(16), error(0));
    assert!(with < 0.6 * without, "{with}, without {without}");
}

#[test]
fn the_refinement_lowers_the_error() {
    let pair = pair(Kind::Occlusion, 160, 120, 101);
    let error = |warps| {
        let dis = estimator(DisParams { warps, ..DisParams::balanced() });
        endpoint_error(&dis.compute(&pair.from, &pair.to).unwrap(), &pair.truth).unwrap()
    };
    let (with, without) = (error(1), error(0));
    assert!(with < 0.7 * without, "{with}, without {without}");
}

#[test]
fn threads_and_a_kept_workspace_change_no_bit() {
    let pair = pair(Kind::FastMotion, 250, 190, 7);
    let small = picture(20, 9, texture);
    for (_, dis) in presets() {
        let alone = dis.compute(&pair.from, &pair.to).unwrap();
        for threads in [1, 2, 3, 7] {
            let dis = dis.clone().with_threads(NonZeroUsize::new(threads).unwrap());
            let mut workspace = dis.workspace();
            for _ in 0..2 {
                dis.compute_with(&mut workspace, &small, &small).unwrap();
                dis.compute_with(&mut workspace, &pair.to, &pair.from).unwrap();
                assert_eq!(dis.compute_with(&mut workspace, &pair.from, &pair.to).unwrap(), alone);
            }
        }
    }
}

#[test]
fn a_workspace_may_go_from_one_preset_to_another() {
    let from = picture(70, 60, texture);
    let to = picture(70, 60, |x, y| texture(x - 1.0, y));
    let [(_, fast), (_, balanced), _] = presets();
    let mut workspace = fast.workspace();
    let first = fast.compute_with(&mut workspace, &from, &to).unwrap();
    let second = balanced.compute_with(&mut workspace, &from, &to).unwrap();
    assert_eq!(second, balanced.compute(&from, &to).unwrap());
    assert_eq!(fast.compute_with(&mut workspace, &from, &to).unwrap(), first);
}

#[test]
fn bad_pictures_are_refused() {
    let [(_, dis), ..] = presets();
    let good = picture(8, 8, texture);
    assert!(matches!(dis.compute(&good, &picture(8, 9, texture)), Err(FlowError::SizeMismatch { .. })));
    let mut broken = good.clone();
    broken.data[19] = f32::NAN;
    let error = dis.compute(&good, &broken).unwrap_err().to_string();
    assert!(error.contains("NaN at x 3, y 2 of the second picture"), "{error}");
}

#[test]
fn parameters_out_of_range_are_named() {
    type Change = fn(&mut DisParams);
    let changes: [(&str, Change); 16] = [
        ("levels", |p| p.levels = 0),
        ("finest", |p| p.finest = 9),
        ("search-finest", |p| p.search_finest = 9),
        ("smoothing", |p| p.smoothing = f32::NAN),
        ("patch-stride", |p| p.patch_stride = 0),
        ("patch-stride", |p| p.patch_stride = 9),
        ("descent-steps", |p| p.descent_steps = 0),
        ("reach", |p| p.reach = 65),
        ("warps", |p| p.warps = 1001),
        ("alpha", |p| p.alpha = 0.0),
        ("gamma", |p| p.gamma = -1.0),
        ("epsilon", |p| p.epsilon = 0.0),
        ("inner-iterations", |p| p.inner_iterations = 0),
        ("sor-iterations", |p| p.sor_iterations = 0),
        ("omega", |p| p.omega = 2.0),
        ("omega", |p| p.omega = f32::NAN),
    ];
    for (name, change) in changes {
        let mut params = DisParams::fast();
        change(&mut params);
        let error = Estimator::new(Method::Dis(params)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("DIS parameter `{name}` is ")), "{error}");
    }
}

#[test]
fn parameters_are_read_strictly() {
    let written = toml::to_string(&DisParams::fast()).unwrap();
    assert_eq!(toml::from_str::<DisParams>(&written).unwrap(), DisParams::fast());
    assert!(written.contains("patch-stride = 6") && written.contains("search-finest = 1"));
    assert!(toml::from_str::<DisParams>(&written.replace("omega", "omicron")).is_err());
}

fn any_picture(width: usize, height: usize) -> impl Strategy<Value = GrayImage> {
    let intensity =
        prop_oneof![0.0_f32..255.0, any::<f32>().prop_filter("finite", |value| value.is_finite())];
    proptest::collection::vec(intensity, width * height)
        .prop_map(move |data| GrayImage::new(width, height, data).expect("sizes agree"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_parameters_give_a_finite_flow(
        (finest, search_finest, stride, steps) in (0_usize..3, 0_usize..3, 1_usize..9, 1_usize..9),
        (reach, warps, alpha, gamma) in (0_usize..20, 0_usize..2, 1e-3_f32..1e4, 0.0_f32..1e3),
        (from, to) in (1_usize..60, 1_usize..50).prop_flat_map(|(w, h)| (any_picture(w, h), any_picture(w, h))),
    ) {
        let params = DisParams {
            finest,
            search_finest,
            patch_stride: stride,
            descent_steps: steps,
            reach,
            warps,
            alpha,
            gamma,
            ..DisParams::balanced()
        };
        let field = estimator(params).compute(&from, &to).unwrap();
        prop_assert_eq!((field.width, field.height), (from.width, from.height));
        prop_assert!(field.u.iter().chain(&field.v).all(|d| d.is_finite()));
    }
}

/// Two pairs of Baker et al. 2011 and one of Dosovitskiy et al. 2015, from the folder of real clips.
#[test]
fn real_pairs_come_close_to_their_ground_truth() {
    let Some(root) = real_data("flow_gt", "DIS against true fields") else { return };
    let pairs = [
        ("RubberWhale", "rubberwhale1.png", "rubberwhale2.png", "flow_gt.flo", [0.34, 0.18, 0.12]),
        ("Grove2", "frame10.png", "frame11.png", "flow10.flo", [0.43, 0.24, 0.17]),
        ("FlyingChairs4", "img0.png", "img1.png", "flow_gt.flo", [3.6, 2.7, 2.5]),
    ];
    for (pair, from, to, truth, bounds) in pairs {
        let load = |name: &str| {
            let rgb = image::open(root.join(pair).join(name)).unwrap().to_rgb8();
            GrayImage::from_rgb8(rgb.width() as usize, rgb.height() as usize, rgb.as_raw()).unwrap()
        };
        let (from, to) = (load(from), load(to));
        let truth = read_flo(root.join(pair).join(truth)).unwrap();
        for ((name, dis), most) in presets().into_iter().zip(bounds) {
            let error = endpoint_error(&dis.compute(&from, &to).unwrap(), &truth).unwrap();
            assert!(error < most, "{name} on {pair}: {error}");
        }
    }
}
