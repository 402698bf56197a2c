//! Layers over time, compared with plain loops.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use candle_core::{Device, Tensor};
use nn::{Params, Pass, TemporalConv, inflate, max_over_time, mean_over_time};
use testkit::{assert_close, noise, values};

fn clip(shape: &[usize]) -> Tensor {
    Tensor::from_vec(noise(3, shape.iter().product()), shape, &Device::Cpu).unwrap()
}

/// Two clips of four time steps, 2x3 spatial positions, 5 channels in and 2 out: each position reads its own neighbours in
/// time and zeros beyond the ends, and nothing of the other clip.
#[test]
fn a_convolution_over_time_sees_its_clip_alone() {
    let (batch, time_steps, places, inputs, outputs) = (2, 4, 6, 5, 2);
    let params = Params::new(&Device::Cpu);
    let conv = TemporalConv::new(&params.builder(1), inputs, outputs, 3).unwrap();
    let x = clip(&[batch * time_steps, 2, 3, inputs]);
    let found = conv.forward(&x, time_steps, &Pass::eval()).unwrap();
    assert_eq!(found.dims(), [batch * time_steps, 2, 3, outputs]);
    let (x, w) = (values(&x), values(&params.tensors()["weight"]));
    let mut expected = Vec::new();
    for (sample, time_step) in (0..batch).flat_map(|b| (0..time_steps).map(move |t| (b, t))) {
        for (place, output) in (0..places).flat_map(|p| (0..outputs).map(move |o| (p, o))) {
            let mut sum = 0f32;
            for tap in 0..3 {
                // Tap 0 reads the previous time step.
                let Some(other) = (time_step + tap).checked_sub(1).filter(|&other| other < time_steps) else {
                    continue;
                };
                for input in 0..inputs {
                    let at = ((sample * time_steps + other) * places + place) * inputs + input;
                    sum += x[at] * w[(output * inputs + input) * 3 + tap];
                }
            }
            expected.push(sum);
        }
    }
    let expected = Tensor::from_vec(expected, found.shape(), &Device::Cpu).unwrap();
    assert_close("convolution over time", &found, &expected, 1e-5);
}

#[test]
fn the_maximum_and_the_mean_are_of_one_clip() {
    let x =
        Tensor::from_vec(vec![1f32, 5., 2., 4., 3., -1., -5., -2., -4., -3.], (10, 1, 1, 1), &Device::Cpu);
    let x = x.unwrap();
    let pass = Pass::eval();
    let maximum = max_over_time(&x, 5, [3, 2], &pass).unwrap();
    assert_eq!((maximum.dims(), values(&maximum)), (&[4, 1, 1, 1][..], vec![5., 4., -1., -2.]));
    let mean = mean_over_time(&x.reshape((10, 1)).unwrap(), 5, &pass).unwrap();
    assert_eq!((mean.dims(), values(&mean)), (&[2, 1][..], vec![3., -3.]));
}

#[test]
fn what_is_no_clip_is_refused() {
    let params = Params::new(&Device::Cpu);
    let error = TemporalConv::new(&params.builder(1), 2, 2, 4).unwrap_err().to_string();
    assert!(error.contains("odd"), "{error}");
    let conv = TemporalConv::new(&params.builder(1), 2, 2, 3).unwrap();
    let pass = Pass::eval();
    for time_steps in [0, 3] {
        let error = conv.forward(&clip(&[4, 1, 1, 2]), time_steps, &pass).unwrap_err().to_string();
        assert!(error.contains(&format!("4 frames of clips of {time_steps}")), "{error}");
    }
    assert!(max_over_time(&clip(&[4, 1, 1, 2]), 2, [3, 1], &pass).is_err());
    assert!(inflate(&clip(&[2, 2, 3, 3]), 3).unwrap_err().to_string().contains("[2, 2, 3, 3]"));
    assert!(inflate(&clip(&[2, 2, 1, 1]), 0).is_err());
}
