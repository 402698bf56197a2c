//! TV-L1 on pictures whose flow is known, on odd inputs, and on a real pair.

use flow::{
    Estimator, FlowError, FlowField, GrayImage, MedianFilter, Method, TvL1Params, endpoint_error, read_flo,
};
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

/// Computes the mean endpoint error at least `margin` pixels from the border.
fn interior_error(field: &FlowField, margin: usize, truth: impl Fn(f32, f32) -> (f32, f32)) -> f64 {
    let mut known = FlowField { u: Vec::new(), v: Vec::new(), ..*field };
    for y in 0..field.height {
        for x in 0..field.width {
            let inside =
                (margin..field.width - margin).contains(&x) && (margin..field.height - margin).contains(&y);
            let (u, v) = if inside { truth(x as f32, y as f32) } else { (f32::NAN, f32::NAN) };
            known.u.push(u);
            known.v.push(v);
        }
    }
    endpoint_error(field, &known).expect("the interior is known")
}

fn presets() -> [(&'static str, Estimator); 2] {
    [("fast", TvL1Params::fast()), ("accurate", TvL1Params::accurate())]
        .map(|(name, params)| (name, Estimator::new(Method::TvL1(params)).expect("presets are valid")))
}

#[test]
fn a_translation_is_recovered_below_a_pixel() {
    for (name, tvl1) in presets() {
        for (u, v) in [(0.25, -0.4), (1.5, 0.7), (-3.3, 2.6), (5.5, -1.0)] {
            let from = picture(64, 64, texture);
            let to = picture(64, 64, |x, y| texture(x - u, y - v));
            let field = tvl1.compute(&from, &to).unwrap();
            let error = interior_error(&field, 8, |_, _| (u, v));
            assert!(error < 0.1, "{name}: {error} at {u}, {v}");
        }
    }
}

#[test]
fn a_rotation_and_a_zoom_are_recovered() {
    let (centre, turn, zoom) = (31.5, 0.04_f32, 1.03);
    let (sin, cos) = turn.sin_cos();
    for (name, tvl1) in presets() {
        let from = picture(64, 64, texture);
        let to = picture(64, 64, |x, y| {
            let (x, y) = ((x - centre) / zoom, (y - centre) / zoom);
            texture(cos * x + sin * y + centre, cos * y - sin * x + centre)
        });
        let field = tvl1.compute(&from, &to).unwrap();
        let error = interior_error(&field, 6, |x, y| {
            let (dx, dy) = (x - centre, y - centre);
            (zoom * (cos * dx - sin * dy) - dx, zoom * (sin * dx + cos * dy) - dy)
        });
        assert!(error < 0.1, "{name}: {error}");
    }
}

#[test]
fn noise_and_a_change_of_brightness_do_little_harm() {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f32 / (1 << 24) as f32 - 0.5) * 20.0
    };
    let mut from = picture(64, 64, texture);
    let mut to = picture(64, 64, |x, y| texture(x - 1.5, y + 0.5) + 4.0);
    from.data.iter_mut().chain(&mut to.data).for_each(|value| *value += noise());
    for (name, tvl1) in presets() {
        let field = tvl1.compute(&from, &to).unwrap();
        let error = interior_error(&field, 8, |_, _| (1.5, -0.5));
        assert!(error < 0.4, "{name}: {error}");
    }
}

#[test]
fn backward_flow_is_the_negative_of_forward_flow() {
    for (name, tvl1) in presets() {
        let from = picture(80, 64, texture);
        let to = picture(80, 64, |x, y| texture(x - 2.2, y + 1.1));
        let there = tvl1.compute(&from, &to).unwrap();
        let back = tvl1.compute(&to, &from).unwrap();
        let index = |x: f32, y: f32| y as usize * 80 + x as usize;
        let error = interior_error(&there, 8, |x, y| (-back.u[index(x, y)], -back.v[index(x, y)]));
        assert!(error < 0.1, "{name}: {error}");
    }
}

#[test]
fn a_kept_workspace_and_another_thread_change_no_bit() {
    for (_, tvl1) in presets() {
        let from = picture(50, 37, texture);
        let to = picture(50, 37, |x, y| texture(x - 1.2, y - 0.3));
        let small = picture(20, 9, texture);
        let fresh = tvl1.compute(&from, &to).unwrap();
        let mut workspace = tvl1.workspace();
        for _ in 0..2 {
            tvl1.compute_with(&mut workspace, &small, &small).unwrap();
            assert_eq!(tvl1.compute_with(&mut workspace, &to, &from).unwrap().u.len(), 50 * 37);
            assert_eq!(tvl1.compute_with(&mut workspace, &from, &to).unwrap(), fresh);
        }
        let elsewhere = std::thread::scope(|scope| scope.spawn(|| tvl1.compute(&from, &to)).join().unwrap());
        assert_eq!(elsewhere.unwrap(), fresh);
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
fn every_size_down_to_one_pixel_gives_finite_flow() {
    let sizes = [(1, 1), (1, 9), (17, 1), (2, 2), (3, 50), (8, 8), (9, 7), (16, 16), (33, 65)];
    for (name, tvl1) in presets() {
        for (width, height) in sizes {
            let from = picture(width, height, texture);
            let to = picture(width, height, |x, y| texture(x - 0.5, y - 0.5));
            let field = tvl1.compute(&from, &to).unwrap();
            assert_eq!((field.width, field.height), (width, height));
            let all = || field.u.iter().chain(&field.v);
            assert_eq!(all().count(), 2 * width * height);
            assert!(all().all(|d| d.is_finite()), "{name} at {width}x{height}");
        }
    }
}

#[test]
fn pictures_that_do_not_differ_do_not_move() {
    for (name, tvl1) in presets() {
        for still in [picture(64, 48, texture), picture(31, 20, |_, _| 77.0)] {
            let field = tvl1.compute(&still, &still).unwrap();
            let most = field.u.iter().chain(&field.v).fold(0.0_f32, |most, d| most.max(d.abs()));
            assert!(most < 1e-3, "{name}: {most}");
        }
        let (dark, light) = (picture(31, 20, |_, _| 70.0), picture(31, 20, |_, _| 90.0));
        let field = tvl1.compute(&dark, &light).unwrap();
        assert!(field.u.iter().chain(&field.v).all(|&d| d == 0.0), "{name}");
    }
}

#[test]
fn bad_pictures_are_refused() {
    let tvl1 = Estimator::new(Method::TvL1(TvL1Params::fast())).unwrap();
    let good = picture(8, 8, texture);
    let other = picture(8, 9, texture);
    assert!(matches!(tvl1.compute(&good, &other), Err(FlowError::SizeMismatch { .. })));
    let mut short = good.clone();
    short.data.pop();
    assert!(matches!(tvl1.compute(&good, &short), Err(FlowError::Length { .. })));
    let empty = GrayImage { width: 0, height: 8, data: Vec::new() };
    assert!(matches!(tvl1.compute(&empty, &empty), Err(FlowError::Size { .. })));
    let mut broken = good.clone();
    broken.data[19] = f32::NAN;
    let error = tvl1.compute(&good, &broken).unwrap_err().to_string();
    assert!(error.contains("NaN at x 3, y 2 of the second picture"), "{error}");
}

#[test]
fn huge_intensities_do_not_panic() {
    let wild = picture(20, 20, |x, y| if ((x + y) as u32).is_multiple_of(2) { f32::MAX } else { f32::MIN });
    let good = picture(20, 20, texture);
    for (_, tvl1) in presets() {
        tvl1.compute(&good, &wild).unwrap();
        tvl1.compute(&wild, &good).unwrap();
    }
}

#[test]
fn parameters_out_of_range_are_named() {
    type Change = fn(&mut TvL1Params);
    let changes: [(&str, Change); 15] = [
        ("tau", |p| p.tau = 0.0),
        ("tau", |p| p.tau = f32::NAN),
        ("lambda", |p| p.lambda = -1.0),
        ("theta", |p| p.theta = f32::INFINITY),
        ("scale-factor", |p| p.scale_factor = 1.0),
        ("smoothing", |p| p.smoothing = -0.1),
        ("smoothing", |p| p.smoothing = f32::NAN),
        ("gradient-blend", |p| p.gradient_blend = 1.1),
        ("gradient-blend", |p| p.gradient_blend = f32::NAN),
        ("illumination-limit", |p| p.illumination_limit = f32::NAN),
        ("illumination-scale", |p| p.illumination_scale = f32::NAN),
        ("levels", |p| p.levels = 0),
        ("warps", |p| p.warps = 0),
        ("rounds", |p| p.rounds = 2000),
        ("iterations", |p| p.iterations = 0),
    ];
    for (name, change) in changes {
        let mut params = TvL1Params::fast();
        change(&mut params);
        let error = Estimator::new(Method::TvL1(params)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("TV-L1 parameter `{name}` is ")), "{error}");
    }
}

#[test]
fn parameters_are_read_strictly() {
    let written = toml::to_string(&TvL1Params::fast()).unwrap();
    assert_eq!(toml::from_str::<TvL1Params>(&written).unwrap(), TvL1Params::fast());
    assert!(written.contains("iterations = 10") && written.contains("median = \"5x5\""));
    let misspelt = written.replace("warps", "wraps");
    assert!(toml::from_str::<TvL1Params>(&misspelt).is_err());
}

#[test]
fn each_median_filter_works_and_differs() {
    let from = picture(40, 40, |x, y| texture(x, y) + (x * 7.0 + y * 13.0) % 11.0);
    let to = picture(40, 40, |x, y| texture(x - 1.3, y) + (x * 5.0 + y * 3.0) % 11.0);
    let windows = [MedianFilter::None, MedianFilter::Three, MedianFilter::Five];
    let fields = windows.map(|median| {
        let params = TvL1Params { median, ..TvL1Params::fast() };
        Estimator::new(Method::TvL1(params)).unwrap().compute(&from, &to).unwrap()
    });
    assert!(fields[0] != fields[1] && fields[1] != fields[2]);
}

/// RubberWhale of Baker et al. 2011, from the folder of real clips.
#[test]
fn a_real_pair_comes_close_to_its_ground_truth() {
    let Some(folder) = real_data("flow_gt/RubberWhale", "TV-L1 against a true field") else { return };
    let load = |name: &str| {
        let rgb = image::open(folder.join(name)).unwrap().to_rgb8();
        GrayImage::from_rgb8(rgb.width() as usize, rgb.height() as usize, rgb.as_raw()).unwrap()
    };
    let (from, to) = (load("rubberwhale1.png"), load("rubberwhale2.png"));
    let truth = read_flo(folder.join("flow_gt.flo")).unwrap();
    for ((name, tvl1), most) in presets().into_iter().zip([0.21, 0.15]) {
        let error = endpoint_error(&tvl1.compute(&from, &to).unwrap(), &truth).unwrap();
        assert!(error < most, "{name}: {error}");
    }
}
