//! AlexNet.

use models::{AlexNetConfig, Architecture};
use nn::Params;
use testkit::fixture;

use crate::support::{self, agrees_with_its_summary, device, loss_after};

/// A narrow network on an input that leaves 1x1 after the last pooling layer.
fn small() -> AlexNetConfig {
    AlexNetConfig {
        input: [67, 67],
        widths: [8, 12, 16, 16, 12],
        fc6: 48,
        fc7: 32,
        dropout: 0.0,
        ..AlexNetConfig::paper(10)
    }
}

#[test]
fn it_agrees_with_pytorch() {
    let tensors = fixture("alex_net");
    let config = support::alex_net(&tensors, 5);
    let params = Params::new(device());
    let network = config.build(&params.builder(0)).unwrap();
    support::agrees_with_pytorch("alex_net", &tensors, &params, &network, 1e-4);
}

#[test]
fn the_reference_model_has_its_exact_size() {
    let summary = AlexNetConfig::paper(1000).summary().unwrap();
    assert_eq!(summary.parameters(), 60_965_224);
    insta::assert_snapshot!("paper", summary);
}

#[test]
fn the_summary_lists_what_runs() {
    let config = small();
    let params = Params::new(device());
    let network = config.build(&params.builder(0)).unwrap();
    agrees_with_its_summary(&config.summary().unwrap(), &params, &network);
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let config = small();
    let params = Params::new(device());
    let network = config.build(&params.builder(1)).unwrap();
    let last = loss_after(200, &config.summary().unwrap(), &params, &network, 0.01);
    assert!(last < 0.02, "the loss is still {last}");
}

#[test]
fn channels_that_two_groups_cannot_share_are_refused() {
    let odd = AlexNetConfig { widths: [8, 13, 16, 16, 12], ..small() };
    insta::assert_snapshot!(
        odd.summary().unwrap_err(),
        @"AlexNet, layer conv2: 2 groups do not divide 8 input and 13 output channels"
    );
}
