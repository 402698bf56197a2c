//! Batches spread over ranks (threads in these tests), compared with the whole batch.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

use candle_core::{Device, Tensor};
use nn::ops::GlobalAvgPool;
use nn::ranks::thread_ranks;
use nn::{
    Activation, BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Dropout, Params, Pass, Ranks, Sgd,
    Statistics, softmax_cross_entropy,
};
use testkit::{assert_close, values};

const BATCH: usize = 7;
const CHANNELS: usize = 5;

/// A convolution, batch normalisation with a residual, dropout.
struct Net {
    params: Params,
    conv: Conv2d,
    norm: BatchNorm,
    dropout: Dropout,
}

fn net() -> Net {
    let params = Params::new(&Device::Cpu);
    let builder = params.builder(4);
    let config = Conv2dConfig {
        inputs: 2,
        outputs: CHANNELS,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        groups: 1,
        bias: false,
        activation: Activation::None,
    };
    let norm = BatchNormConfig {
        epsilon: 1e-5,
        momentum: 0.1,
        statistics: Statistics::Batch,
        activation: Activation::Relu,
    };
    Net {
        conv: Conv2d::new(&builder.pp("conv"), &config).unwrap(),
        norm: BatchNorm::new(&builder.pp("norm"), CHANNELS, &norm).unwrap(),
        dropout: Dropout::new("dropout", 0.4).unwrap(),
        params,
    }
}

/// Makes values (B, 4, 3, 2) far from zero, so that the variance is small compared with the squared mean.
fn batch() -> Tensor {
    let value = |i: usize| 5.0 + ((i * 7919 + 13) % 101) as f32 / 50.0;
    Tensor::from_vec((0..BATCH * 24).map(value).collect(), (BATCH, 4, 3, 2), &Device::Cpu).unwrap()
}

type Named = Vec<(String, Tensor)>;

/// Results of one step: outputs of the rank's rows, gradients, and all parameters and buffers.
fn step(ranks: &Ranks) -> (Vec<f32>, Named, Named) {
    let net = net();
    let (mut x, labels) = (batch(), [0, 3, 1, 4, 2, 2, 0]);
    let mut pass = Pass::train(11);
    let mut labels = &labels[..];
    if !ranks.is_alone() {
        let share = ranks.share(BATCH, 1).unwrap();
        let places = share.places();
        x = x.narrow(0, places.start, places.len()).unwrap().contiguous().unwrap();
        labels = &labels[places];
        pass = pass.of_share(ranks, share);
    }
    let made = net.conv.forward(&x, &pass).unwrap();
    let residual = net.conv.forward(&x, &pass).unwrap();
    let y = net.norm.forward(&made, Some(&residual), &pass).unwrap();
    let y = net.dropout.forward(&y, &pass).unwrap();
    let logits = pass.apply(GlobalAvgPool, &[&y]).unwrap();
    let loss = softmax_cross_entropy(&logits, labels, &pass).unwrap();
    let mut gradients = pass.backward(&loss).unwrap();
    gradients.sum_over(ranks, &net.params).unwrap();
    let found =
        net.params.all().iter().map(|p| (p.name().to_owned(), gradients.get(p).unwrap().clone())).collect();
    let mut sgd = Sgd::of(&net.params, 0.9, 0.0).unwrap();
    sgd.clip(0.5).unwrap();
    sgd.descend(&gradients, 0.1).unwrap();
    (values(&y), found, net.params.tensors().into_iter().collect())
}

#[test]
fn a_batch_spread_over_ranks_is_one_batch() {
    let (whole, gradients, after) = step(&Ranks::alone());
    assert!(whole.contains(&0.0) && whole.iter().any(|&y| y > 0.5));
    for size in [2, 3, 7] {
        let found: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                thread_ranks(size).into_iter().map(|ranks| scope.spawn(move || step(&ranks))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let outputs: Vec<f32> = found.iter().flat_map(|(outputs, ..)| outputs.clone()).collect();
        assert_eq!(outputs.len(), whole.len());
        for (found, expected) in outputs.iter().zip(&whole) {
            assert!(
                (found - expected).abs() < 1e-3 * (1.0 + expected.abs()),
                "{size} ranks: {found}, {expected}"
            );
            assert_eq!(*found == 0.0, *expected == 0.0, "another mask");
        }
        for (_, own_gradients, own_after) in &found {
            for ((name, own), (_, expected)) in own_gradients.iter().zip(&gradients) {
                assert_close(&format!("gradient of {name}, {size} ranks"), own, expected, 1e-4);
            }
            for ((name, own), (_, expected)) in own_after.iter().zip(&after) {
                assert_close(&format!("{name}, {size} ranks"), own, expected, 1e-4);
            }
            // All ranks have the same bits.
            for ((name, own), (_, first)) in own_after.iter().zip(&found[0].2) {
                assert_eq!(values(own), values(first), "{name}");
            }
        }
    }
}
