//! Common properties of all configurations.

use std::collections::BTreeSet;

use candle_core::Tensor;
use models::{Channels, Inputs, Listed, Modality, ModelConfig, ModelName, NameMap, Network, Wanted};
use nn::{Params, Pass};
use testkit::{noise, values};

use crate::support::{device, labels, loss};

/// Returns small configurations of each architecture, with dropout if the paper uses it.
fn all() -> Vec<ModelConfig> {
    ModelConfig::cases().into_iter().map(|case| case.model).collect()
}

/// Makes noise for all inputs of a network, and labels.
fn batch(config: &ModelConfig, samples: usize) -> (Inputs, Vec<u32>) {
    let of = |(modality, shape): (Modality, Vec<usize>)| {
        let [c, time_steps, h, w] = match shape[..] {
            [c, h, w] => [c, 1, h, w],
            _ => shape.try_into().unwrap(),
        };
        let data = noise(9, samples * time_steps * c * h * w);
        (modality, Tensor::from_vec(data, (samples, time_steps, c, h, w), device()).unwrap())
    };
    (config.summary().unwrap().inputs.into_iter().map(of).collect(), labels(samples, config.heads()[0]))
}

#[test]
fn a_configuration_reads_as_it_is_written_and_refuses_unknown_keys() {
    for config in all() {
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<ModelConfig>(&text).unwrap(), config);
        assert!(toml::from_str::<ModelConfig>(&format!("surplus = 1\n{text}")).is_err());
    }
}

#[test]
fn every_network_says_what_it_reads_and_hands_out_its_features() {
    for config in all() {
        let params = Params::new(device());
        let network = config.build(&params.builder(3)).unwrap();
        let inputs: Vec<Modality> = config.inputs().into_iter().map(|input| input.modality).collect();
        assert_eq!(network.reads(), inputs);
        let summary = config.summary().unwrap();
        let (inputs, _) = batch(&config, 2);
        let outputs = network.forward(&inputs, &Pass::eval()).unwrap();
        let classes: Vec<usize> = outputs.heads.iter().map(|head| head.logits.dims()[1]).collect();
        assert_eq!(classes, config.heads());
        // The last layer reads as many values; dropout does not change the shape.
        let rows = &summary.rows;
        assert_eq!(outputs.features.unwrap().dims()[1..], rows[rows.len() - 2].output);
        assert!(network.forward(&Inputs::default(), &Pass::eval()).is_err());
    }
}

#[test]
fn every_parameter_has_a_gradient_and_no_buffer_trains() {
    for config in all() {
        let params = Params::new(device());
        let network = config.build(&params.builder(3)).unwrap();
        let (inputs, labels) = batch(&config, 4);
        let pass = Pass::train(1);
        let gradients = pass.backward(&loss(&network, &inputs, &labels, &pass)).unwrap();
        for param in params.all() {
            let gradient = gradients.get(&param).unwrap_or_else(|| panic!("{} has none", param.name()));
            assert_eq!(gradient.dims(), param.var().dims());
            assert!(!param.name().contains("running"));
        }
    }
}

#[test]
fn a_forward_pass_changes_no_weight_and_no_statistics() {
    for config in all() {
        let params = Params::new(device());
        let network = config.build(&params.builder(3)).unwrap();
        let (inputs, labels) = batch(&config, 4);
        let all = || -> Vec<Vec<f32>> { params.tensors().values().map(values).collect() };
        let before = all();
        let first = values(&loss(&network, &inputs, &labels, &Pass::train(1)));
        assert_eq!(first, values(&loss(&network, &inputs, &labels, &Pass::train(1))));
        assert!(before == all());
    }
}

/// The facts in the list of names agree with the architectures.
#[test]
fn every_architecture_knows_its_own_parameters() {
    let mut kinds = BTreeSet::new();
    for config in all() {
        assert_eq!(serde_json::to_value(&config).unwrap()["kind"], config.kind());
        kinds.insert(config.kind());
        let params = Params::new(device());
        config.build(&params.builder(3)).unwrap();
        let tensors = params.tensors();
        // A learned consensus of segments belongs to the classifiers, and so does a learned pooling.
        let joins = |name: &str| name.starts_with("consensus") || name.starts_with("pooling");
        let is_layer = |name: &&String| config.is_classifier(name) && !joins(name);
        let classifiers = tensors.keys().filter(is_layer).count();
        assert_eq!(classifiers, 2 * config.heads().len(), "{}: a weight and a bias each", config.kind());
        let filters = config.first_filters();
        assert_eq!(filters.len(), config.inputs().len(), "{}", config.kind());
        for (filters, input) in filters.iter().zip(config.filtered()) {
            assert_eq!((filters.modality, tensors[&filters.weight].dims()[1]), (input.modality, input.count));
        }
        for stream in config.streams() {
            // The layers of the stream are here with its prefix; all others join the streams.
            let alone = Params::new(device());
            stream.alone.build(&alone.builder(3)).unwrap();
            let here = |name: &String| config.joins_streams(name) || tensors.contains_key(name);
            assert!(alone.tensors().keys().all(|name| here(&format!("{}{name}", stream.prefix))));
        }
        let of_stream = |name: &String| config.streams().iter().any(|stream| name.starts_with(stream.prefix));
        let joining = tensors.keys().filter(|name| !of_stream(name));
        assert!(config.streams().is_empty() || joining.into_iter().all(|name| config.joins_streams(name)));
        assert!(config.rules(NameMap::Native).unwrap().is_empty());
    }
    assert_eq!(kinds, ModelConfig::KINDS.iter().copied().collect(), "each has a case");
}

/// Every network of one stream accepts any modality, and every name in a spec makes a small network.
#[test]
fn every_name_makes_a_network_of_what_is_wanted() {
    let difference = [Channels::new(Modality::new("difference"), 15)];
    let clip = [Channels::FRAME, Channels::flow(4)];
    let slow = [Channels::new(Modality::RGB, 33)];
    for name in ModelName::all() {
        let wanted = |inputs, time_steps| Wanted {
            inputs,
            time_steps,
            side: 56,
            classes: &[5],
            dropout: 0.0,
            later_dropout: None,
            keeps_units: true,
            width: 0.125,
            depth: 0.5,
            small_stem: true,
            batch_statistics: None,
            levels: None,
            consensus: None,
            poolings: &[],
        };
        let can = |inputs, time_steps| {
            name.make(&wanted(inputs, time_steps)).and_then(|model| {
                assert_eq!(model.inputs(), inputs, "{}", name.name());
                let text = serde_json::to_string(&model).unwrap();
                assert_eq!(serde_json::from_str::<ModelConfig>(&text).unwrap(), model);
                model.summary()
            })
        };
        let (one, two) = (can(&difference, 1).is_ok(), can(&clip, 5).is_ok());
        assert!(one != two || can(&slow, 1).is_ok(), "{} reads nothing", name.name());
    }
    let error = ModelName::parse("resnet-51").unwrap_err().to_string();
    assert!(error.contains("did you mean `resnet-50`"), "{error}");
}
