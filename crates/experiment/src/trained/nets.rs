//! A row and its nets, wherever they are from.

use std::path::PathBuf;

use crate::record::{Record, TrainOutcome};
use plan::{Protocol, RunName};

/// A row with its trained nets.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Where it is from, for people: `two-stream/table3/synth-mini/average`.
    pub name: String,
    /// Class names, in label order.
    pub classes: Vec<String>,
    /// Its nets; the record says how the scores of several are fused.
    pub nets: Vec<TrainedNet>,
    /// The row's record.
    pub record: Record,
    /// Which of the record's runs the nets are from.
    pub run: usize,
    /// The run of the table, such as `synth-mini`.
    pub question: RunName,
}

/// A net and its weights.
#[derive(Debug, Clone)]
pub struct TrainedNet {
    /// The stream, such as `spatial`, or the architecture if it joins several.
    pub name: String,
    /// How it sees videos and is tested.
    pub protocol: Protocol,
    /// The seed that it was trained with.
    pub seed: u64,
    /// Its weights.
    pub weights: PathBuf,
    /// How its training went.
    pub training: TrainOutcome,
}

/// What a net is called beside others.
pub(crate) fn named(protocol: &Protocol, others: &[TrainedNet]) -> String {
    let name = match &protocol.net.sample.inputs[..] {
        [one] => one.input.stream(),
        _ => protocol.net.model.kind(),
    };
    let alike = others.iter().filter(|net| net.name.starts_with(name)).count();
    if alike == 0 { name.to_owned() } else { format!("{name}-{}", alike + 1) }
}
