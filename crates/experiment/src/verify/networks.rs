//! Compares every architecture: its outputs and gradients, and ten training steps.

use candle_core::{Device, Tensor};
use models::{Backbone, Case, Inputs, Listed, ModelConfig, Network};
use nn::verify::{difference, noise};
use nn::{ContrastiveLoss, PairDistance, Params, Pass, Precision, Sgd};

use super::line::{Line, Tolerances};
use crate::{Console, Interrupt, Result};

/// Samples of a batch; an even number, for pairs.
const BATCH: usize = 8;
/// Training steps.
const STEPS: u64 = 10;
/// Learning rate and other settings of SGD. The rate is small, since a diverging training amplifies rounding.
const RATE: f64 = 1e-4;
const CLIP: f64 = 1.0;
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 5e-4;

/// A network with its parameters and a batch on a device.
struct Built {
    params: Params,
    network: Backbone,
    inputs: Inputs,
    labels: Vec<u32>,
    similar: Vec<bool>,
    pairs: bool,
}

/// The result of ten steps.
struct Trained {
    losses: Vec<f32>,
    parameters: Vec<Vec<f32>>,
}

impl Built {
    fn new(case: &Case<ModelConfig>, device: &Device) -> models::Result<Self> {
        let params = Params::new(device);
        let network = case.model.build(&params.builder(3))?;
        let mut inputs = Inputs::default();
        for (seed, (modality, shape)) in case.model.summary()?.inputs.into_iter().enumerate() {
            // (C, H, W), or (C, T, H, W) for a clip.
            let shape = match shape[..] {
                [c, t, h, w] => [BATCH, t, c, h, w],
                [c, h, w] => [BATCH, 1, c, h, w],
                _ => return Err(candle_core::Error::Msg(format!("an input of shape {shape:?}")).into()),
            };
            let values = noise(40 + seed as u64, shape.iter().product());
            inputs.insert(modality, Tensor::from_vec(values, &shape, device)?);
        }
        let classes = case.model.heads().into_iter().min().unwrap_or(1);
        let labels = (0..BATCH).map(|i| (i % classes) as u32).collect();
        let similar = (0..BATCH / 2).map(|pair| pair % 2 == 0).collect();
        Ok(Self { params, network, inputs, labels, similar, pairs: case.pairs })
    }

    fn loss(&self, pass: &Pass) -> models::Result<Tensor> {
        let outputs = self.network.forward(&self.inputs, pass)?;
        let mut losses = Vec::new();
        for head in &outputs.heads {
            losses.push(nn::softmax_cross_entropy(&head.logits, &self.labels, pass)?);
        }
        if let (true, Some(features)) = (self.pairs, &outputs.features) {
            let loss = ContrastiveLoss::new(self.similar.clone(), 5.0, PairDistance::L1).weighted(0.1);
            losses.push(nn::contrastive_loss(features, loss, pass)?);
        }
        Ok(nn::sum_of_losses(&losses, pass)?)
    }

    /// Returns the logits of all softmax layers in evaluation mode.
    fn outputs(&self) -> models::Result<Vec<f32>> {
        let outputs = self.network.forward(&self.inputs, &Pass::eval())?;
        let mut all = Vec::new();
        for head in &outputs.heads {
            all.extend(head.logits.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(all)
    }

    /// Returns the gradient of every parameter, in the order of their names.
    fn gradients(&self) -> models::Result<Vec<Vec<f32>>> {
        let pass = Pass::train(5);
        let found = pass.backward(&self.loss(&pass)?)?;
        let read = |param: &std::sync::Arc<nn::Param>| match found.get(param) {
            Some(gradient) => Ok(gradient.flatten_all()?.to_vec1::<f32>()?),
            None => Ok(Vec::new()),
        };
        self.params.all().iter().map(read).collect()
    }

    fn train(&self) -> models::Result<Trained> {
        let mut sgd = Sgd::of(&self.params, MOMENTUM, WEIGHT_DECAY)?;
        sgd.clip(CLIP)?;
        let mut losses = Vec::new();
        for seed in 0..STEPS {
            let pass = Pass::train(seed);
            let loss = self.loss(&pass)?;
            sgd.descend(&pass.backward(&loss)?, RATE)?;
            losses.push(loss.to_scalar::<f32>()?);
        }
        let read = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let parameters = self.params.tensors().values().map(read).collect::<candle_core::Result<_>>()?;
        Ok(Trained { losses, parameters })
    }
}

/// Computes the length of the difference of all tensors together, relative to their length. The largest difference would be
/// unsuitable: a gradient jumps if rounding changes the sign of a rectified value or the position of a maximum.
fn distance(found: &[Vec<f32>], expected: &[Vec<f32>]) -> f64 {
    let (found, expected) = (found.concat(), expected.concat());
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let square = |sum: f64, x: f64| sum + x * x;
    let length = expected.iter().map(|&x| f64::from(x)).fold(0.0, square).sqrt();
    let apart =
        found.iter().zip(&expected).map(|(&a, &b)| f64::from(a) - f64::from(b)).fold(0.0, square).sqrt();
    let ratio = apart / length;
    if ratio.is_nan() { f64::INFINITY } else { ratio }
}

/// Computes the largest relative difference of losses.
fn of_losses(found: &[f32], expected: &[f32]) -> f64 {
    let ratio = |(a, b): (&f32, &f32)| f64::from(a / b - 1.0).abs();
    let worst =
        found.iter().zip(expected).map(ratio).fold(0.0, |worst, x| if x <= worst { worst } else { x });
    if worst.is_nan() { f64::INFINITY } else { worst }
}

pub(super) fn lines(
    device: &Device,
    precision: Precision,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<Vec<Line>> {
    let (cases, tolerances) = (ModelConfig::cases(), Tolerances::of(precision));
    let step = console.step("networks", cases.len() as u64, 0);
    let (mut networks, mut training) = (Vec::new(), Vec::new());
    for case in cases {
        interrupt.check()?;
        let compared = compare(&case, device);
        let of = |which: fn(&Differences) -> f64| compared.as_ref().map(which).map_err(Clone::clone);
        let line = |kind, what, which, allowed| {
            Line::new(kind, format!("{}: {what}", case.name), of(which), allowed)
        };
        networks.push(line("network", "outputs", |d| d.outputs, tolerances.output));
        if case.is_smooth || precision.is_fp32() {
            networks.push(line("network", "gradients", |d| d.gradients, tolerances.gradient));
            training.push(line("training", "losses of ten steps", |d| d.losses, tolerances.losses));
            training.push(line("training", "final parameters", |d| d.parameters, tolerances.parameters));
        }
        training.push(line("training", "repeated, to the bit", |d| d.repeated, 0.0));
        step.advance(1);
    }
    networks.append(&mut training);
    Ok(networks)
}

/// Differences of one network on the device and on the CPU, and of two trainings on the device.
struct Differences {
    outputs: f64,
    gradients: f64,
    losses: f64,
    parameters: f64,
    repeated: f64,
}

fn compare(case: &Case<ModelConfig>, device: &Device) -> std::result::Result<Differences, String> {
    let run =
        || differences(Built::new(case, device)?, Built::new(case, device)?, Built::new(case, &Device::Cpu)?);
    run().map_err(|e| e.to_string())
}

/// Computes the differences of a network on the device, built twice, from that on the CPU.
fn differences(there: Built, again: Built, here: Built) -> models::Result<Differences> {
    let outputs = difference(&there.outputs()?, &here.outputs()?);
    let gradients = distance(&there.gradients()?, &here.gradients()?);
    let (found, expected, again) = (there.train()?, here.train()?, again.train()?);
    Ok(Differences {
        outputs,
        gradients,
        losses: of_losses(&found.losses, &expected.losses),
        parameters: distance(&found.parameters, &expected.parameters),
        repeated: distance(&again.parameters, &found.parameters).max(of_losses(&again.losses, &found.losses)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests the cases themselves, with the CPU in place of the device: they run, learn, and equal themselves.
    #[test]
    fn every_case_learns_and_differs_from_itself_by_nothing() {
        for case in ModelConfig::cases() {
            let found = compare(&case, &Device::Cpu).unwrap_or_else(|e| panic!("{}: {e}", case.name));
            let all = [found.outputs, found.gradients, found.losses, found.parameters, found.repeated];
            assert_eq!(all, [0.0; 5], "{}", case.name);
            let built = Built::new(&case, &Device::Cpu).unwrap();
            let before = built.params.tensors().values().map(|t| t.copy().unwrap()).collect::<Vec<_>>();
            built.train().unwrap();
            let moved = built.params.tensors().values().zip(&before).any(|(now, before)| {
                let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                values(now) != values(before)
            });
            assert!(moved, "{}", case.name);
        }
    }

    /// A verdict is meaningful only if rounding alone stays within the tolerances. Inputs that are off by a few units in the
    /// last place stand for a device that rounds differently.
    #[test]
    fn rounding_alone_stays_within_what_is_borne() {
        let allowed = Tolerances::of(nn::Precision::Fp32);
        for case in ModelConfig::cases() {
            let off = || {
                let mut built = Built::new(&case, &Device::Cpu).unwrap();
                let moved = |(modality, x): (_, &Tensor)| {
                    let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
                    let moved = values.iter().zip(noise(90, values.len())).map(|(x, r)| x * (1.0 + 5e-7 * r));
                    (modality, Tensor::from_vec(moved.collect(), x.shape(), &Device::Cpu).unwrap())
                };
                built.inputs = built.inputs.iter().map(moved).collect();
                built
            };
            let found = differences(off(), off(), Built::new(&case, &Device::Cpu).unwrap()).unwrap();
            eprintln!(
                "{}: outputs {:.1e}, gradients {:.1e}, losses {:.1e}, parameters {:.1e}",
                case.name, found.outputs, found.gradients, found.losses, found.parameters
            );
            assert!(found.outputs < allowed.output && found.gradients < allowed.gradient, "{}", case.name);
            assert!(found.losses < allowed.losses && found.parameters < allowed.parameters, "{}", case.name);
        }
    }

    #[test]
    fn differences_are_relative_and_nothing_hides_a_nan() {
        assert_eq!(distance(&[vec![3.0], vec![2.0]], &[vec![3.0], vec![4.0]]), 0.4);
        assert_eq!(distance(&[vec![f32::NAN]], &[vec![8.0]]), f64::INFINITY);
        assert_eq!(of_losses(&[1.0, f32::NAN], &[1.0, 1.0]), f64::INFINITY);
        assert_eq!(of_losses(&[1.0, 3.0], &[1.0, 2.0]), 0.5);
    }
}
