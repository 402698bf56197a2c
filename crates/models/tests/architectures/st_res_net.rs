//! ST-ResNet.

use candle_core::Tensor;
use models::{
    Architecture, Backbone, BatchStatistics, Inputs, Modality, ModelConfig, Network, StResNetConfig,
    TemporalPool, Window,
};
use nn::tensors::Tensors;
use nn::{Params, Pass, Sgd};
use testkit::{assert_close, fixture, noise, sizes, values};

use crate::support::{self, bits_after_three_steps, channels_first, device, input, labels, loss, step};

pub(crate) fn small() -> StResNetConfig {
    StResNetConfig {
        flow_channels: 4,
        time_steps: 3,
        input: [32, 32],
        width: 2,
        blocks: [2, 2, 2, 2],
        ..StResNetConfig::paper(3)
    }
}

/// Noise for a batch of clips.
fn clips(config: &StResNetConfig, batch: usize, time_steps: usize) -> Inputs {
    let [h, w] = config.input;
    let of = |seed, channels: usize| {
        let shape = [batch, time_steps, channels, h, w];
        Tensor::from_vec(noise(seed, shape.iter().product()), &shape, device()).unwrap()
    };
    Inputs::from([(Modality::RGB, of(1, 3)), (Modality::FLOW, of(2, config.flow_channels))])
}

fn built(config: &StResNetConfig, seed: u64) -> (Params, Backbone) {
    let params = Params::new(device());
    let network = config.build(&params.builder(seed)).unwrap();
    (params, network)
}

/// Returns the output of a layer in evaluation mode, for each frame (B T, ...).
fn seen(network: &Backbone, inputs: &Inputs, layer: &str) -> Tensor {
    let mut found = None;
    let visit = |name: &str, output: &Tensor| {
        if name == layer {
            found = Some(output.clone());
        }
    };
    network.trace(inputs, &Pass::eval(), visit).unwrap();
    found.unwrap()
}

#[test]
fn it_agrees_with_pytorch() {
    let tensors = fixture("st_res_net");
    let x = input(&tensors);
    let (_, time_steps, channels, height, width) = x.dims5().unwrap();
    let flow = sizes(&tensors["flow"])[0];
    let config = StResNetConfig {
        flow_channels: flow,
        time_steps,
        input: [height, width],
        width: sizes(&tensors["width"])[0],
        blocks: sizes(&tensors["blocks"]).try_into().unwrap(),
        ..StResNetConfig::paper_star(sizes(&tensors["classes"])[0])
    };
    assert_eq!(channels, 3 + flow);
    let part = |from, count| x.narrow(2, from, count).unwrap().contiguous().unwrap();
    let inputs = Inputs::from([(Modality::RGB, part(0, 3)), (Modality::FLOW, part(3, flow))]);
    let (params, network) = built(&config, 0);
    support::agrees_on("st_res_net", &tensors, &params, &network, &inputs, 1e-3);
}

#[test]
fn the_convolutions_over_time_have_their_exact_size() {
    let parameters = |config: StResNetConfig| config.summary().unwrap().parameters();
    let streams = [Modality::RGB, Modality::FLOW].map(|modality| {
        let model = ModelConfig::StResNet(StResNetConfig::paper(101));
        model.stream(modality).unwrap().alone.summary().unwrap().parameters()
    });
    assert_eq!(streams, [23_714_981, 23_714_981 + 17 * 64 * 7 * 7]);
    assert_eq!(parameters(StResNetConfig::paper(101)), streams[0] + streams[1] + 2 * 5_570_560);
    assert_eq!(parameters(StResNetConfig::paper_star(101)), parameters(StResNetConfig::paper(101)));
}

#[test]
fn eleven_frames_have_the_papers_sizes() {
    let summary = StResNetConfig::paper_star(101).summary().unwrap();
    let size = |layer: &str| {
        let row = summary.rows.iter().find(|row| row.name == layer).unwrap();
        match row.output[..] {
            [_, t, h, w] => format!("{h}x{w}x{t}"),
            [_, t] => format!("1x1x{t}"),
            _ => panic!("{layer} has no time steps"),
        }
    };
    let table = [
        ("conv1", "bn1"),
        ("pool1", "maxpool"),
        ("conv2_x", "layer1.2.bn3"),
        ("conv3_x", "layer2.3.bn3"),
        ("conv4_x", "layer3.5.bn3"),
        ("conv5_x", "layer4.2.bn3"),
        ("pool5", "avgpool"),
    ];
    let rows = ["appearance", "motion"].map(|stream| {
        table.map(|(theirs, ours)| format!("{theirs:<8} {}", size(&format!("{stream}.{ours}")))).join("\n")
    });
    assert_eq!(rows[0], rows[1]);
    insta::assert_snapshot!("paper_sizes", rows[0]);
    insta::assert_snapshot!("paper_star", summary);
}

#[test]
fn the_summary_lists_what_runs() {
    for config in
        [small(), StResNetConfig { temporal_pool: Some(TemporalPool { kernel: 2, stride: 1 }), ..small() }]
    {
        let (params, network) = built(&config, 0);
        let summary = config.summary().unwrap();
        assert_eq!(params.count(), summary.parameters());
        let batch = 2;
        let mut rows = summary.rows.iter();
        let visit = |name: &str, output: &Tensor| {
            let row = rows.next().unwrap();
            assert_eq!(name, row.name);
            let found = channels_first(output);
            // The time steps of a clip are neighbours in the batch.
            let time_steps = found.dim(0).unwrap() / batch;
            let mut each = found.dims()[1..].to_vec();
            if each.len() + 1 == row.output.len() {
                each.insert(1, time_steps);
            }
            assert_eq!(each, row.output, "{name}");
        };
        network.trace(&clips(&config, batch, 3), &Pass::eval(), visit).unwrap();
        assert!(rows.next().is_none());
    }
}

/// Eq. 2: if the residual branch outputs zero, the unit equals its shortcut and contains no motion.
#[test]
fn the_shortcut_carries_no_motion() {
    let config = small();
    let (params, network) = built(&config, 1);
    let stage1 = |name: &str| format!("appearance.layer1.1.{name}");
    let silent: Tensors = params
        .tensors()
        .into_iter()
        .map(|(name, tensor)| {
            let mute = name == stage1("bn3.weight") || name == stage1("bn3.bias");
            (name, if mute { tensor.zeros_like().unwrap() } else { tensor })
        })
        .collect();
    let inputs = clips(&config, 1, 3);
    let mut other = inputs.clone();
    other.insert(Modality::FLOW, (inputs.get(Modality::FLOW).unwrap() * 3.0).unwrap());
    let unit = |inputs: &Inputs| values(&seen(&network, inputs, &stage1("bn3")));
    assert!(unit(&inputs) != unit(&other), "with a residual branch that speaks, motion is seen");
    params.set_tensors(&silent).unwrap();
    assert_eq!(unit(&inputs), unit(&other));
    // relu(x + 0) equals the input of the unit, which is not negative.
    assert_eq!(unit(&inputs), values(&seen(&network, &inputs, "appearance.layer1.0.bn3")));
    let enters = values(&seen(&network, &inputs, &stage1("entering")));
    assert!(enters != unit(&inputs), "what enters the residual branch holds the motion");
}

/// Eq. 4: the appearance stream's loss has a gradient in the motion stream, through the second unit of each stage; the motion
/// stream's loss has none in the appearance stream.
#[test]
fn the_motion_stream_learns_from_both_losses() {
    let config = small();
    let (params, network) = built(&config, 2);
    let inputs = clips(&config, 2, 3);
    let of = |heads: &[usize]| {
        let pass = Pass::train(0);
        let outputs = network.forward(&inputs, &pass).unwrap();
        let loss =
            |&head: &usize| nn::softmax_cross_entropy(&outputs.heads[head].logits, &[0, 1], &pass).unwrap();
        let losses: Vec<Tensor> = heads.iter().map(loss).collect();
        pass.backward(&nn::sum_of_losses(&losses, &pass).unwrap()).unwrap()
    };
    let (appearance, motion, both) = (of(&[0]), of(&[1]), of(&[0, 1]));
    for param in params.all() {
        let name = param.name();
        let [a, m] = [&appearance, &motion].map(|gradients| gradients.get(&param));
        if name.starts_with("appearance.") {
            assert!(a.is_some() && m.is_none(), "{name}");
            continue;
        }
        // Layers after the last motion residual belong to the motion stream only.
        let behind = ["motion.layer4.1.", "motion.fc."].iter().any(|part| name.starts_with(part));
        assert_eq!(a.is_none(), behind, "{name}");
        let Some(a) = a else { continue };
        // The batch's mean and variance cancel these shifts and scales, so their gradients are only rounding errors.
        let sum = (a + m.unwrap()).unwrap();
        let size = |x: &Tensor| values(x).into_iter().map(f32::abs).fold(0.0, f32::max);
        if size(&sum) > 1e-3 {
            assert_close(name, both.get(&param).unwrap(), &sum, 1e-3);
        }
        if !name.ends_with("bias") && !name.contains("bn") {
            assert!(size(a) > 0.0, "{name} has a gradient of zero");
        }
    }
}

/// Eq. 5: a still clip has the same output as one of its frames, except where the zeros at its ends reach.
#[test]
fn a_clip_that_stands_still_is_seen_as_its_frame() {
    let config = small();
    let still = StResNetConfig { temporal_kernel: 1, ..config.clone() };
    let (first, plain) = built(&still, 3);
    let (params, network) = built(&config, 4);
    // Weights of each stream, as from two nets that were trained separately.
    let mut adopted = Tensors::new();
    for (modality, prefix) in [(Modality::RGB, "appearance."), (Modality::FLOW, "motion.")] {
        let own = |(name, tensor): (String, Tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor));
        let stored: Tensors = first.tensors().into_iter().filter_map(own).collect();
        let model = ModelConfig::StResNet(config.clone());
        let stream = model.stream(modality).unwrap();
        adopted.extend(model.adopt(&*stream.alone, &stored, Some(modality)).unwrap());
    }
    params.set_tensors(&adopted).unwrap();
    // Four units of two convolutions over three time steps each see 17 time steps: 8 on either side.
    let time_steps = 19;
    let one = clips(&config, 1, 1);
    let clip = support::each(&one, |x| x.repeat((1, time_steps, 1, 1, 1)).unwrap());
    for stream in ["appearance", "motion"] {
        let layer = format!("{stream}.avgpool");
        let found = seen(&network, &clip, &layer);
        let expected = seen(&plain, &one, &layer);
        assert_close(&layer, &found.narrow(0, time_steps / 2, 1).unwrap(), &expected, 1e-5);
        // The zeros do reach the ends.
        let end = values(&found.narrow(0, 0, 1).unwrap());
        assert!(end.iter().zip(values(&expected)).any(|(end, x)| (end - x).abs() > 1e-3));
    }
}

#[test]
fn clips_of_any_length_are_taken_and_unequal_ones_refused() {
    let config = small();
    let (_, network) = built(&config, 0);
    for time_steps in [1, 2, 6] {
        let outputs = network.forward(&clips(&config, 2, time_steps), &Pass::eval()).unwrap();
        let heads: Vec<_> = outputs.heads.iter().map(|head| (head.name.as_str(), head.task)).collect();
        assert_eq!(heads, [("appearance.fc", 0), ("motion.fc", 0)]);
        assert_eq!(outputs.heads[1].logits.dims(), [2, 3]);
    }
    let mut unequal = clips(&config, 2, 3);
    unequal.insert(Modality::FLOW, clips(&config, 2, 4).get(Modality::FLOW).unwrap().clone());
    let error = network.forward(&unequal, &Pass::eval()).unwrap_err().to_string();
    assert!(error.contains("clips of 3 time steps"), "{error}");
    let star = StResNetConfig { time_steps: 11, ..StResNetConfig::paper_star(3) };
    let (_, network) = built(&StResNetConfig { width: 2, input: [32, 32], ..star }, 0);
    let config = StResNetConfig { flow_channels: 20, ..small() };
    assert!(network.forward(&clips(&config, 1, 4), &Pass::eval()).is_err(), "shorter than a window");
    assert!(network.forward(&clips(&config, 1, 5), &Pass::eval()).is_ok());
}

#[test]
fn impossible_settings_are_refused() {
    let refused = |config: StResNetConfig| config.summary().unwrap_err().to_string();
    assert!(refused(StResNetConfig { blocks: [2, 1, 2, 2], ..small() }).contains("at least 2"));
    assert!(refused(StResNetConfig { temporal_kernel: 2, ..small() }).contains("odd"));
    let pool = Some(TemporalPool { kernel: 4, stride: 1 });
    assert!(refused(StResNetConfig { temporal_pool: pool, ..small() }).contains("fit 3 time steps"));
    let conv1 = Window { kernel: 70, stride: 1, padding: 0 };
    assert!(refused(StResNetConfig { conv1, ..small() }).contains("conv1"));
}

#[test]
fn one_batch_of_clips_is_learnt_by_heart() {
    let config = small();
    let (params, network) = built(&config, 1);
    let (inputs, labels) = (clips(&config, 6, 3), labels(6, 3));
    let mut optimiser = Sgd::of(&params, 0.9, 0.0).unwrap();
    let losses = (0..120).map(|seed| step(&network, &inputs, &labels, seed, &mut optimiser, 0.01));
    let last = losses.last().unwrap();
    assert!(last < 0.05, "the loss is still {last}");
    let tested = values(&loss(&network, &inputs, &labels, &Pass::eval()))[0];
    assert!(tested < 0.2, "the loss is {tested} with running statistics");
}

/// Two classes with the same frames in opposite order: single frames look the same in both classes. The network can tell
/// them apart, and cannot without its convolutions over time.
#[test]
fn the_order_of_two_things_is_learnt_through_the_convolutions_over_time() {
    // (A, A, B, B) and (B, B, A, A), both inputs alike.
    let time_steps = |x: &Tensor| {
        let [a, b] = [0, 1].map(|t| x.narrow(1, t, 1).unwrap());
        let clip = |order: [&Tensor; 4]| Tensor::cat(&order, 1).unwrap();
        Tensor::cat(&[clip([&a, &a, &b, &b]), clip([&b, &b, &a, &a])], 0).unwrap()
    };
    let inputs = support::each(&clips(&small(), 1, 2), time_steps);
    // Difference of the class scores of the two clips before training.
    let apart_with = |temporal_kernel: usize| {
        let (_, network) = built(&StResNetConfig { temporal_kernel, ..small() }, 1);
        let outputs = network.forward(&inputs, &Pass::eval()).unwrap();
        let of_head = |head: &models::Head| {
            let scores = head.logits.to_vec2::<f32>().unwrap();
            testkit::worst_difference(&scores[0], &scores[1]).0
        };
        outputs.heads.iter().map(of_head).fold(0.0, f64::max)
    };
    assert!(apart_with(3) > 1e-3);
    assert!(apart_with(1) < 1e-5);
    let loss_with = |temporal_kernel: usize, batch_statistics: BatchStatistics| {
        let config = StResNetConfig { temporal_kernel, batch_statistics, ..small() };
        let (params, network) = built(&config, 1);
        let mut optimiser = Sgd::of(&params, 0.9, 0.0).unwrap();
        let losses = (0..60).map(|seed| step(&network, &inputs, &[0, 1], seed, &mut optimiser, 0.01));
        losses.last().unwrap() / 2.0
    };
    assert!(loss_with(3, BatchStatistics::All) < 0.1);
    // Both clips have the same features up to rounding, so even odds are the best possible result on any device. With batch
    // statistics of two distinct frames, the last bit would be amplified until the network learns it.
    assert!((loss_with(1, BatchStatistics::None) - 2f32.ln()).abs() < 0.05);
}

#[test]
fn three_training_steps_give_the_same_bits_on_any_number_of_threads() {
    let train = || {
        let config = small();
        let (params, network) = built(&config, 1);
        let (inputs, labels) = (clips(&config, 3, 4), labels(3, 3));
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
