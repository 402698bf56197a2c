//! The method of Brox et al. on pictures whose flow is known, on odd inputs, and on a real pair.

mod motions;
mod pairs;

use std::num::NonZeroUsize;

use flow::{
    BroxParams, Estimator, FlowError, FlowField, GrayImage, MedianFilter, Method, endpoint_error, read_flo,
};
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

fn presets() -> [(&'static str, Estimator); 2] {
    [("fast", BroxParams::fast()), ("accurate", BroxParams::accurate())]
        .map(|(name, params)| (name, Estimator::new(Method::Brox(params)).expect("presets are valid")))
}

#[test]
fn known_motions_are_recovered() {
    // Pixels, in the order of `Kind::ALL`, with a margin of a quarter or more.
    let bounds = [
        [0.02, 0.05, 0.05, 0.28, 0.46, 2.1, 0.38, 1.8, 0.38],
        [0.02, 0.05, 0.05, 0.25, 0.45, 2.0, 0.34, 1.45, 0.37],
    ];
    assert_recovered(presets(), bounds);
}

#[test]
fn pictures_that_do_not_differ_do_not_move_at_all() {
    for (name, brox) in presets() {
        for still in [picture(64, 48, texture), picture(31, 20, |_, _| 77.0), picture(1, 1, |_, _| 9.0)] {
            let field = brox.compute(&still, &still).unwrap();
            assert!(field.u.iter().chain(&field.v).all(|&d| d == 0.0), "{name}");
        }
    }
}

/// Light from the side adds a slow slope, which hardly changes the gradient.
#[test]
fn constancy_of_the_gradient_withstands_a_change_of_brightness() {
    let from = picture(96, 80, texture);
    let to = picture(96, 80, |x, y| texture(x - 1.3, y + 0.6) + 12.0 + 0.1 * x);
    let truth = FlowField::new(96, 80, vec![1.3; 96 * 80], vec![-0.6; 96 * 80]).unwrap();
    let error = |gamma| {
        let brox = Estimator::new(Method::Brox(BroxParams { gamma, ..BroxParams::accurate() })).unwrap();
        endpoint_error(&brox.compute(&from, &to).unwrap(), &truth).unwrap()
    };
    let (with, without) = (error(4.0), error(0.0));
    assert!(with < 0.1, "{with}");
    assert!(without > 5.0 * with, "{without}, with the gradient {with}");
}

#[test]
fn threads_and_a_kept_workspace_change_no_bit() {
    let pair = pair(Kind::Occlusion, 250, 190, 7);
    let small = picture(20, 9, texture);
    for median in [MedianFilter::None, MedianFilter::Three] {
        let brox = Estimator::new(Method::Brox(BroxParams { median, ..BroxParams::fast() })).unwrap();
        let alone = brox.compute(&pair.from, &pair.to).unwrap();
        for threads in [1, 2, 3, 7] {
            let brox = brox.clone().with_threads(NonZeroUsize::new(threads).unwrap());
            let mut workspace = brox.workspace();
            for _ in 0..2 {
                brox.compute_with(&mut workspace, &small, &small).unwrap();
                brox.compute_with(&mut workspace, &pair.to, &pair.from).unwrap();
                assert_eq!(brox.compute_with(&mut workspace, &pair.from, &pair.to).unwrap(), alone);
            }
        }
    }
}

#[test]
fn a_workspace_may_go_from_one_estimator_to_another() {
    let from = picture(40, 40, texture);
    let to = picture(40, 40, |x, y| texture(x - 1.0, y));
    let [(_, fast), (_, accurate)] = presets();
    let mut workspace = fast.workspace();
    let first = fast.compute_with(&mut workspace, &from, &to).unwrap();
    let second = accurate.compute_with(&mut workspace, &from, &to).unwrap();
    assert_eq!(second, accurate.compute(&from, &to).unwrap());
    assert_eq!(fast.compute_with(&mut workspace, &from, &to).unwrap(), first);
}

#[test]
fn bad_pictures_are_refused() {
    let brox = Estimator::new(Method::Brox(BroxParams::fast())).unwrap();
    let good = picture(8, 8, texture);
    let other = picture(8, 9, texture);
    assert!(matches!(brox.compute(&good, &other), Err(FlowError::SizeMismatch { .. })));
    let mut short = good.clone();
    short.data.pop();
    assert!(matches!(brox.compute(&good, &short), Err(FlowError::Length { .. })));
    let mut broken = good.clone();
    broken.data[19] = f32::INFINITY;
    let error = brox.compute(&good, &broken).unwrap_err().to_string();
    assert!(error.contains("inf at x 3, y 2 of the second picture"), "{error}");
}

#[test]
fn parameters_out_of_range_are_named() {
    type Change = fn(&mut BroxParams);
    let changes: [(&str, Change); 12] = [
        ("alpha", |p| p.alpha = 0.0),
        ("alpha", |p| p.alpha = f32::NAN),
        ("gamma", |p| p.gamma = -1.0),
        ("epsilon", |p| p.epsilon = 0.0),
        ("scale-factor", |p| p.scale_factor = 1.0),
        ("omega", |p| p.omega = 2.0),
        ("omega", |p| p.omega = 0.0),
        ("smoothing", |p| p.smoothing = -0.1),
        ("levels", |p| p.levels = 0),
        ("warps", |p| p.warps = 0),
        ("inner-iterations", |p| p.inner_iterations = 2000),
        ("sor-iterations", |p| p.sor_iterations = 0),
    ];
    for (name, change) in changes {
        let mut params = BroxParams::fast();
        change(&mut params);
        let error = Estimator::new(Method::Brox(params)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("Brox parameter `{name}` is ")), "{error}");
    }
}

#[test]
fn parameters_are_read_strictly() {
    let written = toml::to_string(&BroxParams::fast()).unwrap();
    assert_eq!(toml::from_str::<BroxParams>(&written).unwrap(), BroxParams::fast());
    assert!(written.contains("sor-iterations = 6") && written.contains("median = \"none\""));
    let misspelt = written.replace("omega", "omicron");
    assert!(toml::from_str::<BroxParams>(&misspelt).is_err());
}

/// Generates any finite intensity; half of them are ordinary ones.
fn intensity() -> impl Strategy<Value = f32> {
    prop_oneof![0.0_f32..255.0, any::<f32>().prop_filter("finite", |value| value.is_finite())]
}

fn two_pictures() -> impl Strategy<Value = (GrayImage, GrayImage)> {
    (1_usize..40, 1_usize..24).prop_flat_map(|(width, height)| {
        let one = move || {
            proptest::collection::vec(intensity(), width * height)
                .prop_map(move |data| GrayImage::new(width, height, data).expect("sizes agree"))
        };
        (one(), one())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_finite_pictures_give_a_finite_flow((from, to) in two_pictures(), gamma in 0.0_f32..1e3) {
        let params = BroxParams { gamma, ..BroxParams::fast() };
        let field = Estimator::new(Method::Brox(params)).unwrap().compute(&from, &to).unwrap();
        prop_assert_eq!((field.width, field.height), (from.width, from.height));
        prop_assert!(field.u.iter().chain(&field.v).all(|d| d.is_finite()));
    }

    #[test]
    fn any_parameters_give_a_finite_flow(
        (alpha, gamma, epsilon) in (1e-3_f32..1e4, 0.0_f32..1e3, 1e-4_f32..10.0),
        (scale_factor, omega, smoothing) in (0.4_f32..0.95, 0.01_f32..1.999, 0.0_f32..4.0),
        (from, to) in two_pictures(),
    ) {
        let params =
            BroxParams { alpha, gamma, epsilon, scale_factor, omega, smoothing, ..BroxParams::fast() };
        let field = Estimator::new(Method::Brox(params)).unwrap().compute(&from, &to).unwrap();
        prop_assert!(field.u.iter().chain(&field.v).all(|d| d.is_finite()));
    }
}

/// RubberWhale of Baker et al. 2011, from the folder of real clips.
#[test]
fn a_real_pair_comes_close_to_its_ground_truth() {
    let Some(folder) = real_data("flow_gt/RubberWhale", "Brox against a true field") else { return };
    let load = |name: &str| {
        let rgb = image::open(folder.join(name)).unwrap().to_rgb8();
        GrayImage::from_rgb8(rgb.width() as usize, rgb.height() as usize, rgb.as_raw()).unwrap()
    };
    let (from, to) = (load("rubberwhale1.png"), load("rubberwhale2.png"));
    let truth = read_flo(folder.join("flow_gt.flo")).unwrap();
    for ((name, brox), most) in presets().into_iter().zip([0.16, 0.14]) {
        let error = endpoint_error(&brox.compute(&from, &to).unwrap(), &truth).unwrap();
        assert!(error < most, "{name}: {error}");
    }
}
