//! Flags of commands that read records: `compare` and `judge`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use experiment::compare::{CompareRequest, SortBy};

use super::groups::{Folders, Roots};

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// Compare these rows pair by pair, each TABLE/ROW; without them, all rows on a data set
    #[arg(value_name = "ROW", conflicts_with_all = ["dataset", "run", "only", "sort", "reverse", "pareto", "parquet"])]
    pub(crate) rows: Vec<String>,
    /// Data set of the tests [default: synth]
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Show only these runs, such as synth-mini
    #[arg(long, value_name = "NAME", num_args = 1..)]
    run: Vec<String>,
    /// Show only rows whose table, name, label or architecture contains one of these
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    only: Vec<String>,
    /// Column to sort by: accuracy, paper, parameters, multiply-adds, training-multiply-adds, training-speed, test-speed, memory,
    /// training-time
    #[arg(long, value_name = "COLUMN", default_value = "accuracy")]
    sort: SortBy,
    /// Sort the worst first
    #[arg(long)]
    reverse: bool,
    /// Show only rows on a Pareto front: accuracy against multiply-adds of a test or of a training
    #[arg(long)]
    pareto: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t = Printed::Terminal, conflicts_with = "json")]
    pub(crate) format: Printed,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Also write a Parquet file
    #[arg(long, value_name = "FILE")]
    pub(crate) parquet: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

/// The output format of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Printed {
    Terminal,
    Markdown,
    Csv,
}

impl Compare {
    pub(crate) fn request(&self) -> CompareRequest {
        CompareRequest {
            dataset: self.dataset.clone(),
            runs: self.run.clone(),
            only: self.only.clone(),
            sort: self.sort,
            reverse: self.reverse,
            pareto: self.pareto,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Judge {
    /// Tables, such as table1b or two-stream/table1b [default: all]
    pub(crate) tables: Vec<String>,
    /// Judge these runs only, such as synth-mini [default: all]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) run: Vec<String>,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) folders: Folders,
}
