//! Compares gradients with finite differences of the operations themselves, without the plain versions.

use candle_core::Tensor;
use kernels::{
    AvgPool2d, BatchNorm, ContrastiveLoss, Conv2d, JoinTimeSteps, Linear, LocalResponseNorm, Lrn, MaxPool2d,
    Op, PairDistance, Pool2d, PositionSoftmax, RmsNorm, SignedSqrt, SoftmaxCrossEntropy, SumTimeSteps,
    WeightedPool,
};
use testkit::{assert_close_values, numeric_gradient, values};

use crate::support::{bilinear, noise, run_values};

/// Compares the gradients of all inputs of `sum(y * g)`, for a random `g`.
fn check(make: impl Fn() -> Box<dyn Op>, inputs: &[&Tensor], step: f32, tolerance: f64) {
    let op = make();
    let y = kernels::forward(&*op, inputs).unwrap();
    let g = noise(99, y.dims());
    let (_, found) = run_values(&*op, inputs, &g);
    let g = values(&g);
    for (at, found) in found.iter().enumerate() {
        let numeric = numeric_gradient(inputs[at], step, |moved| {
            let mut inputs = inputs.to_vec();
            inputs[at] = moved;
            let y = values(&kernels::forward(&*make(), &inputs).unwrap());
            y.iter().zip(&g).map(|(&y, &g)| f64::from(y) * f64::from(g)).sum()
        });
        assert_close_values(&format!("{} {at}", op.name()), found, &numeric, tolerance);
    }
}

/// Checks the cases that verify a GPU against the CPU. Steps are small, since some operations are not smooth.
#[test]
fn the_gradients_of_every_verified_case() {
    // A sum of many rectified values has a corner within almost any step; other tests compare operations that rectify
    // with a separate rectification.
    for case in kernels::verify::cases().into_iter().filter(|case| !case.name.contains(", relu")) {
        let inputs = case.inputs(crate::support::device()).unwrap();
        let (step, tolerance) = if case.is_product { (0.25, 2e-5) } else { (2e-3, 2e-2) };
        let op = case.op().unwrap();
        let y = kernels::forward(&*op, &inputs.iter().collect::<Vec<_>>()).unwrap();
        let g = noise(99, y.dims());
        let (_, found) = run_values(&*op, &inputs.iter().collect::<Vec<_>>(), &g);
        let g = values(&g);
        for (at, found) in found.iter().enumerate().filter(|(_, found)| !found.is_empty()) {
            // A few values of each input: a finite difference runs the operation twice for each.
            for index in (0..found.len()).step_by((found.len() / 7).max(1)) {
                let moved = |by: f32| {
                    let mut all = values(&inputs[at]);
                    all[index] += by;
                    let moved = crate::support::tensor(&all, inputs[at].dims());
                    let mut inputs: Vec<&Tensor> = inputs.iter().collect();
                    inputs[at] = &moved;
                    let y = values(&kernels::forward(&*case.op().unwrap(), &inputs).unwrap());
                    y.iter().zip(&g).map(|(&y, &g)| f64::from(y) * f64::from(g)).sum::<f64>()
                };
                let numeric = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                let scale = found.iter().fold(1.0f32, |scale, value| scale.max(value.abs()));
                let difference = (f64::from(found[index]) - numeric).abs() / f64::from(scale);
                assert!(
                    difference <= tolerance,
                    "{}, input {at}, value {index}: {} against {numeric}",
                    case.name,
                    found[index]
                );
            }
        }
    }
}

#[test]
fn convolution() {
    // Linear in each input, so that a large step costs no accuracy.
    let conv = Conv2d { stride: [2, 1], padding: [1, 2], groups: 2, relu: false };
    let [x, w, b] = [noise(1, &[2, 7, 6, 4]), noise(2, &[6, 2, 3, 4]), noise(3, &[6])];
    check(|| Box::new(conv), &[&x, &w, &b], 0.25, 1e-5);
}

#[test]
fn fully_connected() {
    let [x, w, b] = [noise(1, &[3, 17]), noise(2, &[5, 17]), noise(3, &[5])];
    check(|| Box::new(Linear { relu: false }), &[&x, &w, &b], 0.25, 1e-5);
}

#[test]
fn pooling() {
    let pool = Pool2d { kernel: [3, 2], stride: [2, 2], padding: [1, 0], ceil_mode: true };
    let x = noise(7, &[1, 9, 8, 2]);
    check(|| Box::new(MaxPool2d::new(pool)), &[&x], 1e-4, 1e-3);
    for count_padding in [false, true] {
        check(|| Box::new(AvgPool2d { pool, count_padding }), &[&x], 0.25, 1e-5);
    }
}

#[test]
fn local_response_normalisation() {
    let lrn = Lrn { size: 5, alpha: 2.0, beta: 0.75, k: 1.0 };
    check(|| Box::new(LocalResponseNorm(lrn)), &[&noise(5, &[2, 3, 3, 7])], 1e-2, 1e-3);
}

#[test]
fn batch_normalisation() {
    let [x, scale, shift, residual] =
        [noise(1, &[13, 3]), noise(2, &[3]), noise(3, &[3]), noise(4, &[13, 3])];
    check(|| Box::new(BatchNorm::new(1e-3, false)), &[&x, &scale, &shift, &residual], 1e-2, 1e-3);
}

#[test]
fn cross_entropy() {
    check(|| Box::new(SoftmaxCrossEntropy::new(vec![3, 0, 4])), &[&noise(1, &[3, 5])], 1e-2, 1e-3);
    let some = vec![Some(3), None, Some(4)];
    check(|| Box::new(SoftmaxCrossEntropy::of_some(some.clone())), &[&noise(1, &[3, 5])], 1e-2, 1e-3);
}

/// Checks two inputs and three factors in all, over maps, time steps and a vector that is the same everywhere; with an even
/// and an odd number of buckets.
#[test]
fn compact_bilinear_fusion() {
    let [visual, motion, vector] = [noise(1, &[2, 2, 3, 5]), noise(2, &[4, 2, 3, 4]), noise(3, &[2, 6])];
    for (pooled, size) in [(true, 16), (false, 16), (true, 15), (false, 15)] {
        let two = || Box::new(bilinear(&[(5, 1), (6, 1)], size, pooled)) as Box<dyn Op>;
        check(two, &[&visual, &vector], 0.25, 1e-5);
        let four = || Box::new(bilinear(&[(5, 1), (4, 2), (6, 1)], size, pooled)) as Box<dyn Op>;
        check(four, &[&visual, &motion, &vector], 0.25, 1e-5);
    }
    check(|| Box::new(bilinear(&[(6, 1)], 8, true)), &[&vector], 0.25, 1e-5);
}

#[test]
fn what_follows_a_bilinear_layer() {
    check(|| Box::new(SignedSqrt { epsilon: 0.1 }), &[&noise(1, &[3, 9])], 1e-2, 1e-3);
    check(|| Box::new(RmsNorm { epsilon: 1e-2 }), &[&noise(1, &[3, 9])], 1e-2, 1e-3);
}

#[test]
fn attention() {
    let [scores, map] = [noise(1, &[2, 3, 4, 1]), noise(2, &[2, 3, 4, 5])];
    check(|| Box::new(PositionSoftmax), &[&scores], 1e-2, 1e-3);
    check(|| Box::new(WeightedPool), &[&scores, &map], 0.25, 1e-5);
}

#[test]
fn time_steps_made_one() {
    let clips = noise(1, &[6, 2, 3, 4]);
    check(|| Box::new(JoinTimeSteps { time_steps: 3 }), &[&clips], 0.25, 1e-5);
    check(|| Box::new(SumTimeSteps { time_steps: 3 }), &[&clips], 0.25, 1e-5);
}

/// Checks pairs within the margin, beyond it, and equal ones; both forms.
#[test]
fn pairs_pulled_together_and_pushed_apart() {
    let pairs = noise(1, &[12, 7]);
    let similar = vec![true, false, false, true, false, false];
    for (distance, margin) in [(PairDistance::L1, 5.0), (PairDistance::L2, 2.1)] {
        let loss = || Box::new(ContrastiveLoss::new(similar.clone(), margin, distance)) as Box<dyn Op>;
        check(loss, &[&pairs], 1e-3, 1e-3);
        let weighted = ContrastiveLoss::new(similar.clone(), margin, distance).weighted(0.25);
        check(|| Box::new(weighted.clone()), &[&pairs], 1e-3, 1e-3);
        // For equal vectors that should differ, the loss is the square of the margin and the gradient is zero.
        let apart = ContrastiveLoss::new(vec![false], margin, distance);
        let one = values(&noise(3, &[1, 7])).repeat(2);
        let twice = crate::support::tensor(&one, &[2, 7]);
        let (loss, gradients) = run_values(&apart, &[&twice], &crate::support::tensor(&[1.0], &[]));
        assert!((loss[0] - margin * margin).abs() < 1e-4);
        assert!(gradients.concat().iter().all(|gradient| *gradient == 0.0));
    }
}
