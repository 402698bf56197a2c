//! What the configurations have in common.

use models::{
    AlexNetConfig, BnInceptionConfig, CnnM2048Config, Inputs, Modality, ModelConfig, ResNet50Config, Stream,
};
use nn::{Params, Pass};
use testkit::values;

use crate::support::{device, loss, random_batch};

/// One of each architecture, small, with dropout.
fn all() -> [(ModelConfig, Modality); 5] {
    let bn_inception =
        BnInceptionConfig { input: [64, 64], width_divisor: 16, ..BnInceptionConfig::paper(20, 4) };
    let res_net =
        ResNet50Config { input: [48, 48], width: 4, blocks: [1, 1, 2, 1], ..ResNet50Config::paper(20, 4) };
    let alex_net = AlexNetConfig {
        input: [67, 67],
        widths: [8, 12, 16, 16, 12],
        fc6: 48,
        fc7: 32,
        ..AlexNetConfig::paper(4)
    };
    let cnn_m = CnnM2048Config {
        input: [75, 75],
        widths: [4, 6, 8, 8, 8],
        full6: 16,
        full7: 12,
        ..CnnM2048Config::paper(Stream::Temporal, 20, 4, 0.5)
    };
    [
        (ModelConfig::CnnM2048(cnn_m), Modality::Flow),
        (ModelConfig::AlexNet(alex_net), Modality::Rgb),
        (ModelConfig::ResNet50(res_net.clone()), Modality::Flow),
        (ModelConfig::ResNet50(ResNet50Config { channels: 3, ..res_net }), Modality::Rgb),
        (ModelConfig::BnInception(bn_inception), Modality::Flow),
    ]
}

#[test]
fn a_configuration_reads_as_it_is_written_and_refuses_unknown_keys() {
    for (config, _) in all() {
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<ModelConfig>(&text).unwrap(), config);
        assert!(toml::from_str::<ModelConfig>(&format!("surplus = 1\n{text}")).is_err());
    }
}

#[test]
fn every_network_says_what_it_reads_and_hands_out_its_features() {
    for (config, modality) in all() {
        let params = Params::new(device());
        let network = config.build(&params.builder(3)).unwrap();
        assert_eq!(network.reads(), [modality]);
        let summary = config.summary().unwrap();
        let (inputs, _) = random_batch(&summary, modality, 2, 4);
        let outputs = network.forward(&inputs, &Pass::eval()).unwrap();
        assert_eq!(outputs.heads[0].logits.dims(), [2, 4]);
        // The classifier reads them through dropout, which changes no shape.
        let rows = &summary.rows;
        assert_eq!(outputs.features.unwrap().dims()[1..], rows[rows.len() - 2].output);
        assert!(network.forward(&Inputs::default(), &Pass::eval()).is_err());
    }
}

#[test]
fn every_parameter_has_a_gradient_and_no_buffer_trains() {
    for (config, modality) in all() {
        let params = Params::new(device());
        let network = config.build(&params.builder(3)).unwrap();
        let (inputs, labels) = random_batch(&config.summary().unwrap(), modality, 4, 4);
        let pass = Pass::train(1);
        let gradients = pass.backward(&loss(network.as_ref(), &inputs, &labels, &pass)).unwrap();
        for param in params.all() {
            let gradient = gradients.get(&param).unwrap_or_else(|| panic!("{} has none", param.name()));
            assert_eq!(gradient.dims(), param.var().dims());
            assert!(!param.name().contains("running"));
        }
    }
}

#[test]
fn a_forward_pass_changes_no_weight_and_no_statistics() {
    for (config, modality) in all() {
        let params = Params::new(device());
        let network = config.build(&params.builder(3)).unwrap();
        let (inputs, labels) = random_batch(&config.summary().unwrap(), modality, 4, 4);
        let all = || -> Vec<Vec<f32>> { params.tensors().values().map(values).collect() };
        let before = all();
        let first = values(&loss(network.as_ref(), &inputs, &labels, &Pass::train(1)));
        assert_eq!(first, values(&loss(network.as_ref(), &inputs, &labels, &Pass::train(1))));
        assert!(before == all());
    }
}
