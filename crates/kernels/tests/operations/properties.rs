//! Compares values and gradients of the fast versions with the plain ones, on random shapes.

use kernels::{
    Add, AvgPool2d, BatchNorm, CompactBilinear, Concat, Conv2d, Fourier, FrozenBatchNorm, GlobalAvgPool,
    Linear, LocalResponseNorm, Lrn, Mask, MaxPool2d, Pool2d, Relu, SgdStep, SoftmaxCrossEntropy,
    ToChannelsFirst, ToChannelsLast,
};
use proptest::prelude::*;
use testkit::{noise, values};

use crate::reference;
use crate::support::{assert_near, run, run_values, sketch, tensor};

/// Tolerance of sums of some hundred products.
const TOLERANCE: f64 = 1e-5;
/// Tolerance if nothing is rounded, or in the same order.
const EXACT: f64 = 0.0;

fn pair(range: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

/// Generates numbers of channels: few, and enough to need every width of vector.
fn channels() -> impl Strategy<Value = usize> {
    prop_oneof![3 => 1usize..24, 1 => 24usize..80, 1 => Just(96)]
}

fn pool() -> impl Strategy<Value = Pool2d> {
    (pair(1..5), pair(1..5), pair(0..3), any::<bool>())
        .prop_map(|(kernel, stride, padding, ceil_mode)| Pool2d { kernel, stride, padding, ceil_mode })
}

/// Replaces about one value in ten by a special value.
fn with_odd_values(x: &mut [f32], seed: u64) {
    let odd = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, 1e-42, -1e-42];
    let picks = noise(seed ^ 77, x.len());
    for (x, pick) in x.iter_mut().zip(picks) {
        let pick = ((pick + 1.0) * 35.0) as usize;
        *x = odd.get(pick).copied().unwrap_or(*x);
    }
}

/// Returns the part of `grad` that passes a rectification with this output.
fn masked(grad: &[f32], output: &[f32], relu: bool) -> Vec<f32> {
    let pass = |(&grad, &output): (&f32, &f32)| if relu && output <= 0.0 { 0.0 } else { grad };
    grad.iter().zip(output).map(pass).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn convolution_equals_the_plain_version(
        batch in 1usize..5,
        groups in 1usize..4,
        group_channels in 1usize..9,
        group_outputs in 1usize..24,
        size in pair(1..22),
        kernel in pair(1..6),
        stride in pair(1..4),
        padding in pair(0..4),
        relu: bool,
        bias: bool,
        seed: u64,
    ) {
        let conv = Conv2d { stride, padding, groups, relu };
        let Ok(output) = conv.output_size(size, kernel) else {
            return Err(TestCaseError::reject("the window is larger than the picture"));
        };
        let (channels, outputs) = (groups * group_channels, groups * group_outputs);
        let input = [batch, size[0], size[1], channels];
        let window = [outputs, kernel[0], kernel[1]];
        let x = noise(seed, input.iter().product());
        let w = noise(seed ^ 1, outputs * group_channels * kernel[0] * kernel[1]);
        let b = if bias { noise(seed ^ 2, outputs) } else { vec![0.0; outputs] };
        let g = noise(seed ^ 3, batch * outputs * output[0] * output[1]);
        let [xt, wt, bt] = [
            tensor(&x, &input),
            tensor(&w, &[outputs, group_channels, kernel[0], kernel[1]]),
            tensor(&b, &[outputs]),
        ];
        let gt = tensor(&g, &[batch, output[0], output[1], outputs]);
        let inputs = [&xt, &wt, &bt];
        let (y, found) = run_values(&conv, if bias { &inputs } else { &inputs[..2] }, &gt);
        let mut expected = reference::conv2d(&x, input, &w, window, &b, output, &conv);
        if relu {
            expected.iter_mut().for_each(|y| *y = y.max(0.0));
        }
        assert_near("y", &y, &expected, TOLERANCE);
        // Uses the mask of the computed output, since a sum near zero may round to either side.
        let g = masked(&g, &y, relu);
        let expected = reference::conv2d_gradients(&x, input, &w, window, &g, output, &conv);
        assert_near("dx", &found[0], &expected.x, TOLERANCE);
        assert_near("dw", &found[1], &expected.weight, TOLERANCE);
        if bias {
            assert_near("db", &found[2], &expected.bias, TOLERANCE);
        }
    }

    #[test]
    fn maximum_pooling_equals_the_plain_version(
        size in pair(1..24),
        channels in channels(),
        pool in pool(),
        ties: bool,
        odd: bool,
        seed: u64,
    ) {
        let Ok([oh, ow]) = pool.output_size(size) else {
            return Err(TestCaseError::reject("the window is larger than the picture"));
        };
        let input = [2, size[0], size[1], channels];
        let mut x = noise(seed, input.iter().product());
        if ties {
            x.iter_mut().for_each(|x| *x = x.round());
        }
        if odd {
            with_odd_values(&mut x, seed);
        }
        let (expected, winners) = reference::max_pool2d(&x, input, [oh, ow], &pool);
        let g = noise(seed ^ 3, winners.len());
        let gt = tensor(&g, &[2, oh, ow, channels]);
        let (y, found) = run_values(&MaxPool2d::new(pool), &[&tensor(&x, &input)], &gt);
        assert_near("y", &y, &expected, EXACT);
        let mut expected = vec![0f32; x.len()];
        for (&winner, &g) in winners.iter().zip(&g) {
            expected[winner] += g;
        }
        assert_near("dx", &found[0], &expected, EXACT);
    }

    #[test]
    fn average_pooling_equals_the_plain_version(
        size in pair(1..24),
        channels in channels(),
        pool in pool(),
        count_padding: bool,
        seed: u64,
    ) {
        let Ok([oh, ow]) = pool.output_size(size) else {
            return Err(TestCaseError::reject("the window is larger than the picture"));
        };
        let input = [2, size[0], size[1], channels];
        let x = noise(seed, input.iter().product());
        let g = noise(seed ^ 3, 2 * oh * ow * channels);
        let gt = tensor(&g, &[2, oh, ow, channels]);
        let (y, found) = run_values(&AvgPool2d { pool, count_padding }, &[&tensor(&x, &input)], &gt);
        let expected = reference::avg_pool2d(&x, input, [oh, ow], &pool, count_padding);
        assert_near("y", &y, &expected, TOLERANCE);
        let expected = reference::avg_pool2d_gradient(input, &g, [oh, ow], &pool, count_padding);
        assert_near("dx", &found[0], &expected, TOLERANCE);
    }

    #[test]
    fn global_pooling_is_the_mean_of_one_large_window(
        size in pair(1..20),
        channels in channels(),
        seed: u64,
    ) {
        let input = [3, size[0], size[1], channels];
        let window = Pool2d { kernel: size, stride: [1, 1], padding: [0, 0], ceil_mode: false };
        let x = noise(seed, input.iter().product());
        let g = noise(seed ^ 3, 3 * channels);
        let (y, found) = run_values(&GlobalAvgPool, &[&tensor(&x, &input)], &tensor(&g, &[3, channels]));
        assert_near("y", &y, &reference::avg_pool2d(&x, input, [1, 1], &window, false), TOLERANCE);
        let expected = reference::avg_pool2d_gradient(input, &g, [1, 1], &window, false);
        assert_near("dx", &found[0], &expected, TOLERANCE);
    }

    #[test]
    fn normalisation_across_channels_equals_the_plain_version(
        positions in 1usize..400,
        channels in channels(),
        window in 1usize..9,
        three_quarters: bool,
        seed: u64,
    ) {
        let beta = if three_quarters { 0.75 } else { 0.6 };
        let lrn = Lrn { size: window, alpha: 1.3, beta, k: 1.5 };
        let shape = [positions, channels];
        let (x, g) = (noise(seed, positions * channels), noise(seed ^ 3, positions * channels));
        let (y, found) = run_values(&LocalResponseNorm(lrn), &[&tensor(&x, &shape)], &tensor(&g, &shape));
        assert_near("y", &y, &reference::local_response_norm(&x, channels, &lrn), TOLERANCE);
        let expected = reference::local_response_norm_gradient(&x, channels, &g, &lrn);
        assert_near("dx", &found[0], &expected, TOLERANCE);
    }

    #[test]
    fn batch_normalisation_equals_the_plain_version(
        positions in 2usize..400,
        channels in channels(),
        relu: bool,
        residual: bool,
        fixed: bool,
        // A mean far from zero must not cost precision of the variance.
        mean in prop_oneof![Just(0f32), Just(300f32)],
        seed: u64,
    ) {
        let (shape, count) = ([positions, channels], positions * channels);
        let x: Vec<f32> = noise(seed, count).iter().map(|x| x + mean).collect();
        let scale: Vec<f32> = noise(seed ^ 1, channels).iter().map(|x| x + 1.5).collect();
        let [shift, r, g] = [(2, channels), (3, count), (4, count)].map(|(key, count)| noise(seed ^ key, count));
        let (found_mean, found_variance) = reference::channel_statistics(&x, channels);
        let (m, v) = if fixed {
            let variance = noise(seed ^ 6, channels).iter().map(|x| f64::from(x + 1.5)).collect();
            (noise(seed ^ 5, channels).iter().map(|x| f64::from(x + mean)).collect(), variance)
        } else {
            (found_mean, found_variance)
        };
        let narrow = |values: &[f64]| tensor(&values.iter().map(|&v| v as f32).collect::<Vec<_>>(), &[channels]);
        let statistics = [narrow(&m), narrow(&v)];
        let arrays = [tensor(&x, &shape), tensor(&scale, &[channels]), tensor(&shift, &[channels])];
        let rt = tensor(&r, &shape);
        let mut inputs: Vec<_> = arrays.iter().collect();
        if fixed {
            inputs.extend(&statistics);
        }
        if residual {
            inputs.push(&rt);
        }
        let epsilon = 1e-3;
        let training = BatchNorm::new(epsilon, relu);
        let gt = tensor(&g, &shape);
        let (y, found) = if fixed {
            run_values(&FrozenBatchNorm { epsilon, relu }, &inputs, &gt)
        } else {
            run_values(&training, &inputs, &gt)
        };
        let r = residual.then_some(&r[..]);
        assert_near("y", &y, &reference::batch_norm(&x, &scale, &shift, &m, &v, epsilon, r, relu), TOLERANCE);
        let g = masked(&g, &y, relu);
        let expected = reference::batch_norm_gradients(&x, &scale, &m, &v, epsilon, &g, !fixed);
        // The gradient of x remains after terms this large cancel.
        let largest = scale.iter().zip(&v).map(|(&s, v)| f64::from(s) / (v + epsilon).sqrt()).fold(1.0, f64::max);
        assert_near("dx", &found[0], &expected[0], TOLERANCE * largest);
        assert_near("dscale", &found[1], &expected[1], TOLERANCE);
        assert_near("dshift", &found[2], &expected[2], TOLERANCE);
        if residual {
            assert_near("residual", found.last().unwrap(), &g, EXACT);
        }
        if !fixed {
            let [found_mean, variance] = training.statistics().unwrap().unwrap().map(|found| values(&found));
            let tolerance = if mean == 0.0 { 1e-6 } else { 1e-7 };
            assert_near("mean", &found_mean, &values(&statistics[0]), tolerance);
            let unbiased = positions as f32 / (positions as f32 - 1.0);
            let expected: Vec<_> = values(&statistics[1]).iter().map(|v| v * unbiased).collect();
            assert_near("variance", &variance, &expected, 1e-6);
        }
    }

    #[test]
    fn operations_value_by_value_equal_their_definition(
        count in prop_oneof![0usize..200, 32_000usize..33_500],
        seed: u64,
    ) {
        let shape = [count];
        let [mut x, mut other] = [noise(seed, count), noise(seed ^ 1, count)];
        with_odd_values(&mut x, seed);
        with_odd_values(&mut other, seed ^ 5);
        let g = noise(seed ^ 2, count);
        let [xt, ot, gt] = [&x, &other, &g].map(|values| tensor(values, &shape));
        let both = |f: fn(f32, f32) -> f32| x.iter().zip(&other).map(|(&a, &b)| f(a, b)).collect::<Vec<_>>();
        let rectified = |values: &[f32]| values.iter().map(|&v| if v < 0.0 { 0.0 } else { v }).collect::<Vec<_>>();

        let (y, found) = run_values(&Relu, &[&xt], &gt);
        assert_near("relu", &y, &rectified(&x), EXACT);
        assert_near("relu", &found[0], &masked(&g, &y, true), EXACT);
        let sum = both(|a, b| a + b);
        let (y, found) = run_values(&Add { relu: false }, &[&xt, &ot], &gt);
        assert_near("sum", &y, &sum, EXACT);
        prop_assert!(found == [&g[..], &g]);
        let (y, found) = run_values(&Add { relu: true }, &[&xt, &ot], &gt);
        assert_near("rectified sum", &y, &rectified(&sum), EXACT);
        let expected = masked(&g, &y, true);
        prop_assert!(found == [&expected[..], &expected]);
        let (y, found) = run_values(&Mask::new(other.clone()), &[&xt], &gt);
        assert_near("mask", &y, &both(|a, b| a * b), EXACT);
        let expected: Vec<_> = g.iter().zip(&other).map(|(g, factor)| g * factor).collect();
        assert_near("mask", &found[0], &expected, EXACT);
    }

    #[test]
    fn joining_and_changing_the_layout_only_move_values(
        batch in 1usize..4,
        size in pair(1..40),
        widths in prop::collection::vec(1usize..70, 1..5),
        seed: u64,
    ) {
        let [h, w] = size;
        let parts: Vec<_> = widths.iter().zip(seed..).map(|(c, seed)| noise(seed, batch * h * w * c)).collect();
        let tensors: Vec<_> = parts.iter().zip(&widths).map(|(x, &c)| tensor(x, &[batch, h, w, c])).collect();
        let total = widths.iter().sum();
        let expected = reference::joined(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>(), &widths);
        let joined = tensor(&expected, &[batch, h, w, total]);
        let (y, found) = run_values(&Concat, &tensors.iter().collect::<Vec<_>>(), &joined);
        prop_assert!(y == expected && found == parts);

        let first = reference::transposed(&expected, h * w, total);
        let channels_first = tensor(&first, &[batch, total, h, w]);
        let (y, found) = run(&ToChannelsFirst, &[&joined], &channels_first);
        prop_assert_eq!(y.dims(), channels_first.dims());
        prop_assert!(values(&y) == first && values(found[0].as_ref().unwrap()) == expected);
        let (y, found) = run(&ToChannelsLast, &[&channels_first], &joined);
        prop_assert_eq!(y.dims(), joined.dims());
        prop_assert!(values(&y) == expected && values(found[0].as_ref().unwrap()) == first);
    }

    #[test]
    fn fully_connected_equals_the_plain_version(
        batch in 1usize..20,
        inputs in 1usize..90,
        outputs in 1usize..90,
        relu: bool,
        seed: u64,
    ) {
        let [x, w, b, g] = [batch * inputs, outputs * inputs, outputs, batch * outputs]
            .map(|count| noise(seed ^ count as u64, count));
        let [xt, wt, bt, gt] = [
            tensor(&x, &[batch, inputs]),
            tensor(&w, &[outputs, inputs]),
            tensor(&b, &[outputs]),
            tensor(&g, &[batch, outputs]),
        ];
        let (y, found) = run_values(&Linear { relu }, &[&xt, &wt, &bt], &gt);
        let mut expected = reference::linear(&x, &w, &b, inputs);
        if relu {
            expected.iter_mut().for_each(|y| *y = y.max(0.0));
        }
        assert_near("y", &y, &expected, TOLERANCE);
        let expected = reference::linear_gradients(&x, &w, &masked(&g, &y, relu), inputs);
        for (found, expected) in found.iter().zip(&expected) {
            assert_near("gradient", found, expected, TOLERANCE);
        }
    }

    #[test]
    fn cross_entropy_equals_the_plain_version(
        batch in 1usize..20,
        classes in 1usize..120,
        spread in 1f32..60.0,
        seed: u64,
    ) {
        let logits: Vec<_> = noise(seed, batch * classes).iter().map(|x| x * spread).collect();
        let labels: Vec<_> = (0..batch).map(|i| ((seed as usize ^ (i * 31)) % classes) as u32).collect();
        let (loss, gradient) = reference::cross_entropy(&logits, classes, &labels);
        let logits_tensor = tensor(&logits, &[batch, classes]);
        let (y, found) = run_values(&SoftmaxCrossEntropy::new(labels), &[&logits_tensor], &tensor(&[1.0], &[]));
        assert_near("loss", &y, &[loss], 1e-6);
        assert_near("gradient", &found[0], &gradient, 1e-6);
        let expected: Vec<_> = reference::softmax(&logits, classes).iter().map(|&p| p as f32).collect();
        assert_near("softmax", &values(&kernels::softmax(&logits_tensor).unwrap()), &expected, 1e-6);
    }

    /// The result is the sketch of the explicit outer product of all inputs at each position, or its mean.
    #[test]
    fn compact_bilinear_is_the_sketch_of_the_outer_product(
        batch in 1usize..3,
        size in pair(1..4),
        widths in prop_oneof![
            pair(1..40).prop_map(|[a, b]| vec![(a, 1), (b, 1)]),
            [1usize..9, 1..9, 1..9].prop_map(|[a, b, c]| vec![(a, 1), (b, 2), (c, 1)]),
        ],
        buckets in 2usize..70,
        pooled: bool,
        last_is_a_vector: bool,
        seed: u64,
    ) {
        let [h, w] = size;
        let places = h * w;
        let mut inputs = Vec::new();
        // Values of every factor, by sample and position.
        let mut factors = vec![Vec::new(); batch * places];
        let mut sketches = Vec::new();
        for (input, &(channels, time_steps)) in widths.iter().enumerate() {
            let vector = last_is_a_vector && input + 1 == widths.len();
            let shape =
                if vector { vec![batch, channels] } else { vec![batch * time_steps, h, w, channels] };
            let x = noise(seed ^ (input as u64 + 1), shape.iter().product());
            let mut of_input = Vec::new();
            for time_step in 0..time_steps {
                let drawn = sketch(seed ^ (100 + 10 * input + time_step) as u64, channels, buckets);
                for (sample, place) in (0..batch).flat_map(|b| (0..places).map(move |p| (b, p))) {
                    let row = if vector { sample } else { (sample * time_steps + time_step) * places + place };
                    let values = x[row * channels..][..channels].to_vec();
                    factors[sample * places + place].push((values, drawn.0.clone(), drawn.1.clone()));
                }
                of_input.push(drawn.2);
            }
            inputs.push(tensor(&x, &shape));
            sketches.push(of_input);
        }
        let mut expected: Vec<Vec<f32>> = factors.iter().map(|factors| {
            let factors: Vec<_> = factors.iter().map(|(x, b, s)| (&x[..], &b[..], &s[..])).collect();
            reference::outer_product_sketch(&factors, buckets)
        }).collect();
        if pooled {
            let mean = |rows: &[Vec<f32>]| -> Vec<f32> {
                (0..buckets).map(|i| rows.iter().map(|row| row[i]).sum::<f32>() / places as f32).collect()
            };
            expected = expected.chunks(places).map(mean).collect();
        }
        let op = CompactBilinear::new(Fourier::new(buckets).unwrap(), sketches, pooled).unwrap();
        let found = kernels::forward(&op, &inputs.iter().collect::<Vec<_>>()).unwrap();
        assert_near("y", &values(&found), &expected.concat(), TOLERANCE);
    }

    #[test]
    fn a_step_of_descent_is_its_formula(
        count in prop_oneof![1usize..200, 16_000usize..17_000],
        seed: u64,
    ) {
        let [before, v, g] = [0, 1, 2].map(|key| noise(seed ^ key, count));
        let parameter = candle_core::Var::from_tensor(&tensor(&before, &[count])).unwrap();
        let (velocity, gradient) = (tensor(&v, &[count]), tensor(&g, &[count]));
        let step = SgdStep { rate: 0.1, momentum: 0.9, weight_decay: 0.01, gradient_scale: 1.0 };
        kernels::sgd_step(&parameter, &velocity, &gradient, step).unwrap();
        let expected: Vec<_> = (0..count).map(|i| 0.9 * v[i] + (g[i] + 0.01 * before[i])).collect();
        assert_near("velocity", &values(&velocity), &expected, EXACT);
        let expected: Vec<_> = (0..count).map(|i| before[i] - 0.1 * expected[i]).collect();
        assert_near("parameter", &values(&parameter), &expected, EXACT);
    }
}

/// The inner product of two sketches estimates the product of the inner products of the factors: over many draws of
/// buckets and signs its mean is that product, and its spread falls with the number of buckets.
#[test]
fn inner_products_of_sketches_are_unbiased() {
    let (channels, draws) = (12, 4000);
    let vectors: Vec<Vec<f32>> = (0..4).map(|key| noise(900 + key, channels)).collect();
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let expected = dot(&vectors[0], &vectors[2]) * dot(&vectors[1], &vectors[3]);
    let x = |vector: usize| tensor(&vectors[vector], &[1, channels]);
    let mut spreads = Vec::new();
    for size in [16, 256] {
        let fourier = Fourier::new(size).unwrap();
        let estimates: Vec<f64> = (0..draws)
            .map(|draw| {
                let sketches =
                    [0, 1].map(|factor| vec![sketch(2 * draw + factor, channels, size).2]).to_vec();
                let op = CompactBilinear::new(fourier.clone(), sketches, true).unwrap();
                let [a, b] =
                    [[0, 1], [2, 3]].map(|[i, j]| values(&kernels::forward(&op, &[&x(i), &x(j)]).unwrap()));
                dot(&a, &b)
            })
            .collect();
        let mean = estimates.iter().sum::<f64>() / draws as f64;
        let variance = estimates.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (draws - 1) as f64;
        // Five standard errors of the mean.
        let allowed = 5.0 * (variance / draws as f64).sqrt();
        assert!(
            (mean - expected).abs() < allowed,
            "{size} buckets: {mean}, expected {expected} within {allowed}"
        );
        spreads.push(variance);
    }
    let ratio = spreads[0] / spreads[1];
    assert!((8.0..32.0).contains(&ratio), "16 times the buckets, {ratio} times less variance");
}
