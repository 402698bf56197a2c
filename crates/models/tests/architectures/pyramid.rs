//! The Spatiotemporal Pyramid Network.

use candle_core::Tensor;
use models::{
    Architecture, Backbone, BatchStatistics, BnInceptionConfig, Channels, InceptionStem, Inputs, Modality,
    ModelConfig, Network, PyramidBase, PyramidConfig, PyramidHead, ResNet50Config, SnippetFusion,
    Vgg16Config, Window,
};
use nn::{Params, Pass, Sgd};
use testkit::{fixture, noise, sizes, values};

use crate::support::{self, bits_after_three_steps, channels_first, device, input, labels, step};

const HEADS: [PyramidHead; 4] =
    [PyramidHead::Motion, PyramidHead::Attended, PyramidHead::Fused, PyramidHead::Pyramid];
const FUSIONS: [SnippetFusion; 3] =
    [SnippetFusion::Concatenation, SnippetFusion::Sum, SnippetFusion::CompactBilinear];

fn vgg(width: usize) -> Vgg16Config {
    Vgg16Config {
        input: [16, 24],
        width,
        full: 4,
        pooled: [true, true, true, false, false],
        dropout: 0.0,
        ..Vgg16Config::paper(Channels::FRAME, 3)
    }
}

fn small(head: PyramidHead, fusion: SnippetFusion) -> PyramidConfig {
    PyramidConfig {
        base: PyramidBase::Vgg16(vgg(2)),
        flow_channels: 4,
        snippets: 3,
        fusion,
        head,
        sketch: 24,
        attention: 4,
    }
}

/// The paper's network: three snippets of ten fields, all levels.
fn paper(head: PyramidHead) -> PyramidConfig {
    let base = BnInceptionConfig {
        batch_statistics: BatchStatistics::First,
        ..BnInceptionConfig::paper(Channels::FRAME, 101)
    };
    PyramidConfig {
        base: PyramidBase::BnInception(base),
        flow_channels: 20,
        snippets: 3,
        fusion: SnippetFusion::CompactBilinear,
        head,
        sketch: 8192,
        attention: 512,
    }
}

fn built(config: &PyramidConfig, seed: u64) -> (Params, Backbone) {
    let params = Params::new(device());
    let network = config.build(&params.builder(seed)).unwrap();
    (params, network)
}

/// Makes a batch of noise.
fn batch(config: &PyramidConfig, samples: usize) -> Inputs {
    let of = |(modality, shape): (Modality, Vec<usize>)| {
        let (time_steps, c, h, w) = match shape[..] {
            [c, h, w] => (1, c, h, w),
            [c, t, h, w] => (t, c, h, w),
            _ => panic!("{shape:?}"),
        };
        let data = noise(1 + c as u64, samples * time_steps * c * h * w);
        (modality, Tensor::from_vec(data, (samples, time_steps, c, h, w), device()).unwrap())
    };
    config.summary().unwrap().inputs.into_iter().map(of).collect()
}

/// Returns a layer's output in evaluation mode.
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
    for (name, head, fusion) in [
        ("pyramid_all", PyramidHead::Pyramid, SnippetFusion::CompactBilinear),
        ("pyramid_attended", PyramidHead::Attended, SnippetFusion::Concatenation),
        ("pyramid_fused", PyramidHead::Fused, SnippetFusion::Concatenation),
        ("pyramid_sum", PyramidHead::Motion, SnippetFusion::Sum),
    ] {
        let tensors = fixture(name);
        let x = input(&tensors);
        let (batch, _, height, width) = x.dims4().unwrap();
        let size = |name: &str| sizes(&tensors[name])[0];
        let (snippets, flow_channels) = (size("snippets"), size("flow"));
        let config = PyramidConfig {
            base: PyramidBase::Vgg16(Vgg16Config {
                input: [height, width],
                classes: size("classes"),
                ..vgg(size("width"))
            }),
            flow_channels,
            snippets,
            sketch: size("sketch"),
            attention: size("attention"),
            ..small(head, fusion)
        };
        let part = |from, count| x.narrow(1, from, count).unwrap().contiguous().unwrap();
        let flow = part(3, snippets * flow_channels);
        let flow = flow.reshape((batch, snippets, flow_channels, height, width)).unwrap();
        let inputs =
            Inputs::from([(Modality::RGB, part(0, 3).unsqueeze(1).unwrap()), (Modality::FLOW, flow)]);
        let (params, network) = built(&config, 0);
        support::agrees_on(name, &tensors, &params, &network, &inputs, 1e-3);
    }
}

/// The parameters of the levels, without the two trunks, counted by hand.
#[test]
fn the_paper_network_has_its_exact_size() {
    let summary = |config: PyramidConfig| config.summary().unwrap();
    let classifier = |features: usize| (features + 1) * 101;
    let spatial = 10_373_765 - classifier(1024);
    let temporal = spatial + 17 * 64 * 7 * 7;
    let attention = (8192 + 1) * 512 + (512 + 1);
    let parameters = |head| summary(paper(head)).parameters();
    assert_eq!(parameters(PyramidHead::Motion), temporal + classifier(8192));
    assert_eq!(parameters(PyramidHead::Attended), spatial + temporal + attention + classifier(1024));
    assert_eq!(parameters(PyramidHead::Fused), spatial + temporal + classifier(8192));
    assert_eq!(parameters(PyramidHead::Pyramid), spatial + temporal + attention + classifier(8192));
    let concatenation = PyramidConfig { fusion: SnippetFusion::Concatenation, ..paper(PyramidHead::Motion) };
    assert_eq!(summary(concatenation).parameters(), temporal + classifier(3 * 1024));
    let rows = summary(paper(PyramidHead::Pyramid)).rows;
    let joins =
        rows.iter().filter(|row| !row.name.starts_with("spatial.") && !row.name.starts_with("temporal."));
    let line = |row: &models::Row| format!("{:<14} {:<50} {:?}", row.name, row.operation, row.output);
    insta::assert_snapshot!("paper_levels", joins.map(line).collect::<Vec<_>>().join("\n"));
}

#[test]
fn the_summary_lists_what_runs_on_every_base() {
    let inception = BnInceptionConfig {
        input: [56, 56],
        width_divisor: 32,
        stem: InceptionStem::Small,
        dropout: 0.5,
        ..BnInceptionConfig::paper(Channels::FRAME, 3)
    };
    let res_net = ResNet50Config {
        input: [64, 64],
        width: 2,
        blocks: [1, 1, 1, 1],
        ..ResNet50Config::paper(Channels::FRAME, 3)
    };
    let bases =
        [PyramidBase::BnInception(inception), PyramidBase::ResNet50(res_net), PyramidBase::Vgg16(vgg(2))];
    for (base, head) in bases.into_iter().flat_map(|base| HEADS.map(|head| (base.clone(), head))) {
        for fusion in FUSIONS {
            let config = PyramidConfig { base: base.clone(), ..small(head, fusion) };
            let (params, network) = built(&config, 0);
            let summary = config.summary().unwrap();
            assert_eq!(params.count(), summary.parameters());
            let mut rows = summary.rows.iter();
            let visit = |name: &str, output: &Tensor| {
                let row = rows.next().unwrap();
                let found = channels_first(output);
                let mut each = found.dims()[1..].to_vec();
                if each.len() + 1 == row.output.len() {
                    each.insert(1, found.dim(0).unwrap() / 2);
                }
                assert_eq!((name, &each), (row.name.as_str(), &row.output));
            };
            network.trace(&batch(&config, 2), &Pass::eval(), visit).unwrap();
            assert!(rows.next().is_none());
        }
    }
}

/// The small stem ends with the paper's grid for an input of a quarter of the size.
#[test]
fn a_small_picture_keeps_the_grid_of_the_attention() {
    let base = BnInceptionConfig {
        input: [56, 56],
        width_divisor: 8,
        stem: InceptionStem::Small,
        ..BnInceptionConfig::paper(Channels::FRAME, 101)
    };
    let config = PyramidConfig { base: PyramidBase::BnInception(base), ..paper(PyramidHead::Pyramid) };
    for config in [config, paper(PyramidHead::Pyramid)] {
        let summary = config.summary().unwrap();
        let weights = summary.rows.iter().find(|row| row.name == "attention").unwrap();
        assert_eq!(weights.output, [1, 7, 7]);
    }
}

/// The weights of the spatial positions sum to one, and the attended features are the map summed with these weights.
#[test]
fn attention_is_a_weighted_mean() {
    let config = small(PyramidHead::Attended, SnippetFusion::CompactBilinear);
    let (_, network) = built(&config, 5);
    let inputs = batch(&config, 2);
    let weights = values(&network.forward(&inputs, &Pass::eval()).unwrap().attention.unwrap());
    let map = values(&seen(&network, &inputs, "spatial.features.28"));
    let attended = values(&seen(&network, &inputs, "attended"));
    let (places, channels) = (6, 16);
    for sample in 0..2 {
        let weights = &weights[sample * places..][..places];
        assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        for channel in 0..channels {
            let expected: f32 =
                (0..places).map(|p| weights[p] * map[(sample * places + p) * channels + channel]).sum();
            assert!((attended[sample * channels + channel] - expected).abs() < 1e-5);
        }
    }
}

/// Sixteen squares of vertical or horizontal stripes, one of which moves: the direction of its stripes is the class. Only the
/// motion shows which square matters, and the attention finds it.
#[test]
fn a_planted_place_is_found() {
    const SIDE: usize = 64;
    const FIELD: usize = SIDE / 4;
    let base = ResNet50Config {
        input: [SIDE; 2],
        width: 4,
        conv1: Window { kernel: 3, stride: 1, padding: 1 },
        blocks: [1, 1, 1, 1],
        ..ResNet50Config::paper(Channels::FRAME, 2)
    };
    let config = PyramidConfig {
        base: PyramidBase::ResNet50(base),
        flow_channels: 2,
        snippets: 1,
        sketch: 128,
        attention: 8,
        ..small(PyramidHead::Attended, SnippetFusion::Concatenation)
    };
    let planted = |seed: u64, samples: usize| {
        let mut rgb = noise(seed, samples * 3 * SIDE * SIDE);
        let mut flow = vec![0f32; samples * 2 * SIDE * SIDE];
        let draws = noise(seed + 1_000_000, samples * 17);
        let mut places = Vec::new();
        for sample in 0..samples {
            let draws = &draws[sample * 17..][..17];
            let moving = ((draws[16] + 1.0) * 8.0) as usize % 16;
            for (y, x) in (0..SIDE).flat_map(|y| (0..SIDE).map(move |x| (y, x))) {
                let field = y / FIELD * 4 + x / FIELD;
                let upright = if field == moving { sample % 2 == 0 } else { draws[field] > 0.0 };
                let bright = if upright { x } else { y } % 4 < 2;
                for channel in 0..3 {
                    let value = &mut rgb[((sample * 3 + channel) * SIDE + y) * SIDE + x];
                    *value = 0.2 * *value + if bright { 1.0 } else { -1.0 };
                }
                if field == moving {
                    flow[(sample * 2 * SIDE + y) * SIDE + x] = 2.0;
                }
            }
            places.push(moving);
        }
        let rgb = Tensor::from_vec(rgb, (samples, 1, 3, SIDE, SIDE), device()).unwrap();
        let flow = Tensor::from_vec(flow, (samples, 1, 2, SIDE, SIDE), device()).unwrap();
        (Inputs::from([(Modality::RGB, rgb), (Modality::FLOW, flow)]), places)
    };
    let (params, network) = built(&config, 3);
    let mut sgd = Sgd::of(&params, 0.9, 0.0).unwrap();
    sgd.clip(5.0).unwrap();
    for seed in 0..STEPS {
        let (inputs, _) = planted(1 + seed, 16);
        step(&network, &inputs, &labels(16, 2), seed, &mut sgd, 0.02);
    }
    let (inputs, places) = planted(500_000, 32);
    let weights = values(&network.forward(&inputs, &Pass::eval()).unwrap().attention.unwrap());
    let there = |(sample, place): (usize, &usize)| weights[sample * 16 + place];
    let there: f32 = places.iter().enumerate().map(there).sum::<f32>() / 32.0;
    // A sixteenth without any learning.
    assert!(there > 0.5, "the planted place has {there} of the weight");
}

/// Number of steps after which the moving square is found.
const STEPS: u64 = 150;

/// All snippets share their weights, whose gradient is the sum over the snippets.
#[test]
fn snippets_share_their_weights() {
    let config = small(PyramidHead::Motion, SnippetFusion::Sum);
    let (params, network) = built(&config, 2);
    assert!(
        params
            .all()
            .iter()
            .all(|param| param.name().starts_with("temporal.") || param.name().starts_with("fc."))
    );
    let inputs = batch(&config, 1);
    let flow = inputs.get(Modality::FLOW).unwrap();
    let map = |snippets: &Tensor| {
        let one = PyramidConfig { snippets: snippets.dim(1).unwrap(), ..config.clone() };
        let (_, network) = built(&one, 2);
        values(&seen(&network, &Inputs::from([(Modality::FLOW, snippets.clone())]), "motion"))
    };
    let alone: Vec<Vec<f32>> =
        (0..3).map(|t| map(&flow.narrow(1, t, 1).unwrap().contiguous().unwrap())).collect();
    let together = values(&seen(&network, &inputs, "motion"));
    for (i, found) in together.iter().enumerate() {
        let sum: f32 = alone.iter().map(|map| map[i]).sum();
        assert!((found - sum).abs() < 1e-5 * sum.abs().max(1.0), "{found} and {sum}");
    }
}

/// The order of snippets matters in a compact bilinear fusion and in a concatenation, but not in a sum.
#[test]
fn the_sum_alone_forgets_the_order() {
    for fusion in FUSIONS {
        let config = small(PyramidHead::Motion, fusion);
        let (_, network) = built(&config, 2);
        let flow = batch(&config, 1).get(Modality::FLOW).unwrap().clone();
        let turned = Tensor::cat(&[2, 1, 0].map(|t| flow.narrow(1, t, 1).unwrap()), 1).unwrap();
        let logits = |flow: Tensor| values(&seen(&network, &Inputs::from([(Modality::FLOW, flow)]), "fc"));
        let (there, back) = (logits(flow), logits(turned));
        let difference = there.iter().zip(&back).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert_eq!(difference < 1e-5, fusion == SnippetFusion::Sum, "{fusion:?}: {difference}");
    }
}

#[test]
fn sketches_are_stored_and_decide_the_output() {
    let config = small(PyramidHead::Pyramid, SnippetFusion::CompactBilinear);
    let ((params, network), (others, other)) = (built(&config, 1), built(&config, 2));
    let inputs = batch(&config, 2);
    let logits = |network: &Backbone| values(&seen(network, &inputs, "fc"));
    let stored = params.tensors();
    for name in ["motion.bucket_0", "motion.sign_2", "guidance.bucket_1", "fused.sign_2"] {
        assert!(stored.contains_key(name), "{name}");
        assert!(params.get(name).is_none(), "{name} does not train");
    }
    assert_ne!(values(&stored["fused.bucket_0"]), values(&others.tensors()["fused.bucket_0"]));
    assert_ne!(logits(&network), logits(&other));
    others.set_tensors(&stored).unwrap();
    assert_eq!(logits(&network), logits(&other));
    // A file with an invalid sketch.
    let mut broken = stored.clone();
    let beyond = (&stored["fused.bucket_0"] + 1000.0).unwrap();
    broken.insert("fused.bucket_0".into(), beyond);
    others.set_tensors(&broken).unwrap();
    let error = other.forward(&inputs, &Pass::eval()).unwrap_err().to_string();
    assert!(error.contains("from 0 to 23"), "{error}");
}

#[test]
fn training_gives_the_same_bits_on_any_number_of_threads() {
    let config = small(PyramidHead::Pyramid, SnippetFusion::CompactBilinear);
    let train = || {
        let (params, network) = built(&config, 1);
        let mut sgd = Sgd::of(&params, 0.9, 5e-4).unwrap();
        sgd.clip(1.0).unwrap();
        for seed in 0..3 {
            step(&network, &batch(&config, 4), &labels(4, 3), seed, &mut sgd, 0.01);
        }
        params
    };
    assert_eq!(bits_after_three_steps(1, train), bits_after_three_steps(3, train));
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let config = small(PyramidHead::Fused, SnippetFusion::Sum);
    let (_, network) = built(&config, 1);
    let whole = batch(&config, 2);
    let [rgb, flow] = [Modality::RGB, Modality::FLOW].map(|modality| whole.get(modality).unwrap().clone());
    let refused = |parts: &[(Modality, &Tensor)]| {
        let inputs = parts.iter().map(|&(modality, part)| (modality, part.clone())).collect();
        network.forward(&inputs, &Pass::eval()).unwrap_err().to_string()
    };
    let two = flow.narrow(1, 0, 2).unwrap();
    let message = refused(&[(Modality::RGB, &rgb), (Modality::FLOW, &two)]);
    assert!(message.contains("`flow` of shape (B, 3, 4, 16, 24)"), "{message}");
    let message = refused(&[(Modality::FLOW, &flow)]);
    assert!(message.contains("`rgb` of shape (B, 1, 3, 16, 24), found none"), "{message}");
    let one = rgb.narrow(0, 0, 1).unwrap();
    let message = refused(&[(Modality::RGB, &one), (Modality::FLOW, &flow)]);
    assert!(message.contains("2 clips"), "{message}");
    for broken in [
        PyramidConfig { snippets: 0, ..config.clone() },
        PyramidConfig { sketch: 0, ..config.clone() },
        PyramidConfig { sketch: 1 << 25, ..config.clone() },
        PyramidConfig { flow_channels: 0, ..config },
    ] {
        assert!(broken.summary().is_err(), "{broken:?}");
    }
}

/// Separately trained streams fill the trunks and nothing else.
#[test]
fn streams_fill_the_trunks() {
    let model = ModelConfig::Pyramid(small(PyramidHead::Pyramid, SnippetFusion::CompactBilinear));
    let (own, _) = built(&small(PyramidHead::Pyramid, SnippetFusion::CompactBilinear), 9);
    let before = own.tensors()["fc.weight"].copy().unwrap();
    let mut all = nn::tensors::Tensors::new();
    // The motion stream starts from a network for frames with other classes.
    for modality in [Modality::RGB, Modality::FLOW] {
        let first = ModelConfig::Vgg16(Vgg16Config { classes: 7, ..vgg(2) });
        let params = Params::new(device());
        first.build(&params.builder(4)).unwrap();
        all.extend(model.adopt(&*first, &params.tensors(), Some(modality)).unwrap());
    }
    own.transfer(&all, &|name| model.joins_streams(name)).unwrap();
    let found = own.tensors();
    assert_eq!(found["temporal.features.0.weight"].dims(), [2, 4, 3, 3]);
    assert_eq!(values(&found["spatial.features.2.weight"]), values(&found["temporal.features.2.weight"]));
    assert_eq!(values(&found["fc.weight"]), values(&before));
    let motion = ModelConfig::Pyramid(small(PyramidHead::Motion, SnippetFusion::Sum));
    let first = ModelConfig::Vgg16(vgg(2));
    let error = motion.can_adopt(&*first, Some(Modality::RGB)).unwrap_err().to_string();
    assert!(error.contains("no separate stream for rgb"), "{error}");
}
