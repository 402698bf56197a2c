//! Compares every operation with values and gradients from PyTorch, on unusual shapes and values.

use std::collections::BTreeMap;

use candle_core::Tensor;
use kernels::{
    Add, AvgPool2d, BatchNorm, Concat, ContrastiveLoss, Conv2d, FrozenBatchNorm, GlobalAvgPool, Linear,
    LocalResponseNorm, Lrn, Mask, MaxPool2d, Op, PairDistance, Pool2d, Relu, SgdStep, SoftmaxCrossEntropy,
};
use testkit::{assert_close, assert_close_values, fixture, sizes, values};

use crate::support::{device, run};

const TOLERANCE: f64 = 2e-6;
/// Tolerance if nothing is rounded.
const EXACT: f64 = 0.0;

/// One case: its tensors by name, with feature maps in PyTorch's layout.
struct Case {
    name: String,
    tensors: BTreeMap<String, Tensor>,
}

impl Case {
    fn get(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("{} has no {name}", self.name))
    }

    fn setting(&self) -> Vec<usize> {
        sizes(self.get("setting"))
    }

    /// Returns the inputs of these names, with channels last.
    fn inputs(&self, names: &[&str]) -> Vec<Tensor> {
        names.iter().map(|name| there(&last(name, self.get(name)))).collect()
    }

    /// Checks the output and all gradients of an operation on the named inputs. Names in parentheses are
    /// constants.
    fn check(&self, op: &dyn Op, names: &[&str], tolerance: f64) {
        let bare: Vec<&str> = names.iter().map(|name| name.trim_matches(['(', ')'])).collect();
        let inputs = self.inputs(&bare);
        let (y, found) = run(op, &inputs.iter().collect::<Vec<_>>(), &there(&last("g", self.get("g"))));
        assert_close(&self.name, &y, &last("y", self.get("y")), tolerance);
        for (name, found) in names.iter().zip(found) {
            match found {
                None => assert!(name.starts_with('('), "{}: no gradient of {name}", self.name),
                Some(found) => {
                    let expected = last(name, self.get(&format!("d{name}")));
                    assert_close(&format!("{} d{name}", self.name), &found, &expected, tolerance);
                }
            }
        }
    }
}

/// Copies a stored value to the device under test.
fn there(tensor: &Tensor) -> Tensor {
    tensor.to_device(device()).unwrap()
}

/// Converts (B, C, H, W) to (B, H, W, C); leaves weights `w` and everything else that is not a feature map unchanged.
fn last(name: &str, tensor: &Tensor) -> Tensor {
    match (name, tensor.rank()) {
        ("w", _) => tensor.clone(),
        (_, 4) => tensor.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap(),
        // (B, C, T, H, W) as (B, T, H * W, C).
        (_, 5) => {
            let tensor = tensor.permute((0, 2, 3, 4, 1)).unwrap();
            tensor.contiguous().unwrap().flatten(2, 3).unwrap()
        }
        _ => tensor.clone(),
    }
}

/// Returns the cases `kind.i.*`; there must be at least one.
fn cases(kind: &str) -> Vec<Case> {
    let all = fixture("kernels");
    let of = |i: usize| {
        let prefix = format!("{kind}.{i}.");
        let named = all.iter().filter_map(|(name, tensor)| {
            let name = name.strip_prefix(&prefix)?;
            Some((name.to_owned(), tensor.clone()))
        });
        let tensors: BTreeMap<_, _> = named.collect();
        (!tensors.is_empty()).then(|| Case { name: format!("{kind} {i}"), tensors })
    };
    let found: Vec<_> = (0..).map_while(of).collect();
    assert!(!found.is_empty(), "no case of {kind}");
    found
}

fn conv_of(setting: &[usize]) -> Conv2d {
    let &[sh, sw, ph, pw, groups] = setting else { panic!("a setting of {setting:?}") };
    Conv2d { stride: [sh, sw], padding: [ph, pw], groups, relu: false }
}

fn pool_of(setting: &[usize]) -> Pool2d {
    let &[kh, kw, sh, sw, ph, pw, ceil] = setting else { panic!("a setting of {setting:?}") };
    Pool2d { kernel: [kh, kw], stride: [sh, sw], padding: [ph, pw], ceil_mode: ceil == 1 }
}

#[test]
fn convolution() {
    for case in cases("conv") {
        let conv = conv_of(&case.setting());
        case.check(&conv, &["x", "w", "b"], TOLERANCE);
        // Compares rectification in the same pass with a separate one.
        let inputs = case.inputs(&["x", "w", "b"]);
        let inputs: Vec<_> = inputs.iter().collect();
        let g = there(&last("g", case.get("g")));
        let (fused, fused_found) = run(&Conv2d { relu: true, ..conv }, &inputs, &g);
        let plain = kernels::forward(&conv, &inputs).unwrap();
        let (apart, masked) = run(&Relu, &[&plain], &g);
        assert_close("rectified", &fused, &apart, EXACT);
        let (_, apart_found) = run(&conv, &inputs, masked[0].as_ref().unwrap());
        for (fused, apart) in fused_found.iter().zip(&apart_found) {
            assert_close(&case.name, fused.as_ref().unwrap(), apart.as_ref().unwrap(), EXACT);
        }
    }
}

#[test]
fn convolution_of_odd_values() {
    for case in cases("conv-special") {
        case.check(&conv_of(&case.setting()), &["x", "w", "b"], TOLERANCE);
    }
}

#[test]
fn convolution_and_pooling_over_time() {
    for mut case in cases("temporal-conv") {
        let w = case.get("w").squeeze(4).unwrap();
        let dw = case.get("dw").squeeze(4).unwrap();
        case.tensors.extend([("w".to_owned(), w.clone()), ("dw".to_owned(), dw.clone())]);
        let conv = Conv2d { stride: [2, 1], padding: [1, 0], groups: 1, relu: false };
        let [x, b, g] = ["x", "b", "g"].map(|name| last(name, case.get(name)));
        let (y, found) = run(&conv, &[&x, &w, &b], &g);
        assert_close("y", &y, &last("y", case.get("y")), TOLERANCE);
        for (found, expected) in found.iter().zip([last("dx", case.get("dx")), dw, case.get("db").clone()]) {
            assert_close("gradient", found.as_ref().unwrap(), &expected, TOLERANCE);
        }
    }
    for case in cases("temporal-pool") {
        let pool = Pool2d { kernel: [3, 1], stride: [2, 1], padding: [1, 0], ceil_mode: false };
        case.check(&MaxPool2d::new(pool), &["x"], EXACT);
    }
}

#[test]
fn maximum_pooling() {
    for case in cases("max-pool").into_iter().chain(cases("max-pool-special")) {
        case.check(&MaxPool2d::new(pool_of(&case.setting())), &["x"], EXACT);
    }
}

#[test]
fn average_pooling() {
    for case in cases("average-pool").into_iter().chain(cases("average-pool-special")) {
        let setting = case.setting();
        let (&counted, pool) = setting.split_last().unwrap();
        case.check(&AvgPool2d { pool: pool_of(pool), count_padding: counted == 1 }, &["x"], TOLERANCE);
    }
}

#[test]
fn global_pooling() {
    for case in cases("global-pool") {
        case.check(&GlobalAvgPool, &["x"], TOLERANCE);
    }
}

#[test]
fn local_response_normalisation() {
    for case in cases("lrn") {
        let setting = values(case.get("setting"));
        // Rounding to two digits undoes the storage as f32.
        let exact = |value: f32| (f64::from(value) * 100.0).round() / 100.0;
        let lrn = Lrn {
            size: setting[0] as usize,
            alpha: exact(setting[1]),
            beta: exact(setting[2]),
            k: exact(setting[3]),
        };
        case.check(&LocalResponseNorm(lrn), &["x"], TOLERANCE);
    }
}

#[test]
fn batch_normalisation() {
    for case in cases("batch-norm") {
        let op = BatchNorm::new(1e-3, case.setting() == [1]);
        let residual = case.tensors.contains_key("residual").then_some("residual");
        let names: Vec<_> = ["x", "scale", "shift"].into_iter().chain(residual).collect();
        case.check(&op, &names, 5.0 * TOLERANCE);
        let [mean, variance] = op.statistics().unwrap().unwrap().map(|found| values(&found));
        assert_close_values("mean", &mean, &values(case.get("mean")), TOLERANCE);
        assert_close_values("variance", &variance, &values(case.get("variance")), TOLERANCE);
    }
}

#[test]
fn normalisation_with_fixed_statistics() {
    for case in cases("frozen-batch-norm") {
        let op = FrozenBatchNorm { epsilon: 1e-3, relu: case.setting() == [1] };
        let residual = case.tensors.contains_key("residual").then_some("residual");
        let names = ["x", "scale", "shift", "(mean)", "(variance)"];
        case.check(&op, &names.into_iter().chain(residual).collect::<Vec<_>>(), 5.0 * TOLERANCE);
    }
}

#[test]
fn operations_value_by_value() {
    for case in cases("relu") {
        case.check(&Relu, &["x"], EXACT);
    }
    for case in cases("add") {
        case.check(&Add { relu: case.setting() == [1] }, &["a", "b"], EXACT);
    }
    for case in cases("mask") {
        let op = Mask::new(values(&last("mask", case.get("mask"))));
        case.check(&op, &["x"], EXACT);
    }
    for case in cases("concat") {
        case.check(&Concat, &["a", "b", "c"], EXACT);
    }
}

#[test]
fn denormals_survive() {
    // A tolerance relative to normal numbers would not detect that denormals were flushed to zero.
    let denormals = |tensor: &Tensor| {
        let values = values(tensor).into_iter().map(f32::abs);
        values.filter(|value| value.is_subnormal()).map(f32::to_bits).collect::<Vec<_>>()
    };
    let (case, pool) = (&cases("relu")[0], &cases("max-pool-special")[0]);
    assert_eq!(denormals(case.get("x")).len(), 2);
    for (op, case) in [(&Relu as &dyn Op, case), (&MaxPool2d::new(pool_of(&pool.setting())), pool)] {
        let y = kernels::forward(op, &[&there(&last("x", case.get("x")))]).unwrap();
        assert_eq!(denormals(&y), denormals(case.get("y")), "{}", op.name());
    }
    // Weights of one and factors near one, so that the result is a denormal as well.
    let x = Tensor::new(&[[[[1e-42f32], [-1e-42], [3e-45]]]], device()).unwrap();
    let one = Tensor::ones((1, 1, 1, 1), candle_core::DType::F32, x.device()).unwrap();
    let expected = denormals(&x);
    let conv = Conv2d { stride: [1, 1], padding: [0, 0], groups: 1, relu: false };
    let lrn = LocalResponseNorm(Lrn { size: 5, alpha: 1.0, beta: 0.75, k: 1.0 });
    let window = Pool2d { kernel: [1, 1], stride: [1, 1], padding: [0, 0], ceil_mode: false };
    let average = AvgPool2d { pool: window, count_padding: false };
    let mask = Mask::new(vec![1.0; 3]);
    let [scale, shift, mean, variance] =
        [1f32, 0.0, 0.0, 1.0].map(|v| Tensor::new(&[v], x.device()).unwrap());
    let norm = FrozenBatchNorm { epsilon: 0.0, relu: false };
    let cases: [(&dyn Op, Vec<&Tensor>); 5] = [
        (&conv, vec![&x, &one]),
        (&lrn, vec![&x]),
        (&average, vec![&x]),
        (&mask, vec![&x]),
        (&norm, vec![&x, &scale, &shift, &mean, &variance]),
    ];
    for (op, inputs) in cases {
        let (y, found) = run(op, &inputs, &x);
        assert_eq!(denormals(&y), expected, "{}", op.name());
        assert_eq!(denormals(found[0].as_ref().unwrap()), expected, "{}", op.name());
    }
}

#[test]
fn fully_connected() {
    for case in cases("linear") {
        case.check(&Linear { relu: case.setting() == [1] }, &["x", "w", "b"], TOLERANCE);
    }
}

#[test]
fn cross_entropy() {
    for case in cases("cross-entropy") {
        let labels = sizes(case.get("labels")).into_iter().map(|label| label as u32).collect();
        case.check(&SoftmaxCrossEntropy::new(labels), &["x"], TOLERANCE);
    }
}

#[test]
fn contrastive() {
    let cases = cases("contrastive");
    assert_eq!(cases.len(), 6);
    for case in cases {
        let similar = sizes(case.get("similar")).into_iter().map(|similar| similar == 1).collect();
        let margin = values(case.get("margin"))[0];
        let distance = if case.setting() == [0] { PairDistance::L1 } else { PairDistance::L2 };
        case.check(&ContrastiveLoss::new(similar, margin, distance), &["x"], TOLERANCE);
    }
}

#[test]
fn three_steps_of_descent() {
    let case = &cases("sgd")[0];
    let parameter = candle_core::Var::from_tensor(&there(case.get("x"))).unwrap();
    let velocity = parameter.zeros_like().unwrap();
    let step = SgdStep { rate: 0.1, momentum: 0.9, weight_decay: 0.01, gradient_scale: 1.0 };
    for i in 0..3 {
        kernels::sgd_step(&parameter, &velocity, &there(&case.get("g").get(i).unwrap()), step).unwrap();
    }
    assert_close("parameter", &parameter, case.get("y"), TOLERANCE);
}
