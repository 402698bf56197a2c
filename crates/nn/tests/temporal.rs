//! Layers over time, compared with plain loops.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use candle_core::{Device, Tensor};
use nn::{
    LearnedOverTime, Params, Pass, TemporalConv, inflate, largest_of_windows, max_over_time, mean_over_time,
    weighted_over_time,
};
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

/// Windows of two time steps, one apart: every sum and maximum by hand, of maps and of vectors.
#[test]
fn windows_are_pooled_position_by_position() {
    let pass = Pass::eval();
    let rows = vec![1f32, -1., 4., 2., 2., 0., -3., 5.];
    for shape in [&[4, 2][..], &[4, 1, 2, 1][..]] {
        let x = Tensor::from_vec(rows.clone(), shape, &Device::Cpu).unwrap();
        let sums = weighted_over_time(&x, 4, &[1.0, -2.0], 1, false, &pass).unwrap();
        assert_eq!(values(&sums), [-7., -5., 0., 2., 8., -10.]);
        assert_eq!(sums.dims()[1..], shape[1..]);
        let rectified = weighted_over_time(&x, 4, &[1.0, -2.0], 2, true, &pass).unwrap();
        assert_eq!(values(&rectified), [0., 0., 8., 0.]);
        let largest = largest_of_windows(&x, 2, [2, 1], &pass).unwrap();
        assert_eq!((largest.dim(0).unwrap(), values(&largest)), (2, vec![4., 2., 2., 5.]));
        assert!(weighted_over_time(&x, 2, &[1.0; 3], 1, false, &pass).is_err());
        assert!(largest_of_windows(&x, 3, [2, 1], &pass).is_err());
    }
}

/// At the start a learned sum is a tenth of the sum of its window; learned twice, a tenth of as many of them.
#[test]
fn learned_sums_start_equal_and_are_rectified() {
    let x = Tensor::from_vec(vec![1f32, -1., 4., -2., 2., 1., 3., -5.], (4, 2), &Device::Cpu).unwrap();
    for (hidden, factor) in [(false, 0.1f32), (true, 0.02)] {
        let params = Params::new(&Device::Cpu);
        let layer = LearnedOverTime::new(&params.builder(1), [2, 2], hidden).unwrap();
        assert_eq!(params.count(), if hidden { 4 + 2 + 2 + 1 } else { 2 + 1 });
        let found = layer.forward(&x, 4, &Pass::eval()).unwrap();
        let expected =
            Tensor::from_vec(vec![5. * factor, 0., 5. * factor, 0.], (2, 2), &Device::Cpu).unwrap();
        assert_close("learned sums", &found, &expected, 1e-5);
    }
}
