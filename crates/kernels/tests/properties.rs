//! Random shapes: the fast versions against the plain ones, and against finite differences.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use candle_core::{Device, Tensor, Var};
use kernels::{Conv2d, Lrn, Pool2d, reference};
use proptest::prelude::*;
use testkit::{assert_close_values, noise, numeric_gradient, values};

fn tensor(data: &[f32], shape: &[usize]) -> Tensor {
    Tensor::from_slice(data, shape, &Device::Cpu).unwrap()
}

fn variable(data: &[f32], shape: &[usize]) -> Var {
    Var::from_tensor(&tensor(data, shape)).unwrap()
}

/// Runs the chain from `y` back to `variables` with the output gradient `g`.
fn gradients(y: &Tensor, g: &[f32], variables: &[&Var]) -> Vec<Vec<f32>> {
    let loss = (y * tensor(g, y.dims())).unwrap().sum_all().unwrap();
    let store = loss.backward().unwrap();
    let of = |variable: &&Var| values(store.get(variable).unwrap());
    variables.iter().map(of).collect()
}

fn pair(range: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn convolution_equals_the_plain_version(
        batch in 1usize..6,
        channels in 1usize..7,
        outputs in 1usize..20,
        size in pair(1..34),
        kernel in pair(1..6),
        stride in pair(1..4),
        padding in pair(0..4),
        seed: u64,
    ) {
        let conv = Conv2d { stride, padding };
        let Ok([oh, ow]) = conv.output_size(size, kernel) else { return Ok(()) };
        let input = [batch, channels, size[0], size[1]];
        let window = [outputs, kernel[0], kernel[1]];
        let x = noise(seed, input.iter().product());
        let w = noise(seed ^ 1, outputs * channels * kernel[0] * kernel[1]);
        let b = noise(seed ^ 2, outputs);
        let g = noise(seed ^ 3, batch * outputs * oh * ow);
        let [xv, wv, bv] = [
            variable(&x, &input),
            variable(&w, &[outputs, channels, kernel[0], kernel[1]]),
            variable(&b, &[outputs]),
        ];
        let y = kernels::conv2d(&xv, &wv, Some(&bv), &conv).unwrap();
        let expected = reference::conv2d(&x, input, &w, window, &b, [oh, ow], &conv);
        assert_close_values("y", &values(&y), &expected, 3e-6);
        let found = gradients(&y, &g, &[&xv, &wv, &bv]);
        let expected = reference::conv2d_gradients(&x, input, &w, window, &g, [oh, ow], &conv);
        // A gradient that is a sum of few cancelling terms is small beside its terms, so the
        // difference is measured against values of order one.
        for (name, found, expected) in [
            ("dx", &found[0], &expected.x),
            ("dw", &found[1], &expected.weight),
            ("db", &found[2], &expected.bias),
        ] {
            let scale = (expected.iter().fold(1f32, |m, v| m.max(v.abs()))) as f64;
            for (i, (a, e)) in found.iter().zip(expected).enumerate() {
                prop_assert!((f64::from(*a) - f64::from(*e)).abs() <= 1e-5 * scale, "{name} {i}: {a} {e}");
            }
        }
    }

    #[test]
    fn pooling_equals_the_plain_version(
        size in pair(1..24),
        kernel in pair(1..5),
        stride in pair(1..5),
        padding in pair(0..3),
        ceil_mode: bool,
        ties: bool,
        seed: u64,
    ) {
        let pool = Pool2d { kernel, stride, padding, ceil_mode };
        let Ok([oh, ow]) = pool.output_size(size) else { return Ok(()) };
        let input = [2, 3, size[0], size[1]];
        let mut x = noise(seed, input.iter().product());
        if ties {
            x.iter_mut().for_each(|x| *x = x.round());
        }
        let xv = variable(&x, &input);
        let y = kernels::max_pool2d(&xv, &pool).unwrap();
        let (expected, winners) = reference::max_pool2d(&x, input, [oh, ow], &pool);
        assert_close_values("y", &values(&y), &expected, 0.0);
        let g = noise(seed ^ 3, winners.len());
        let mut expected = vec![0f32; x.len()];
        for (&winner, &g) in winners.iter().zip(&g) {
            expected[winner] += g;
        }
        assert_close_values("dx", &gradients(&y, &g, &[&xv])[0], &expected, 1e-6);
    }

    #[test]
    fn normalisation_equals_the_plain_version(
        batch in 1usize..4,
        channels in 1usize..12,
        size in pair(1..24),
        window in 1usize..8,
        three_quarters: bool,
        seed: u64,
    ) {
        let lrn = Lrn {
            size: window,
            alpha: 1.3,
            beta: if three_quarters { 0.75 } else { 0.6 },
            k: 1.5,
        };
        let input = [batch, channels, size[0], size[1]];
        let x = noise(seed, input.iter().product());
        let xv = variable(&x, &input);
        let y = kernels::local_response_norm(&xv, &lrn).unwrap();
        assert_close_values("y", &values(&y), &reference::local_response_norm(&x, input, &lrn), 1e-6);
        let g = noise(seed ^ 3, x.len());
        let expected = reference::local_response_norm_gradient(&x, input, &g, &lrn);
        assert_close_values("dx", &gradients(&y, &g, &[&xv])[0], &expected, 3e-6);
    }

    #[test]
    fn fully_connected_equals_a_product(
        batch in 1usize..20,
        inputs in 1usize..90,
        outputs in 1usize..90,
        seed: u64,
    ) {
        let x = variable(&noise(seed, batch * inputs), &[batch, inputs]);
        let w = variable(&noise(seed ^ 1, outputs * inputs), &[outputs, inputs]);
        let b = variable(&noise(seed ^ 2, outputs), &[outputs]);
        let y = kernels::linear(&x, &w, &b).unwrap();
        let plain = x.matmul(&w.t().unwrap()).unwrap().broadcast_add(&b).unwrap();
        assert_close_values("y", &values(&y), &values(&plain), 3e-6);
        let g = noise(seed ^ 3, batch * outputs);
        let (found, plain) = (gradients(&y, &g, &[&x, &w, &b]), gradients(&plain, &g, &[&x, &w, &b]));
        for (found, plain) in found.iter().zip(&plain) {
            assert_close_values("gradient", found, plain, 1e-5);
        }
    }
}

/// The gradient of `sum(y * g)` in f64, for finite differences.
fn weighted(y: &Tensor, g: &[f32]) -> f64 {
    let y = values(y);
    y.iter().zip(g).map(|(&y, &g)| f64::from(y) * f64::from(g)).sum()
}

#[test]
fn gradients_agree_with_finite_differences() {
    let conv = Conv2d { stride: [2, 1], padding: [1, 2] };
    let x = variable(&noise(1, 2 * 3 * 7 * 6), &[2, 3, 7, 6]);
    let w = variable(&noise(2, 4 * 3 * 3 * 4), &[4, 3, 3, 4]);
    let b = variable(&noise(3, 4), &[4]);
    let y = kernels::conv2d(&x, &w, Some(&b), &conv).unwrap();
    let g = noise(4, y.elem_count());
    let run =
        |x: &Tensor, w: &Tensor, b: &Tensor| weighted(&kernels::conv2d(x, w, Some(b), &conv).unwrap(), &g);
    let found = gradients(&y, &g, &[&x, &w, &b]);
    let numeric = [
        numeric_gradient(&x, 0.25, |x| run(x, &w, &b)),
        numeric_gradient(&w, 0.25, |w| run(&x, w, &b)),
        numeric_gradient(&b, 0.25, |b| run(&x, &w, b)),
    ];
    for (found, numeric) in found.iter().zip(&numeric) {
        assert_close_values("convolution", found, numeric, 1e-5);
    }

    let lrn = Lrn { size: 5, alpha: 2.0, beta: 0.75, k: 1.0 };
    let x = variable(&noise(5, 2 * 7 * 3 * 3), &[2, 7, 3, 3]);
    let y = kernels::local_response_norm(&x, &lrn).unwrap();
    let g = noise(6, y.elem_count());
    let numeric =
        numeric_gradient(&x, 1e-2, |x| weighted(&kernels::local_response_norm(x, &lrn).unwrap(), &g));
    assert_close_values("normalisation", &gradients(&y, &g, &[&x])[0], &numeric, 1e-3);

    let pool = Pool2d { kernel: [3, 2], stride: [2, 2], padding: [1, 0], ceil_mode: true };
    let x = variable(&noise(7, 2 * 9 * 8), &[1, 2, 9, 8]);
    let y = kernels::max_pool2d(&x, &pool).unwrap();
    let g = noise(8, y.elem_count());
    let numeric = numeric_gradient(&x, 1e-4, |x| weighted(&kernels::max_pool2d(x, &pool).unwrap(), &g));
    assert_close_values("pooling", &gradients(&y, &g, &[&x])[0], &numeric, 1e-3);
}
