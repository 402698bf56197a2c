//! ResNet-50.

use models::{Architecture, BatchStatistics, Channels, Modality, ResNet50Config};
use nn::{Params, Pass, Sgd};
use testkit::{fixture, sizes, values};

use crate::support::{
    self, agrees_with_its_summary, bits_after_three_steps, device, input, loss, loss_after, random_batch,
    step,
};

fn small() -> ResNet50Config {
    ResNet50Config {
        input: [48, 48],
        width: 4,
        blocks: [1, 2, 1, 1],
        ..ResNet50Config::paper(Channels::FRAME, 4)
    }
}

fn agrees_with_pytorch(name: &str, batch_statistics: BatchStatistics, rate: f64) {
    let tensors = fixture(name);
    let (_, channels, height, width) = input(&tensors).dims4().unwrap();
    let config = ResNet50Config {
        input: [height, width],
        width: sizes(&tensors["width"])[0],
        blocks: sizes(&tensors["blocks"]).try_into().unwrap(),
        batch_statistics,
        ..ResNet50Config::paper(support::channels(channels), 5)
    };
    let params = Params::new(device());
    let network = config.build(&params.builder(0)).unwrap();
    support::agrees_with_pytorch(name, &tensors, &params, &network, rate);
}

#[test]
fn it_agrees_with_torchvision_in_training() {
    agrees_with_pytorch("res_net_50_batch", BatchStatistics::All, 3e-3);
}

#[test]
fn it_agrees_with_torchvision_with_frozen_statistics() {
    agrees_with_pytorch("res_net_50_frozen", BatchStatistics::None, 1e-4);
}

#[test]
fn the_paper_networks_have_their_exact_size() {
    let summary =
        |count, classes| ResNet50Config::paper(support::channels(count), classes).summary().unwrap();
    assert_eq!(summary(3, 1000).parameters(), 25_557_032);
    assert_eq!(summary(3, 1000).multiply_adds(), 4_089_184_256);
    assert_eq!(summary(3, 101).parameters(), 23_714_981);
    insta::assert_snapshot!("paper_appearance", summary(3, 101));
    insta::assert_snapshot!("paper_motion", summary(20, 101));
}

#[test]
fn the_summary_lists_what_runs() {
    for config in [small(), ResNet50Config { channels: Channels::flow(4), dropout: 0.5, ..small() }] {
        let params = Params::new(device());
        let network = config.build(&params.builder(0)).unwrap();
        agrees_with_its_summary(&config.summary().unwrap(), &params, &network);
    }
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let params = Params::new(device());
    let network = small().build(&params.builder(1)).unwrap();
    let summary = small().summary().unwrap();
    let last = loss_after(150, &summary, &params, &network, 0.01);
    assert!(last < 0.02, "the loss is still {last}");
    // By then the running statistics describe the batch.
    let (inputs, labels) = random_batch(&summary, Modality::RGB, 8, 4);
    let tested = values(&loss(&network, &inputs, &labels, &Pass::eval()))[0];
    assert!(tested < 0.05, "the loss is {tested} with running statistics");
}

#[test]
fn three_training_steps_give_the_same_bits_on_any_number_of_threads() {
    let config = ResNet50Config { channels: Channels::flow(4), dropout: 0.5, ..small() };
    let train = || {
        let params = Params::new(device());
        let network = config.build(&params.builder(1)).unwrap();
        let (inputs, labels) = random_batch(&config.summary().unwrap(), Modality::FLOW, 6, 4);
        let mut optimiser = Sgd::of(&params, 0.9, 5e-4).unwrap();
        for seed in 0..3 {
            step(&network, &inputs, &labels, seed, &mut optimiser, 0.01);
        }
        params
    };
    let one = bits_after_three_steps(1, train);
    for threads in [2, 3] {
        assert!(one == bits_after_three_steps(threads, train), "{threads} threads give other bits");
    }
}
