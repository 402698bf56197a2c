//! Errors of the presets on the generated pairs, with the seed of the benchmark, which was
//! not used to choose parameters.

use crate::pairs::{Kind, pair};
use flow::{DisParams, Estimator, Method, TvL1Params, endpoint_error};

fn error(params: TvL1Params, pair: &crate::pairs::Pair) -> f64 {
    error_of(Method::TvL1(params), pair)
}

fn error_of(method: Method, pair: &crate::pairs::Pair) -> f64 {
    let estimator = Estimator::new(method).expect("the parameters are valid");
    let field = estimator.compute(&pair.from, &pair.to).expect("the pictures are good");
    endpoint_error(&field, &pair.truth).expect("something is known")
}

/// Bounds about a tenth above the observed errors: TV-L1 fast and accurate, DIS fast, balanced and accurate.
fn bounds(kind: Kind) -> [f64; 5] {
    match kind {
        Kind::Translation => [0.016, 0.007, 0.09, 0.029, 0.009],
        Kind::Rotation => [0.037, 0.047, 0.15, 0.035, 0.033],
        Kind::Zoom => [0.055, 0.056, 0.19, 0.039, 0.037],
        Kind::Occlusion => [0.15, 0.13, 0.46, 0.18, 0.13],
        Kind::Noise => [0.26, 0.26, 0.52, 0.30, 0.28],
        Kind::LargeMotion => [0.71, 0.35, 1.25, 0.48, 0.85],
        Kind::Brightness => [0.24, 0.21, 0.54, 0.23, 0.17],
        Kind::FastMotion => [2.9, 3.0, 4.0, 3.2, 3.3],
        Kind::Driving => [0.33, 0.29, 1.1, 0.30, 0.27],
    }
}

#[test]
fn the_presets_stay_below_their_errors() {
    let mut worse = Vec::new();
    for kind in Kind::ALL {
        let pair = pair(kind, 320, 240, 1);
        let tvl1 = [TvL1Params::fast(), TvL1Params::accurate()].map(Method::TvL1);
        let dis = [DisParams::fast(), DisParams::balanced(), DisParams::accurate()].map(Method::Dis);
        for (method, most) in tvl1.into_iter().chain(dis).zip(bounds(kind)) {
            let error = error_of(method.clone(), &pair);
            if error > most {
                worse.push(format!("{}: {error:.4}, allowed {most}, {method:?}", kind.name()));
            }
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}

#[test]
fn the_accurate_preset_stands_noise_as_the_fast_one_does() {
    let [mut fast, mut accurate] = [0.0; 2];
    for seed in [1, 2] {
        let pair = pair(Kind::Noise, 240, 180, seed);
        fast += error(TvL1Params::fast(), &pair);
        accurate += error(TvL1Params::accurate(), &pair);
    }
    assert!(accurate < fast * 1.02, "{accurate} against {fast}");
}

#[test]
fn the_estimate_of_illumination_is_what_stands_a_change_of_brightness() {
    let pair = pair(Kind::Brightness, 240, 180, 1);
    let with = error(TvL1Params::fast(), &pair);
    let without = error(TvL1Params { illumination_limit: 0.0, ..TvL1Params::fast() }, &pair);
    assert!(with < 0.3 * without, "{with} against {without}");
}
