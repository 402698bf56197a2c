//! The request of a check.

use plan::spec::ProfileName;

/// The tables, runs and rows to check.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// The tables; all that have baselines if empty.
    pub tables: Vec<String>,
    /// The runs, such as `synth-mini.data-seed-7`. If empty, each table's run on its own data set, or its first committed run.
    pub runs: Vec<String>,
    /// The profile, unless runs are given.
    pub profile: ProfileName,
    /// The rows; all if empty.
    pub rows: Vec<String>,
}
