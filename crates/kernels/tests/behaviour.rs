//! What the operations promise beside their values: the same bits on any number of
//! threads, views handled, bad arguments refused with a reason, NaN passed on.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use candle_core::{DType, Device, Tensor, Var};
use kernels::{Conv2d, Lrn, Pool2d, SgdStep};
use testkit::{noise, values};

fn variable(seed: u64, shape: &[usize]) -> Var {
    let data = noise(seed, shape.iter().product());
    Var::from_tensor(&Tensor::from_slice(&data, shape, &Device::Cpu).unwrap()).unwrap()
}

const CONV: Conv2d = Conv2d { stride: [2, 2], padding: [1, 1] };
const POOL: Pool2d = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: true };
const LRN: Lrn = Lrn { size: 5, alpha: 5e-4, beta: 0.75, k: 2.0 };

/// One pass through every operation: loss and all gradients, as bits.
fn bits() -> Vec<u32> {
    let x = variable(1, &[5, 6, 40, 41]);
    let w = variable(2, &[19, 6, 5, 5]);
    let b = variable(3, &[19]);
    let y = kernels::conv2d_relu(&x, &w, Some(&b), &CONV).unwrap();
    let y = kernels::max_pool2d(&kernels::local_response_norm(&y, &LRN).unwrap(), &POOL).unwrap();
    let y = y.flatten_from(1).unwrap();
    let full = variable(4, &[70, y.dims()[1]]);
    let full_bias = variable(5, &[70]);
    let logits = kernels::linear(&y, &full, &full_bias).unwrap();
    let loss = kernels::softmax_cross_entropy(&logits, &[0, 1, 2, 3, 69]).unwrap();
    let store = loss.backward().unwrap();
    let velocity = full.zeros_like().unwrap();
    let step = SgdStep { rate: 0.1, momentum: 0.9, weight_decay: 1e-3 };
    kernels::sgd_step(&full, &velocity, store.get(&full).unwrap(), step).unwrap();
    let mut all = values(&loss);
    for variable in [&x, &w, &b, &full_bias] {
        all.extend(values(store.get(variable).unwrap()));
    }
    all.extend(values(&full));
    all.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn bits_do_not_depend_on_the_number_of_threads() {
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(bits)
    };
    let one = on(1);
    for threads in [2, 3, 7] {
        assert!(one == on(threads), "{threads} threads give other bits");
    }
}

#[test]
fn no_input_gradient_is_computed_when_none_is_wanted() {
    let x = variable(1, &[2, 3, 9, 9]).as_detached_tensor();
    let w = variable(2, &[4, 3, 3, 3]);
    let y = kernels::conv2d(&x, &w, None, &CONV).unwrap();
    let store = y.sum_all().unwrap().backward().unwrap();
    assert!(store.get(&x).is_none() && store.get(&w).is_some());
}

#[test]
fn views_give_the_same_as_copies() {
    let x = variable(1, &[4, 3, 9, 8]).as_detached_tensor();
    let view = x.narrow(0, 1, 2).unwrap().transpose(2, 3).unwrap();
    let copy = view.contiguous().unwrap();
    let w = variable(2, &[4, 3, 3, 3]);
    let run = |x: &Tensor| {
        let y = kernels::conv2d(x, &w, None, &CONV).unwrap();
        let y = kernels::local_response_norm(&kernels::relu(&y).unwrap(), &LRN).unwrap();
        values(&kernels::max_pool2d(&y, &POOL).unwrap())
    };
    assert_eq!(run(&view), run(&copy));
}

#[test]
fn a_nan_in_the_input_reaches_the_loss() {
    let mut data = noise(1, 2 * 3 * 9 * 9);
    data[100] = f32::NAN;
    let x = Tensor::from_vec(data, (2, 3, 9, 9), &Device::Cpu).unwrap();
    let y = kernels::conv2d_relu(&x, &variable(2, &[4, 3, 3, 3]), None, &CONV).unwrap();
    let y = kernels::max_pool2d(&kernels::local_response_norm(&y, &LRN).unwrap(), &POOL).unwrap();
    let y = y.flatten_from(1).unwrap();
    let w = variable(3, &[5, y.dims()[1]]);
    let logits = kernels::linear_relu(&y, &w, &variable(4, &[5])).unwrap();
    let loss = kernels::softmax_cross_entropy(&logits, &[0, 1]).unwrap();
    assert!(values(&loss)[0].is_nan());
}

#[test]
fn one_step_is_pytorchs_formula() {
    let parameter = variable(1, &[3]);
    let velocity = Tensor::new(&[0.5f32, -1.0, 2.0], &Device::Cpu).unwrap();
    let gradient = Tensor::new(&[1f32, 2.0, 3.0], &Device::Cpu).unwrap();
    let before = values(&parameter);
    let step = SgdStep { rate: 0.1, momentum: 0.9, weight_decay: 0.01 };
    kernels::sgd_step(&parameter, &velocity, &gradient, step).unwrap();
    for (i, (g, v)) in [(1f32, 0.5f32), (2.0, -1.0), (3.0, 2.0)].iter().enumerate() {
        let expected = 0.9 * v + (g + 0.01 * before[i]);
        assert_eq!(values(&velocity)[i], expected);
        assert_eq!(values(&parameter)[i], before[i] - 0.1 * expected);
    }
}

#[test]
fn bad_arguments_are_refused_with_a_reason() {
    let x = variable(1, &[2, 3, 9, 9]);
    let w = variable(2, &[4, 3, 3, 3]);
    let refused = |result: candle_core::Result<Tensor>, reason: &str| {
        let message = result.unwrap_err().to_string();
        assert!(message.contains(reason), "{message}");
    };
    refused(
        kernels::conv2d(&x, &variable(3, &[4, 2, 3, 3]), None, &CONV),
        "the input has 3 channels, the weight expects 2",
    );
    refused(kernels::conv2d(&x, &w, Some(&variable(3, &[5])), &CONV), "the bias has shape [5], expected [4]");
    refused(kernels::conv2d(&x, &variable(3, &[4, 3, 12, 3]), None, &CONV), "smaller than the kernel");
    refused(kernels::conv2d(&x, &w, None, &Conv2d { stride: [0, 1], ..CONV }), "at least 1");
    refused(kernels::conv2d(&x.to_dtype(DType::F64).unwrap(), &w, None, &CONV), "type F64, expected F32");
    refused(kernels::max_pool2d(&x, &Pool2d { padding: [2, 0], ..POOL }), "half the kernel");
    refused(kernels::max_pool2d(&w.flatten_all().unwrap(), &POOL), "expected (B, C, H, W)");
    refused(kernels::local_response_norm(&x, &Lrn { k: 0.0, ..LRN }), "k > 0");
    refused(kernels::local_response_norm(&x, &Lrn { size: 0, ..LRN }), "size is 0");
    let (matrix, bias) = (variable(4, &[3, 5]), variable(5, &[4]));
    refused(kernels::linear(&matrix, &variable(6, &[4, 6]), &bias), "5 features");
    refused(kernels::softmax_cross_entropy(&matrix, &[0, 1]), "2 labels for a batch of 3");
    refused(kernels::softmax_cross_entropy(&matrix, &[0, 1, 5]), "label 5 is out of range");
}

#[test]
fn the_first_maximum_of_equals_wins() {
    let x = Var::from_tensor(&Tensor::ones((1, 1, 4, 4), DType::F32, &Device::Cpu).unwrap()).unwrap();
    let y = kernels::max_pool2d(&x, &POOL).unwrap();
    assert_eq!(y.dims(), [1, 1, 2, 2]);
    let store = y.sum_all().unwrap().backward().unwrap();
    let mut expected = vec![0f32; 16];
    for corner in [0, 2, 8, 10] {
        expected[corner] = 1.0;
    }
    assert_eq!(values(store.get(&x).unwrap()), expected);
}
