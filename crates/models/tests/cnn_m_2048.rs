//! CNN-M-2048 against PyTorch, and as something that trains.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use candle_core::{Device, Tensor};
use models::{CnnM2048, CnnM2048Config, Inputs, ModelConfig, Network, Stream, Window};
use nn::{Params, Pass, Sgd};
use testkit::{assert_close, fixture, noise, sizes, values};

/// The network of the tables at a size that two cores train in minutes.
fn mini() -> CnnM2048Config {
    CnnM2048Config {
        input: [56, 56],
        widths: [24, 64, 128, 128, 128],
        conv1: Window { kernel: 5, stride: 2, padding: 0 },
        conv2: Window { kernel: 3, stride: 1, padding: 1 },
        full6: 1024,
        full7: 512,
        ..CnnM2048Config::paper(Stream::Temporal, 20, 10, 0.5)
    }
}

fn inputs(stream: Stream, x: Tensor) -> Inputs {
    match stream {
        Stream::Spatial => Inputs { rgb: Some(x), flow: None },
        Stream::Temporal => Inputs { rgb: None, flow: Some(x) },
    }
}

fn random_batch(config: &CnnM2048Config, batch: usize) -> (Inputs, Vec<u32>) {
    let shape = [batch, 1, config.channels, config.input[0], config.input[1]];
    let x = Tensor::from_vec(noise(9, shape.iter().product()), &shape, &Device::Cpu).unwrap();
    let labels = (0..batch as u32).map(|i| i % config.classes as u32).collect();
    (inputs(config.stream, x), labels)
}

fn loss(network: &dyn Network, inputs: &Inputs, labels: &[u32], pass: &Pass) -> Tensor {
    let outputs = network.forward(inputs, pass).unwrap();
    nn::softmax_cross_entropy(&outputs.heads[0].logits, labels).unwrap()
}

fn agrees_with_pytorch(name: &str, stream: Stream) {
    let tensors = fixture(name);
    let (widths, full) = (sizes(&tensors["widths"]), sizes(&tensors["full"]));
    let (batch, channels, height, width) = tensors["x"].dims4().unwrap();
    let config = CnnM2048Config {
        input: [height, width],
        widths: widths.try_into().unwrap(),
        full6: full[0],
        full7: full[1],
        ..CnnM2048Config::paper(stream, channels, 5, 0.0)
    };
    let params = Params::new(&Device::Cpu);
    let network = CnnM2048::new(&config, &params.builder(0)).unwrap();
    let prefixed = |prefix: &str| -> nn::tensors::Tensors {
        let named = tensors
            .iter()
            .filter_map(|(name, tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone())));
        named.collect()
    };
    params.set_tensors(&prefixed("start.")).unwrap();
    let x = tensors["x"].reshape((batch, 1, channels, height, width)).unwrap();
    let inputs = inputs(stream, x);
    let labels: Vec<u32> = sizes(&tensors["labels"]).iter().map(|&l| l as u32).collect();

    let expected = prefixed("layer.");
    let (mut worst_layer, mut seen) = (0f64, 0);
    let visit = |name: &'static str, found: &Tensor| {
        if let Some(expected) = expected.get(name) {
            worst_layer = worst_layer.max(assert_close(name, found, expected, 1e-4));
            seen += 1;
        }
    };
    network.trace(&inputs, &Pass::train(0), visit).unwrap();
    assert_eq!(seen, expected.len(), "every stored layer was compared");

    let mut optimiser = Sgd::new(&params, 0.9, 5e-4).unwrap();
    let (mut worst_gradient, mut worst_loss) = (0f64, 0f64);
    for (step, &expected) in values(&tensors["losses"]).iter().enumerate() {
        let loss = loss(&network, &inputs, &labels, &Pass::train(0));
        let found = values(&loss)[0];
        worst_loss = worst_loss.max(f64::from((found / expected - 1.0).abs()));
        assert!(worst_loss < 1e-3, "loss {step} is {found}, expected {expected}");
        let store = loss.backward().unwrap();
        if step == 0 {
            for (name, expected) in prefixed("grad.") {
                let param = params.get(&name).unwrap();
                let found = store.get(param.var()).unwrap();
                worst_gradient = worst_gradient.max(assert_close(&name, found, &expected, 1e-4));
            }
        }
        optimiser.step(&store, 3e-4).unwrap();
    }
    for (name, expected) in prefixed("end.") {
        assert_close(&name, &params.tensors()[&name], &expected, 1e-3);
    }
    eprintln!("{name}: worst layer {worst_layer:.1e}, gradient {worst_gradient:.1e}, loss {worst_loss:.1e}");
}

#[test]
fn the_temporal_stream_agrees_with_pytorch() {
    agrees_with_pytorch("cnn_m_temporal", Stream::Temporal);
}

#[test]
fn the_spatial_stream_agrees_with_pytorch() {
    agrees_with_pytorch("cnn_m_spatial", Stream::Spatial);
}

#[test]
fn the_paper_networks_have_their_exact_size() {
    let temporal = ModelConfig::CnnM2048(CnnM2048Config::paper(Stream::Temporal, 20, 101, 0.9));
    let temporal = temporal.summary().unwrap();
    assert_eq!(temporal.parameters(), 90_707_781);
    assert!((2.60e9..2.62e9).contains(&(temporal.multiply_adds() as f64)));
    let spatial = ModelConfig::CnnM2048(CnnM2048Config::paper(Stream::Spatial, 3, 101, 0.5));
    assert_eq!(spatial.summary().unwrap().parameters(), 90_627_813);
}

#[test]
fn summaries() {
    let paper = |stream, channels| CnnM2048Config::paper(stream, channels, 101, 0.9);
    insta::assert_snapshot!("paper_temporal", paper(Stream::Temporal, 20).summary().unwrap());
    insta::assert_snapshot!("paper_spatial", paper(Stream::Spatial, 3).summary().unwrap());
    insta::assert_snapshot!("mini_temporal", mini().summary().unwrap());
}

#[test]
fn the_summary_counts_what_is_built() {
    for stream in [Stream::Spatial, Stream::Temporal] {
        let config = CnnM2048Config { stream, ..mini() };
        let params = Params::new(&Device::Cpu);
        let network = CnnM2048::new(&config, &params.builder(0)).unwrap();
        let summary = config.summary().unwrap();
        assert_eq!(params.count(), summary.parameters());
        let (inputs, _) = random_batch(&config, 2);
        let mut rows = summary.rows.iter();
        let visit = |name: &'static str, output: &Tensor| {
            let row = rows.next().unwrap();
            assert_eq!((name, &output.dims()[1..]), (row.name.as_str(), row.output.as_slice()));
        };
        network.trace(&inputs, &Pass::eval(), visit).unwrap();
        assert!(rows.next().is_none());
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
    let params = Params::new(&Device::Cpu);
    let network = ModelConfig::CnnM2048(config.clone()).build(&params.builder(1)).unwrap();
    let (inputs, labels) = random_batch(&config, 8);
    let mut optimiser = Sgd::new(&params, 0.9, 0.0).unwrap();
    for iteration in 0..150 {
        let loss = loss(network.as_ref(), &inputs, &labels, &Pass::train(iteration));
        optimiser.step(&loss.backward().unwrap(), 0.01).unwrap();
    }
    let last = values(&loss(network.as_ref(), &inputs, &labels, &Pass::eval()))[0];
    assert!(last < 0.01, "the loss is still {last}");
}

#[test]
fn three_training_steps_give_the_same_bits_on_any_number_of_threads() {
    let config = mini();
    let run = || {
        let params = Params::new(&Device::Cpu);
        let network = CnnM2048::new(&config, &params.builder(1)).unwrap();
        let (inputs, labels) = random_batch(&config, 6);
        let mut optimiser = Sgd::new(&params, 0.9, 5e-4).unwrap();
        for iteration in 0..3 {
            let loss = loss(&network, &inputs, &labels, &Pass::train(iteration));
            optimiser.step(&loss.backward().unwrap(), 0.01).unwrap();
        }
        let bits = |tensor: &Tensor| values(tensor).into_iter().map(f32::to_bits).collect();
        params.tensors().values().map(bits).collect::<Vec<Vec<u32>>>()
    };
    let on = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        pool.build().unwrap().install(run)
    };
    let one = on(1);
    for threads in [2, 3] {
        assert!(one == on(threads), "{threads} threads give other bits");
    }
}

#[test]
fn the_paper_network_takes_a_training_step_at_batch_8() {
    let config = CnnM2048Config::paper(Stream::Temporal, 20, 101, 0.9);
    let params = Params::new(&Device::Cpu);
    let network = CnnM2048::new(&config, &params.builder(1)).unwrap();
    assert_eq!(params.count(), 90_707_781);
    let (inputs, labels) = random_batch(&config, 8);
    let mut optimiser = Sgd::new(&params, 0.9, 5e-4).unwrap();
    for iteration in 0..2 {
        let start = std::time::Instant::now();
        let loss = loss(&network, &inputs, &labels, &Pass::train(iteration));
        optimiser.step(&loss.backward().unwrap(), 0.01).unwrap();
        eprintln!("loss {:.3}, {:.2} s", values(&loss)[0], start.elapsed().as_secs_f64());
        assert!(values(&loss)[0].is_finite());
    }
}

#[test]
fn a_wrong_input_is_refused_with_what_was_expected() {
    let config = mini();
    let params = Params::new(&Device::Cpu);
    let network = CnnM2048::new(&config, &params.builder(1)).unwrap();
    let (right, _) = random_batch(&config, 1);
    let message = |inputs: &Inputs| {
        let error = network.forward(inputs, &Pass::eval()).unwrap_err();
        error.to_string()
    };
    let wrong_stream = Inputs { rgb: right.flow.clone(), flow: None };
    insta::assert_snapshot!(
        message(&wrong_stream),
        @"CNN-M-2048 reads `flow` of shape (B, 1, 20, 56, 56), found none"
    );
    let two_snippets = right.flow.as_ref().unwrap().repeat((1, 2, 1, 1, 1)).unwrap();
    insta::assert_snapshot!(
        message(&inputs(Stream::Temporal, two_snippets)),
        @"CNN-M-2048 reads `flow` of shape (B, 1, 20, 56, 56), found [1, 2, 20, 56, 56]"
    );
}

#[test]
fn sizes_that_do_not_fit_are_refused_before_anything_is_allocated() {
    let small = CnnM2048Config { input: [10, 10], ..CnnM2048Config::paper(Stream::Temporal, 20, 101, 0.9) };
    insta::assert_snapshot!(small.summary().unwrap_err());
    let no_classes = CnnM2048Config { classes: 0, ..mini() };
    insta::assert_snapshot!(no_classes.summary().unwrap_err(), @"CNN-M-2048: classes is 0, expected at least 1");
    let all_dropped = CnnM2048Config { dropout: 1.0, ..mini() };
    assert!(all_dropped.summary().is_err());
    assert!(CnnM2048::new(&all_dropped, &Params::new(&Device::Cpu).builder(0)).is_err());
}
