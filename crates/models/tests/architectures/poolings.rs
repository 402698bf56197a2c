//! Pooling over time at a layer: dynamic images and maps, Beyond Short Snippets.

use candle_core::Tensor;
use models::{
    AlexNetConfig, Architecture, Backbone, Channels, Inputs, Modality, Network, PoolBy, Pooled, PooledConfig,
    Pooling, SnippetNetwork,
};
use nn::{Params, Pass, Sgd};
use testkit::{assert_close, fixture, noise, sizes, values};

use crate::support::{self, channels_first, device, input, labels, step};

fn pooling(at: &str, by: PoolBy) -> Pooling {
    Pooling { of: Pooled::TimeSteps, at: at.into(), by, window: None, stride: None }
}

fn frames(at: &str, by: PoolBy) -> Pooling {
    Pooling { of: Pooled::Frames, ..pooling(at, by) }
}

/// Windows of two time steps, one apart.
fn windows(at: &str) -> Pooling {
    Pooling { window: Some(2), stride: Some(1), ..pooling(at, PoolBy::Maximum) }
}

fn alex(widths: [usize; 5], fc: [usize; 2]) -> AlexNetConfig {
    let [fc6, fc7] = fc;
    AlexNetConfig { input: [67, 67], widths, fc6, fc7, dropout: 0.0, ..AlexNetConfig::paper(3) }
}

fn small(frames: usize, poolings: Vec<Pooling>) -> PooledConfig {
    let network = SnippetNetwork::AlexNet(alex([4, 6, 8, 8, 6], [10, 7]));
    PooledConfig { network, time_steps: 3, frames, poolings }
}

/// Every kind, by the name of its fixture.
fn all() -> Vec<(&'static str, PooledConfig)> {
    let of_frames = |by| small(4, vec![frames("norm1", by), pooling("pool5", PoolBy::Mean)]);
    vec![
        ("poolings_rank", of_frames(PoolBy::ApproximateRank)),
        ("poolings_learned", of_frames(PoolBy::Learned)),
        ("poolings_twice", of_frames(PoolBy::LearnedTwice)),
        ("poolings_slow", small(1, vec![windows("pool5"), pooling("fc6", PoolBy::Maximum)])),
        ("poolings_local", small(1, vec![windows("pool5"), pooling("fc7", PoolBy::Concatenation)])),
    ]
}

fn built(config: &dyn Architecture, seed: u64) -> (Params, Backbone) {
    let params = Params::new(device());
    let network = config.build(&params.builder(seed)).unwrap();
    (params, network)
}

fn clips(samples: usize, time_steps: usize, channels: usize) -> Inputs {
    let shape = (samples, time_steps, channels, 67, 67);
    let data = noise(3, samples * time_steps * channels * 67 * 67);
    Inputs::from([(Modality::RGB, Tensor::from_vec(data, shape, device()).unwrap())])
}

fn logits(network: &Backbone, inputs: &Inputs) -> Tensor {
    network.forward(inputs, &Pass::eval()).unwrap().heads.swap_remove(0).logits
}

#[test]
fn it_agrees_with_pytorch() {
    for (name, config) in all() {
        let tensors = fixture(name);
        let (steps, stacked) = (sizes(&tensors["steps"])[0], 3 * config.frames);
        assert_eq!((steps, sizes(&tensors["widths"])), (config.time_steps, vec![4, 6, 8, 8, 6]));
        let x = input(&tensors);
        let x = x.reshape((x.dim(0).unwrap(), steps, stacked, 67, 67)).unwrap();
        let (params, network) = built(&config, 0);
        support::agrees_on(name, &tensors, &params, &network, &Inputs::from([(Modality::RGB, x)]), 1e-2);
    }
}

#[test]
fn the_summary_lists_what_runs() {
    for (name, config) in all() {
        let summary = config.summary().unwrap();
        let (params, network) = built(&config, 1);
        assert_eq!(params.count(), summary.parameters(), "{name}");
        let mut rows = summary.rows.iter();
        let visit = |layer: &str, output: &Tensor| {
            let row = rows.next().unwrap();
            let values: usize = row.output.iter().product();
            assert_eq!(
                (layer, channels_first(output).elem_count()),
                (row.name.as_str(), 2 * values),
                "{name}"
            );
        };
        let inputs = clips(2, 3, 3 * config.frames);
        let outputs = network.trace(&inputs, &Pass::eval(), visit).unwrap();
        assert_eq!(outputs.heads[0].logits.dims(), [2, 3]);
        assert_eq!(outputs.features.unwrap().dim(0).unwrap(), 2);
    }
}

/// Sizes of the papers' networks: the layers are CaffeNet's, a learned sum has 11 values, and two have 121.
#[test]
fn the_papers_networks_have_their_sizes() {
    let of = |frames, poolings| {
        let network = SnippetNetwork::AlexNet(AlexNetConfig::paper(101));
        PooledConfig { network, time_steps: 10, frames, poolings }.summary().unwrap()
    };
    let alone = AlexNetConfig::paper(101).summary().unwrap();
    assert_eq!(alone.parameters(), 57_282_021);
    let maximum = || pooling("pool5", PoolBy::Maximum);
    assert_eq!(of(1, vec![maximum()]).parameters(), 57_282_021);
    assert_eq!(of(10, vec![frames("norm1", PoolBy::Learned), maximum()]).parameters(), 57_282_021 + 11);
    assert_eq!(of(10, vec![frames("norm1", PoolBy::LearnedTwice), maximum()]).parameters(), 57_282_021 + 121);
    let products = of(1, vec![maximum()]).multiply_adds();
    assert!(products < 10 * alone.multiply_adds() && products > 9 * alone.multiply_adds());
}

/// Copies of an image have its scores, however many; the network alone brings the weights, in either direction.
#[test]
fn copies_of_an_image_have_its_scores() {
    let network = alex([4, 6, 8, 8, 6], [10, 7]);
    let (stored, single) = built(&network, 5);
    let one = clips(2, 1, 3);
    for by in [PoolBy::Maximum, PoolBy::Mean] {
        for at in ["input", "norm2", "pool5", "fc7"] {
            let config = small(1, vec![pooling(at, by)]);
            let (params, pooled) = built(&config, 1);
            let own: &dyn Architecture = &config;
            let adopted = own.adopt(&network, &stored.tensors(), None).unwrap();
            params.transfer(&adopted, &|_| false).unwrap();
            for time_steps in [1, 3, 5] {
                let copies = support::each(&one, |x| x.repeat((1, time_steps, 1, 1, 1)).unwrap());
                assert_close("copies", &logits(&pooled, &copies), &logits(&single, &one), 1e-4);
            }
            assert!((&network as &dyn Architecture).can_adopt(&config, None).is_ok());
        }
    }
    // Filters of a frame are kept, although the input stacks several.
    let config = small(4, vec![frames("conv1", PoolBy::ApproximateRank), pooling("pool5", PoolBy::Maximum)]);
    assert_eq!(config.inputs(), [Channels::new(Modality::RGB, 12)]);
    let own: &dyn Architecture = &config;
    let adopted = own.adopt(&network, &stored.tensors(), None).unwrap();
    assert_close("conv1", &adopted["conv1.weight"], &stored.tensors()["conv1.weight"], 0.0);
    let (_, pooled) = built(&config, 1);
    // Frames that do not change cancel each other, at any length of the clip.
    let still = support::each(&one, |x| x.repeat((1, 3, 4, 1, 1)).unwrap());
    // All biases are 0.
    let found = values(&logits(&pooled, &still));
    assert!(found.iter().all(|value| value.abs() < 1e-4), "{found:?}");
}

/// A learned sum begins with small weights, so it takes the longest. At higher rates so narrow a network loses all its units.
#[test]
fn one_batch_is_learnt_by_heart() {
    for (name, config) in all() {
        let (params, network) = built(&config, 1);
        let (inputs, labels) = (clips(3, 3, 3 * config.frames), labels(3, 3));
        let mut sgd = Sgd::of(&params, 0.9, 0.0).unwrap();
        let mut losses = (0..1200).map(|seed| step(&network, &inputs, &labels, seed, &mut sgd, 0.003));
        let first = losses.next().unwrap();
        assert!(losses.any(|loss| loss < 0.1 * first), "{name}: from {first}");
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let error = |config: PooledConfig| config.summary().unwrap_err().to_string();
    let max = |at| pooling(at, PoolBy::Maximum);
    for (config, expected) in [
        (small(1, vec![]), "there is no pooling"),
        (small(1, vec![max("pool7")]), "no layer (did you mean `pool"),
        (small(1, vec![max("fc6"), max("pool5")]), "list poolings in order"),
        (small(1, vec![windows("pool5")]), "2 time steps are left at the classifier"),
        (small(1, vec![pooling("pool5", PoolBy::Learned)]), "needs window = 10"),
        (small(1, vec![pooling("pool5", PoolBy::Concatenation)]), "joins vectors"),
        (small(4, vec![max("pool5")]), "the first pooling has to join the frames"),
        (small(1, vec![frames("pool5", PoolBy::Maximum)]), "only if there are several"),
        (small(1, vec![Pooling { stride: None, ..windows("pool5") }]), "give both or neither"),
        (small(1, vec![Pooling { window: Some(4), ..windows("pool5") }]), "does not fit 3 time steps"),
        (PooledConfig { time_steps: 0, ..small(1, vec![max("pool5")]) }, "expected 1 to 65536"),
    ] {
        let found = error(config);
        assert!(found.contains(expected), "expected {expected} in: {found}");
    }
    let text = r#"{"at": "pool5", "by": "maximum", "window": 1001, "stride": 1}"#;
    assert!(serde_json::from_str::<Pooling>(text).unwrap_err().to_string().contains("1 to 1000"));
    // A concatenation fixes the length.
    let (_, network) = built(&all().pop().unwrap().1, 1);
    let error = network.forward(&clips(1, 4, 3), &Pass::eval()).unwrap_err().to_string();
    assert!(error.contains("(B, 3, 3, 67, 67)"), "{error}");
}
