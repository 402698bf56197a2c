//! A row with its trained nets.

use std::path::PathBuf;

use crate::record::{Record, TrainOutcome};
use plan::{Protocol, RunName};

/// A row with its trained nets.
#[derive(Debug, Clone)]
pub struct Trained {
    /// Its origin, for display: `two-stream/table3/synth-mini/average`.
    pub name: String,
    /// Class names, in label order.
    pub classes: Vec<String>,
    /// Its nets; the record has the fusion of several.
    pub nets: Vec<TrainedNet>,
    /// The row's record.
    pub record: Record,
    /// Index of the nets' run in the record.
    pub run: usize,
    /// The run of the table, such as `synth-mini`.
    pub question: RunName,
}

/// A net and its weights.
#[derive(Debug, Clone)]
pub struct TrainedNet {
    /// The stream, such as `spatial`, or the architecture if it joins several.
    pub name: String,
    /// Its plan and its test.
    pub protocol: Protocol,
    /// The seed that it was trained with.
    pub seed: u64,
    /// The file of its weights.
    pub weights: PathBuf,
    /// The outcome of its training.
    pub training: TrainOutcome,
}

/// Returns a name for a net that differs from those of the others.
pub(crate) fn named(protocol: &Protocol, others: &[TrainedNet]) -> String {
    let name = match &protocol.net.sample.inputs[..] {
        [one] => one.input.stream(),
        _ => protocol.net.model.kind(),
    };
    let alike = others.iter().filter(|net| net.name.starts_with(name)).count();
    if alike == 0 { name.to_owned() } else { format!("{name}-{}", alike + 1) }
}
