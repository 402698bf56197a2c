//! Common parts of the workspace's tests and benchmarks: stored reference values, comparisons that name the worst
//! value, numeric gradients, clips drawn by ffmpeg, the folder of real clips, and benchmark programs that can take turns
//! with a peer.
//!
//! The fixtures under `fixtures/` were made by the scripts under `reference/`, which explain how to make them again.
//! Everything here panics on failure, like tests.

pub mod bench;
pub mod clip;
pub mod convolutions;
pub mod documented;
mod real;

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor};

pub use real::{demanded, real_data, skipped};

/// Reads `fixtures/<name>.safetensors` of this crate.
///
/// # Panics
/// If the file is missing or broken.
pub fn fixture(name: &str) -> BTreeMap<String, Tensor> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let path = folder.join(format!("{name}.safetensors"));
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) => panic!("{}: {error}; see reference/README.md", path.display()),
    };
    match candle_core::safetensors::load_buffer(&bytes, &Device::Cpu) {
        Ok(tensors) => tensors.into_iter().collect(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// Returns all values of a tensor, in order.
///
/// # Panics
/// If the tensor is not a float tensor.
pub fn values(tensor: &Tensor) -> Vec<f32> {
    let flat = tensor.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
    flat.expect("a tensor of f32 values")
}

/// Returns all values of an integer tensor as sizes, in order.
///
/// # Panics
/// If the tensor is not numeric or holds a negative value.
pub fn sizes(tensor: &Tensor) -> Vec<usize> {
    let flat = tensor.flatten_all().and_then(|t| t.to_dtype(DType::I64));
    let flat = flat.and_then(|flat| flat.to_vec1::<i64>());
    let sizes = flat.expect("a tensor of integers").into_iter();
    sizes.map(|size| usize::try_from(size).expect("a size is not negative")).collect()
}

/// Returns the largest difference between two lists, relative to the largest expected magnitude,
/// and its index. NaN or infinity on only one side is an infinite difference.
pub fn worst_difference(actual: &[f32], expected: &[f32]) -> (f64, usize) {
    let magnitudes = expected.iter().filter(|value| value.is_finite());
    let largest = magnitudes.fold(0f64, |largest, &v| largest.max(f64::from(v).abs()));
    let scale = largest.max(1e-12);
    let mut worst = (0.0, 0);
    for (index, (&a, &e)) in actual.iter().zip(expected).enumerate() {
        let same = a == e || (a.is_nan() && e.is_nan());
        let difference = match (same, a.is_finite() && e.is_finite()) {
            (true, _) => 0.0,
            (false, true) => (f64::from(a) - f64::from(e)).abs() / scale,
            (false, false) => f64::INFINITY,
        };
        if difference > worst.0 {
            worst = (difference, index);
        }
    }
    worst
}

/// Checks that two lists agree within `tolerance` of the largest expected magnitude and
/// returns the worst difference.
///
/// # Panics
/// If they do not; the message names the worst value.
#[track_caller]
pub fn assert_close_values(what: &str, actual: &[f32], expected: &[f32], tolerance: f64) -> f64 {
    assert_eq!(actual.len(), expected.len(), "{what}: number of values");
    let (worst, index) = worst_difference(actual, expected);
    assert!(
        worst <= tolerance,
        "{what}: value {index} is {}, expected {}: a relative difference of {worst:.2e}, allowed {tolerance:.0e}",
        actual[index],
        expected[index],
    );
    worst
}

/// Checks tensors as [`assert_close_values`] checks lists; they must also agree in shape.
///
/// # Panics
/// If they do not agree.
#[track_caller]
pub fn assert_close(what: &str, actual: &Tensor, expected: &Tensor, tolerance: f64) -> f64 {
    assert_eq!(actual.dims(), expected.dims(), "{what}: shape");
    assert_close_values(what, &values(actual), &values(expected), tolerance)
}

/// Computes the gradient of `function` at `x` by central differences.
///
/// # Panics
/// If a tensor cannot be created.
pub fn numeric_gradient(x: &Tensor, step: f32, function: impl Fn(&Tensor) -> f64) -> Vec<f32> {
    let at = values(x);
    let moved = |index: usize, by: f32| {
        let mut moved = at.clone();
        moved[index] += by;
        let width = f64::from(moved[index]) - f64::from(at[index]);
        let tensor = Tensor::from_vec(moved, x.shape(), x.device());
        (function(&tensor.expect("the shape of x")), width)
    };
    (0..at.len())
        .map(|index| {
            let ((above, up), (below, down)) = (moved(index, step), moved(index, -step));
            ((above - below) / (up - down)) as f32
        })
        .collect()
}

/// Generates pseudorandom values, about uniform in -1..1 and the same on every machine.
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03;
    (0..count)
        .map(|_| {
            // splitmix64
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^= z >> 31;
            (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_value_is_found() {
        let (worst, index) = worst_difference(&[1.0, 2.5, 4.0], &[1.0, 2.0, 4.0]);
        assert_eq!((worst, index), (0.125, 1));
    }

    #[test]
    fn nan_agrees_only_with_nan() {
        assert_eq!(worst_difference(&[f32::NAN], &[f32::NAN]).0, 0.0);
        assert_eq!(worst_difference(&[f32::NAN], &[1.0]).0, f64::INFINITY);
        assert_eq!(worst_difference(&[1.0], &[f32::INFINITY]).0, f64::INFINITY);
    }

    #[test]
    fn the_numeric_gradient_of_a_square_is_twice_the_value() {
        let x = Tensor::from_vec(vec![1f32, -2.0], 2, &Device::Cpu).unwrap();
        let square = |x: &Tensor| values(x).iter().map(|&x| f64::from(x).powi(2)).sum();
        assert_close_values("gradient", &numeric_gradient(&x, 1e-2, square), &[2.0, -4.0], 1e-5);
    }
}
