//! Every architecture as a module of `candle_nn`: the same numbers as with the record of a pass.

use std::collections::BTreeMap;

use candle_core::backprop::GradStore;
use candle_core::{DType, Shape, Tensor, Var};
use candle_nn::{ModuleT, VarBuilder, VarMap};
use models::{Classifier, Inputs, Listed, ModelConfig, Network};
use nn::{Params, Pass};
use testkit::{noise, values};

use crate::st_res_net;
use crate::support::{device, labels};

const SEED: u64 = 11;

fn random(seed: u64, shape: impl Into<Shape>) -> Tensor {
    let shape = shape.into();
    Tensor::from_vec(noise(seed, shape.elem_count()), shape, device()).unwrap()
}

/// Splits (B, N, H, W) by hand: the channels of each input, for all its time steps.
fn parts(config: &ModelConfig, x: &Tensor) -> Inputs {
    let (batch, _, height, width) = x.dims4().unwrap();
    let mut from = 0;
    let shapes = config.summary().unwrap().inputs;
    let part = |(modality, shape): &(_, Vec<usize>)| {
        // (C, H, W), or (C, T, H, W) for clips.
        let [channels, time_steps] = if shape.len() == 3 { [shape[0], 1] } else { [shape[0], shape[1]] };
        let part = x.narrow(1, from, channels * time_steps).unwrap();
        from += channels * time_steps;
        (*modality, part.reshape((batch, time_steps, channels, height, width)).unwrap())
    };
    shapes.iter().map(part).collect()
}

#[test]
fn every_architecture_gives_the_numbers_of_our_own_record() {
    for case in ModelConfig::cases() {
        let config = case.model;
        let classifier = Classifier::seeded(&*config, device(), SEED).unwrap();
        let x = Var::from_tensor(&random(3, classifier.input_dims(2))).unwrap();
        let labels = labels(2, 4);

        let params = Params::new(device());
        let network = config.build(&params.builder(SEED)).unwrap();
        let expected = network.forward(&parts(&config, &x), &Pass::eval()).unwrap();
        let logits = classifier.forward_t(&x, false).unwrap();
        assert!(values(&logits) == values(&expected.heads[0].logits), "{}", case.name);

        // The first training pass uses the seed itself.
        let pass = Pass::train(SEED);
        let outputs = network.forward(&parts(&config, x.as_tensor()), &pass).unwrap();
        let loss = nn::softmax_cross_entropy(&outputs.heads[0].logits, &labels, &pass).unwrap();
        let ours = pass.backward(&loss).unwrap();
        let logits = classifier.forward_t(&x, true).unwrap();
        let loss = nn::softmax_cross_entropy(&logits, &labels, &Pass::in_graph(true, 0)).unwrap();
        let theirs: GradStore = loss.backward().unwrap();
        assert!(
            theirs.get(&x).is_some_and(|gradient| gradient.dims() == x.dims()),
            "{}: of the input",
            case.name
        );
        for (ours_of, theirs_of) in params.all().iter().zip(classifier.params().all()) {
            let name = format!("{}, {}", case.name, ours_of.name());
            let expected = ours.get(ours_of).map(values);
            let found = theirs.get(theirs_of.var()).map(values);
            assert_eq!(found.is_some(), expected.is_some(), "{name}");
            let (found, expected) = (found.unwrap_or_default(), expected.unwrap_or_default());
            // If a value is used three times or more, the order of the sum differs.
            let largest = expected.iter().fold(1e-3f32, |largest, value| largest.max(value.abs()));
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() <= 1e-4 * largest, "{name}: {found}, expected {expected}");
            }
        }
    }
}

#[test]
fn a_store_may_be_a_map_of_variables_or_a_file() {
    let config = ModelConfig::cases().swap_remove(2).model;
    let seeded = Classifier::seeded(&*config, device(), SEED).unwrap();
    let x = random(3, seeded.input_dims(2));
    let expected = values(&seeded.forward_t(&x, false).unwrap());

    // The map receives the seeded values under PyTorch's names and shares its variables.
    let variables = VarMap::new();
    let store = VarBuilder::from_varmap(&variables, DType::F32, device());
    let of_map = Classifier::new(&*config, store.clone(), SEED).unwrap();
    assert_eq!(values(&of_map.forward_t(&x, false).unwrap()), expected);
    let data: BTreeMap<String, Var> =
        variables.data().lock().unwrap().iter().map(|(name, var)| (name.clone(), var.clone())).collect();
    assert!(data.keys().eq(seeded.params().tensors().keys()));
    // A second network on the same map is the same network, regardless of its seed.
    let again = Classifier::new(&*config, store, SEED + 1).unwrap();
    assert_eq!(values(&again.forward_t(&x, false).unwrap()), expected);

    let bytes = nn::tensors::to_bytes(&seeded.params().tensors()).unwrap();
    let store = VarBuilder::from_buffered_safetensors(bytes, DType::F32, device()).unwrap();
    let of_file = Classifier::new(&*config, store.clone(), 0).unwrap();
    assert_eq!(values(&of_file.forward_t(&x, false).unwrap()), expected);
    // A file with other names is refused.
    let problem = Classifier::new(&*config, store.pp("elsewhere"), 0).map(|_| ()).unwrap_err().to_string();
    assert!(problem.contains("elsewhere."), "{problem}");

    // The network's own parameters, wrapped in a builder.
    let store = seeded.params().var_builder(0);
    let of_params = Classifier::new(&*config, store, 0).unwrap();
    assert_eq!(values(&of_params.forward_t(&x, false).unwrap()), expected);
}

#[test]
fn clips_are_five_dimensional_and_of_any_length() {
    let config = st_res_net::small();
    let classifier = Classifier::seeded(&config, device(), SEED).unwrap();
    // Three time steps, each with a frame and four channels of flow.
    assert_eq!(classifier.input_dims(2), (2, 3 * 3 + 3 * 4, 32, 32));
    let flat = random(3, (2, 21, 32, 32));
    let rgb = flat.narrow(1, 0, 9).unwrap().reshape((2, 3, 3, 32, 32)).unwrap();
    let flow = flat.narrow(1, 9, 12).unwrap().reshape((2, 3, 4, 32, 32)).unwrap();
    let clip = Tensor::cat(&[rgb, flow], 2).unwrap();
    let [of_flat, of_clip] = [&flat, &clip].map(|x| values(&classifier.forward_t(x, false).unwrap()));
    assert_eq!(of_flat, of_clip);
    let longer = random(4, (1, 5, 7, 32, 32));
    assert_eq!(classifier.forward_t(&longer, false).unwrap().dims(), [1, 3]);
}

#[test]
fn another_shape_is_refused_with_the_one_that_is_read() {
    let classifier = Classifier::seeded(&st_res_net::small(), device(), SEED).unwrap();
    for dims in [&[2, 21, 31, 32][..], &[2, 20, 32, 32], &[2, 3, 8, 32, 32], &[21, 32, 32]] {
        let problem = classifier.forward_t(&random(1, dims), false).unwrap_err().to_string();
        assert!(problem.contains("ST-ResNet reads") && problem.contains("32"), "{dims:?}: {problem}");
    }
    let config = ModelConfig::cases().swap_remove(0).model;
    let classifier = Classifier::seeded(&*config, device(), SEED).unwrap();
    // A network of one time step refuses clips.
    let problem = classifier.forward_t(&random(1, (1, 1, 3, 75, 75)), false).unwrap_err().to_string();
    assert!(problem.contains("expected") || problem.contains("reads"), "{problem}");
}

#[test]
fn dropout_masks_follow_the_passes() {
    let config = ModelConfig::cases().swap_remove(0).model;
    let [first, second] = [0, 1].map(|_| Classifier::seeded(&*config, device(), SEED).unwrap());
    let x = random(3, first.input_dims(2));
    let run = |classifier: &Classifier, train| values(&classifier.forward_t(&x, train).unwrap());
    let [a, b] = [run(&first, true), run(&first, true)];
    assert_ne!(a, b);
    // An evaluation in between does not count as a training pass.
    let evaluated = run(&second, false);
    assert_eq!([run(&second, true), run(&second, true)], [a, b]);
    assert_eq!(run(&second, false), evaluated);
}
