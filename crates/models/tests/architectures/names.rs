//! Published weights under other names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use candle_core::Tensor;
use models::{
    AlexNetConfig, Architecture, Backbone, BnInceptionConfig, Channels, CnnM2048Config, Listed, ModelConfig,
    NameMap, Network, ResNet50Config, Rule,
};
use nn::tensors::Tensors;
use nn::{Params, Pass};
use testkit::{assert_close, fixture, noise, sizes};

use crate::support::{self, device};

fn made(model: &dyn Architecture, seed: u64) -> (Params, Backbone) {
    let params = Params::new(device());
    let network = model.build(&params.builder(seed)).unwrap();
    (params, network)
}

fn logits(network: &dyn Network, shape: &[usize]) -> Tensor {
    let x = Tensor::from_vec(noise(1, shape.iter().product()), shape, device()).unwrap();
    let inputs = support::inputs(network.reads()[0], &x);
    network.forward(&inputs, &Pass::eval()).unwrap().heads[0].logits.clone()
}

fn torchvision_small(classes: usize) -> ModelConfig {
    let expected = fixture("torchvision_res_net_50_logits");
    let shape = sizes(&expected["shape"]);
    ModelConfig::ResNet50(ResNet50Config {
        input: [shape[2], shape[3]],
        width: sizes(&expected["width"])[0],
        ..ResNet50Config::paper(Channels::FRAME, classes)
    })
}

#[test]
fn a_state_of_torchvisions_res_net_50_gives_its_logits() {
    let (model, expected) = (torchvision_small(7), fixture("torchvision_res_net_50_logits"));
    let (params, network) = made(&*model, 0);
    let stored = model.published(NameMap::Torchvision, &fixture("torchvision_res_net_50")).unwrap().0;
    params.transfer(&stored, &|_| false).unwrap();
    let found = logits(&network, &sizes(&expected["shape"]));
    let worst = assert_close("logits", &found, &expected["logits"], 1e-4);
    eprintln!("logits of torchvision's state: {worst:.1e}");
}

#[test]
fn with_another_number_of_classes_only_the_classifier_is_new() {
    let model = torchvision_small(11);
    let (params, _) = made(&*model, 0);
    let stored = model.published(NameMap::Torchvision, &fixture("torchvision_res_net_50")).unwrap().0;
    let error = params.transfer(&stored, &|_| false).unwrap_err().to_string();
    assert!(error.contains("`fc.bias`") && error.contains("[7]") && error.contains("[11]"), "{error}");
    params.transfer(&stored, &|name| model.is_classifier(name)).unwrap();
    let (found, fresh) = (params.tensors(), made(&*model, 0).0.tensors());
    for (name, found) in &found {
        let expected = if name.starts_with("fc.") { &fresh[name] } else { &stored[name] };
        assert_close(name, found, expected, 0.0);
    }
}

#[test]
fn every_tensor_of_torchvisions_full_res_net_50_has_its_place() {
    let model = ModelConfig::ResNet50(ResNet50Config::paper(Channels::FRAME, 1000));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/fixtures/torchvision_res_net_50.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let stored: BTreeMap<&str, Vec<usize>> = text
        .lines()
        .map(|line| {
            let mut cells = line.split('\t');
            let (name, shape) = (cells.next().unwrap(), cells.next().unwrap());
            (
                name,
                shape.split('x').filter(|side| !side.is_empty()).map(|side| side.parse().unwrap()).collect(),
            )
        })
        .collect();
    assert_eq!(stored.len(), 320);
    let ours = model.our_names(NameMap::Torchvision, stored.keys().copied()).unwrap();
    let found: BTreeMap<String, Vec<usize>> =
        ours.iter().map(|(name, theirs)| (name.clone(), stored[theirs.as_str()].clone())).collect();
    let params = made(&*model, 0).0.tensors();
    let expected: BTreeMap<String, Vec<usize>> =
        params.iter().map(|(name, tensor)| (name.clone(), tensor.dims().to_vec())).collect();
    assert_eq!(found, expected);
    // Only PyTorch's counts remain, one for each of the 53 normalised layers.
    let used: BTreeSet<&str> = ours.values().map(String::as_str).collect();
    let ignored: Vec<&&str> = stored.keys().filter(|name| !used.contains(**name)).collect();
    assert_eq!(ignored.len(), 53);
    assert!(ignored.iter().all(|name| name.ends_with(".num_batches_tracked")), "{ignored:?}");
}

/// Renames a network's weights with `theirs` and reads them back into another network.
fn comes_back(model: &dyn Architecture, names: NameMap, theirs: impl Fn(&str) -> String) {
    let (source, network) = made(model, 1);
    let stored: Tensors = source.tensors().into_iter().map(|(name, t)| (theirs(&name), t)).collect();
    let (params, copy) = made(model, 2);
    let (mapped, _) = model.published(names, &stored).unwrap();
    params.transfer(&mapped, &|_| false).unwrap();
    let shape = [&[2], model.summary().unwrap().inputs[0].1.as_slice()].concat();
    assert_close("logits", &logits(&copy, &shape), &logits(&network, &shape), 0.0);
}

#[test]
fn released_caffe_names_of_cnn_m_2048_are_known() {
    let model = ModelConfig::CnnM2048(CnnM2048Config {
        input: [64, 64],
        widths: [4, 4, 4, 4, 4],
        full6: 6,
        full7: 5,
        ..CnnM2048Config::paper(Channels::FRAME, 4, 0.5)
    });
    comes_back(&*model, NameMap::Caffe, |name| name.replace("full", "fc"));
    comes_back(&*model, NameMap::Native, str::to_owned);
}

#[test]
fn released_caffe_names_of_alex_net_are_its_own() {
    let model = ModelConfig::AlexNet(AlexNetConfig {
        input: [67, 67],
        widths: [4, 4, 4, 4, 4],
        fc6: 6,
        fc7: 5,
        ..AlexNetConfig::paper(4)
    });
    comes_back(&*model, NameMap::Caffe, |name| {
        let layers = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"];
        assert!(layers.contains(&name.split_once('.').unwrap().0), "{name}");
        name.to_owned()
    });
}

#[test]
fn bn_inception_is_read_with_slashes_and_with_underscores() {
    let model = ModelConfig::BnInception(BnInceptionConfig {
        input: [64, 64],
        width_divisor: 32,
        ..BnInceptionConfig::paper(Channels::FRAME, 4)
    });
    comes_back(&*model, NameMap::Caffe, str::to_owned);
    comes_back(&*model, NameMap::Caffe, |name| name.replace('/', "_").replace("fc-action", "last_linear"));
    comes_back(&*model, NameMap::Caffe, |name| name.replace("fc-action", "fc"));
    // Additional counts in the file of a port do not matter.
    let ours = model.our_names(NameMap::Caffe, ["conv1_7x7_s2_bn.num_batches_tracked", "fc.bias"]).unwrap();
    assert_eq!(ours.into_iter().collect::<Vec<_>>(), [("fc-action.bias".to_owned(), "fc.bias".to_owned())]);
}

#[test]
fn two_tensors_for_one_place_are_refused() {
    let model = ModelConfig::BnInception(BnInceptionConfig::paper(Channels::FRAME, 4));
    let error = model.our_names(NameMap::Caffe, ["fc.bias", "last_linear.bias"]).unwrap_err().to_string();
    for word in ["`fc.bias`", "`last_linear.bias`", "`fc-action.bias`"] {
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn torchvisions_alex_net_is_another_network() {
    let model = ModelConfig::AlexNet(AlexNetConfig::paper(1000));
    let error = model.rules(NameMap::Torchvision).unwrap_err().to_string();
    assert!(error.contains("torchvision") && error.contains("alexnet"), "{error}");
    assert!(error.contains("native, caffe"), "{error}");
}

#[test]
fn the_classifier_of_every_architecture_is_its_last_layer() {
    let all = [
        ModelConfig::CnnM2048(CnnM2048Config::paper(Channels::flow(20), 4, 0.9)),
        ModelConfig::AlexNet(AlexNetConfig::paper(4)),
        ModelConfig::ResNet50(ResNet50Config::paper(Channels::flow(20), 4)),
        ModelConfig::BnInception(BnInceptionConfig::paper(Channels::FRAME, 4)),
    ];
    for model in all {
        let rows = model.summary().unwrap().rows;
        let classifiers: Vec<&str> = rows
            .iter()
            .map(|row| row.name.as_str())
            .filter(|name| model.is_classifier(&format!("{name}.weight")))
            .collect();
        assert_eq!(classifiers, [rows.last().unwrap().name.as_str()]);
        let json = serde_json::to_value(&model).unwrap();
        assert_eq!(json["kind"], model.kind());
    }
}

#[test]
fn a_star_occurs_once_and_on_both_sides() {
    let mut rules = 0;
    for model in ModelConfig::cases() {
        for names in NameMap::ALL {
            for rule in model.model.rules(names).unwrap_or_default() {
                let stars = |pattern: &str| pattern.matches('*').count();
                match rule {
                    Rule::Rename(theirs, ours) => {
                        assert!(stars(theirs) <= 1 && stars(theirs) == stars(ours), "{rule:?}");
                    }
                    Rule::Ignore(pattern) => assert!(stars(pattern) <= 1, "{rule:?}"),
                }
                rules += 1;
            }
        }
    }
    assert!(rules > 15, "only {rules} rules");
}
