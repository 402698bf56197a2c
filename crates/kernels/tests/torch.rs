//! Every operation against values and gradients from PyTorch, on odd shapes.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use kernels::{Conv2d, Lrn, Pool2d};
use testkit::{assert_close, fixture, sizes, values};

const TOLERANCE: f64 = 2e-6;

/// The gradients of `sum(y * g)` by variable.
fn gradients(y: &Tensor, g: &Tensor, variables: &[&Var]) -> Vec<Tensor> {
    let loss = (y * g).unwrap().sum_all().unwrap();
    let store = loss.backward().unwrap();
    let of = |variable: &&Var| store.get(variable).unwrap().clone();
    variables.iter().map(of).collect()
}

/// Numbers of the cases `kind.i.*`.
fn cases(tensors: &BTreeMap<String, Tensor>, kind: &str) -> usize {
    let named = |i: &usize| tensors.contains_key(&format!("{kind}.{i}.x"));
    let count = (0..).take_while(named).count();
    assert!(count > 0, "no case of {kind}");
    count
}

#[test]
fn convolution() {
    let tensors = fixture("kernels");
    for i in 0..cases(&tensors, "conv") {
        let get = |name: &str| &tensors[&format!("conv.{i}.{name}")];
        let setting = sizes(get("setting"));
        let conv = Conv2d { stride: [setting[0], setting[1]], padding: [setting[2], setting[3]] };
        let [x, w, b] = ["x", "w", "b"].map(|name| Var::from_tensor(get(name)).unwrap());
        let y = kernels::conv2d(&x, &w, Some(&b), &conv).unwrap();
        assert_close(&format!("conv {i}"), &y, get("y"), TOLERANCE);
        let found = gradients(&y, get("g"), &[&x, &w, &b]);
        for (name, found) in ["dx", "dw", "db"].iter().zip(&found) {
            assert_close(&format!("conv {i} {name}"), found, get(name), TOLERANCE);
        }
        // Rectified in the same pass, against a separate rectification.
        let fused = kernels::conv2d_relu(&x, &w, Some(&b), &conv).unwrap();
        let apart = kernels::conv2d(&x, &w, Some(&b), &conv).unwrap().relu().unwrap();
        assert_close("rectified", &fused, &apart, 0.0);
        let fused = gradients(&fused, get("g"), &[&x, &w, &b]);
        let apart = gradients(&apart, get("g"), &[&x, &w, &b]);
        for (fused, apart) in fused.iter().zip(&apart) {
            assert_close(&format!("conv {i} rectified"), fused, apart, TOLERANCE);
        }
    }
}

#[test]
fn pooling() {
    let tensors = fixture("kernels");
    for i in 0..cases(&tensors, "pool") {
        let get = |name: &str| &tensors[&format!("pool.{i}.{name}")];
        let setting = sizes(get("setting"));
        let pool = Pool2d {
            kernel: [setting[0], setting[1]],
            stride: [setting[2], setting[3]],
            padding: [setting[4], setting[5]],
            ceil_mode: setting[6] == 1,
        };
        let x = Var::from_tensor(get("x")).unwrap();
        let y = kernels::max_pool2d(&x, &pool).unwrap();
        assert_close(&format!("pool {i}"), &y, get("y"), 0.0);
        // The chain ends in the pooled values: their product with infinities would be NaN,
        // so the output's gradient enters through a custom loss instead.
        if values(get("y")).iter().all(|y| y.is_finite()) {
            let found = gradients(&y, get("g"), &[&x]);
            assert_close(&format!("pool {i} dx"), &found[0], get("dx"), TOLERANCE);
        }
    }
}

#[test]
fn infinities_and_nan_are_pooled_as_in_pytorch() {
    let tensors = fixture("kernels");
    let last = cases(&tensors, "pool") - 1;
    let get = |name: &str| &tensors[&format!("pool.{last}.{name}")];
    let pool = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: true };
    let x = Var::from_tensor(get("x")).unwrap();
    let y = kernels::max_pool2d(&x, &pool).unwrap();
    let expected = values(get("y"));
    assert!(expected.iter().any(|y| y.is_nan()) && expected.iter().any(|y| y.is_infinite()));
    // A mask of the same values passes the gradient on without reading them.
    let zero_times = kernels::masked(&y, get("g")).unwrap();
    let store = zero_times.sum_all().unwrap().backward().unwrap();
    assert_close("dx", store.get(&x).unwrap(), get("dx"), TOLERANCE);
}

#[test]
fn normalisation() {
    let tensors = fixture("kernels");
    for i in 0..cases(&tensors, "lrn") {
        let get = |name: &str| &tensors[&format!("lrn.{i}.{name}")];
        let setting = values(get("setting"));
        // Rounding to two digits undoes the storage as f32.
        let exact = |value: f32| (f64::from(value) * 100.0).round() / 100.0;
        let lrn = Lrn {
            size: setting[0] as usize,
            alpha: exact(setting[1]),
            beta: exact(setting[2]),
            k: exact(setting[3]),
        };
        let x = Var::from_tensor(get("x")).unwrap();
        let y = kernels::local_response_norm(&x, &lrn).unwrap();
        assert_close(&format!("lrn {i}"), &y, get("y"), TOLERANCE);
        let found = gradients(&y, get("g"), &[&x]);
        assert_close(&format!("lrn {i} dx"), &found[0], get("dx"), TOLERANCE);
    }
}

#[test]
fn fully_connected_and_cross_entropy() {
    let tensors = fixture("kernels");
    let get = |name: &str| &tensors[&format!("linear.{name}")];
    let [x, w, b] = ["x", "w", "b"].map(|name| Var::from_tensor(get(name)).unwrap());
    let labels: Vec<u32> = sizes(get("labels")).iter().map(|&l| l as u32).collect();
    let logits = kernels::linear_relu(&x, &w, &b).unwrap();
    let loss = kernels::softmax_cross_entropy(&logits, &labels).unwrap();
    assert_close("loss", &loss, get("loss"), TOLERANCE);
    let store = loss.backward().unwrap();
    for (name, variable) in [("dx", &x), ("dw", &w), ("db", &b)] {
        assert_close(name, store.get(variable).unwrap(), get(name), TOLERANCE);
    }
}
