//! Fine-tunes ResNet-50 in a plain loop of `candle_nn`, with its `VarMap`, its loss and its AdamW.
//!
//! ```console
//! $ cargo run --release --package models --example fine_tune
//! $ cargo run --release --package models --example fine_tune -- resnet50.safetensors 224
//! ```
//!
//! The first command trains from scratch on small images. The second starts from torchvision's weights, which have the same
//! names, with a new last layer. The images show stripes, and their classes are the two directions.

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{AdamW, ModuleT, Optimizer, ParamsAdamW, VarBuilder, VarMap, loss};
use models::{BatchStatistics, Channels, Classifier, ResNet50Config};

const CLASSES: usize = 2;
const BATCH: usize = 8;
const STEPS: usize = 10;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let weights = arguments.next();
    let side: usize = arguments.next().and_then(|side| side.parse().ok()).unwrap_or(64);

    let device = Device::Cpu;
    let config = ResNet50Config {
        input: [side, side],
        // With little data, the statistics of a trained network stay frozen.
        batch_statistics: if weights.is_some() { BatchStatistics::None } else { BatchStatistics::All },
        ..ResNet50Config::paper(Channels::FRAME, CLASSES)
    };
    let variables = VarMap::new();
    let store = VarBuilder::from_varmap(&variables, DType::F32, &device);
    let network = Classifier::new(&config, store, 1)?;

    if let Some(path) = weights {
        let stored = candle_core::safetensors::load(path, &device)?;
        for (name, tensor) in stored.iter().filter(|(name, _)| !name.starts_with("fc.")) {
            if let Some(variable) = variables.data().lock().expect("no thread has panicked").get(name) {
                variable.set(tensor)?;
            }
        }
    }

    let mut adamw = AdamW::new(variables.all_vars(), ParamsAdamW { lr: 1e-4, ..ParamsAdamW::default() })?;
    for step in 1..=STEPS {
        let (pictures, labels) = stripes(side, step, &device)?;
        let loss = loss::cross_entropy(&network.forward_t(&pictures, true)?, &labels)?;
        adamw.backward_step(&loss)?;
        println!("step {step}: loss {:.3}", loss.to_scalar::<f32>()?);
    }
    Ok(())
}

/// Returns images of stripes (B, 3, side, side), and labels for their direction.
fn stripes(side: usize, step: usize, device: &Device) -> Result<(Tensor, Tensor)> {
    let labels: Vec<u32> = (0..BATCH).map(|sample| (sample % CLASSES) as u32).collect();
    let mut values = Vec::with_capacity(BATCH * 3 * side * side);
    for (sample, &label) in labels.iter().enumerate() {
        // Each image has its own stripe width and offset.
        let width = 4.0 + ((step * BATCH + sample) * 7 % 5) as f32;
        for at in 0..3 * side * side {
            let (row, column) = (at / side % side, at % side);
            let along = if label == 0 { row } else { column };
            values.push((along as f32 / width * std::f32::consts::TAU + step as f32).sin());
        }
    }
    let pictures = Tensor::from_vec(values, (BATCH, 3, side, side), device)?;
    Ok((pictures, Tensor::new(labels, device)?))
}
