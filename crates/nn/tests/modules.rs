//! Values and gradients of the modules, compared with `candle_nn`'s; Candle computes the gradients of both.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{Module, ModuleT, VarBuilder, VarMap};
use nn::modules::{
    AvgPool2d, BatchNorm, GlobalAvgPool, LocalResponseNorm, MaxPool2d, batch_norm, compact_bilinear, conv2d,
};
use nn::ops::{Lrn, Pool2d};
use nn::{Activation, BatchNormConfig, BilinearInput, Conv2dConfig, Statistics};
use testkit::values;

/// Tolerance, relative to the largest value.
const TOLERANCE: f32 = 1e-4;

fn noise(seed: u64, dims: &[usize]) -> Tensor {
    let values = testkit::noise(seed, dims.iter().product());
    Tensor::from_vec(values, dims, &Device::Cpu).unwrap()
}

fn variable(seed: u64, dims: &[usize]) -> Var {
    Var::from_tensor(&noise(seed, dims)).unwrap()
}

fn store(vars: &[(&str, &Var)]) -> VarBuilder<'static> {
    let tensors: HashMap<String, Tensor> =
        vars.iter().map(|(name, var)| ((*name).to_owned(), var.as_tensor().clone())).collect();
    VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
}

#[track_caller]
fn assert_near(what: &str, found: &Tensor, expected: &Tensor) {
    assert_eq!(found.dims(), expected.dims(), "{what}");
    let (found, expected) = (values(found), values(expected));
    let largest = expected.iter().fold(1f32, |largest, value| largest.max(value.abs()));
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= TOLERANCE * largest, "{what}: {found}, expected {expected}");
    }
}

/// Checks value and gradients of two functions of the same variables.
#[track_caller]
fn same(
    what: &str,
    variables: &[&Var],
    ours: impl Fn() -> Result<Tensor>,
    theirs: impl Fn() -> Result<Tensor>,
) {
    let (ours, theirs) = (ours().unwrap(), theirs().unwrap());
    assert_near(what, &ours, &theirs);
    let walk_back = |y: &Tensor| (y * noise(99, y.dims())).unwrap().sum_all().unwrap().backward().unwrap();
    let (ours, theirs) = (walk_back(&ours), walk_back(&theirs));
    for (at, variable) in variables.iter().enumerate() {
        let gradient = |store: &candle_core::backprop::GradStore| store.get(variable).unwrap().clone();
        assert_near(&format!("{what}, gradient {at}"), &gradient(&ours), &gradient(&theirs));
    }
}

#[test]
fn convolutions() {
    for (kernel, stride, padding, groups) in
        [(1, 1, 0, 1), (3, 1, 1, 1), (5, 2, 1, 1), (3, 1, 1, 2), (7, 2, 3, 3)]
    {
        let x = variable(1, &[2, 6, 17, 15]);
        let weight = variable(2, &[12, 6 / groups, kernel, kernel]);
        let bias = variable(3, &[12]);
        let config = Conv2dConfig {
            inputs: 6,
            outputs: 12,
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [padding; 2],
            groups,
            bias: true,
            activation: Activation::None,
        };
        let ours = conv2d(&config, store(&[("weight", &weight), ("bias", &bias)]), 0).unwrap();
        let config = candle_nn::Conv2dConfig { stride, padding, groups, ..Default::default() };
        let [w, b] = [&weight, &bias].map(|var| var.as_tensor().clone());
        let theirs = candle_nn::Conv2d::new(w, Some(b), config);
        let what = format!("conv {kernel}x{kernel} stride {stride} pad {padding} groups {groups}");
        same(&what, &[&x, &weight, &bias], || ours.forward(&x), || theirs.forward(&x));
    }
}

#[test]
fn a_rectangular_convolution() {
    let (x, weight) = (variable(1, &[2, 4, 9, 11]), variable(2, &[8, 4, 3, 1]));
    let config = Conv2dConfig {
        inputs: 4,
        outputs: 8,
        kernel: [3, 1],
        stride: [1, 2],
        padding: [1, 0],
        groups: 1,
        bias: false,
        activation: Activation::Relu,
    };
    let ours = conv2d(&config, store(&[("weight", &weight)]), 0).unwrap();
    // Candle has one stride and one padding for both axes: surplus columns are removed afterwards.
    let theirs = || {
        let y = x.pad_with_zeros(2, 1, 1)?.conv2d(&weight, 0, 1, 1, 1)?;
        let columns = Tensor::new(&[0u32, 2, 4, 6, 8, 10], &Device::Cpu)?;
        y.index_select(&columns, 3)?.relu()
    };
    same("rectangular", &[&x, &weight], || ours.forward(&x), theirs);
}

#[test]
fn pooling() {
    let x = variable(1, &[2, 5, 12, 8]);
    let pool = Pool2d { kernel: [2, 2], stride: [2, 2], padding: [0, 0], ceil_mode: false };
    let (ours, theirs) = (MaxPool2d(pool).forward(&x).unwrap(), x.max_pool2d(2).unwrap());
    assert_near("maximum", &ours, &theirs);
    // The whole gradient belongs to the position of the maximum. Candle wrongly multiplies it by the share of the window
    // that the maximum takes, instead of dividing.
    let gradient = |y: &Tensor| {
        let g = noise(99, y.dims());
        (y * g).unwrap().sum_all().unwrap().backward().unwrap().get(&x).unwrap().clone()
    };
    assert_near("maximum, gradient", &gradient(&ours), &(gradient(&theirs) * 4.0).unwrap());
    let mean = AvgPool2d { pool, count_padding: true };
    same("mean", &[&x], || mean.forward(&x), || x.avg_pool2d(2));
    same("global mean", &[&x], || GlobalAvgPool.forward(&x), || x.mean((2, 3)));
    // Candle has no gradient for overlapping windows, so only values are compared.
    let pool = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: false };
    let expected = x.max_pool2d_with_stride(3, 2).unwrap();
    assert_near("overlapping", &MaxPool2d(pool).forward(&x).unwrap(), &expected);
}

#[test]
fn local_response_normalisation() {
    let (size, alpha, beta, k) = (5, 0.5, 0.75, 2.0);
    let x = variable(1, &[2, 9, 4, 3]);
    let ours = LocalResponseNorm(Lrn { size, alpha, beta, k });
    let theirs = || {
        let squares = x.sqr()?.pad_with_zeros(1, size / 2, size / 2)?;
        let windows = (0..size).map(|from| squares.narrow(1, from, 9)).collect::<Result<Vec<_>>>()?;
        let sum = windows[1..].iter().try_fold(windows[0].clone(), |sum, window| sum + window)?;
        x.as_tensor() / ((sum * (alpha / size as f64))? + k)?.powf(beta)?
    };
    same("LRN", &[&x], || ours.forward(&x), theirs);
}

struct Norm {
    vars: [Var; 4],
    ours: BatchNorm,
    theirs: candle_nn::BatchNorm,
}

fn norm(statistics: Statistics, activation: Activation) -> Norm {
    let config = BatchNormConfig { epsilon: 1e-5, momentum: 0.1, statistics, activation };
    let running_var = Var::from_tensor(&(noise(5, &[6]).abs().unwrap() + 0.5).unwrap()).unwrap();
    let vars = [variable(2, &[6]), variable(3, &[6]), variable(4, &[6]), running_var];
    let [weight, bias, mean, var] = &vars;
    let all = [("weight", weight), ("bias", bias), ("running_mean", mean), ("running_var", var)];
    let ours = batch_norm(6, &config, store(&all)).unwrap();
    let [w, b, m, v] = [weight, bias, mean, var].map(|var| var.as_tensor().copy().unwrap());
    // A separate copy of the statistics, which the batch updates; the same scale and shift.
    drop((w, b));
    let [w, b] = [weight, bias].map(|var| var.as_tensor().clone());
    let theirs = candle_nn::BatchNorm::new_with_momentum(6, m, v, w, b, 1e-5, 0.1).unwrap();
    Norm { vars, ours, theirs }
}

#[test]
fn batch_normalisation() {
    let x = variable(1, &[4, 6, 5, 3]);
    let residual = variable(7, &[4, 6, 5, 3]);
    let Norm { vars, ours, theirs } = norm(Statistics::Batch, Activation::None);
    let [weight, bias, mean, var] = &vars;
    same("training", &[&x, weight, bias], || ours.forward_t(&x, true), || theirs.forward_t(&x, true));
    // Both were updated with one batch.
    assert_near("running mean", mean, theirs.running_mean());
    assert_near("running variance", var, theirs.running_var());
    same("evaluation", &[&x, weight, bias], || ours.forward_t(&x, false), || theirs.forward_t(&x, false));

    let Norm { vars, ours, theirs } = norm(Statistics::Running, Activation::Relu);
    let [weight, bias, mean, _] = &vars;
    let before = values(mean);
    let frozen = || theirs.forward_t(&x, false)?.relu();
    same("frozen", &[&x, weight, bias], || ours.forward_t(&x, true), frozen);
    assert_eq!(values(mean), before);

    let Norm { vars, ours, theirs } = norm(Statistics::Batch, Activation::Relu);
    let [weight, bias, ..] = &vars;
    let added = || (theirs.forward_t(&x, true)? + residual.as_tensor())?.relu();
    let all = [&x, weight, bias, &residual];
    same("with a residual", &all, || ours.forward_residual_t(&x, &residual, true), added);
}

#[test]
fn compact_bilinear_pooling_estimates_the_product_of_inner_products() {
    // Averaged over sketches, the inner product of two sketches is that of the outer products.
    let channels = [5, 4];
    let inputs = channels.map(|channels| BilinearInput { channels, time_steps: 1 });
    let variables = VarMap::new();
    let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let [a, b, c, d] =
        [(1, 5), (2, 4), (3, 5), (4, 4)].map(|(seed, width)| variable(seed, &[1, width, 1, 1]));
    let inner = |x: &Tensor, y: &Tensor| (x * y).unwrap().sum_all().unwrap();
    let expected = (inner(&a, &c) * inner(&b, &d)).unwrap();
    let mut sum = 0.0;
    let draws = 64;
    for draw in 0..draws {
        let pool = compact_bilinear(&inputs, 64, true, vb.pp(draw), 7).unwrap();
        let [x, y] = [[&a, &b], [&c, &d]].map(|[x, y]| pool.forward(&[x, y]).unwrap());
        sum += inner(&x, &y).to_scalar::<f32>().unwrap();
        if draw == 0 {
            let gradients = inner(&x, &y).backward().unwrap();
            assert!([&a, &b, &c, &d].iter().all(|var| gradients.get(var).is_some()));
        }
    }
    let (found, expected) = (sum / draws as f32, expected.to_scalar::<f32>().unwrap());
    assert!((found - expected).abs() < 0.15, "{found}, expected about {expected}");
    // Sketches are stored with the weights, and differ between prefixes.
    let stored = variables.data().lock().unwrap();
    assert_eq!(stored.len(), 4 * draws);
    assert_ne!(values(&stored["0.bucket_0"]), values(&stored["1.bucket_0"]));
}

#[test]
fn a_store_gets_what_it_lacks_by_the_seed_and_is_shared() {
    let config = Conv2dConfig {
        inputs: 2,
        outputs: 3,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [1, 1],
        groups: 1,
        bias: true,
        activation: Activation::None,
    };
    let drawn = |seed| {
        let variables = VarMap::new();
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let conv = conv2d(&config, vb.pp("first"), seed).unwrap();
        conv2d(&config, vb.pp("second"), seed).unwrap();
        let [first, second] = ["first.weight", "second.weight"].map(|name| {
            let data = variables.data().lock().unwrap();
            data[name].clone()
        });
        (conv, first, second)
    };
    let (conv, first, second) = drawn(1);
    assert_eq!(values(&first), values(&drawn(1).1));
    assert_ne!(values(&first), values(&drawn(2).1));
    assert_ne!(values(&first), values(&second));
    // The layer shares the variable, so an optimiser's change of the variable changes the layer.
    let x = noise(1, &[1, 2, 4, 4]);
    assert!(values(&conv.forward(&x).unwrap()).iter().any(|value| *value != 0.0));
    first.set(&first.zeros_like().unwrap()).unwrap();
    assert!(values(&conv.forward(&x).unwrap()).iter().all(|value| *value == 0.0));
}

#[test]
fn a_store_of_another_shape_is_refused_by_name() {
    let weight = variable(1, &[3, 2, 1, 1]);
    let config = Conv2dConfig {
        inputs: 2,
        outputs: 3,
        kernel: [3, 3],
        stride: [1, 1],
        padding: [0, 0],
        groups: 1,
        bias: false,
        activation: Activation::None,
    };
    let problem = conv2d(&config, store(&[("weight", &weight)]), 0).unwrap_err().to_string();
    assert!(problem.contains("weight"), "{problem}");
    let problem = conv2d(&config, store(&[]), 0).unwrap_err().to_string();
    assert!(problem.contains("weight"), "{problem}");
}
