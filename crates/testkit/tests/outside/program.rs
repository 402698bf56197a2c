//! A program as a user of Candle would write it.

use std::alloc::System;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{AdamW, ModuleT, Optimizer, ParamsAdamW, VarBuilder, VarMap, loss};
use models::{Architecture, Channels, Classifier, CnnM2048Config, Inputs, Network};
use nn::{Params, Pass, Sgd, SgdConfig, softmax_cross_entropy};

/// The program's own allocator; it would not link if a library set another one.
#[global_allocator]
static ALLOCATOR: System = System;

const SEED: u64 = 5;
const LABELS: [u32; 6] = [0, 1, 2, 0, 1, 2];

fn main() -> Result<()> {
    let device = Device::Cpu;
    let config = CnnM2048Config {
        input: [75, 75],
        widths: [8, 8, 16, 16, 16],
        full6: 32,
        full7: 24,
        ..CnnM2048Config::paper(Channels::FRAME, 3, 0.5)
    };
    // Numbers without a generator, the same in every run.
    let values = (0..6 * 3 * 75 * 75u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 16) as f32 / 32768.0 - 1.0);
    let x = Tensor::from_iter(values, &device)?.reshape((6, 3, 75, 75))?;
    adamw(&CnnM2048Config { dropout: 0.0, ..config.clone() }, &x)?;
    sgd(&config, &x)
}

fn adamw(config: &CnnM2048Config, x: &Tensor) -> Result<()> {
    let variables = VarMap::new();
    let store = VarBuilder::from_varmap(&variables, DType::F32, x.device());
    let network = Classifier::new(config, store, SEED)?;
    let labels = Tensor::new(&LABELS, x.device())?;
    let loss = |train| loss::cross_entropy(&network.forward_t(x, train)?, &labels);
    let first = loss(false)?.to_scalar::<f32>()?;
    let mut adamw = AdamW::new(variables.all_vars(), ParamsAdamW { lr: 2e-3, ..ParamsAdamW::default() })?;
    for _ in 0..60 {
        adamw.backward_step(&loss(true)?)?;
    }
    let last = loss(false)?.to_scalar::<f32>()?;
    assert!(last < 0.5 * first, "{first}, then {last}");
    println!("AdamW: the loss fell from {first:.3} to {last:.3}");
    Ok(())
}

/// Does the same ten steps with Candle's graph and trait, and with our own record.
fn sgd(config: &CnnM2048Config, x: &Tensor) -> Result<()> {
    let network = Classifier::seeded(config, x.device(), SEED)?;
    let vars = network.params().all().iter().map(|param| param.var().clone()).collect();
    let settings = SgdConfig { rate: 0.01, momentum: 0.9, weight_decay: 5e-4, clip: None };
    let mut theirs = Sgd::new(vars, settings)?;

    let params = Params::new(x.device());
    let backbone = config.build(&params.builder(SEED))?;
    let mut ours = Sgd::of(&params, 0.9, 5e-4)?;
    let inputs = Inputs::from([(Channels::FRAME.modality, x.unsqueeze(1)?)]);

    for step in 0..10 {
        let logits = network.forward_t(x, true)?;
        theirs.backward_step(&softmax_cross_entropy(&logits, &LABELS, &Pass::in_graph(true, 0))?)?;

        let pass = Pass::train(SEED + step);
        let outputs = backbone.forward(&inputs, &pass)?;
        let loss = softmax_cross_entropy(&outputs.heads[0].logits, &LABELS, &pass)?;
        ours.descend(&pass.backward(&loss)?, 0.01)?;
    }
    let bits = |params: &Params| -> Result<Vec<u32>> {
        let mut bits = Vec::new();
        for tensor in params.tensors().values() {
            bits.extend(tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits));
        }
        Ok(bits)
    };
    assert!(bits(network.params())? == bits(&params)?, "the bits differ from those of our own loop");
    println!("SGD: the bits are the same");
    Ok(())
}
