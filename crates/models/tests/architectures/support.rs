//! Helpers for the tests of all architectures.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use candle_core::{Device, Tensor};
use models::{AlexNetConfig, Backbone, Channels, Head, Inputs, Modality, Network, Summary};
use nn::{Params, Pass, Sgd};
use testkit::{assert_close, noise, sizes, values};

/// Returns the device for the tests: the CPU, or the first GPU if the variable `KERNELS_DEVICE` is `cuda`.
pub(crate) fn device() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| match std::env::var("KERNELS_DEVICE").as_deref() {
        Err(_) | Ok("cpu") => Device::Cpu,
        Ok("cuda") => nn::device::cuda(0).unwrap(),
        Ok(other) => panic!("KERNELS_DEVICE is {other}: expected cpu or cuda"),
    })
}

/// Returns the narrow AlexNet of a fixture with an input `x`, `widths` and the sizes of its `fc` layers.
pub(crate) fn alex_net(fixture: &BTreeMap<String, Tensor>, classes: usize) -> AlexNetConfig {
    let (_, _, height, width) = fixture["x"].dims4().unwrap();
    let fc = sizes(&fixture["fc"]);
    AlexNetConfig {
        input: [height, width],
        widths: sizes(&fixture["widths"]).try_into().unwrap(),
        fc6: fc[0],
        fc7: fc[1],
        dropout: 0.0,
        ..AlexNetConfig::paper(classes)
    }
}

/// Returns a fixture's tensors with a prefix, which is removed from their names.
pub(crate) fn prefixed(fixture: &BTreeMap<String, Tensor>, prefix: &str) -> BTreeMap<String, Tensor> {
    let named =
        |(name, tensor): (&String, &Tensor)| Some((name.strip_prefix(prefix)?.to_owned(), tensor.clone()));
    fixture.iter().filter_map(named).collect()
}

/// Returns a fixture's input (B, C, H, W), stored or generated.
pub(crate) fn input(fixture: &BTreeMap<String, Tensor>) -> Tensor {
    fixture.get("x").cloned().unwrap_or_else(|| {
        let shape = sizes(&fixture["shape"]);
        Tensor::from_vec(noise(1, shape.iter().product()), shape, device()).unwrap()
    })
}

/// Makes a network's inputs from a tensor (B, C, H, W).
pub(crate) fn inputs(modality: Modality, x: &Tensor) -> Inputs {
    Inputs::from([(modality, x.unsqueeze(1).unwrap().to_device(device()).unwrap())])
}

/// Applies a function to every part of a batch.
pub(crate) fn each(inputs: &Inputs, change: impl Fn(&Tensor) -> Tensor) -> Inputs {
    inputs.iter().map(|(modality, x)| (modality, change(x))).collect()
}

/// Returns the modality of a fixture's channels: a frame or a stack of flow.
pub(crate) fn channels(count: usize) -> Channels {
    if count == 3 { Channels::FRAME } else { Channels::flow(count) }
}

/// Makes a batch of noise for a network, and labels.
pub(crate) fn random_batch(
    summary: &Summary,
    modality: Modality,
    batch: usize,
    classes: usize,
) -> (Inputs, Vec<u32>) {
    let [(_, input)] = summary.inputs.as_slice() else { panic!("a network of one input") };
    let shape = [&[batch], input.as_slice()].concat();
    let x = Tensor::from_vec(noise(9, shape.iter().product()), shape, device()).unwrap();
    (inputs(modality, &x), labels(batch, classes))
}

pub(crate) fn labels(batch: usize, classes: usize) -> Vec<u32> {
    (0..batch as u32).map(|i| i % classes as u32).collect()
}

/// Returns the sum of all heads' losses.
pub(crate) fn loss(network: &dyn Network, inputs: &Inputs, labels: &[u32], pass: &Pass) -> Tensor {
    let outputs = network.forward(inputs, pass).unwrap();
    let loss = |head: &Head| nn::softmax_cross_entropy(&head.logits, labels, pass).unwrap();
    nn::sum_of_losses(&outputs.heads.iter().map(loss).collect::<Vec<_>>(), pass).unwrap()
}

/// Runs one step at the given rate; returns the loss before it.
pub(crate) fn step(
    network: &dyn Network,
    inputs: &Inputs,
    labels: &[u32],
    seed: u64,
    sgd: &mut Sgd,
    rate: f64,
) -> f32 {
    let pass = Pass::train(seed);
    let loss = loss(network, inputs, labels, &pass);
    sgd.descend(&pass.backward(&loss).unwrap(), rate).unwrap();
    values(&loss)[0]
}

/// Returns a layer's output in the axis order of PyTorch and of the summaries.
pub(crate) fn channels_first(output: &Tensor) -> Tensor {
    match output.rank() {
        4 => output.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap(),
        _ => output.clone(),
    }
}

/// Compares a network with its fixture: outputs, gradients, ten losses, and the final weights.
pub(crate) fn agrees_with_pytorch(
    name: &str,
    fixture: &BTreeMap<String, Tensor>,
    params: &Params,
    network: &Backbone,
    rate: f64,
) {
    let inputs = inputs(network.reads()[0], &input(fixture));
    agrees_on(name, fixture, params, network, &inputs, rate);
}

/// Does the same as [`agrees_with_pytorch`], on the given inputs.
pub(crate) fn agrees_on(
    name: &str,
    fixture: &BTreeMap<String, Tensor>,
    params: &Params,
    network: &Backbone,
    inputs: &Inputs,
    rate: f64,
) {
    let inputs = &each(inputs, |x| x.to_device(device()).unwrap());
    params.set_tensors(&prefixed(fixture, "start.")).unwrap();
    let labels: Vec<u32> = sizes(&fixture["labels"]).iter().map(|&l| l as u32).collect();

    let expected = prefixed(fixture, "layer.");
    let (mut worst_layer, mut seen) = (0f64, 0);
    let visit = |name: &str, found: &Tensor| {
        if let Some(expected) = expected.get(name) {
            worst_layer = worst_layer.max(assert_close(name, &channels_first(found), expected, 1e-4));
            seen += 1;
        }
    };
    network.trace(inputs, &Pass::train(0), visit).unwrap();
    assert_eq!(seen, expected.len(), "every stored layer was compared");

    let mut optimiser = Sgd::of(params, 0.9, 5e-4).unwrap();
    let (mut worst_gradient, mut worst_loss) = (0f64, 0f64);
    for (step, &expected) in values(&fixture["losses"]).iter().enumerate() {
        let pass = Pass::train(0);
        let loss = loss(network, inputs, &labels, &pass);
        let found = values(&loss)[0];
        worst_loss = worst_loss.max(f64::from((found / expected - 1.0).abs()));
        assert!(worst_loss < 1e-3, "loss {step} is {found}, expected {expected}");
        let gradients = pass.backward(&loss).unwrap();
        if step == 0 {
            let expected = prefixed(fixture, "grad.");
            assert_eq!(expected.len(), params.all().len());
            let rounding = 1e-4 * expected.values().map(largest).fold(0.0, f32::max);
            for (name, expected) in expected {
                let found = gradients.get(&params.get(&name).unwrap()).unwrap();
                if name.ends_with(".bias") && largest(&expected) < rounding {
                    // The batch's mean cancels the bias, so its gradient is zero.
                    assert!(largest(found) < rounding, "{name}");
                } else {
                    worst_gradient = worst_gradient.max(assert_close(&name, found, &expected, 1e-4));
                }
            }
        }
        optimiser.descend(&gradients, rate).unwrap();
    }
    let mut worst_end = 0f64;
    for (name, expected) in prefixed(fixture, "end.") {
        worst_end = worst_end.max(assert_close(&name, &params.tensors()[&name], &expected, 1e-3));
    }
    eprintln!(
        "{name}: worst layer {worst_layer:.1e}, gradient {worst_gradient:.1e}, loss {worst_loss:.1e}, \
         after ten steps {worst_end:.1e}"
    );
}

fn largest(tensor: &Tensor) -> f32 {
    values(tensor).into_iter().fold(0.0, |largest, x| largest.max(x.abs()))
}

/// Checks that the summary agrees with the built network and its forward pass: names, shapes and counts.
pub(crate) fn agrees_with_its_summary(summary: &Summary, params: &Params, network: &Backbone) {
    assert_eq!(params.count(), summary.parameters());
    let (inputs, _) = random_batch(summary, network.reads()[0], 2, 1);
    let mut rows = summary.rows.iter();
    let visit = |name: &str, output: &Tensor| {
        let row = rows.next().unwrap();
        assert_eq!((name, &channels_first(output).dims()[1..]), (row.name.as_str(), row.output.as_slice()));
    };
    network.trace(&inputs, &Pass::eval(), visit).unwrap();
    assert!(rows.next().is_none());
}

/// Trains on one batch and returns the loss of the last step.
pub(crate) fn loss_after(
    steps: u64,
    summary: &Summary,
    params: &Params,
    network: &Backbone,
    rate: f64,
) -> f32 {
    let classes = summary.rows.last().unwrap().output[0];
    let (inputs, labels) = random_batch(summary, network.reads()[0], 8, classes);
    let mut optimiser = Sgd::of(params, 0.9, 0.0).unwrap();
    let losses = (0..steps).map(|seed| step(network, &inputs, &labels, seed, &mut optimiser, rate));
    losses.last().unwrap()
}

/// Returns the bits of all values after three steps from the same start, on the given number of threads.
pub(crate) fn bits_after_three_steps(
    threads: usize,
    train: impl Fn() -> Params + Send + Sync,
) -> Vec<Vec<u32>> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let params = pool.install(train);
    let bits = |tensor: &Tensor| values(tensor).into_iter().map(f32::to_bits).collect();
    params.tensors().values().map(bits).collect()
}
