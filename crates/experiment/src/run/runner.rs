//! The settings of a command that runs tables.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use candle_core::Device;
use nn::Ranks;
use plan::{Request, TablePlan, Workspace};

use super::census::Census;
use crate::train::CHECKPOINT_EVERY;
use crate::trained::Trained;
use crate::{Console, Interrupt, Result};

/// The settings of a command that runs tables.
pub struct Runner<'a> {
    /// The folders of specs, data, cache and results.
    pub workspace: &'a Workspace,
    /// The requested rows, profile, data and seeds.
    pub request: &'a Request,
    /// The folders of real videos.
    pub data_roots: DataRoots,
    /// True if finished units are done again, once each.
    pub fresh: bool,
    /// Device for networks and TV-L1 flow.
    pub device: &'a Device,
    /// Time between checkpoints, see [`crate::train::Training::checkpoint_every`].
    pub checkpoint_every: Duration,
    /// Destination of progress and messages.
    pub console: &'a Console,
    /// Flag that stops the work.
    pub interrupt: &'a Interrupt,
    /// An exported row whose nets are used without training.
    pub given: Option<&'a Trained>,
    /// The processes that train nets together with this one.
    pub ranks: Ranks,
    /// Counts the nets of all tables.
    pub census: Census,
    /// True if only the headers of cache files are checked, since another process has just prepared them. Damage is then an
    /// error when it is read.
    pub trust_cache: bool,
    /// If set, nothing is trained, tested or fused here, and rows use finished units only. The function explains why a unit
    /// is not done.
    pub absent: Option<&'a dyn Fn(&str) -> String>,
}

impl<'a> Runner<'a> {
    /// Creates a runner on the CPU with a single process and default settings.
    pub fn new(
        workspace: &'a Workspace,
        request: &'a Request,
        console: &'a Console,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            workspace,
            request,
            data_roots: DataRoots::default(),
            fresh: false,
            device: &Device::Cpu,
            checkpoint_every: CHECKPOINT_EVERY,
            console,
            interrupt,
            given: None,
            ranks: Ranks::alone(),
            census: Census::default(),
            trust_cache: false,
            absent: None,
        }
    }

    /// Returns the folder of the records of a table.
    ///
    /// # Errors
    /// If the table cannot be read or its plan contradicts itself.
    pub fn results(&self, table: &str) -> Result<PathBuf> {
        Ok(self.workspace.results.join(self.plan(table, self.request)?.results))
    }

    /// Resolves the plan of a table.
    pub(super) fn plan(&self, table: &str, request: &Request) -> Result<TablePlan> {
        let (spec, file) = self.workspace.spec(table)?;
        Ok(TablePlan::resolve(spec, file, request, self.workspace)?)
    }
}

/// The folders of real videos.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataRoots {
    /// Folder of the data set that the table is run on.
    pub main: Option<PathBuf>,
    /// Folders of data sets by name.
    pub named: BTreeMap<String, PathBuf>,
}

impl DataRoots {
    /// Returns the folder of a data set; `main` is the data set that the table is run on.
    pub(super) fn of(&self, set: &str, main: &str) -> Option<PathBuf> {
        self.named.get(set).or(self.main.as_ref().filter(|_| set == main)).cloned()
    }
}
