//! Interfaces for programs that use Candle: [`Sgd`] as an optimiser, gradients as a store, [`Params`] behind a
//! `VarBuilder`.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use candle_core::{DType, Device, Module, Tensor, Var};
use candle_nn::{AdamW, ModuleT, Optimizer, ParamsAdamW};
use nn::{
    Activation, BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Linear, Params, Pass, Sgd, SgdConfig,
    Statistics, softmax_cross_entropy,
};
use testkit::values;

const LABELS: [u32; 4] = [0, 2, 1, 0];

fn noise(seed: u64, dims: &[usize]) -> Tensor {
    Tensor::from_vec(testkit::noise(seed, dims.iter().product()), dims, &Device::Cpu).unwrap()
}

/// A convolution, a normalisation, and a classifier; no value is used twice.
struct Net {
    params: Params,
    conv: Conv2d,
    norm: BatchNorm,
    full: Linear,
}

impl Net {
    fn new() -> Self {
        let params = Params::new(&Device::Cpu);
        let builder = params.builder(3);
        let conv = Conv2dConfig {
            inputs: 2,
            outputs: 4,
            kernel: [3, 3],
            stride: [1, 1],
            padding: [1, 1],
            groups: 1,
            bias: true,
            activation: Activation::None,
        };
        let norm = BatchNormConfig {
            epsilon: 1e-5,
            momentum: 0.1,
            statistics: Statistics::Batch,
            activation: Activation::Relu,
        };
        Self {
            conv: Conv2d::new(&builder.pp("conv"), &conv).unwrap(),
            norm: BatchNorm::new(&builder.pp("norm"), 4, &norm).unwrap(),
            full: Linear::new(&builder.pp("full"), 4 * 5 * 6, 3, Activation::None).unwrap(),
            params,
        }
    }

    fn loss(&self, pass: &Pass) -> Tensor {
        let x = self.conv.forward(&noise(9, &[4, 5, 6, 2]), pass).unwrap();
        let x = self.norm.forward(&x, None, pass).unwrap();
        let logits = self.full.forward(&pass.reshape(&x, (4, 4 * 5 * 6)).unwrap(), pass).unwrap();
        softmax_cross_entropy(&logits, &LABELS, pass).unwrap()
    }

    fn vars(&self) -> Vec<Var> {
        self.params.all().iter().map(|param| param.var().clone()).collect()
    }

    fn bits(&self) -> Vec<u32> {
        self.params.tensors().values().flat_map(values).map(f32::to_bits).collect()
    }
}

#[test]
fn sgd_as_candles_optimiser_gives_the_bits_of_our_own_loop() {
    let clips = [None, Some(0.5)];
    for clip in clips {
        let ours = Net::new();
        let mut sgd = Sgd::of(&ours.params, 0.9, 5e-4).unwrap();
        if let Some(norm) = clip {
            sgd.clip(norm).unwrap();
        }
        let theirs = Net::new();
        let config = SgdConfig { rate: 0.05, momentum: 0.9, weight_decay: 5e-4, clip };
        let mut optimiser = Sgd::new(theirs.vars(), config).unwrap();
        let before = ours.bits();
        for step in 0..10 {
            let rate = if step < 5 { 0.05 } else { 0.005 };
            let pass = Pass::train(step);
            sgd.descend(&pass.backward(&ours.loss(&pass)).unwrap(), rate).unwrap();
            optimiser.set_learning_rate(rate);
            optimiser.backward_step(&theirs.loss(&Pass::in_graph(true, step))).unwrap();
            assert!(ours.bits() == theirs.bits(), "step {step}, clip {clip:?}");
        }
        assert_ne!(before, ours.bits());
        assert_eq!(optimiser.learning_rate(), 0.005);
    }
}

#[test]
fn candles_adamw_takes_the_gradients_of_a_pass() {
    // Gradients from the record of a pass, and from Candle's own `backward`.
    let (ours, theirs) = (Net::new(), Net::new());
    let adamw =
        |net: &Net| AdamW::new(net.vars(), ParamsAdamW { lr: 0.01, ..ParamsAdamW::default() }).unwrap();
    let (mut first, mut second) = (adamw(&ours), adamw(&theirs));
    let mut losses = Vec::new();
    for step in 0..10 {
        let pass = Pass::train(step);
        let loss = ours.loss(&pass);
        losses.push(loss.to_scalar::<f32>().unwrap());
        let gradients = pass.backward(&loss).unwrap();
        first.step(&gradients.to_store().unwrap()).unwrap();
        gradients.average().unwrap();
        second.backward_step(&theirs.loss(&Pass::in_graph(true, step))).unwrap();
        assert!(ours.bits() == theirs.bits(), "step {step}");
    }
    assert!(losses[9] < 0.5 * losses[0], "{losses:?}");
}

#[test]
fn the_store_of_gradients_holds_nothing_else() {
    let net = Net::new();
    net.params.configure(|name, training| training.frozen = name == "conv.bias");
    let pass = Pass::train(0);
    let store = pass.backward(&net.loss(&pass)).unwrap().to_store().unwrap();
    assert_eq!(store.get_ids().count(), net.params.all().len() - 1);
    // A frozen parameter has no gradient in Candle's graph either.
    let store = net.loss(&Pass::in_graph(true, 0)).backward().unwrap();
    let frozen = net.params.get("conv.bias").unwrap();
    assert!(store.get(frozen.var()).is_none());
    assert!(store.get(net.params.get("conv.weight").unwrap().var()).is_some());
}

#[test]
fn an_optimiser_of_other_variables_says_what_it_takes() {
    let of = |dtype| {
        let var = Var::zeros(3, dtype, &Device::Cpu).unwrap();
        Sgd::new(vec![var], SgdConfig::default())
    };
    assert!(of(DType::U32).is_ok());
    let problem = of(DType::F64).unwrap_err().to_string();
    assert!(problem.contains("F64") && problem.contains("expected variables of type F32"), "{problem}");
    assert!(Sgd::new(Vec::new(), SgdConfig { momentum: 2.0, ..SgdConfig::default() }).is_err());
}

#[test]
fn a_pass_in_candles_graph_is_not_walked_back_here() {
    let net = Net::new();
    let pass = Pass::in_graph(true, 0);
    let problem = pass.backward(&net.loss(&pass)).unwrap_err().to_string();
    assert!(problem.contains("Candle's graph"), "{problem}");
}

#[test]
fn params_are_the_store_of_a_candle_network() {
    let make = |seed| {
        let params = Params::new(&Device::Cpu);
        let vb = params.var_builder(seed);
        let conv = candle_nn::conv2d(2, 4, 3, candle_nn::Conv2dConfig::default(), vb.pp("conv")).unwrap();
        let norm = candle_nn::batch_norm(4, 1e-5, vb.pp("norm")).unwrap();
        let full = candle_nn::linear(4, 3, vb.pp("full")).unwrap();
        let loss = move || {
            let x = conv.forward(&noise(9, &[4, 2, 5, 6])).unwrap();
            let x = norm.forward_t(&x, true).unwrap().relu().unwrap().mean((2, 3)).unwrap();
            let labels = Tensor::new(&LABELS, &Device::Cpu).unwrap();
            candle_nn::loss::cross_entropy(&full.forward(&x).unwrap(), &labels).unwrap()
        };
        (params, loss)
    };
    let (params, loss) = make(1);
    let names: Vec<_> = params.tensors().into_keys().collect();
    let expected = ["conv.bias", "conv.weight", "full.bias", "full.weight"].into_iter();
    let expected = expected.chain(["norm.bias", "norm.running_mean", "norm.running_var", "norm.weight"]);
    assert!(names.iter().map(String::as_str).eq(expected), "{names:?}");
    assert!(params.get("norm.running_mean").is_none(), "a buffer");

    // The same seed makes the same network, and it trains.
    let bits =
        |params: &Params| params.tensors().values().flat_map(values).map(f32::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(&params), bits(&make(1).0));
    assert_ne!(bits(&params), bits(&make(2).0));
    let vars = params.all().iter().map(|param| param.var().clone()).collect();
    let mut sgd = Sgd::new(vars, SgdConfig { rate: 0.1, ..SgdConfig::default() }).unwrap();
    let first = loss().to_scalar::<f32>().unwrap();
    for _ in 0..20 {
        sgd.backward_step(&loss()).unwrap();
    }
    let last = loss().to_scalar::<f32>().unwrap();
    assert!(last < 0.5 * first, "{first}, then {last}");

    // Existing variables are returned; another shape or type is refused.
    let vb = params.var_builder(7);
    let weight = vb.get((3, 4), "full.weight").unwrap();
    assert_eq!(weight.id(), params.get("full.weight").unwrap().var().as_tensor().id());
    assert_eq!(vb.get_unchecked("full.weight").unwrap().id(), weight.id());
    for (problem, expected) in [
        (vb.get((4, 3), "full.weight").unwrap_err(), "expected [4, 3]"),
        (vb.get_unchecked("nowhere").unwrap_err(), "nowhere"),
        (vb.to_dtype(DType::F16).get((3, 4), "full.weight").unwrap_err(), "F16"),
    ] {
        assert!(problem.to_string().contains(expected), "{problem}");
    }
}

#[test]
fn first_values_that_candle_asks_for_have_its_distributions() {
    use candle_nn::init::{DEFAULT_KAIMING_NORMAL, DEFAULT_KAIMING_UNIFORM, Init};
    let drawn = |init: Init| {
        let vb = Params::new(&Device::Cpu).var_builder(5);
        values(&vb.get_with_hints((100, 200), "weight", init).unwrap())
    };
    let facts = |values: &[f32]| {
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / values.len() as f32;
        let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        (mean, variance.sqrt(), largest)
    };
    assert!(drawn(Init::Const(0.25)).iter().all(|value| *value == 0.25));
    let (mean, deviation, _) = facts(&drawn(Init::Randn { mean: 3.0, stdev: 0.5 }));
    assert!((mean - 3.0).abs() < 0.02 && (deviation - 0.5).abs() < 0.02, "{mean}, {deviation}");
    let (mean, _, largest) = facts(&drawn(Init::Uniform { lo: -2.0, up: 1.0 }));
    assert!((mean + 0.5).abs() < 0.03 && (1.9..=2.0).contains(&largest), "{mean}, {largest}");
    // A deviation of 0.1, for rectifiers and 200 inputs.
    let (_, deviation, _) = facts(&drawn(DEFAULT_KAIMING_NORMAL));
    assert!((deviation - 0.1).abs() < 0.003, "{deviation}");
    let (_, deviation, largest) = facts(&drawn(DEFAULT_KAIMING_UNIFORM));
    assert!((deviation - 0.1).abs() < 0.003 && largest <= 0.1733, "{deviation}, {largest}");
}
