//! A whole training step of the scaled-down temporal CNN-M-2048 at batch 64:
//! forward, backward, SGD.

use candle_core::{Device, Tensor};
use criterion::{Criterion, criterion_group, criterion_main};
use models::{CnnM2048Config, Inputs, ModelConfig, Network, Stream, Window};
use nn::{Params, Pass, Sgd};

fn step(criterion: &mut Criterion) {
    let config = CnnM2048Config {
        input: [56, 56],
        widths: [24, 64, 128, 128, 128],
        conv1: Window { kernel: 5, stride: 2, padding: 0 },
        conv2: Window { kernel: 3, stride: 1, padding: 1 },
        full6: 1024,
        full7: 512,
        ..CnnM2048Config::paper(Stream::Temporal, 20, 10, 0.5)
    };
    bench(criterion, "mini CNN-M, batch 64", config, 64);
    let paper = CnnM2048Config::paper(Stream::Temporal, 20, 101, 0.9);
    bench(criterion, "paper CNN-M, batch 8", paper, 8);
}

fn bench(criterion: &mut Criterion, name: &str, config: CnnM2048Config, batch: usize) {
    let mut group = criterion.benchmark_group("training step");
    group.sample_size(10);
    group.bench_function(name, |bencher| {
        let params = Params::new(&Device::Cpu);
        let network = ModelConfig::CnnM2048(config.clone()).build(&params.builder(1)).expect("the sizes fit");
        let shape = [batch, 1, config.channels, config.input[0], config.input[1]];
        let x = Tensor::from_vec(testkit::noise(1, shape.iter().product()), &shape, &Device::Cpu)
            .expect("the shape fits");
        let inputs = Inputs { rgb: None, flow: Some(x) };
        let labels: Vec<u32> = (0..batch as u32).map(|i| i % 10).collect();
        let mut optimiser = Sgd::new(&params, 0.9, 5e-4).expect("valid settings");
        let mut iteration = 0;
        bencher.iter(|| {
            iteration += 1;
            run(network.as_ref(), &inputs, &labels, iteration, &mut optimiser).expect("a step")
        });
    });
    group.finish();
}

fn run(
    network: &dyn Network,
    inputs: &Inputs,
    labels: &[u32],
    iteration: u64,
    optimiser: &mut Sgd,
) -> models::Result<()> {
    let outputs = network.forward(inputs, &Pass::train(iteration))?;
    let loss = nn::softmax_cross_entropy(&outputs.heads[0].logits, labels)?;
    optimiser.step(&loss.backward()?, 1e-3)?;
    Ok(())
}

criterion_group!(benches, step);
criterion_main!(benches);
