//! The errors of presets on generated pairs of every kind.

use flow::{Estimator, endpoint_error};

use crate::pairs::{Kind, pair};

/// Computes the mean endpoint error of an estimator on some pairs of a kind.
fn error_on(estimator: &Estimator, kind: Kind) -> f64 {
    let seeds = [101, 102, 103];
    let error = |seed| {
        let pair = pair(kind, 160, 120, seed);
        let field = estimator.compute(&pair.from, &pair.to).expect("a good pair");
        endpoint_error(&field, &pair.truth).expect("a known flow")
    };
    seeds.map(error).iter().sum::<f64>() / seeds.len() as f64
}

/// Asserts that no preset exceeds its bounds, in pixels and in the order of `Kind::ALL`.
pub(crate) fn assert_recovered<const N: usize>(presets: [(&str, Estimator); N], bounds: [[f64; 9]; N]) {
    let mut worse = Vec::new();
    for ((name, estimator), bounds) in presets.into_iter().zip(bounds) {
        for (kind, most) in Kind::ALL.into_iter().zip(bounds) {
            let error = error_on(&estimator, kind);
            if error > most {
                worse.push(format!("{name} on {}: {error:.4}, allowed {most}", kind.name()));
            }
        }
    }
    assert!(worse.is_empty(), "{worse:#?}");
}
