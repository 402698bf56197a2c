//! Time of one pair, on one core, by preset and size.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use flow::{GrayImage, TvL1, TvL1Params};

/// A textured picture, moved by (1.5, -0.7) pixels a step.
fn picture(width: usize, height: usize, step: f32) -> GrayImage {
    let value = |x: f32, y: f32| {
        128.0
            + 40.0 * (0.35 * x + 0.1 * y).sin()
            + 40.0 * (0.3 * y - 0.17 * x).sin()
            + 30.0 * (0.8 * x).sin() * (0.9 * y).cos()
    };
    let at = |i: usize| {
        let (x, y) = ((i % width) as f32, (i / width) as f32);
        value(x - 1.5 * step, y + 0.7 * step)
    };
    GrayImage::new(width, height, (0..width * height).map(at).collect()).expect("sizes agree")
}

fn pairs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("tvl1");
    group.sample_size(10);
    for (width, height) in [(64, 64), (80, 64), (584, 388)] {
        let (from, to) = (picture(width, height, 0.0), picture(width, height, 1.0));
        let presets = [("fast", TvL1Params::fast()), ("accurate", TvL1Params::accurate())];
        for (name, params) in presets {
            let tvl1 = TvL1::new(params).expect("presets are valid");
            let mut workspace = tvl1.workspace();
            let id = BenchmarkId::new(name, format!("{width}x{height}"));
            group.bench_function(id, |bencher| {
                bencher.iter(|| tvl1.compute_with(&mut workspace, &from, &to));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, pairs);
criterion_main!(benches);
