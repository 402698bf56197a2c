//! What a check is asked for.

use plan::spec::ProfileName;

/// What is to be checked.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// The tables; all that have baselines if empty.
    pub tables: Vec<String>,
    /// The runs, such as `synth-mini.data-seed-7`; of each table its own data set, or the first that is committed, if empty.
    pub runs: Vec<String>,
    /// The profile, unless runs are named.
    pub profile: ProfileName,
    /// The rows; all if empty.
    pub rows: Vec<String>,
}
