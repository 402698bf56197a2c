//! Helpers: tensors from slices, and both passes of an operation at once.

use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use kernels::{CompactBilinear, Fourier, Op, Sketch};
use testkit::values;

/// Returns the device under test: the CPU, or the first GPU if the variable `KERNELS_DEVICE` is `cuda`.
pub(crate) fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| match std::env::var("KERNELS_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Device::Cpu,
        #[cfg(feature = "cuda")]
        Ok("cuda") => kernels::cuda::device(0).unwrap(),
        Ok(other) => panic!("KERNELS_DEVICE is {other}; expected cpu, or cuda with that feature"),
    })
}

pub(crate) fn tensor(data: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(data, shape, device()).unwrap()
}

/// Generates pseudorandom values.
pub(crate) fn noise(seed: u64, shape: &[usize]) -> Tensor {
    tensor(&testkit::noise(seed, shape.iter().product()), shape)
}

/// Computes the output, and the gradient of every input from the gradient of the output.
pub(crate) fn run(op: &dyn Op, inputs: &[&Tensor], gradient: &Tensor) -> (Tensor, Vec<Option<Tensor>>) {
    let y = kernels::forward(op, inputs).unwrap();
    let wanted = vec![true; inputs.len()];
    let found = kernels::backward(op, inputs, &y, gradient, &wanted).unwrap();
    (y, found)
}

/// Does the same as [`run`], but returns values; the gradient of a constant input is empty.
pub(crate) fn run_values(op: &dyn Op, inputs: &[&Tensor], gradient: &Tensor) -> (Vec<f32>, Vec<Vec<f32>>) {
    let (y, found) = run(op, inputs, gradient);
    let of = |gradient: Option<Tensor>| gradient.map_or_else(Vec::new, |gradient| values(&gradient));
    (values(&y), found.into_iter().map(of).collect())
}

/// Checks that two lists agree within `tolerance` of the largest expected magnitude, or of one: a gradient
/// that is a sum of few cancelling terms is small compared with its terms.
#[track_caller]
pub(crate) fn assert_near(what: &str, found: &[f32], expected: &[f32], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: number of values");
    let finite = expected.iter().filter(|value| value.is_finite());
    let scale = f64::from(finite.fold(1f32, |largest, value| largest.max(value.abs())));
    for (i, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let same = found == expected || (found.is_nan() && expected.is_nan());
        let near = (f64::from(found) - f64::from(expected)).abs() <= tolerance * scale;
        assert!(
            same || near,
            "{what}: value {i} is {found}, expected {expected} (allowed {:e})",
            tolerance * scale
        );
    }
}

/// Draws random buckets and signs for `channels` channels, and makes a sketch of them.
pub(crate) fn sketch(seed: u64, channels: usize, size: usize) -> (Vec<usize>, Vec<f32>, Sketch) {
    let draws = testkit::noise(seed, 2 * channels);
    let bucket = |x: &f32| (((x + 1.0) / 2.0 * size as f32) as usize).min(size - 1);
    let buckets: Vec<usize> = draws[..channels].iter().map(bucket).collect();
    let signs: Vec<f32> = draws[channels..].iter().map(|x| if *x < 0.0 { -1.0 } else { 1.0 }).collect();
    let written: Vec<f32> = buckets.iter().map(|&bucket| bucket as f32).collect();
    let sketch = Sketch::new(&written, &signs, size).unwrap();
    (buckets, signs, sketch)
}

/// Creates a fusion of inputs with the given channels and time steps.
pub(crate) fn bilinear(inputs: &[(usize, usize)], size: usize, pooled: bool) -> CompactBilinear {
    let sketches = inputs.iter().enumerate().map(|(input, &(channels, time_steps))| {
        (0..time_steps).map(|time_step| sketch((input * 16 + time_step) as u64, channels, size).2).collect()
    });
    CompactBilinear::new(Fourier::new(size).unwrap(), sketches.collect(), pooled).unwrap()
}
