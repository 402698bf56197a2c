//! Layers of this workspace in a custom network: a convolution, overlapping pooling that rounds up, batch normalisation with
//! a residual, and layers of `candle_nn`, trained by this workspace's SGD.
//!
//! ```console
//! $ cargo run --release --package models --example own_network
//! ```

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Linear, Module, ModuleT, Optimizer, VarBuilder, VarMap, linear, loss};
use nn::modules::{BatchNorm, Conv2d, GlobalAvgPool, MaxPool2d, batch_norm, conv2d};
use nn::ops::Pool2d;
use nn::{Activation, BatchNormConfig, Conv2dConfig, Sgd, SgdConfig, Statistics};

/// A residual block between a stem and a classifier.
struct Network {
    stem: Conv2d,
    pool: MaxPool2d,
    conv: Conv2d,
    norm: BatchNorm,
    classifier: Linear,
}

impl Network {
    fn new(store: &VarBuilder<'_>) -> Result<Self> {
        let seed = 1;
        let stem = Conv2dConfig {
            inputs: 3,
            outputs: 16,
            kernel: [5, 5],
            stride: [2, 2],
            padding: [2, 2],
            groups: 1,
            bias: true,
            activation: Activation::Relu,
        };
        let conv = Conv2dConfig {
            inputs: 16,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            groups: 2,
            bias: false,
            activation: Activation::None,
            ..stem
        };
        let norm = BatchNormConfig {
            epsilon: 1e-5,
            momentum: 0.1,
            statistics: Statistics::Batch,
            activation: Activation::Relu,
        };
        Ok(Self {
            stem: conv2d(&stem, store.pp("stem"), seed)?,
            pool: MaxPool2d(Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: true }),
            conv: conv2d(&conv, store.pp("conv"), seed)?,
            norm: batch_norm(16, &norm, store.pp("norm"))?,
            classifier: linear(16, 2, store.pp("classifier"))?,
        })
    }
}

impl ModuleT for Network {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.pool.forward(&self.stem.forward(x)?)?;
        let x = self.norm.forward_residual_t(&self.conv.forward(&x)?, &x, train)?;
        self.classifier.forward(&GlobalAvgPool.forward(&x)?)
    }
}

fn main() -> Result<()> {
    let device = Device::Cpu;
    let variables = VarMap::new();
    let network = Network::new(&VarBuilder::from_varmap(&variables, DType::F32, &device))?;
    let mut sgd = Sgd::new(variables.all_vars(), SgdConfig { rate: 0.02, ..SgdConfig::default() })?;

    // Noise of two strengths.
    let x = Tensor::randn(0f32, 1.0, (16, 3, 32, 32), &device)?;
    let strength: Vec<f32> = (0..16).map(|sample| 1.0 + (sample % 2) as f32).collect();
    let x = x.broadcast_mul(&Tensor::new(strength, &device)?.reshape((16, 1, 1, 1))?)?;
    let labels = Tensor::new((0..16).map(|sample| sample % 2).collect::<Vec<u32>>(), &device)?;
    for step in 1..=20 {
        let loss = loss::cross_entropy(&network.forward_t(&x, true)?, &labels)?;
        sgd.backward_step(&loss)?;
        println!("step {step}: loss {:.3}", loss.to_scalar::<f32>()?);
    }
    Ok(())
}
