//! What is measured, as the benchmark program describes it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A case of a suite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// Cases that are averaged together.
    pub(crate) group: String,
    /// For people.
    pub(crate) size: String,
    pub(crate) unit: Unit,
    /// Work of all phases together.
    pub(crate) work: f64,
    pub(crate) phases: Vec<Phase>,
    /// Whether criterion measures the phases one by one too.
    pub(crate) apart: bool,
    /// Whether the last phase is all the others without stops between them.
    pub(crate) whole: bool,
    /// For the peer.
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
