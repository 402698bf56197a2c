//! CNN-M-2048.

use models::{
    Architecture, Channels, CnnM2048Config, Fusion, Inputs, Modality, ModelConfig, Network, Window,
};
use nn::{Params, Pass, Sgd};
use testkit::{fixture, sizes};

use crate::support::{
    self, agrees_with_its_summary, bits_after_three_steps, device, loss_after, random_batch, step,
};

/// The network of the tables, small enough to train in minutes on two cores.
fn mini() -> CnnM2048Config {
    CnnM2048Config {
        input: [56, 56],
        widths: [24, 64, 128, 128, 128],
        conv1: Window { kernel: 5, stride: 2, padding: 0 },
        conv2: Window { kernel: 3, stride: 1, padding: 1 },
        full6: 1024,
        full7: 512,
        ..CnnM2048Config::paper(Channels::flow(20), 10, 0.5)
    }
}

fn agrees_with_pytorch(name: &str, modality: Modality, fusion: Fusion) {
    let tensors = fixture(name);
    let (widths, full) = (sizes(&tensors["widths"]), sizes(&tensors["full"]));
    let (_, channels, height, width) = tensors["x"].dims4().unwrap();
    let config = CnnM2048Config {
        input: [height, width],
        fusion,
        widths: widths.try_into().unwrap(),
        full6: full[0],
        full7: full[1],
        ..CnnM2048Config::paper(Channels::new(modality, channels), 5, 0.0)
    };
    let params = Params::new(device());
    let network = config.build(&params.builder(0)).unwrap();
    support::agrees_with_pytorch(name, &tensors, &params, &network, 3e-4);
}

#[test]
fn the_temporal_stream_agrees_with_pytorch() {
    agrees_with_pytorch("cnn_m_temporal", Modality::FLOW, Fusion::Early);
}

#[test]
fn the_spatial_stream_agrees_with_pytorch() {
    agrees_with_pytorch("cnn_m_spatial", Modality::RGB, Fusion::Early);
}

#[test]
fn slow_fusion_agrees_with_pytorch() {
    agrees_with_pytorch("cnn_m_slow", Modality::RGB, Fusion::Slow);
}

#[test]
fn slow_fusion_reads_eleven_frames() {
    let slow = |channels| CnnM2048Config {
        fusion: Fusion::Slow,
        ..CnnM2048Config::paper(Channels::new(Modality::RGB, channels), 101, 0.9)
    };
    insta::assert_snapshot!("paper_slow_fusion", slow(33).summary().unwrap());
    insta::assert_snapshot!(
        slow(30).summary().unwrap_err(),
        @"CNN-M-2048: the input of slow fusion is 30 channels of the spatial stream, expected 33 channels (11 frames) of the spatial stream"
    );
}

/// Multi-task learning (Sect. 4): a softmax layer learns from the videos of its own data set only.
#[test]
fn a_softmax_layer_gets_no_gradient_from_the_other_tasks_samples() {
    let config = CnnM2048Config { classes: vec![10, 7], dropout: 0.3, ..mini() };
    assert!(["full8_1.weight", "full8_2.bias"].iter().all(|name| config.is_classifier(name)));
    let params = Params::new(device());
    let network = config.build(&params.builder(5)).unwrap();
    let x = |seed: u64| {
        let values = testkit::noise(seed, 4 * 20 * 56 * 56);
        candle_core::Tensor::from_vec(values, (4, 1, 20, 56, 56), device()).unwrap()
    };
    // Two batches that differ only in the samples of the second task.
    let mixed = |other: u64| {
        let own = x(1).narrow(0, 0, 2).unwrap();
        let flow = candle_core::Tensor::cat(&[own, x(other).narrow(0, 2, 2).unwrap()], 0).unwrap();
        Inputs::from([(Modality::FLOW, flow)])
    };
    let gradients = |inputs: &Inputs, labels: [Option<u32>; 4], head: usize| {
        let pass = Pass::train(3);
        let outputs = network.forward(inputs, &pass).unwrap();
        assert_eq!(outputs.heads[head].name, format!("full8_{}", head + 1));
        let loss = nn::softmax_cross_entropy_of(&outputs.heads[head].logits, &labels, &pass).unwrap();
        let gradients = pass.backward(&loss).unwrap();
        let of = |name: &str| gradients.get(&params.get(name).unwrap()).map(testkit::values);
        ["full8_1.weight", "full8_1.bias", "full8_2.weight", "full8_2.bias", "conv1.weight"].map(of)
    };
    let first = [Some(3), Some(9), None, None];
    let (a, b) = (gradients(&mixed(2), first, 0), gradients(&mixed(4), first, 0));
    assert_eq!(a, b, "the first task's loss looked at the second task's samples");
    assert!(a[0].as_ref().unwrap().iter().any(|&g| g != 0.0));
    assert_eq!([&a[2], &a[3]], [&None, &None], "the first task's loss reached the second task's layer");
    let second = [None, None, Some(0), Some(6)];
    assert_ne!(gradients(&mixed(2), second, 1), gradients(&mixed(4), second, 1));

    // In the shared layers, the gradients of both losses add up.
    let pass = Pass::train(3);
    let inputs = mixed(2);
    let outputs = network.forward(&inputs, &pass).unwrap();
    let losses = [(0, first), (1, second)]
        .map(|(h, labels)| nn::softmax_cross_entropy_of(&outputs.heads[h].logits, &labels, &pass).unwrap());
    let total = nn::sum_of_losses(&losses, &pass).unwrap();
    let together = pass.backward(&total).unwrap();
    let conv1 = testkit::values(together.get(&params.get("conv1.weight").unwrap()).unwrap());
    let [.., first] = a;
    let [.., second] = gradients(&inputs, second, 1);
    for ((sum, a), b) in conv1.iter().zip(first.unwrap()).zip(second.unwrap()) {
        assert!((sum - (a + b)).abs() <= 1e-5 * (1.0 + sum.abs()), "{sum} is not {a} + {b}");
    }
}

#[test]
fn the_paper_networks_have_their_exact_size() {
    let temporal = CnnM2048Config::paper(Channels::flow(20), 101, 0.9).summary().unwrap();
    assert_eq!(temporal.parameters(), 90_707_781);
    assert!((2.60e9..2.62e9).contains(&(temporal.multiply_adds() as f64)));
    let spatial = CnnM2048Config::paper(Channels::FRAME, 101, 0.5);
    assert_eq!(spatial.summary().unwrap().parameters(), 90_627_813);
}

#[test]
fn summaries() {
    let paper = |channels| CnnM2048Config::paper(channels, 101, 0.9);
    insta::assert_snapshot!("paper_temporal", paper(Channels::flow(20)).summary().unwrap());
    insta::assert_snapshot!("paper_spatial", paper(Channels::FRAME).summary().unwrap());
    insta::assert_snapshot!("mini_temporal", mini().summary().unwrap());
}

#[test]
fn the_summary_lists_what_runs() {
    for modality in [Modality::RGB, Modality::FLOW] {
        let config = CnnM2048Config { modality, ..mini() };
        let params = Params::new(device());
        let network = config.build(&params.builder(0)).unwrap();
        agrees_with_its_summary(&config.summary().unwrap(), &params, &network);
    }
}

#[test]
fn a_configuration_reads_as_it_is_written_and_refuses_unknown_keys() {
    let config = ModelConfig::CnnM2048(mini());
    let text = toml::to_string(&config).unwrap();
    assert!(text.contains("kind = \"cnn-m-2048\"") && text.contains("stream = \"temporal\""));
    assert_eq!(toml::from_str::<ModelConfig>(&text).unwrap(), config);
    let misspelt = text.replace("dropout", "drop-out");
    assert!(toml::from_str::<ModelConfig>(&misspelt).is_err());
    let surplus = format!("surplus = 1\n{text}");
    assert!(toml::from_str::<ModelConfig>(&surplus).is_err());
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let config = CnnM2048Config {
        input: [40, 40],
        widths: [8, 12, 16, 16, 16],
        full6: 64,
        full7: 32,
        dropout: 0.0,
        ..mini()
    };
    let params = Params::new(device());
    let network = config.build(&params.builder(1)).unwrap();
    let last = loss_after(150, &config.summary().unwrap(), &params, &network, 0.01);
    assert!(last < 0.01, "the loss is still {last}");
}

#[test]
fn three_training_steps_give_the_same_bits_on_any_number_of_threads() {
    let config = mini();
    let train = || {
        let params = Params::new(device());
        let network = config.build(&params.builder(1)).unwrap();
        let (inputs, labels) = random_batch(&config.summary().unwrap(), Modality::FLOW, 6, 10);
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

#[test]
fn the_paper_network_takes_a_training_step_at_batch_8() {
    let config = CnnM2048Config::paper(Channels::flow(20), 101, 0.9);
    let params = Params::new(device());
    let network = config.build(&params.builder(1)).unwrap();
    assert_eq!(params.count(), 90_707_781);
    let (inputs, labels) = random_batch(&config.summary().unwrap(), Modality::FLOW, 8, 101);
    let mut optimiser = Sgd::of(&params, 0.9, 5e-4).unwrap();
    for seed in 0..2 {
        let start = std::time::Instant::now();
        let loss = step(&network, &inputs, &labels, seed, &mut optimiser, 0.01);
        eprintln!("loss {loss:.3}, {:.2} s", start.elapsed().as_secs_f64());
        assert!(loss.is_finite());
    }
}

#[test]
fn a_wrong_input_is_refused_with_what_was_expected() {
    let config = mini();
    let params = Params::new(device());
    let network = config.build(&params.builder(1)).unwrap();
    let (right, _) = random_batch(&config.summary().unwrap(), Modality::FLOW, 1, 10);
    let message = |inputs: &Inputs| {
        let error = network.forward(inputs, &Pass::eval()).unwrap_err();
        error.to_string()
    };
    let flow = right.get(Modality::FLOW).unwrap();
    let wrong_stream = Inputs::from([(Modality::RGB, flow.clone())]);
    insta::assert_snapshot!(
        message(&wrong_stream),
        @"CNN-M-2048 reads `flow` of shape (B, 1, 20, 56, 56), found none"
    );
    let two_snippets = flow.repeat((1, 2, 1, 1, 1)).unwrap();
    insta::assert_snapshot!(
        message(&Inputs::from([(Modality::FLOW, two_snippets)])),
        @"CNN-M-2048 reads `flow` of shape (B, 1, 20, 56, 56), found [1, 2, 20, 56, 56]"
    );
}

#[test]
fn sizes_that_do_not_fit_are_refused_before_anything_is_allocated() {
    let small = CnnM2048Config { input: [10, 10], ..CnnM2048Config::paper(Channels::flow(20), 101, 0.9) };
    insta::assert_snapshot!(small.summary().unwrap_err());
    let no_classes = CnnM2048Config { classes: vec![0], ..mini() };
    insta::assert_snapshot!(no_classes.summary().unwrap_err(), @"CNN-M-2048: classes is 0, expected 1 to 16777216");
    let all_dropped = CnnM2048Config { dropout: 1.0, ..mini() };
    assert!(all_dropped.summary().is_err());
    assert!(all_dropped.build(&Params::new(device()).builder(0)).is_err());
}
