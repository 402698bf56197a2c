//! Convolution shapes of the papers' networks: forward, and backward with all gradients.

use candle_core::{Device, Tensor, Var};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use kernels::Conv2d;

/// (batch, inputs, size, outputs, kernel, stride, padding)
const SHAPES: [[usize; 7]; 7] = [
    [8, 20, 224, 96, 7, 2, 0],
    [8, 96, 54, 256, 5, 2, 1],
    [8, 256, 13, 512, 3, 1, 1],
    [8, 512, 13, 512, 3, 1, 1],
    [64, 32, 32, 64, 3, 1, 1],
    [64, 64, 16, 128, 3, 1, 1],
    [8, 256, 56, 64, 1, 1, 0],
];

fn variable(seed: u64, shape: &[usize]) -> Var {
    let data = testkit::noise(seed, shape.iter().product());
    let tensor = Tensor::from_vec(data, shape, &Device::Cpu).expect("the shape fits");
    Var::from_tensor(&tensor).expect("a tensor on the CPU")
}

fn convolutions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conv2d");
    group.sample_size(10);
    for [batch, inputs, size, outputs, kernel, stride, padding] in SHAPES {
        let conv = Conv2d { stride: [stride; 2], padding: [padding; 2] };
        let x = variable(1, &[batch, inputs, size, size]);
        let w = variable(2, &[outputs, inputs, kernel, kernel]);
        let b = variable(3, &[outputs]);
        let forward = || kernels::conv2d(&x, &w, Some(&b), &conv).expect("the shapes fit");
        let y = forward();
        let plane = y.dims()[2] * y.dims()[3];
        let flops = 2 * batch * outputs * plane * inputs * kernel * kernel;
        let name = format!("{batch}x{inputs}x{size} to {outputs}, {kernel}x{kernel} stride {stride}");
        // Elements per second are floating-point operations per second.
        group.throughput(Throughput::Elements(flops as u64));
        group.bench_function(BenchmarkId::new("forward", &name), |bencher| {
            bencher.iter(forward);
        });
        group.throughput(Throughput::Elements(2 * flops as u64));
        group.bench_function(BenchmarkId::new("backward", &name), |bencher| {
            bencher.iter(|| y.backward().expect("gradients"));
        });
    }
    group.finish();
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
