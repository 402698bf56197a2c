//! Opens a row exported by `cargo xtask export`, and classifies noise with its first net.
//!
//! ```console
//! $ cargo xtask export table1b/stack-10-on FOLDER
//! $ cargo run --release --package models --example open_exported -- FOLDER
//! ```

#![expect(clippy::print_stdout, reason = "an example tells what it does")]

use std::path::PathBuf;

use candle_core::{DType, Device, Error, Result, Tensor, bail};
use candle_nn::{ModuleT, VarBuilder, ops};
use models::{Classifier, ModelConfig};

fn main() -> Result<()> {
    let Some(folder) = std::env::args().nth(1).map(PathBuf::from) else {
        bail!("expected one argument: the folder that `cargo xtask export` wrote");
    };
    let read = |file: &str| {
        std::fs::read(folder.join(file)).map_err(|e| Error::wrap(e).with_path(folder.join(file)))
    };
    let config: serde_json::Value = serde_json::from_slice(&read("config.json")?).map_err(Error::wrap)?;
    let stream = &config["streams"][0];
    let model = stream["protocol"]["net"]["model"].clone();
    let model: ModelConfig = serde_json::from_value(model).map_err(Error::wrap)?;
    let weights = read(stream["weights"].as_str().unwrap_or("model.safetensors"))?;

    let device = Device::Cpu;
    let store = VarBuilder::from_buffered_safetensors(weights, DType::F32, &device)?;
    let network = Classifier::new(&*model, store, 0)?;
    println!("{}", model.summary()?);

    let dims = network.input_dims(1);
    let scores = ops::softmax(&network.forward_t(&Tensor::randn(0f32, 1.0, dims, &device)?, false)?, 1)?;
    for (label, score) in scores.squeeze(0)?.to_vec1::<f32>()?.iter().enumerate() {
        let class = config["id2label"][label.to_string()].as_str().unwrap_or("?");
        println!("{:5.1} % {class}", 100.0 * score);
    }
    Ok(())
}
