//! The cases to measure, as the benchmark program describes them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A case of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Name of the group of cases that are averaged.
    pub(crate) group: String,
    /// Description of the sizes.
    pub(crate) size: String,
    pub(crate) unit: Unit,
    /// Total work of all phases.
    pub(crate) work: f64,
    pub(crate) phases: Vec<Phase>,
    /// True if criterion also measures the phases one by one.
    pub(crate) apart: bool,
    /// True if the last phase repeats all the others without stops between them.
    pub(crate) whole: bool,
    /// Everything that a peer needs to do the same.
    pub(crate) facts: Value,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) name: String,
    pub(crate) work: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Unit {
    Flop,
    Values,
    Samples,
}
