//! Guarantees of the operations besides their values: the same bits on any number of threads and in
//! both engines, support for views, errors with a reason for bad arguments, propagation of NaN.

use std::sync::Arc;

use candle_core::{DType, Tensor, Var};
use kernels::{
    Add, Array, AvgPool2d, Backward, BatchNorm, CompactBilinear, Concat, ContrastiveLoss, Conv2d, Fourier,
    FrozenBatchNorm, GlobalAvgPool, Gradient, JoinTimeSteps, Linear, LocalResponseNorm, Lrn, Mask, MaxPool2d,
    Op, PairDistance, Pool2d, PositionSoftmax, Relu, RmsNorm, SgdStep, SignedSqrt, Sketch,
    SoftmaxCrossEntropy, SumTimeSteps, ToChannelsFirst, ToChannelsLast, WeightedPool,
};
use testkit::values;

use crate::support::{bilinear, device, noise, run, tensor};

const CONV: Conv2d = Conv2d { stride: [2, 2], padding: [1, 1], groups: 1, relu: true };
const POOL: Pool2d = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: true };
const LRN: Lrn = Lrn { size: 5, alpha: 5e-4, beta: 0.75, k: 2.0 };

/// Lists every operation with inputs large enough for several tasks.
fn operations() -> Vec<(Box<dyn Op>, Vec<Tensor>)> {
    let map = || noise(1, &[3, 40, 41, 20]);
    let channels = |seed| noise(seed, &[20]);
    let positive = channels(9).abs().unwrap();
    let wide = || noise(2, &[5, 900]);
    vec![
        (Box::new(CONV), vec![map(), noise(2, &[19, 20, 5, 5]), noise(3, &[19])]),
        (Box::new(Conv2d { groups: 2, relu: false, ..CONV }), vec![map(), noise(2, &[6, 10, 3, 3])]),
        (Box::new(MaxPool2d::new(POOL)), vec![map()]),
        (Box::new(AvgPool2d { pool: POOL, count_padding: true }), vec![map()]),
        (Box::new(GlobalAvgPool), vec![map()]),
        (Box::new(LocalResponseNorm(LRN)), vec![map()]),
        (Box::new(BatchNorm::new(1e-3, true)), vec![map(), channels(2), channels(3)]),
        (Box::new(BatchNorm::new(1e-3, true)), vec![map(), channels(2), channels(3), map()]),
        (
            Box::new(FrozenBatchNorm { epsilon: 1e-3, relu: true }),
            vec![map(), channels(2), channels(3), channels(4), positive, map()],
        ),
        (Box::new(Relu), vec![map()]),
        (Box::new(Add { relu: false }), vec![map(), map()]),
        (Box::new(Add { relu: true }), vec![map(), noise(2, &[3, 40, 41, 20])]),
        (Box::new(Mask::new(values(&map()))), vec![map()]),
        (Box::new(Concat), vec![map(), noise(2, &[3, 40, 41, 7])]),
        (Box::new(ToChannelsLast), vec![map()]),
        (Box::new(ToChannelsFirst), vec![map()]),
        (Box::new(Linear { relu: true }), vec![wide(), noise(3, &[70, 900]), noise(4, &[70])]),
        (Box::new(SoftmaxCrossEntropy::new(vec![0, 1, 2, 3, 899])), vec![wide()]),
        (
            Box::new(ContrastiveLoss::new(vec![true, false, true, false, false], 900.0, PairDistance::L1)),
            vec![noise(3, &[10, 900])],
        ),
        (
            Box::new(ContrastiveLoss::new(vec![true, false, true, false, false], 40.0, PairDistance::L2)),
            vec![noise(3, &[10, 900])],
        ),
        (Box::new(SignedSqrt { epsilon: 1e-3 }), vec![map()]),
        (Box::new(RmsNorm { epsilon: 1e-5 }), vec![wide()]),
        (Box::new(PositionSoftmax), vec![noise(1, &[3, 40, 41, 1])]),
        (Box::new(WeightedPool), vec![noise(2, &[3, 40, 41, 1]), map()]),
        (Box::new(JoinTimeSteps { time_steps: 3 }), vec![map()]),
        (Box::new(SumTimeSteps { time_steps: 3 }), vec![map()]),
        (
            Box::new(bilinear(&[(7, 1), (5, 2), (9, 1)], 12, true)),
            vec![noise(1, &[3, 4, 5, 7]), noise(2, &[6, 4, 5, 5]), noise(3, &[3, 9])],
        ),
        (Box::new(bilinear(&[(7, 1), (5, 1)], 13, false)), vec![noise(1, &[3, 4, 5, 7]), noise(2, &[3, 5])]),
    ]
}

/// Returns all values of a forward and a backward pass as bits.
fn bits(op: &dyn Op, inputs: &[Tensor]) -> Vec<u32> {
    let inputs: Vec<_> = inputs.iter().collect();
    let gradient = noise(7, kernels::forward(op, &inputs).unwrap().dims());
    let (y, found) = run(op, &inputs, &gradient);
    let all = std::iter::once(y).chain(found.into_iter().flatten());
    all.flat_map(|tensor| values(&tensor)).map(f32::to_bits).collect()
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let on = |threads: usize, work: &(dyn Fn() -> Vec<u32> + Sync)| rayon_pool(threads).install(work);
    for at in 0..operations().len() {
        let work = || {
            let (op, inputs) = operations().swap_remove(at);
            bits(&*op, &inputs)
        };
        let one = on(1, &work);
        for threads in [2, 3, 7] {
            assert!(one == on(threads, &work), "{} on {threads} threads", operations()[at].0.name());
        }
    }
    let step = || {
        let parameter = Var::from_tensor(&noise(1, &[100_003])).unwrap();
        let (velocity, gradient) = (noise(2, &[100_003]), noise(3, &[100_003]));
        let step = SgdStep { rate: 0.1, momentum: 0.9, weight_decay: 1e-3, gradient_scale: 1.0 };
        kernels::sgd_step(&parameter, &velocity, &gradient, step).unwrap();
        values(&parameter).into_iter().map(f32::to_bits).collect()
    };
    assert!(on(1, &step) == on(3, &step));
}

fn rayon_pool(threads: usize) -> rayon::ThreadPool {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
}

/// Sums the products of an output with a gradient, so that the output receives this gradient.
fn with_gradient(y: &Tensor, gradient: &Tensor) -> Tensor {
    (y * gradient).unwrap().sum_all().unwrap()
}

#[test]
fn both_engines_give_the_same() {
    let all = operations();
    let wide = (Box::new(Concat) as Box<dyn Op>, (0..8).map(|seed| noise(seed, &[2, 3, 2, 5])).collect());
    for (op, inputs) in all.into_iter().chain([wide]) {
        let op: Arc<dyn Op> = Arc::from(op);
        let plain: Vec<&Tensor> = inputs.iter().collect();
        let gradient = noise(7, kernels::forward(&*op, &plain).unwrap().dims());
        let (expected, found) = run(&*op, &plain, &gradient);
        let variables: Vec<_> = inputs.iter().map(|input| Var::from_tensor(input).unwrap()).collect();
        // All inputs are variables, or every other one, or none.
        for every in [1, 2, usize::MAX] {
            let is_variable = |at: usize| every < usize::MAX && at.is_multiple_of(every);
            let mixed: Vec<Tensor> = (0..inputs.len())
                .map(
                    |at| if is_variable(at) { variables[at].as_tensor().clone() } else { inputs[at].clone() },
                )
                .collect();
            let y = kernels::apply_shared(Arc::clone(&op), &mixed.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!(values(&y), values(&expected), "{}", op.name());
            if every == usize::MAX {
                assert!(!y.track_op(), "{}", op.name());
                continue;
            }
            let store = with_gradient(&y, &gradient).backward().unwrap();
            for (at, (variable, found)) in variables.iter().zip(&found).enumerate() {
                let in_graph = store.get(variable).map(values);
                let expected = match found {
                    Some(found) => values(found),
                    // A constant of the operation.
                    None => vec![0.0; variable.elem_count()],
                };
                assert_eq!(in_graph, is_variable(at).then_some(expected), "{}: input {at}", op.name());
            }
        }
    }
}

#[test]
fn candles_graph_is_walked_back_as_often_as_one_likes_and_by_several_threads() {
    let variables: Vec<_> = (0..7).map(|seed| Var::from_tensor(&noise(seed, &[2, 3])).unwrap()).collect();
    // Inputs that depend on variables, and one of them twice.
    let doubled: Vec<Tensor> = variables.iter().map(|x| (x.as_tensor() * 2.0).unwrap()).collect();
    let inputs: Vec<&Tensor> = doubled.iter().chain([variables[0].as_tensor()]).collect();
    let loss = with_gradient(&kernels::apply(Concat, &inputs).unwrap(), &noise(9, &[2, 24]));
    let gradients = || {
        let store = loss.backward().unwrap();
        variables.iter().map(|x| values(store.get(x).unwrap())).collect::<Vec<_>>()
    };
    let expected = gradients();
    let g = values(&noise(9, &[2, 24]));
    assert_eq!(expected[0][0], 2.0 * g[0] + g[21]);
    assert_eq!(expected[6][5], 2.0 * g[24 + 20]);
    assert_eq!(gradients(), expected);
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| (0..50).all(|_| gradients() == expected))).collect();
        assert!(threads.into_iter().all(|thread| thread.join().unwrap()));
    });
}

#[test]
fn no_gradient_is_computed_where_none_is_wanted() {
    for (op, inputs) in operations() {
        let inputs: Vec<_> = inputs.iter().collect();
        let y = kernels::forward(&*op, &inputs).unwrap();
        for wanted in 0..inputs.len() {
            let mask: Vec<bool> = (0..inputs.len()).map(|input| input == wanted).collect();
            let found = kernels::backward(&*op, &inputs, &y, &y, &mask).unwrap();
            let all = kernels::backward(&*op, &inputs, &y, &y, &vec![true; inputs.len()]).unwrap();
            assert_eq!(found.len(), inputs.len());
            for (input, (found, all)) in found.iter().zip(&all).enumerate() {
                let bits = |tensor: &Option<Tensor>| tensor.as_ref().map(values);
                let expected = if input == wanted { bits(all) } else { None };
                assert!(bits(found) == expected, "{}: input {input}, wanted {wanted}", op.name());
            }
        }
    }
}

#[test]
fn a_gradient_that_equals_that_of_the_output_is_not_copied() {
    let (x, dims) = (vec![1f32; 12], [4, 3]);
    let array = Array::new(&x, &dims).unwrap();
    let channels = Array::new(&x[..3], &dims[1..]).unwrap();
    let (inputs, wanted) = (&[array, array][..], &[true, false][..]);
    let given = Backward { inputs, output: array, gradient: array, wanted };
    let both = Add { relu: false }.backward_cpu(&given).unwrap();
    assert_eq!(both, [Gradient::OfOutput, Gradient::None]);
    let norm = FrozenBatchNorm { epsilon: 1e-3, relu: false };
    let inputs = [array, channels, channels, channels, channels, array];
    let wanted = &[false, false, false, true, true, true];
    let found = norm.backward_cpu(&Backward { inputs: &inputs, wanted, ..given }).unwrap();
    assert_eq!(found[3..], [Gradient::None, Gradient::None, Gradient::OfOutput]);
}

#[test]
fn views_give_the_same_as_copies() {
    let x = noise(1, &[4, 9, 8, 3]);
    let view = x.narrow(0, 1, 2).unwrap().transpose(1, 2).unwrap();
    let copy = view.contiguous().unwrap();
    assert!(!view.is_contiguous() && copy.is_contiguous());
    let w = noise(2, &[4, 3, 3, 3]);
    let chain = |x: &Tensor| {
        let y = kernels::forward(&CONV, &[x, &w]).unwrap();
        let y = kernels::forward(&LocalResponseNorm(LRN), &[&y]).unwrap();
        values(&kernels::forward(&MaxPool2d::new(POOL), &[&y]).unwrap())
    };
    assert_eq!(chain(&view), chain(&copy));
}

#[test]
fn a_nan_in_the_input_reaches_the_loss() {
    let mut data = testkit::noise(1, 2 * 9 * 9 * 3);
    data[100] = f32::NAN;
    let mut y = tensor(&data, &[2, 9, 9, 3]);
    let (w, channels) = (noise(2, &[4, 3, 3, 3]), noise(3, &[4]));
    y = kernels::forward(&CONV, &[&y, &w]).unwrap();
    y = kernels::forward(&BatchNorm::new(1e-3, true), &[&y, &channels, &channels]).unwrap();
    y = kernels::forward(&LocalResponseNorm(LRN), &[&y]).unwrap();
    y = kernels::forward(&MaxPool2d::new(POOL), &[&y]).unwrap();
    y = kernels::forward(&GlobalAvgPool, &[&y]).unwrap();
    y = kernels::forward(&Linear { relu: true }, &[&y, &noise(4, &[5, 4]), &noise(5, &[5])]).unwrap();
    let loss = kernels::forward(&SoftmaxCrossEntropy::new(vec![0, 1]), &[&y]).unwrap();
    assert!(values(&loss)[0].is_nan());
}

#[test]
fn the_first_maximum_of_equals_wins() {
    let x = Tensor::ones((1, 4, 4, 1), DType::F32, device()).unwrap();
    let (y, found) =
        run(&MaxPool2d::new(POOL), &[&x], &Tensor::ones((1, 2, 2, 1), DType::F32, device()).unwrap());
    assert_eq!(y.dims(), [1, 2, 2, 1]);
    let mut expected = vec![0f32; 16];
    for corner in [0, 2, 8, 10] {
        expected[corner] = 1.0;
    }
    assert_eq!(values(found[0].as_ref().unwrap()), expected);
}

#[test]
fn the_last_nan_of_a_window_wins() {
    let mut data = [1f32; 9];
    (data[2], data[7]) = (f32::NAN, f32::NAN);
    let gradient = tensor(&[1.0], &[1, 1, 1, 1]);
    let (y, found) = run(&MaxPool2d::new(POOL), &[&tensor(&data, &[1, 3, 3, 1])], &gradient);
    assert!(values(&y)[0].is_nan());
    assert_eq!(values(found[0].as_ref().unwrap())[7], 1.0);
}

#[test]
fn a_constant_channel_is_normalised_to_its_shift() {
    // Also with a large value, and with a first position far from all others.
    let mut data = [1e6f32, 0.1].repeat(50);
    let ones = tensor(&[1.0, 1.0], &[2]);
    let shift = tensor(&[0.25, 0.5], &[2]);
    let op = BatchNorm::new(1e-5, false);
    let y = kernels::forward(&op, &[&tensor(&data, &[50, 2]), &ones, &shift]).unwrap();
    assert_eq!(values(&y), [0.25, 0.5].repeat(50));
    assert_eq!(
        op.statistics().unwrap().unwrap().map(|found| values(&found)),
        [vec![1e6, 0.1], vec![0.0, 0.0]]
    );
    (data[0], data[2]) = (-1e6, 1e6 + 1.0);
    kernels::forward(&op, &[&tensor(&data, &[50, 2]), &ones, &shift]).unwrap();
    let exact = data.iter().step_by(2).map(|&x| f64::from(x));
    let mean = exact.clone().sum::<f64>() / 50.0;
    let variance = exact.map(|x| (x - mean).powi(2)).sum::<f64>() / 49.0;
    let [found, found_variance] = op.statistics().unwrap().unwrap().map(|found| values(&found));
    assert!((f64::from(found[0]) - mean).abs() < 1e-7 * mean.abs());
    assert!((f64::from(found_variance[0]) - variance).abs() < 1e-6 * variance);
}

#[test]
fn one_step_is_pytorchs_formula() {
    let parameter = Var::from_tensor(&noise(1, &[3])).unwrap();
    let velocity = Tensor::new(&[0.5f32, -1.0, 2.0], device()).unwrap();
    let gradient = Tensor::new(&[1f32, 2.0, 3.0], device()).unwrap();
    let before = values(&parameter);
    let step = SgdStep { rate: 0.1, momentum: 0.9, weight_decay: 0.01, gradient_scale: 1.0 };
    kernels::sgd_step(&parameter, &velocity, &gradient, step).unwrap();
    for (i, (g, v)) in [(1f32, 0.5f32), (2.0, -1.0), (3.0, 2.0)].iter().enumerate() {
        let expected = 0.9 * v + (g + 0.01 * before[i]);
        assert_eq!(values(&velocity)[i], expected);
        assert_eq!(values(&parameter)[i], before[i] - 0.1 * expected);
    }
}

#[track_caller]
fn refused(op: &dyn Op, inputs: &[&Tensor], reason: &str) {
    let message = kernels::forward(op, inputs).unwrap_err().to_string();
    assert!(message.contains(reason), "{message}");
}

#[test]
fn bad_arguments_are_refused_with_a_reason() {
    let (x, w) = (noise(1, &[2, 9, 9, 3]), noise(2, &[4, 3, 3, 3]));
    refused(
        &CONV,
        &[&x, &noise(3, &[4, 2, 3, 3])],
        "the input has 3 channels in 1 groups, the weight expects 2",
    );
    refused(&CONV, &[&x, &w, &noise(3, &[5])], "the bias has shape [5], expected [4]");
    refused(&CONV, &[&x, &noise(3, &[4, 3, 12, 3])], "smaller than the kernel");
    refused(&Conv2d { stride: [0, 1], ..CONV }, &[&x, &w], "at least 1");
    refused(&Conv2d { groups: 2, ..CONV }, &[&x, &w], "2 groups");
    refused(&CONV, &[&x.to_dtype(DType::F64).unwrap(), &w], "type F64, expected F32");
    refused(&MaxPool2d::new(Pool2d { padding: [2, 0], ..POOL }), &[&x], "half the kernel");
    refused(&MaxPool2d::new(Pool2d { stride: [1, 0], ..POOL }), &[&x], "at least 1");
    refused(&MaxPool2d::new(POOL), &[&noise(1, &[9, 9, 3])], "expected (B, H, W, C)");
    refused(&MaxPool2d::new(POOL), &[&x, &x], "2 inputs, expected 1");
    let wide = Pool2d { kernel: [300, 1], padding: [0, 0], ..POOL };
    refused(&MaxPool2d::new(wide), &[&noise(1, &[1, 400, 1, 1])], "more than 256 positions");
    refused(&GlobalAvgPool, &[&noise(1, &[2, 0, 3, 4])], "no positions");
    refused(&LocalResponseNorm(Lrn { k: 0.0, ..LRN }), &[&x], "k > 0");
    refused(&LocalResponseNorm(Lrn { size: 0, ..LRN }), &[&x], "size is 0");
    let three = noise(1, &[3]);
    refused(
        &BatchNorm::new(1e-3, true),
        &[&x, &three, &noise(1, &[4])],
        "the shift has shape [4], expected [3]",
    );
    refused(&BatchNorm::new(1e-3, true), &[&x, &three], "expected 3 and optionally a residual");
    refused(&BatchNorm::new(1e-3, true), &[&x, &three, &three, &w], "the residual has shape");
    refused(&BatchNorm::new(1e-3, true), &[&noise(1, &[1, 3]), &three, &three], "expected at least 2");
    let frozen = FrozenBatchNorm { epsilon: 1e-3, relu: true };
    refused(
        &frozen,
        &[&x, &three, &three, &three, &noise(1, &[2])],
        "the variance has shape [2], expected [3]",
    );
    refused(&Add { relu: true }, &[&x, &w], "the second input has shape");
    refused(&Mask::new(vec![1.0; 5]), &[&x], "operands of 486 and 5 values");
    refused(&Concat, &[&x, &noise(1, &[2, 9, 8, 3])], "differ before the last axis");
    refused(&Concat, &[], "expected at least one input");
    refused(&ToChannelsLast, &[&three], "expected (B, C, H, W)");
    let (matrix, bias) = (noise(4, &[3, 5]), noise(5, &[4]));
    refused(&Linear { relu: false }, &[&matrix, &noise(6, &[4, 6]), &bias], "5 features");
    refused(&SoftmaxCrossEntropy::new(vec![0, 1]), &[&matrix], "2 labels for a batch of 3");
    refused(&SoftmaxCrossEntropy::new(vec![0, 1, 5]), &[&matrix], "label 5 is out of range");
    refused(&SoftmaxCrossEntropy::of_some(vec![None; 3]), &[&matrix], "none of the 3 samples has a label");
    let pairs = |margin| ContrastiveLoss::new(vec![true, false, true], margin, PairDistance::L1);
    refused(&pairs(0.0), &[&noise(1, &[6, 5])], "margin is 0");
    refused(&pairs(1.0), &[&matrix], "each of 3 pairs, found 3 vectors of 5 values");
    refused(&pairs(1.0), &[&x], "expected (2P, F)");
    refused(&SignedSqrt { epsilon: 0.0 }, &[&x], "above 0");
    refused(&RmsNorm { epsilon: f64::NAN }, &[&x], "above 0");
    refused(&RmsNorm { epsilon: 1.0 }, &[&noise(1, &[2, 0])], "no channels");
    refused(&PositionSoftmax, &[&x], "expected (B, H, W, 1)");
    refused(&WeightedPool, &[&noise(1, &[2, 9, 8, 1]), &x], "expected [2, 9, 9, 1]");
    refused(&JoinTimeSteps { time_steps: 3 }, &[&x], "T = 3");
    refused(&SumTimeSteps { time_steps: 0 }, &[&x], "T = 0");
    let fusion = bilinear(&[(3, 1), (3, 2)], 8, true);
    refused(&fusion, &[&x], "1 inputs, expected 2");
    refused(&fusion, &[&x, &noise(1, &[4, 9, 8, 3])], "expected one size");
    refused(&fusion, &[&x, &noise(1, &[3, 9, 9, 3])], "2 time steps");
    refused(&fusion, &[&x, &noise(1, &[6, 9, 9, 3])], "2 time steps");
    refused(&fusion, &[&x, &noise(1, &[4, 9, 9, 5])], "5 channels, expected 3");
    refused(&fusion, &[&x, &noise(1, &[4, 3])], "expected (B, H, W, C)");
}

/// Checks invalid values that a weights file may hold in place of a sketch.
#[test]
fn what_is_no_sketch_is_refused() {
    let problem = |buckets: &[f32], signs: &[f32]| Sketch::new(buckets, signs, 4).unwrap_err().to_string();
    assert!(Sketch::new(&[0.0, 3.0], &[1.0, -1.0], 4).is_ok());
    for bucket in [4.0, -1.0, 0.5, f32::NAN, f32::INFINITY] {
        assert!(problem(&[0.0, bucket], &[1.0, 1.0]).contains("from 0 to 3"), "{bucket}");
    }
    assert!(problem(&[0.0], &[0.5]).contains("1 or -1"));
    assert!(problem(&[0.0], &[f32::NAN]).contains("1 or -1"));
    assert!(problem(&[0.0, 1.0], &[1.0]).contains("2 buckets and 1 signs"));
    assert!(Fourier::new(0).is_err());
    let beyond = Sketch::new(&[5.0], &[1.0], 6).unwrap();
    for sketches in [vec![], vec![vec![]], vec![vec![beyond]]] {
        assert!(CompactBilinear::new(Fourier::new(4).unwrap(), sketches, true).is_err());
    }
}

/// Checks that attention on a single position returns the value there.
#[test]
fn weights_of_places_sum_to_one_and_find_a_place() {
    let mut scores = vec![0.0; 2 * 5 * 7];
    scores[17] = 40.0;
    let scores = tensor(&scores, &[2, 5, 7, 1]);
    let weights = kernels::forward(&PositionSoftmax, &[&scores]).unwrap();
    for weights in values(&weights).chunks(35) {
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
    }
    let map = noise(3, &[2, 5, 7, 4]);
    let found = values(&kernels::forward(&WeightedPool, &[&weights, &map]).unwrap());
    let mean = kernels::forward(&GlobalAvgPool, &[&map]).unwrap();
    let map = values(&map);
    for channel in 0..4 {
        assert!((found[channel] - map[17 * 4 + channel]).abs() < 1e-6);
        assert!((found[4 + channel] - values(&mean)[4 + channel]).abs() < 1e-6);
    }
}

#[test]
fn arrays_hold_what_their_shape_says() {
    let data = [1f32; 6];
    assert!(Array::new(&data, &[1, 2, 3, 1]).is_ok());
    for dims in [&[1, 2, 3, 2][..], &[5], &[7], &[], &[usize::MAX, 2, 3]] {
        assert!(Array::new(&data, dims).is_err(), "{dims:?}");
    }
    for (op, _) in operations() {
        assert!(op.forward_cpu(&[]).is_err(), "{}", op.name());
    }
}

/// Checks the shapes of outputs and gradients, which also come from the caller and which the inner loops read unchecked.
#[test]
fn backward_refuses_gradients_of_another_shape() {
    let (value, dims) = ([1f32], [1, 1, 1, 1]);
    let small = Array::new(&value, &dims).unwrap();
    for (op, inputs) in operations() {
        let data: Vec<Vec<f32>> =
            inputs.iter().map(|x| x.flatten_all().unwrap().to_vec1().unwrap()).collect();
        let arrays: Vec<Array<'_>> =
            data.iter().zip(&inputs).map(|(data, x)| Array::new(data, x.dims()).unwrap()).collect();
        let (output, dims) = op.forward_cpu(&arrays).unwrap();
        if output.len() == 1 {
            continue;
        }
        let output = Array::new(&output, &dims).unwrap();
        let wanted = vec![true; inputs.len()];
        let given = |gradient| Backward { inputs: &arrays, output, gradient, wanted: &wanted };
        assert!(op.backward_cpu(&given(output)).is_ok(), "{}", op.name());
        assert!(op.backward_cpu(&given(small)).is_err(), "{}", op.name());
    }
}

#[test]
fn what_the_forward_pass_keeps_is_missed_without_it() {
    let x = noise(1, &[2, 5, 5, 3]);
    let three = noise(1, &[3]);
    let norm = BatchNorm::new(1e-3, true);
    assert!(norm.statistics().unwrap().is_none());
    let y = noise(1, &[2, 2, 2, 3]);
    for problem in [
        kernels::backward(&norm, &[&x, &three, &three], &x, &x, &[true; 3]),
        kernels::backward(&MaxPool2d::new(POOL), &[&x], &y, &y, &[true]),
    ] {
        let message = problem.unwrap_err().to_string();
        assert!(message.contains("the forward pass has not run"), "{message}");
    }
}
