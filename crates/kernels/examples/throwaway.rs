use kernels::*;
use std::time::Instant;
fn time(name: &str, bytes: usize, mut f: impl FnMut()) {
    f();
    let mut t = vec![];
    for _ in 0..7 {
        let s = Instant::now();
        f();
        t.push(s.elapsed().as_secs_f64());
    }
    t.sort_by(f64::total_cmp);
    println!(
        "{name:40} {:8.2} ms  {:6.1} GB/s (min {:.2})",
        t[3] * 1e3,
        bytes as f64 / t[3] / 1e9,
        t[0] * 1e3
    );
}
fn op(name: &str, op: &dyn Op, inputs: &[(&[f32], &[usize])], wanted: &[bool], fb: f64, bb: f64) {
    let arrays: Vec<Array> = inputs.iter().map(|(d, s)| Array { data: d, dims: s }).collect();
    let (y, dims) = op.forward_cpu(&arrays).unwrap();
    let g = noise(9, y.len());
    let xb = inputs[0].0.len() as f64 * 4.0;
    time(&format!("{name} fwd"), (fb * xb) as usize, || {
        std::hint::black_box(op.forward_cpu(&arrays).unwrap());
    });
    let out = Array { data: &y, dims: &dims };
    let gr = Array { data: &g, dims: &dims };
    time(&format!("{name} bwd"), (bb * xb) as usize, || {
        std::hint::black_box(op.backward_cpu(&arrays, out, gr, wanted).unwrap());
    });
}
fn noise(seed: u64, n: usize) -> Vec<f32> {
    testkit::noise(seed, n)
}
fn main() {
    let which = std::env::args().nth(1).unwrap_or_default();
    let on = |n: &str| which.is_empty() || n.contains(&which);
    {
        let a = noise(1, 1 << 25);
        let mut b = noise(2, 1 << 25);
        time("copy one thread (r+w)", 8 << 25, || b.copy_from_slice(&a));
        use rayon::prelude::*;
        time("copy all threads (r+w)", 8 << 25, || {
            b.par_chunks_mut(1 << 15).zip(a.par_chunks(1 << 15)).for_each(|(b, a)| b.copy_from_slice(a))
        });
        time("read all threads", 4 << 25, || {
            std::hint::black_box(
                a.par_chunks(1 << 15)
                    .map(|a| {
                        let mut s = [0f32; 64];
                        for c in a.chunks_exact(64) {
                            for i in 0..64 {
                                s[i] += c[i];
                            }
                        }
                        s[0]
                    })
                    .sum::<f32>(),
            );
        });
    }
    let big: &[usize] = &[16, 109, 109, 96];
    let x = noise(1, big.iter().product());
    if on("lrn") {
        op(
            "lrn 96",
            &LocalResponseNorm(Lrn { size: 5, alpha: 1e-4, beta: 0.75, k: 2.0 }),
            &[(&x, big)],
            &[true],
            2.0,
            3.0,
        );
    }
    let p = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: true };
    if on("max") {
        op("max 3x3s2 96", &MaxPool2d::new(p), &[(&x, big)], &[true], 1.31, 1.31);
    }
    if on("avg") {
        op("avg 3x3s2 96", &AvgPool2d { pool: p, count_padding: true }, &[(&x, big)], &[true], 1.25, 1.25);
    }
    let mid: &[usize] = &[8, 28, 28, 256];
    let p1 = Pool2d { kernel: [3, 3], stride: [1, 1], padding: [1, 1], ceil_mode: true };
    let xm = noise(1, mid.iter().product());
    if on("max") {
        op("max 3x3s1 28x28x256", &MaxPool2d::new(p1), &[(&xm, mid)], &[true], 2.25, 2.25);
    }
    if on("avg") {
        op(
            "avg 3x3s1 28x28x256",
            &AvgPool2d { pool: p1, count_padding: true },
            &[(&xm, mid)],
            &[true],
            2.0,
            2.0,
        );
    }
    if on("relu") {
        op("relu", &Relu, &[(&x, big)], &[true], 2.0, 3.0);
    }
    for (dims, n) in [
        (vec![8usize, 56, 56, 256], "56x56x256"),
        (vec![16, 28, 28, 20], "28x28x20"),
        (vec![8, 7, 7, 2048], "7x7x2048"),
        (vec![32, 28, 28, 96], "28x28x96"),
    ] {
        let c = dims[3];
        let x = noise(1, dims.iter().product());
        let r = noise(5, dims.iter().product());
        let (s, b, v) = (noise(2, c), noise(3, c), vec![1f32; c]);
        let k = [c];
        if on("bn") {
            op(
                &format!("bn relu {n}"),
                &BatchNorm::new(1e-5, true),
                &[(&x, &dims), (&s, &k), (&b, &k)],
                &[true; 3],
                3.0,
                5.0,
            );
            op(
                &format!("bn relu residual {n}"),
                &BatchNorm::new(1e-5, true),
                &[(&x, &dims), (&s, &k), (&b, &k), (&r, &dims)],
                &[true; 4],
                4.0,
                7.0,
            );
            op(
                &format!("frozen relu {n}"),
                &FrozenBatchNorm { epsilon: 1e-5, relu: true },
                &[(&x, &dims), (&s, &k), (&b, &k), (&b, &k), (&v, &k)],
                &[true, true, true, false, false],
                2.0,
                3.0,
            );
        }
        if on("global") {
            op(&format!("global {n}"), &GlobalAvgPool, &[(&x, &dims)], &[true], 1.0, 1.0);
        }
        if on("concat") {
            op(&format!("concat {n}"), &Concat, &[(&x, &dims), (&r, &dims)], &[true; 2], 4.0, 4.0);
        }
        if on("add") {
            op(
                &format!("add relu {n}"),
                &Add { relu: true },
                &[(&x, &dims), (&r, &dims)],
                &[true, false],
                3.0,
                3.0,
            );
        }
    }
    for c in [3usize, 20] {
        let d = [16, c, 224, 224];
        let x = noise(1, d.iter().product());
        if on("layout") {
            op(&format!("to last {c}"), &ToChannelsLast, &[(&x, &d)], &[true], 2.0, 2.0);
        }
    }
    let d = [16, 256, 56, 56];
    let xx = noise(1, d.iter().product());
    if on("layout") {
        op("to last 256", &ToChannelsLast, &[(&xx, &d)], &[true], 2.0, 2.0);
    }
    let d = [32, 1000];
    let xx = noise(1, d.iter().product());
    if on("loss") {
        op("loss 32x1000", &SoftmaxCrossEntropy::new((0..32).collect()), &[(&xx, &d)], &[true], 1.0, 2.0);
    }
    if on("sgd") {
        let n = 40_000_000;
        let t = |s| candle_core::Tensor::from_vec(noise(s, n), n, &candle_core::Device::Cpu).unwrap();
        let (w, v, g) = (candle_core::Var::from_tensor(&t(1)).unwrap(), t(2), t(3));
        time("sgd 40M", 20 * n, || {
            sgd_step(&w, &v, &g, SgdStep { rate: 0.01, momentum: 0.9, weight_decay: 1e-4 }).unwrap()
        });
    }
}
