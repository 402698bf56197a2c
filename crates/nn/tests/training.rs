//! Parameters, dropout and the optimiser in a training loop.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use candle_core::{Device, Tensor};
use nn::{Activation, ContrastiveLoss, Dropout, Error, Init, Linear, PairDistance, Params, Pass, Sgd};
use testkit::{noise, values};

/// Makes two layers in either order.
fn network(reversed: bool) -> (Params, Linear, Linear) {
    let params = Params::new(&Device::Cpu);
    let builder = params.builder(3);
    let first = || Linear::new(&builder.pp("full1"), 6, 8, Activation::Relu).unwrap();
    let second = || Linear::new(&builder.pp("full2"), 8, 3, Activation::None).unwrap();
    if reversed {
        let second = second();
        (params, first(), second)
    } else {
        let first = first();
        (params, first, second())
    }
}

fn all_values(params: &Params) -> Vec<f32> {
    params.tensors().values().flat_map(values).collect()
}

fn batch() -> (Tensor, [u32; 4]) {
    let x = Tensor::from_vec(noise(1, 24), (4, 6), &Device::Cpu).unwrap();
    (x, [0, 1, 2, 1])
}

/// Runs one step; returns the loss before it.
fn step(first: &Linear, second: &Linear, optimiser: &mut Sgd) -> f32 {
    let (x, labels) = batch();
    let pass = Pass::train(0);
    let hidden = first.forward(&x, &pass).unwrap();
    let logits = second.forward(&hidden, &pass).unwrap();
    let loss = nn::softmax_cross_entropy(&logits, &labels, &pass).unwrap();
    optimiser.descend(&pass.backward(&loss).unwrap(), 0.1).unwrap();
    values(&loss)[0]
}

#[test]
fn initial_values_do_not_depend_on_the_order_of_construction() {
    let ((one, ..), (other, ..)) = (network(false), network(true));
    assert_eq!(all_values(&one), all_values(&other));
    let names: Vec<_> = one.tensors().into_keys().collect();
    assert_eq!(names, ["full1.bias", "full1.weight", "full2.bias", "full2.weight"]);
}

#[test]
fn he_initialisation_has_the_stated_variance() {
    let init = Init::HeNormal { fan_in: 50 };
    let drawn = init.draw(1, "w", &(200, 500).into(), &Device::Cpu).unwrap();
    let drawn = values(&drawn);
    let mean = drawn.iter().sum::<f32>() / drawn.len() as f32;
    let variance = drawn.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / drawn.len() as f32;
    assert!(mean.abs() < 3e-3, "{mean}");
    assert!((variance / 0.04 - 1.0).abs() < 0.02, "{variance}");
    let other = init.draw(2, "w", &(200, 500).into(), &Device::Cpu).unwrap();
    assert_ne!(drawn, values(&other));
}

#[test]
fn a_name_can_be_used_once() {
    let params = Params::new(&Device::Cpu);
    let builder = params.builder(0).pp("a");
    builder.param("w", 2, Init::Constant(1.0)).unwrap();
    let error = builder.param("w", 2, Init::Constant(1.0)).unwrap_err();
    assert!(matches!(error, Error::DuplicateParameter { name } if name == "a.w"));
}

#[test]
fn dropout_keeps_the_stated_share_and_the_mean() {
    for probability in [0.1, 0.5, 0.9] {
        let dropout = Dropout::new("full6", probability).unwrap();
        let x = Tensor::ones((64, 1024), candle_core::DType::F32, &Device::Cpu).unwrap();
        let y = values(&dropout.forward(&x, &Pass::train(7)).unwrap());
        let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / y.len() as f64;
        // Five standard deviations of a share of 65,536 draws.
        let allowed = 5.0 * (probability * (1.0 - probability) / 65_536.0).sqrt();
        assert!((dropped - probability).abs() < allowed, "{dropped} for {probability}");
        let kept = (1.0 / (1.0 - probability)) as f32;
        assert!(y.iter().all(|&y| y == 0.0 || y == kept));
        assert_eq!(values(&dropout.forward(&x, &Pass::eval()).unwrap()), values(&x));
        assert_eq!(y, values(&dropout.forward(&x, &Pass::train(7)).unwrap()));
        assert_ne!(y, values(&dropout.forward(&x, &Pass::train(8)).unwrap()));
        let other = Dropout::new("full7", probability).unwrap();
        assert_ne!(y, values(&other.forward(&x, &Pass::train(7)).unwrap()));
    }
    assert!(Dropout::new("full6", 1.0).is_err());
}

#[test]
fn frozen_parameters_do_not_move_by_a_bit() {
    let (params, first, second) = network(false);
    params.configure(|name, training| training.frozen = name.starts_with("full1"));
    let mut optimiser = Sgd::of(&params, 0.9, 5e-4).unwrap();
    let before = params.tensors();
    let before: Vec<_> = before.values().map(values).collect();
    for _ in 0..5 {
        step(&first, &second, &mut optimiser);
    }
    let after: Vec<_> = params.tensors().values().map(values).collect();
    assert_eq!(before[..2], after[..2]);
    assert_ne!(before[2], after[2]);
    assert_ne!(before[3], after[3]);
}

#[test]
fn a_resumed_run_goes_on_with_the_same_bits() {
    let (params, first, second) = network(false);
    let mut optimiser = Sgd::of(&params, 0.9, 5e-4).unwrap();
    for _ in 0..3 {
        step(&first, &second, &mut optimiser);
    }
    let weights = nn::tensors::to_bytes(&params.tensors()).unwrap();
    let velocities = nn::tensors::to_bytes(optimiser.velocities()).unwrap();
    let straight: Vec<_> = (0..3).map(|_| step(&first, &second, &mut optimiser)).collect();

    let (resumed, first, second) = network(true);
    let mut optimiser = Sgd::of(&resumed, 0.9, 5e-4).unwrap();
    let read = |bytes: &[u8]| nn::tensors::from_bytes(bytes, &Device::Cpu).unwrap();
    resumed.set_tensors(&read(&weights)).unwrap();
    optimiser.set_velocities(&read(&velocities)).unwrap();
    let again: Vec<_> = (0..3).map(|_| step(&first, &second, &mut optimiser)).collect();
    assert_eq!(straight, again);
    assert_eq!(all_values(&params), all_values(&resumed));
}

#[test]
fn stored_weights_must_fit_exactly() {
    let (params, ..) = network(false);
    let good = params.tensors();

    let mut missing = good.clone();
    missing.remove("full2.bias");
    let error = params.set_tensors(&missing).unwrap_err().to_string();
    assert!(error.contains("lack `full2.bias`"), "{error}");

    let mut surplus = good.clone();
    surplus.insert("full9.bias".into(), good["full2.bias"].clone());
    let error = params.set_tensors(&surplus).unwrap_err().to_string();
    assert!(error.contains("hold `full9.bias`"), "{error}");

    let mut reshaped = good.clone();
    reshaped.insert("full2.bias".into(), good["full1.bias"].clone());
    let error = params.set_tensors(&reshaped).unwrap_err().to_string();
    assert!(error.contains("`full2.bias` has F32 [8], expected F32 [3]"), "{error}");

    let bytes = nn::tensors::to_bytes(&good).unwrap();
    let error = nn::tensors::from_bytes(&bytes[..bytes.len() - 5], &Device::Cpu).unwrap_err();
    assert!(matches!(error, Error::Format { .. }));
}

#[test]
fn weights_come_from_a_file_and_a_missing_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let ((params, ..), (other, ..)) = (network(false), network(false));
    params.get("full1.bias").unwrap().var().set(&Tensor::new(&[3f32; 8], &Device::Cpu).unwrap()).unwrap();
    std::fs::write(&path, nn::tensors::to_bytes(&params.tensors()).unwrap()).unwrap();
    assert_ne!(all_values(&params), all_values(&other));
    other.load(&path).unwrap();
    assert_eq!(all_values(&params), all_values(&other));
    let error = other.load(&folder.path().join("none")).unwrap_err().to_string();
    assert!(error.contains("cannot read") && error.contains("none"), "{error}");
}

#[test]
fn settings_out_of_range_are_refused() {
    let (params, ..) = network(false);
    assert!(Sgd::of(&params, 1.0, 0.0).is_err());
    assert!(Sgd::of(&params, 0.9, -1.0).is_err());
    assert!(Sgd::of(&params, 0.9, f64::NAN).is_err());
}

/// The gradient over all parameters is scaled down to the norm, before weight decay; a smaller one does not change.
#[test]
fn gradients_are_clipped_at_their_common_norm() {
    let gradients = |pass: &Pass, first: &Linear, second: &Linear| {
        let (x, labels) = batch();
        let hidden = first.forward(&x, pass).unwrap();
        let logits = second.forward(&hidden, pass).unwrap();
        pass.backward(&nn::softmax_cross_entropy(&logits, &labels, pass).unwrap()).unwrap()
    };
    let (params, first, second) = network(false);
    let found = gradients(&Pass::train(0), &first, &second);
    let all: Vec<f32> = params.all().iter().flat_map(|param| values(found.get(param).unwrap())).collect();
    let norm = all.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
    let before = all_values(&params);
    let moved = |clip: Option<f64>| {
        let (params, first, second) = network(false);
        let mut sgd = Sgd::of(&params, 0.9, 0.01).unwrap();
        clip.into_iter().for_each(|clip| sgd.clip(clip).unwrap());
        sgd.descend(&gradients(&Pass::train(0), &first, &second), 1.0).unwrap();
        all_values(&params)
    };
    for (clip, scale) in [(norm / 4.0, 0.25), (norm * 2.0, 1.0)] {
        for ((after, before), gradient) in moved(Some(clip)).iter().zip(&before).zip(&all) {
            let expected = before - (scale * gradient + 0.01 * before);
            assert!((after - expected).abs() < 1e-6, "{after}, expected {expected}");
        }
    }
    assert_eq!(moved(Some(norm * 2.0)), moved(None), "the same bits as without");
    // Frozen parameters do not count.
    let (params, first, second) = network(false);
    params.configure(|name, training| training.frozen = name.starts_with("full2"));
    let mut sgd = Sgd::of(&params, 0.0, 0.0).unwrap();
    sgd.clip(1e-3).unwrap();
    sgd.descend(&gradients(&Pass::train(0), &first, &second), 1.0).unwrap();
    let change = all_values(&params).iter().zip(&before).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    assert!((change.sqrt() / 1e-3 - 1.0).abs() < 1e-3, "{}", change.sqrt());
    assert!(sgd.clip(0.0).is_err() && sgd.clip(f64::NAN).is_err());
}

/// Both branches of a pair share their weights, whose gradient is the sum over both branches.
#[test]
fn branches_of_a_pair_share_one_gradient() {
    let contrastive = || ContrastiveLoss::new(vec![true, false, false, true], 3.0, PairDistance::L2);
    let (x, _) = batch();
    let other = Tensor::from_vec(noise(2, 24), (4, 6), &Device::Cpu).unwrap();
    let gradient = |first_learns: bool, second_learns: bool| {
        let (params, one, _) = network(false);
        let (frozen, same, _) = network(false);
        frozen.configure(|_, training| training.frozen = true);
        let branch = |learns: bool| if learns { &one } else { &same };
        let pass = Pass::train(0);
        let features = [(first_learns, &x), (second_learns, &other)]
            .map(|(learns, x)| branch(learns).forward(x, &pass).unwrap());
        // (P, 2F), which equals (2P, F) with the vectors of a pair in neighbouring rows.
        let (pairs, each) = features[0].dims2().unwrap();
        let side_by_side = pass.apply(nn::ops::Concat, &[&features[0], &features[1]]).unwrap();
        let features = pass.reshape(&side_by_side, (2 * pairs, each)).unwrap();
        let loss = nn::contrastive_loss(&features, contrastive(), &pass).unwrap();
        values(pass.backward(&loss).unwrap().get(&params.get("full1.weight").unwrap()).unwrap())
    };
    let (both, first, second) = (gradient(true, true), gradient(true, false), gradient(false, true));
    assert!(first != second && first.iter().any(|gradient| *gradient != 0.0));
    for ((both, first), second) in both.iter().zip(&first).zip(&second) {
        assert!((both - first - second).abs() < 1e-6, "{both}, expected {first} + {second}");
    }
    // One batch of both branches has the same gradient.
    let (params, one, _) = network(false);
    let pass = Pass::train(0);
    let rows = |of: &Tensor, row: usize| of.get(row).unwrap();
    let batch: Vec<Tensor> = (0..4).flat_map(|pair| [rows(&x, pair), rows(&other, pair)]).collect();
    let features = one.forward(&Tensor::stack(&batch, 0).unwrap(), &pass).unwrap();
    let loss = nn::contrastive_loss(&features, contrastive(), &pass).unwrap();
    let gradients = pass.backward(&loss).unwrap();
    let joint = values(gradients.get(&params.get("full1.weight").unwrap()).unwrap());
    for (joint, both) in joint.iter().zip(&both) {
        assert!((joint - both).abs() < 1e-6, "{joint}, expected {both}");
    }
}
