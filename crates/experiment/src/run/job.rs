//! A table that is being run on opened data sets.

use std::path::PathBuf;

use plan::TablePlan;

use super::given::Given;
use super::graph::Graph;
use super::library::Library;
use super::runner::Runner;
use crate::error::{Error, Result};
use crate::record::Environment;
use crate::store::Store;

/// A table that is being run on opened data sets.
pub(super) struct Job<'a> {
    pub(super) runner: &'a Runner<'a>,
    pub(super) plan: &'a TablePlan,
    pub(super) library: Library<'a>,
    pub(super) graph: Graph<'a>,
    /// The folder of its records.
    pub(super) results: PathBuf,
    pub(super) environment: Environment,
}

impl<'a> Job<'a> {
    /// Opens the data sets of the wanted rows.
    pub(super) fn open(runner: &'a Runner<'a>, plan: &'a TablePlan) -> Result<Self> {
        let workspace = runner.workspace;
        let store = Store::new(workspace.units());
        let given = Given::all(runner, plan, &store)?;
        let library = Library::open(runner, plan, None)?;
        Ok(Self {
            runner,
            plan,
            graph: Graph::new(plan, &library, &store, &given)?,
            library,
            results: workspace.results.join(&plan.results),
            environment: Environment::here(&workspace.root, runner.device),
        })
    }

    /// Sets the requested precision of matrix products.
    pub(super) fn set_precision(&self) -> Result<()> {
        let precision = self.runner.request.precision;
        precision
            .set(self.runner.device)
            .map_err(|e| Error::Usage(format!("cannot compute in the requested precision: {e}")))
    }
}
