//! The bits of TV-L1 and Brox with explicit parameters, which no change of a preset or of another method may touch.

use flow::{BroxParams, Estimator, FlowField, GrayImage, MedianFilter, Method, TvL1Params};

/// Integer arithmetic only: the same on every machine.
fn picture(move_x: i64, move_y: i64) -> GrayImage {
    let wave = |at: i64, period: i64| (at.rem_euclid(2 * period) - period).abs() * 96 / period;
    let value = |i: i64| {
        let (x, y) = (i % 100 + move_x, i / 100 + move_y);
        (wave(3 * x + y, 37) + wave(2 * y - x, 23) + wave(x * x / 9 + y, 41)) as f32 * 0.75
    };
    GrayImage::new(100, 90, (0..9000).map(value).collect()).expect("sizes agree")
}

/// FNV-1a over the bits of all vectors.
fn digest(field: &FlowField) -> u64 {
    let bytes = field.u.iter().chain(&field.v).flat_map(|d| d.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn explicit_parameters_give_the_bits_of_version_0_15() {
    let tvl1 = TvL1Params {
        tau: 0.25,
        lambda: 0.17,
        theta: 0.2,
        levels: 4,
        scale_factor: 0.5,
        warps: 3,
        rounds: 1,
        iterations: 12,
        median: MedianFilter::Five,
        smoothing: 0.7,
        gradient_blend: 0.5,
        illumination_limit: 3.0,
        illumination_scale: 12.0,
    };
    let brox = BroxParams {
        alpha: 40.0,
        gamma: 4.0,
        epsilon: 1e-3,
        levels: 40,
        scale_factor: 0.65,
        warps: 3,
        inner_iterations: 3,
        sor_iterations: 6,
        omega: 1.95,
        smoothing: 0.6,
        median: MedianFilter::None,
    };
    let methods = [
        (Method::TvL1(TvL1Params { smoothing: 0.0, ..tvl1.clone() }), 0xd08b_cf73_f745_594f),
        (Method::TvL1(tvl1), 0xecde_2b8b_580a_56b5),
        (
            Method::Brox(BroxParams { median: MedianFilter::Three, smoothing: 0.0, ..brox.clone() }),
            0x1523_acec_7243_80f5,
        ),
        (Method::Brox(brox), 0x9e82_9dc3_d9f9_bb96),
    ];
    let found = methods.map(|(method, expected)| {
        let field = Estimator::new(method).unwrap().compute(&picture(0, 0), &picture(-2, 1)).unwrap();
        (digest(&field), expected)
    });
    assert!(found.iter().all(|(found, expected)| found == expected), "{found:x?}");
}
