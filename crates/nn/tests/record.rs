//! The record of a pass: values with a gradient, and the lifetime of recorded tensors.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::sync::{Arc, Mutex, Weak};

use candle_core::{DType, Device, Tensor};
use kernels::{Array, Backward, Gradient, Op};
use nn::ops::{Add, Concat};
use nn::{Activation, Init, Linear, Param, Params, Pass};
use testkit::{assert_close_values, noise, numeric_gradient, values};

fn param(params: &Params, name: &str, values: &[f32]) -> Arc<Param> {
    let param = params.builder(0).param(name, values.len(), Init::Constant(0.0)).unwrap();
    param.var().set(&Tensor::new(values, &Device::Cpu).unwrap()).unwrap();
    param
}

/// The sum of all values, as an operation.
#[derive(Debug)]
struct Sum;

impl Op for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> candle_core::Result<(Vec<f32>, Vec<usize>)> {
        Ok((vec![inputs[0].data().iter().sum()], vec![]))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> candle_core::Result<Vec<Gradient>> {
        Ok(vec![Gradient::Values(vec![given.gradient.data()[0]; given.inputs[0].data().len()])])
    }
}

/// The square of each value; calls a function when its gradient is computed.
struct Square<F>(F);

impl<F> std::fmt::Debug for Square<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Square")
    }
}

impl<F: Fn() + Send + Sync + 'static> Op for Square<F> {
    fn name(&self) -> &'static str {
        "square"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> candle_core::Result<(Vec<f32>, Vec<usize>)> {
        Ok((inputs[0].data().iter().map(|x| x * x).collect(), inputs[0].dims().to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> candle_core::Result<Vec<Gradient>> {
        (self.0)();
        let values = given.inputs[0].data().iter().zip(given.gradient.data()).map(|(x, g)| 2.0 * x * g);
        Ok(vec![Gradient::Values(values.collect())])
    }
}

#[test]
fn a_sum_of_gradients_leaves_others_in_the_same_memory_alone() {
    let params = Params::new(&Device::Cpu);
    let (v, w) = (param(&params, "v", &[1.0, -2.0, 3.0]), param(&params, "w", &[0.5; 3]));
    let pass = Pass::train(0);
    let add = |a: &Tensor, b: &Tensor| pass.apply(Add { relu: false }, &[a, b]).unwrap();
    let (x, y) = (v.tensor(&pass), w.tensor(&pass));
    // v^2 + (v + w): the gradient of the sum reaches v and w in one memory, before that of the square is added to v's.
    let square = pass.apply(Square(|| ()), &[&x]).unwrap();
    let loss = pass.apply(Sum, &[&add(&square, &add(&x, &y))]).unwrap();
    let gradients = pass.backward(&loss).unwrap();
    assert_eq!(values(gradients.get(&v).unwrap()), [3.0, -3.0, 7.0]);
    assert_eq!(values(gradients.get(&w).unwrap()), [1.0; 3]);
}

#[test]
fn a_value_used_more_than_once_has_the_sum_of_its_gradients() {
    let params = Params::new(&Device::Cpu);
    let w = param(&params, "w", &[1.0, -2.0, 3.0]);
    let pass = Pass::train(0);
    let add = |a: &Tensor, b: &Tensor| pass.apply(Add { relu: false }, &[a, b]).unwrap();
    let x = w.tensor(&pass);
    // x^2 + x + x, where x^2 itself is used twice by one operation: 2 x^2 + 2 x.
    let square = pass.apply(Square(|| ()), &[&x]).unwrap();
    let sum = add(&add(&square, &square), &add(&x, &w.tensor(&pass)));
    let loss = pass.apply(Sum, &[&sum]).unwrap();
    assert_eq!(values(&loss), [2.0 * 14.0 + 2.0 * 2.0]);
    let gradients = pass.backward(&loss).unwrap();
    assert_eq!(values(gradients.get(&w).unwrap()), [6.0, -6.0, 14.0]);
}

#[test]
fn gradients_pass_through_other_shapes() {
    let params = Params::new(&Device::Cpu);
    let (a, b) = (param(&params, "a", &[1.0, 2.0, 3.0, 4.0]), param(&params, "b", &[5.0, 6.0]));
    let pass = Pass::train(0);
    let matrix = pass.reshape(&a.tensor(&pass), (2, 2)).unwrap();
    let column = pass.reshape(&b.tensor(&pass), (2, 1)).unwrap();
    let joined = pass.apply(Concat, &[&matrix, &column]).unwrap();
    let loss = pass.apply(Sum, &[&pass.apply(Square(|| ()), &[&joined]).unwrap()]).unwrap();
    let gradients = pass.backward(&loss).unwrap();
    assert_eq!(values(gradients.get(&a).unwrap()), [2.0, 4.0, 6.0, 8.0]);
    assert_eq!(gradients.get(&b).unwrap().dims(), [2]);
    assert_eq!(values(gradients.get(&b).unwrap()), [10.0, 12.0]);
}

#[test]
fn the_gradients_of_two_layers_are_those_of_finite_differences() {
    let params = Params::new(&Device::Cpu);
    let builder = params.builder(5);
    let first = Linear::new(&builder.pp("first"), 5, 7, Activation::Relu).unwrap();
    let second = Linear::new(&builder.pp("second"), 7, 3, Activation::None).unwrap();
    let x = Tensor::from_vec(noise(2, 20), (4, 5), &Device::Cpu).unwrap();
    let loss = |pass: &Pass| {
        let hidden = first.forward(&x, pass).unwrap();
        let logits = second.forward(&hidden, pass).unwrap();
        nn::softmax_cross_entropy(&logits, &[0, 2, 1, 1], pass).unwrap()
    };
    let pass = Pass::train(0);
    let gradients = pass.backward(&loss(&pass)).unwrap();
    for param in params.all() {
        let at = param.var().copy().unwrap().detach();
        // A small step: a larger one would cross the kink of a rectified unit.
        let numeric = numeric_gradient(&at, 4e-4, |moved| {
            param.var().set(moved).unwrap();
            f64::from(values(&loss(&Pass::eval()))[0])
        });
        param.var().set(&at).unwrap();
        assert_close_values(param.name(), &values(gradients.get(&param).unwrap()), &numeric, 2e-3);
    }
}

#[test]
fn what_a_step_kept_is_dropped_before_the_step_before_it_is_walked_back() {
    let params = Params::new(&Device::Cpu);
    let w = param(&params, "w", &[2.0]);
    let later: Arc<Mutex<Weak<()>>> = Arc::default();
    let seen = Arc::new(Mutex::new(None));
    let pass = Pass::train(0);
    let first = {
        let (later, seen) = (Arc::clone(&later), Arc::clone(&seen));
        Square(move || *seen.lock().unwrap() = Some(later.lock().unwrap().upgrade().is_some()))
    };
    let middle = pass.apply(first, &[&w.tensor(&pass)]).unwrap();
    let kept = Arc::new(());
    *later.lock().unwrap() = Arc::downgrade(&kept);
    let second = Square(move || {
        let _kept = &kept;
    });
    let loss = pass.apply(second, &[&middle]).unwrap();
    assert!(later.lock().unwrap().upgrade().is_some(), "the record keeps the operation");
    let gradients = pass.backward(&loss).unwrap();
    assert_eq!(values(gradients.get(&w).unwrap()), [4.0 * 8.0]);
    assert_eq!(*seen.lock().unwrap(), Some(false), "the later operation was still there");
}

#[test]
fn nothing_is_kept_or_computed_for_frozen_parameters() {
    let params = Params::new(&Device::Cpu);
    let (frozen, trained) = (param(&params, "frozen", &[2.0]), param(&params, "trained", &[3.0]));
    params.configure(|name, training| training.frozen = name == "frozen");
    let calls = Arc::new(Mutex::new(0));
    let count = || {
        let calls = Arc::clone(&calls);
        Square(move || *calls.lock().unwrap() += 1)
    };
    let token = Arc::downgrade(&calls);
    let pass = Pass::train(0);
    let below = pass.apply(count(), &[&frozen.tensor(&pass)]).unwrap();
    assert_eq!(token.strong_count(), 1, "the operation was not kept");
    let above = pass.apply(count(), &[&trained.tensor(&pass)]).unwrap();
    let loss = pass.apply(Add { relu: false }, &[&below, &above]).unwrap();
    let gradients = pass.backward(&pass.reshape(&loss, ()).unwrap()).unwrap();
    assert!(gradients.get(&frozen).is_none());
    assert_eq!(values(gradients.get(&trained).unwrap()), [6.0]);
    assert_eq!(*calls.lock().unwrap(), 1);
}

#[test]
fn an_evaluation_keeps_nothing() {
    let params = Params::new(&Device::Cpu);
    let w = param(&params, "w", &[2.0]);
    let kept = Arc::new(());
    let token = Arc::downgrade(&kept);
    let pass = Pass::eval();
    let square = Square(move || {
        let _kept = &kept;
    });
    pass.apply(square, &[&w.tensor(&pass)]).unwrap();
    assert!(token.upgrade().is_none());
}

/// Returns the message of the error that `backward` must report.
fn refusal(loss: &Tensor, pass: &Pass) -> String {
    pass.backward(loss).unwrap_err().to_string()
}

#[test]
fn a_loss_that_no_gradient_leaves_is_an_error_that_says_why() {
    let params = Params::new(&Device::Cpu);
    let w = param(&params, "w", &[2.0, 1.0]);
    let pass = Pass::train(0);
    let y = pass.apply(Square(|| ()), &[&w.tensor(&pass)]).unwrap();

    assert!(refusal(&y, &pass).contains("the loss has shape [2], expected a single value"));
    // A Candle operation cuts the chain.
    let cut = y.sum_all().unwrap();
    assert!(refusal(&cut, &pass).contains("does not depend on a parameter that trains"));
    let after_the_cut = pass.apply(Sum, &[&y.affine(2.0, 0.0).unwrap()]).unwrap();
    assert!(refusal(&after_the_cut, &pass).contains("does not depend on a parameter that trains"));
    // So does another pass.
    let elsewhere = Pass::train(0);
    let foreign = elsewhere.apply(Sum, &[&y]).unwrap();
    assert!(refusal(&foreign, &elsewhere).contains("does not depend on a parameter that trains"));

    let loss = pass.apply(Sum, &[&y]).unwrap();
    pass.backward(&loss).unwrap();
    assert!(refusal(&loss, &pass).contains("was already called"));

    let eval = Pass::eval();
    let loss = eval.apply(Sum, &[&w.tensor(&eval)]).unwrap();
    assert!(refusal(&loss, &eval).contains("use Pass::train"));
}

#[test]
fn a_loss_of_frozen_parameters_alone_is_an_error() {
    let params = Params::new(&Device::Cpu);
    let w = param(&params, "w", &[2.0]);
    params.configure(|_, training| training.frozen = true);
    let pass = Pass::train(0);
    let loss = pass.apply(Sum, &[&w.tensor(&pass)]).unwrap();
    assert!(refusal(&loss, &pass).contains("leave a parameter of the network unfrozen"));
}

#[test]
fn two_losses_add_up() {
    let params = Params::new(&Device::Cpu);
    let builder = params.builder(5);
    let linear = Linear::new(&builder, 3, 4, Activation::None).unwrap();
    let x = Tensor::ones((2, 3), DType::F32, &Device::Cpu).unwrap();
    let gradient_of = |labels: &[[u32; 2]]| {
        let pass = Pass::train(0);
        let logits = linear.forward(&x, &pass).unwrap();
        let mut losses =
            labels.iter().map(|labels| nn::softmax_cross_entropy(&logits, labels, &pass).unwrap());
        let first = losses.next().unwrap();
        let sum = losses.fold(first, |a, b| pass.apply(Add { relu: false }, &[&a, &b]).unwrap());
        values(pass.backward(&sum).unwrap().get(&params.get("weight").unwrap()).unwrap())
    };
    let (one, other) = (gradient_of(&[[0, 1]]), gradient_of(&[[2, 3]]));
    let both: Vec<f32> = one.iter().zip(&other).map(|(a, b)| a + b).collect();
    assert_close_values("the sum", &gradient_of(&[[0, 1], [2, 3]]), &both, 1e-6);
}
