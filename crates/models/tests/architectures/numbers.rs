//! Configurations may come from untrusted files: no number in them may make a network panic, read out of bounds, or use more
//! memory than its summary says.
//!
//! `EXECUTIONS=1000000 cargo test -p models --release numbers` tries more numbers; under the address sanitizer this is the
//! fuzz target of docs/robustness.md.

use base::random;
use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use models::{Classifier, Listed, ModelConfig};
use rand_core::RngCore as _;
use serde_json::{Number, Value};

/// Replacements for a number, in addition to its neighbours and multiples.
const ODD: [u64; 16] = [
    0,
    1,
    2,
    3,
    5,
    7,
    17,
    255,
    65_536,
    (1 << 31) - 1,
    1 << 32,
    1 << 40,
    4_611_686_018_427_387_904,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX,
];

/// Bounds of the networks that are run: memory and products of a training step.
const BYTES: u64 = 48 << 20;
const PRODUCTS: u64 = 100_000_000;

/// Returns all numbers of a configuration.
fn numbers<'a>(value: &'a mut Value, found: &mut Vec<&'a mut Value>) {
    match value {
        Value::Number(_) => found.push(value),
        Value::Array(list) => list.iter_mut().for_each(|value| numbers(value, found)),
        Value::Object(map) => map.values_mut().for_each(|value| numbers(value, found)),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// Changes one to three numbers.
fn mutated(config: &Value, random: &mut impl FnMut(usize) -> usize) -> Value {
    let mut config = config.clone();
    for _ in 0..1 + random(3) {
        let mut all = Vec::new();
        numbers(&mut config, &mut all);
        let place = random(all.len());
        let was = all[place].as_u64().unwrap_or(1);
        let now = match random(ODD.len() + 6) {
            at if at < ODD.len() => Number::from(ODD[at]),
            at if at == ODD.len() => Number::from(was.wrapping_add(1)),
            at if at == ODD.len() + 1 => Number::from(was.saturating_sub(1)),
            at if at == ODD.len() + 2 => Number::from(was.saturating_mul(2)),
            at if at == ODD.len() + 3 => Number::from(-1),
            at if at == ODD.len() + 4 => Number::from_f64(0.5).unwrap(),
            _ => Number::from_f64(1e300).unwrap(),
        };
        *all[place] = Value::Number(now);
    }
    config
}

/// Outcome for a configuration: refused when read, refused by the network, too large to run, or run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Unread,
    Refused,
    Large,
    Ran,
}

fn tried(config: &Value) -> Came {
    let Ok(model) = serde_json::from_value::<ModelConfig>(config.clone()) else { return Came::Unread };
    let Ok(summary) = model.summary() else { return Came::Refused };
    if summary.training_bytes(1) > BYTES || summary.multiply_adds() > PRODUCTS {
        return Came::Large;
    }
    let store = VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu);
    let network = Classifier::new(&*model, store, 1).expect("a network that has a summary can be made");
    let x = Tensor::full(0.5f32, network.input_dims(2), &Device::Cpu).unwrap();
    // Only the statistics of a batch of one value are refused.
    match network.outputs(&x, true).and_then(|out| Ok(out.heads[0].logits.sum_all()?.backward()?)) {
        Ok(gradients) => {
            let weights = network.params().all();
            assert!(weights.iter().any(|weight| gradients.get(weight.var().as_tensor()).is_some()));
        }
        Err(error) => assert!(error.to_string().contains("have no variance"), "{config}: {error}"),
    }
    Came::Ran
}

#[test]
fn no_number_of_a_configuration_makes_a_network_panic() {
    let executions: usize =
        std::env::var("EXECUTIONS").map_or(400, |text| text.parse().expect("EXECUTIONS is a number"));
    let mut generator = random::generator("numbers", 1, "configurations");
    let mut random = |below: usize| (generator.next_u64() % below.max(1) as u64) as usize;
    let cases: Vec<Value> = ModelConfig::cases()
        .into_iter()
        .map(|case| serde_json::to_value(&case.model).expect("a configuration is JSON"))
        .collect();
    let mut came = Vec::with_capacity(executions);
    for execution in 0..executions {
        if execution % 100_000 == 99_999 {
            eprintln!("{} of {executions} configurations", execution + 1);
        }
        came.push(tried(&mutated(&cases[execution % cases.len()], &mut random)));
    }
    let count = |which: Came| came.iter().filter(|came| **came == which).count();
    let counts = [Came::Unread, Came::Refused, Came::Large, Came::Ran].map(|which| (which, count(which)));
    eprintln!("{executions} configurations: {counts:?}");
    // Every outcome must occur, otherwise the test is empty.
    assert!(counts.iter().all(|(_, count)| *count > 0), "{counts:?}");
}

#[test]
fn a_padding_that_wraps_round_is_refused_by_name() {
    let mut config = serde_json::to_value(&ModelConfig::cases()[0].model).unwrap();
    config["conv1"]["padding"] = Value::from(4_611_686_018_427_387_904_u64);
    let model: ModelConfig = serde_json::from_value(config).unwrap();
    let message = model.summary().unwrap_err().to_string();
    assert!(message.contains("conv1 is") && message.contains("a padding below the kernel"), "{message}");
}
