//! Running statistics: their updates and their storage.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use candle_core::{Device, Tensor};
use nn::ops::GlobalAvgPool;
use nn::{Activation, BatchNorm, BatchNormConfig, Params, Pass, Sgd, Statistics};
use testkit::{assert_close_values, noise, values};

fn layer(statistics: Statistics) -> (Params, BatchNorm) {
    let params = Params::new(&Device::Cpu);
    let config = BatchNormConfig { epsilon: 1e-5, momentum: 0.1, statistics, activation: Activation::None };
    let norm = BatchNorm::new(&params.builder(0).pp("bn1"), 3, &config).unwrap();
    (params, norm)
}

/// (B, H, W, C) with mean and variance far from 0 and 1.
fn batch(seed: u64) -> Tensor {
    let values = noise(seed, 2 * 4 * 5 * 3).into_iter().enumerate();
    let values = values.map(|(i, x)| (i % 3) as f32 + (1 + i % 3) as f32 * x).collect();
    Tensor::from_vec(values, (2, 4, 5, 3), &Device::Cpu).unwrap()
}

fn train(params: &Params, norm: &BatchNorm, seeds: std::ops::Range<u64>) {
    let mut sgd = Sgd::of(params, 0.9, 0.0).unwrap();
    for seed in seeds {
        let pass = Pass::train(seed);
        let y = norm.forward(&batch(seed), None, &pass).unwrap();
        let logits = pass.apply(GlobalAvgPool, &[&y]).unwrap();
        let loss = nn::softmax_cross_entropy(&logits, &[0, 1], &pass).unwrap();
        sgd.descend(&pass.backward(&loss).unwrap(), 0.1).unwrap();
    }
}

/// Mean and unbiased variance of each channel.
fn statistics(x: &Tensor) -> [Vec<f64>; 2] {
    let x = values(x);
    let of = |channel: usize| x.iter().skip(channel).step_by(3).map(|&x| f64::from(x));
    let count = (x.len() / 3) as f64;
    let mean: Vec<f64> = (0..3).map(|c| of(c).sum::<f64>() / count).collect();
    let squares = |c: usize| of(c).map(|x| (x - mean[c]).powi(2)).sum::<f64>();
    let variance = (0..3).map(|c| squares(c) / (count - 1.0)).collect();
    [mean, variance]
}

#[test]
fn a_step_moves_the_running_statistics_by_the_momentum() {
    let (params, norm) = layer(Statistics::Batch);
    train(&params, &norm, 0..2);
    let mut expected = [vec![0f64; 3], vec![1f64; 3]];
    for seed in 0..2 {
        for (running, observed) in expected.iter_mut().zip(statistics(&batch(seed))) {
            for (running, observed) in running.iter_mut().zip(observed) {
                *running = 0.9 * *running + 0.1 * observed;
            }
        }
    }
    let tensors = params.tensors();
    for (name, expected) in ["bn1.running_mean", "bn1.running_var"].iter().zip(expected) {
        let expected: Vec<f32> = expected.into_iter().map(|x| x as f32).collect();
        assert_close_values(name, &values(&tensors[*name]), &expected, 1e-5);
    }
}

#[test]
fn a_pass_without_a_step_and_frozen_statistics_move_nothing() {
    let (params, norm) = layer(Statistics::Batch);
    norm.forward(&batch(1), None, &Pass::train(0)).unwrap();
    assert_eq!(values(&params.tensors()["bn1.running_mean"]), [0.0; 3]);

    let (params, norm) = layer(Statistics::Running);
    train(&params, &norm, 0..3);
    let tensors = params.tensors();
    assert_eq!(values(&tensors["bn1.running_mean"]), [0.0; 3]);
    assert_eq!(values(&tensors["bn1.running_var"]), [1.0; 3]);
    assert_ne!(values(&tensors["bn1.bias"]), [0.0; 3], "scale and shift still train");
}

#[test]
fn frozen_statistics_and_evaluation_normalise_by_what_is_stored() {
    let (params, norm) = layer(Statistics::Running);
    let mut tensors = params.tensors();
    for (name, stored) in [("running_mean", [1f32, 2.0, 3.0]), ("running_var", [4.0, 0.25, 1.0])] {
        tensors.insert(format!("bn1.{name}"), Tensor::new(&stored, &Device::Cpu).unwrap());
    }
    params.set_tensors(&tensors).unwrap();
    let x = batch(1);
    let expected: Vec<f32> =
        values(&x).chunks(3).flat_map(|x| [(x[0] - 1.0) / 2.0, (x[1] - 2.0) / 0.5, x[2] - 3.0]).collect();
    for pass in [Pass::train(0), Pass::eval()] {
        let found = norm.forward(&x, None, &pass).unwrap();
        assert_close_values("normalised", &values(&found), &expected, 1e-4);
    }
}

#[test]
fn buffers_are_stored_but_are_no_parameters() {
    let (params, norm) = layer(Statistics::Batch);
    assert_eq!(params.count(), 6);
    let names: Vec<_> = params.all().iter().map(|param| param.name().to_owned()).collect();
    assert_eq!(names, ["bn1.bias", "bn1.weight"]);
    let stored: Vec<_> = params.tensors().into_keys().collect();
    assert_eq!(stored, ["bn1.bias", "bn1.running_mean", "bn1.running_var", "bn1.weight"]);
    assert!(params.get("bn1.running_mean").is_none());
    let sgd = Sgd::of(&params, 0.9, 5e-4).unwrap();
    assert_eq!(sgd.velocities().len(), 2);

    // A run that continues from stored values has the same bits as an uninterrupted one.
    train(&params, &norm, 0..2);
    let bytes = nn::tensors::to_bytes(&params.tensors()).unwrap();
    let (resumed, other) = layer(Statistics::Batch);
    resumed.set_tensors(&nn::tensors::from_bytes(&bytes, &Device::Cpu).unwrap()).unwrap();
    train(&params, &norm, 2..4);
    train(&resumed, &other, 2..4);
    let all = |params: &Params| -> Vec<Vec<f32>> { params.tensors().values().map(values).collect() };
    assert_eq!(all(&params), all(&resumed));
}
