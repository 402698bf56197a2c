//! Compact bilinear fusion as a layer.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use candle_core::{Device, Tensor};
use nn::{BilinearInput, CompactBilinear, Init, Params, Pass};
use testkit::{noise, values};

fn tensor(seed: u64, shape: &[usize]) -> Tensor {
    Tensor::from_vec(noise(seed, shape.iter().product()), shape, &Device::Cpu).unwrap()
}

#[test]
fn sketches_are_uniform_and_a_name_has_its_own() {
    let draw = |init: Init, name: &str| values(&init.draw(1, name, &4000.into(), &Device::Cpu).unwrap());
    let buckets = draw(Init::Bucket { count: 8 }, "a");
    for bucket in 0..8 {
        let count = buckets.iter().filter(|&&b| b == bucket as f32).count();
        // Expected: 500 with a standard deviation of 21.
        assert!((400..600).contains(&count), "bucket {bucket}: {count}");
    }
    assert!(buckets.iter().all(|b| (0.0..8.0).contains(b) && b.fract() == 0.0));
    let signs = draw(Init::Sign, "a");
    assert!(signs.iter().all(|sign| sign.abs() == 1.0) && signs.iter().sum::<f32>().abs() < 320.0);
    assert_ne!(buckets, draw(Init::Bucket { count: 8 }, "b"));
    assert_eq!(buckets, draw(Init::Bucket { count: 8 }, "a"));
}

/// Two time steps of a map and a vector are three factors with separate sketches, stored as buffers.
#[test]
fn every_time_step_has_a_sketch_of_its_own() {
    let params = Params::new(&Device::Cpu);
    let inputs = [BilinearInput { channels: 5, time_steps: 2 }, BilinearInput { channels: 3, time_steps: 1 }];
    let layer = CompactBilinear::new(&params.builder(7).pp("fused"), &inputs, 16, true).unwrap();
    let names: Vec<String> = params.tensors().into_keys().collect();
    let expected = ["bucket_0", "bucket_1", "bucket_2", "sign_0", "sign_1", "sign_2"];
    assert_eq!(names, expected.map(|name| format!("fused.{name}")));
    assert_eq!(params.count(), 0, "nothing trains");
    let pass = Pass::eval();
    let (maps, vector) = (tensor(1, &[4, 2, 3, 5]), tensor(2, &[2, 3]));
    let fused = layer.forward(&[&maps, &vector], &pass).unwrap();
    assert_eq!(fused.dims(), [2, 16]);
    // The opposite order of the time steps gives a different vector.
    let turned = Tensor::cat(&[1, 0, 3, 2].map(|at| maps.narrow(0, at, 1).unwrap()), 0).unwrap();
    assert_ne!(values(&fused), values(&layer.forward(&[&turned, &vector], &pass).unwrap()));
    assert!(layer.forward(&[&maps], &pass).is_err());
    assert!(CompactBilinear::new(&params.builder(7).pp("none"), &inputs, 0, true).is_err());
}
