//! Temporal Segment Networks.

use candle_core::Tensor;
use models::{
    AlexNetConfig, Architecture, Backbone, BatchStatistics, BnInceptionConfig, Channels, CnnM2048Config,
    Consensus, Inputs, Modality, ModelName, Network, SegmentsConfig, SnippetNetwork, Vgg16Config, Wanted,
};
use nn::{Params, Pass, Sgd};
use testkit::{assert_close, fixture, noise, sizes, values};

use crate::support::{self, channels_first, device, input, labels, step};

const ALL: [Consensus; 5] =
    [Consensus::Average, Consensus::Maximum, Consensus::Weighted, Consensus::Attention, Consensus::Top(2)];

fn vgg(channels: Channels) -> Vgg16Config {
    Vgg16Config {
        input: [16, 24],
        width: 2,
        full: 6,
        pooled: [true, true, true, false, false],
        dropout: 0.0,
        ..Vgg16Config::paper(channels, 3)
    }
}

fn small(consensus: Consensus) -> SegmentsConfig {
    SegmentsConfig { network: SnippetNetwork::Vgg16(vgg(Channels::flow(4))), segments: 3, consensus }
}

fn built(config: &dyn Architecture, seed: u64) -> (Params, Backbone) {
    let params = Params::new(device());
    let network = config.build(&params.builder(seed)).unwrap();
    (params, network)
}

/// Makes a batch of noise: clips of flow.
fn clips(samples: usize, time_steps: usize) -> Inputs {
    let data = noise(3, samples * time_steps * 4 * 16 * 24);
    let x = Tensor::from_vec(data, (samples, time_steps, 4, 16, 24), device()).unwrap();
    Inputs::from([(Modality::FLOW, x)])
}

fn logits(network: &Backbone, inputs: &Inputs) -> Tensor {
    network.forward(inputs, &Pass::eval()).unwrap().heads.swap_remove(0).logits
}

#[test]
fn it_agrees_with_pytorch() {
    for (name, consensus) in [
        ("segments_average", Consensus::Average),
        ("segments_maximum", Consensus::Maximum),
        ("segments_weighted", Consensus::Weighted),
        ("segments_top", Consensus::Top(2)),
        ("segments_attention", Consensus::Attention),
    ] {
        let tensors = fixture(name);
        let x = input(&tensors);
        let (batch, _, height, width) = x.dims4().unwrap();
        let size = |name: &str| sizes(&tensors[name])[0];
        let (segments, channels) = (size("segments"), size("flow"));
        let network = Vgg16Config {
            input: [height, width],
            classes: size("classes"),
            width: size("width"),
            full: size("full"),
            ..vgg(Channels::flow(channels))
        };
        let config = SegmentsConfig { network: SnippetNetwork::Vgg16(network), segments, consensus };
        let x = x.reshape((batch, segments, channels, height, width)).unwrap();
        let (params, network) = built(&config, 0);
        support::agrees_on(name, &tensors, &params, &network, &Inputs::from([(Modality::FLOW, x)]), 1e-2);
    }
}

/// The snippets' network costs once its parameters and K times its products.
#[test]
fn the_paper_network_has_its_exact_size() {
    let of = |channels, segments, consensus| {
        let network = BnInceptionConfig {
            batch_statistics: BatchStatistics::First,
            ..BnInceptionConfig::paper(channels, 101)
        };
        let network = SnippetNetwork::BnInception(network);
        SegmentsConfig { network, segments, consensus }.summary().unwrap()
    };
    let difference = Channels::new(Modality::new("difference"), 15);
    let sizes = [(Channels::FRAME, 10_373_765), (Channels::flow(10), 10_395_717), (difference, 10_411_397)];
    for (channels, parameters) in sizes {
        assert_eq!(of(channels, 3, Consensus::Average).parameters(), parameters);
        assert_eq!(of(channels, 7, Consensus::Weighted).parameters(), parameters + 7);
        assert_eq!(of(channels, 7, Consensus::Attention).parameters(), parameters + 1024);
    }
    let one = BnInceptionConfig::paper(Channels::FRAME, 101).summary().unwrap().multiply_adds();
    assert_eq!(of(Channels::FRAME, 3, Consensus::Average).multiply_adds(), 3 * one);
    let rows = of(Channels::flow(10), 3, Consensus::Attention);
    let last: Vec<String> = rows.rows.iter().rev().take(4).map(|row| format!("{row:?}")).collect();
    insta::assert_snapshot!("paper_segments", format!("{}\n{}", rows.title, last.join("\n")));
}

#[test]
fn the_summary_lists_what_runs_on_every_network() {
    let cnn = CnnM2048Config {
        input: [75, 75],
        widths: [4; 5],
        full6: 8,
        full7: 6,
        classes: vec![3, 2],
        ..CnnM2048Config::paper(Channels::flow(4), 3, 0.0)
    };
    for consensus in ALL {
        for network in [SnippetNetwork::Vgg16(vgg(Channels::flow(4))), SnippetNetwork::CnnM2048(cnn.clone())]
        {
            let config = SegmentsConfig { network, segments: 3, consensus };
            let summary = config.summary().unwrap();
            let (params, network) = built(&config, 1);
            assert_eq!(params.count(), summary.parameters());
            let [(_, shape)] = summary.inputs.as_slice() else { panic!("one input") };
            let [c, t, h, w] = shape[..] else { panic!("{shape:?}") };
            let x = Tensor::from_vec(noise(2, 2 * c * t * h * w), (2, t, c, h, w), device()).unwrap();
            let mut rows = summary.rows.iter();
            let visit = |name: &str, output: &Tensor| {
                let row = rows.next().unwrap();
                let values: usize = row.output.iter().product();
                assert_eq!((name, channels_first(output).elem_count()), (row.name.as_str(), 2 * values));
            };
            let outputs = network.trace(&Inputs::from([(Modality::FLOW, x)]), &Pass::eval(), visit).unwrap();
            assert!(rows.next().is_none());
            let heads: Vec<(usize, usize)> =
                outputs.heads.iter().map(|head| (head.task, head.logits.dim(1).unwrap())).collect();
            assert_eq!(heads, config.heads().into_iter().enumerate().collect::<Vec<_>>());
            assert_eq!(outputs.features.unwrap().dim(0).unwrap(), 2);
        }
    }
}

/// The network of one snippet has the same parameters, and its scores are those of a snippet.
#[test]
fn a_snippet_has_the_scores_of_the_network_alone() {
    let alone = vgg(Channels::flow(4));
    let (stored, single) = built(&alone, 5);
    let config = small(Consensus::Average);
    let (params, network) = built(&config, 1);
    let own: &dyn Architecture = &config;
    let adopted = own.adopt(&alone, &stored.tensors(), None).unwrap();
    params.transfer(&adopted, &|_| false).unwrap();
    let clips = clips(2, 3);
    let of_time_step = |time_step: usize| {
        support::each(&clips, |x| x.narrow(1, time_step, 1).unwrap().contiguous().unwrap())
    };
    let each: Vec<Tensor> = (0..3).map(|time_step| logits(&single, &of_time_step(time_step))).collect();
    let mean = Tensor::stack(&each, 0).unwrap().mean(0).unwrap();
    assert_close("mean", &logits(&network, &clips), &mean, 1e-5);
    assert_close("one snippet", &logits(&network, &of_time_step(1)), &each[1], 1e-6);

    // Back, and from a network for frames.
    let alone: &dyn Architecture = &alone;
    assert!(alone.can_adopt(&config, None).is_ok());
    assert!(own.can_adopt(&vgg(Channels::FRAME), None).is_ok());
    let frames = SegmentsConfig { network: SnippetNetwork::Vgg16(vgg(Channels::FRAME)), ..config.clone() };
    let adopted = own.adopt(&frames, &built(&frames, 2).0.tensors(), None).unwrap();
    assert_eq!(adopted["features.0.weight"].dims(), [2, 4, 3, 3]);
    let error = own.can_adopt(&Vgg16Config { width: 4, ..vgg(Channels::FRAME) }, None).unwrap_err();
    assert!(error.to_string().contains("vgg-16"), "{error}");
}

/// A test shows more snippets than a training. Every consensus of copies of a snippet is that snippet's scores.
#[test]
fn a_clip_may_have_any_length() {
    for consensus in ALL {
        let (_, network) = built(&small(consensus), 4);
        let one = clips(2, 1);
        let expected = logits(&network, &one);
        for time_steps in [2, 3, 25] {
            let copies = support::each(&one, |x| x.repeat((1, time_steps, 1, 1, 1)).unwrap());
            assert_close("copies", &logits(&network, &copies), &expected, 1e-5);
        }
    }
    let plan = |channels| Tensor::zeros((1, 3, channels, 16, 24), candle_core::DType::F32, device()).unwrap();
    let (_, network) = built(&small(Consensus::Average), 4);
    let error = network.forward(&Inputs::from([(Modality::FLOW, plan(5))]), &Pass::eval()).unwrap_err();
    assert!(error.to_string().contains("(B, T, 4, 16, 24)"), "{error}");
}

/// The maximum and the mean of the largest take the scores that they name, class by class.
#[test]
fn largest_scores_are_chosen_class_by_class() {
    let rows = [1f32, 6., 3., 5., 2., 4.];
    let x = Tensor::from_vec(rows.to_vec(), (3, 2), device()).unwrap();
    let pass = Pass::eval();
    assert_eq!(values(&nn::largest_over_time(&x, 3, &pass).unwrap()), [3., 6.]);
    assert_eq!(values(&nn::top_over_time(&x, 3, 2, &pass).unwrap()), [2.5, 5.5]);
    assert_eq!(values(&nn::top_over_time(&x, 3, 3, &pass).unwrap()), [2., 5.]);
    for count in [0, 4] {
        let error = nn::top_over_time(&x, 3, count, &pass).unwrap_err().to_string();
        assert!(error.contains("largest values of 3 time steps"), "{error}");
    }
    assert!(nn::largest_over_time(&x, 2, &pass).is_err());
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let alex = AlexNetConfig {
        input: [67, 67],
        widths: [8, 12, 16, 16, 12],
        fc6: 48,
        fc7: 32,
        dropout: 0.0,
        ..AlexNetConfig::paper(3)
    };
    for consensus in ALL {
        let config =
            SegmentsConfig { network: SnippetNetwork::AlexNet(alex.clone()), segments: 3, consensus };
        let (params, network) = built(&config, 1);
        let data = noise(3, 3 * 3 * 3 * 67 * 67);
        let x = Tensor::from_vec(data, (3, 3, 3, 67, 67), device()).unwrap();
        let (inputs, labels) = (Inputs::from([(Modality::RGB, x)]), labels(3, 3));
        let mut sgd = Sgd::of(&params, 0.9, 0.0).unwrap();
        let losses: Vec<f32> =
            (0..150).map(|seed| step(&network, &inputs, &labels, seed, &mut sgd, 0.02)).collect();
        assert!(losses[149] < 0.1 * losses[0], "{consensus:?}: from {} to {}", losses[0], losses[149]);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let summary = |config: SegmentsConfig| config.summary().map(drop).map_err(|error| error.to_string());
    let error = summary(SegmentsConfig { segments: 0, ..small(Consensus::Average) }).unwrap_err();
    assert!(error.contains("segments is 0, expected 1 to 65536"), "{error}");
    for count in [0, 4] {
        let error = summary(small(Consensus::Top(count))).unwrap_err();
        assert!(error.contains("of 3 time steps; expected 1 to 3"), "{error}");
    }
    assert!(
        serde_json::from_str::<Consensus>(r#"{"top": 0}"#).unwrap_err().to_string().contains("1 to 1000")
    );
    let wanted = Wanted {
        inputs: &[Channels::FRAME, Channels::flow(4)],
        time_steps: 3,
        side: 64,
        classes: &[4],
        dropout: 0.0,
        later_dropout: None,
        keeps_units: false,
        width: 0.25,
        depth: 1.0,
        small_stem: true,
        batch_statistics: None,
        levels: None,
        consensus: Some(Consensus::Average),
        poolings: &[],
    };
    let make = |name: &str| ModelName::parse(name).unwrap().make(&wanted).unwrap_err().to_string();
    let error = make("st-resnet");
    assert!(error.contains("st-resnet cannot be used over the segments of a video"), "{error}");
    let error = make("vgg-16");
    assert!(error.contains("one input"), "{error}");
}
